. "${LIB:-$(dirname "$0")/../lib.sh}"
# systemd as process 1 of namespaces of its own, with no units but these; its console gets the header of a host's syslog
mkdir u; unit() { printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n%b[Service]\n%b' "$2" "${4:-}" "$3" > u/$1.service; WANT="${WANT:-}Wants=$1.service\n"; }
boot() { printf "[Unit]\nDescription=Shop\nDefaultDependencies=no\n$WANT" > u/default.target; cat > boot.sh <<C
for d in /run /tmp /var/tmp /usr/lib/systemd/system-generators; do mount -t tmpfs tmpfs \$d; done
mount --bind $W/u /etc/systemd/system; mount --bind \$(tty) /dev/console
exec /lib/systemd/systemd --system --log-target=console --log-level=info --log-color=no --show-status=no
C
timeout -s KILL ${1:-14} script -q -c "unshare --mount --pid --net --ipc --uts --fork --kill-child --mount-proc sh $W/boot.sh" /dev/null 2>&1 | tr -d '\r' | sed -E "s/^/$(LC_ALL=C date '+%b %e %H:%M:%S') host-1 systemd[1]: /" >>s.log; }
unit shop-ok 'Shop that works' 'Type=oneshot\nExecStart=/bin/true\n'; unit shop-brief 'Shop that ends' 'ExecStart=/bin/sleep 1\n'; boot 6; cp s.log $OUT/noise.log; : > s.log; WANT=
unit shop 'Shop' 'ExecStart=/bin/false\n'; unit till 'Till' 'ExecStart=/nowhere/till\n'; unit bills 'Bills' 'ExecStart=/bin/sh -c "kill -SEGV $$$$"\n'; unit loop 'Loop' 'ExecStart=/bin/false\nRestart=always\nRestartSec=100ms\n'
unit slow 'Slow' 'Type=notify\nExecStart=/bin/sleep 60\nTimeoutStartSec=2\n'; unit user 'User' 'User=nobodyx\nExecStart=/bin/true\n'; unit after 'After' 'ExecStart=/bin/true\n' 'Requires=shop.service\nRequires=broken.service\nAfter=shop.service broken.service\n'; unit broken 'Broken' 'Type=oneshot\nExecStart=/bin/false\n'; unit watched 'Watched' 'Type=simple\nExecStart=/bin/sleep 60\nWatchdogSec=2\n'
boot 16; cp s.log $OUT/failed.log
