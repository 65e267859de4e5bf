. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { cat > s.conf <<C
http_port 127.0.0.1:7640
pid_filename $W/s.pid
cache_log $W/cache.log
access_log none
coredump_dir $W
cache_mem 4 MB
visible_hostname host-1
shutdown_lifetime 1 seconds
netdb_filename none
icon_directory /usr/share/squid/icons
connect_timeout 2 seconds
http_access allow all
${MORE:-}
C
}
chmod 777 .; run() { conf; squid -N -f $W/s.conf >>out 2>&1 & S=$!; wait_port 7640; sleep .5; }
get() { curl -s -m 6 -o /dev/null -x 127.0.0.1:7640 "$@"; }
run; get http://127.0.0.1:7649/; stop $S; cp cache.log $OUT/noise.log; : > cache.log
MORE='cache_peer 127.0.0.1 parent 7648 0 no-query default connect-timeout=1 max-conn=9
never_direct allow all'; run; for i in $(seq 14); do get http://shop.example/$i; done; sleep 1; stop $S
MORE='max_filedescriptors 40'; run; python3 - <<'P'
import socket, time
k = []
for i in range(40):
    c = socket.socket(); c.settimeout(0.2); c.connect_ex(("127.0.0.1", 7640)); k.append(c)
time.sleep(2)
P
stop $S; taken 7640; MORE=; conf; timeout 6 squid -N -f $W/s.conf >>out 2>&1; stop $TAKEN
MORE='nonsense 1'; conf; timeout 5 squid -N -f $W/s.conf >>out 2>&1; MORE='http_access allow nowhere'; conf; timeout 5 squid -N -f $W/s.conf >>out 2>&1
MORE='url_rewrite_program /bin/false
url_rewrite_children 2 startup=2'; conf; timeout 6 squid -N -f $W/s.conf >>out 2>&1; MORE='url_rewrite_program /nowhere/x'; conf; timeout 6 squid -N -f $W/s.conf >>out 2>&1
small_disk $W/full 3m; chmod 777 full; MORE="cache_dir ufs $W/full 100 4 4"; conf; timeout 9 squid -N -z -f $W/s.conf >>out 2>&1; timeout 6 squid -N -f $W/s.conf >>out 2>&1; umount full; MORE="cache_dir ufs /nowhere/cache 100 4 4"; conf; timeout 9 squid -N -f $W/s.conf >>out 2>&1
cat cache.log out > $OUT/failed.log
