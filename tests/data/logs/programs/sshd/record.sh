. "${LIB:-$(dirname "$0")/../lib.sh}"
# sshd speaks syslog; -e writes what it would say, and this puts the header of a host's auth.log before each line
mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f hk; ssh-keygen -q -t ed25519 -N '' -f uk; chmod 755 .
tag() { while IFS= read -r l; do echo "$(LC_ALL=C date '+%b %e %H:%M:%S') host-1 sshd[$$]: ${l%$'\r'}"; done >>s.log; }
useradd -M -s /bin/sh shopann 2>/dev/null; echo 'shopann:rightpw' | chpasswd; cp uk.pub ak; chmod 644 ak
conf() { printf 'Port 7580\nListenAddress 127.0.0.1\nHostKey %s/hk\nPidFile %s/p\nUsePAM no\nAuthorizedKeysFile %s/ak\nLogLevel VERBOSE\nPasswordAuthentication yes\nStrictModes %s\n%b' $W $W $W ${STRICT:-no} "${MORE:-}" > c; }
run() { conf; /usr/sbin/sshd -D -e -f $W/c 2> >(tag) & S=$!; wait_port 7580; }
o="-p 7580 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o LogLevel=ERROR"
pw() { SSH_ASKPASS=$W/ask SSH_ASKPASS_REQUIRE=force timeout 15 ssh -p 7580 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=${3:-3} -o LogLevel=ERROR $1@127.0.0.1 true </dev/null >/dev/null 2>&1; }
printf '#!/bin/sh\necho wrong\n' > ask; chmod 755 ask
run; ssh -i uk $o shopann@127.0.0.1 true; ssh -i uk $o nobodyx@127.0.0.1 true 2>/dev/null; pw shopann x 1; ssh-keyscan -p 7580 127.0.0.1 >/dev/null 2>&1; printf 'GET / HTTP/1.0\r\n\r\n' | timeout 2 bash -c 'cat >/dev/tcp/127.0.0.1/7580'; stop $S; sleep .5; cp s.log $OUT/noise.log; : > s.log
MORE='MaxAuthTries 3\n' run; for i in 1 2 3 4; do pw root x; pw admin$i x; pw shopann x; done; stop $S
MORE='MaxStartups 2:100:2\nLoginGraceTime 2\n' run; for i in $(seq 8); do (exec 3<>/dev/tcp/127.0.0.1/7580; sleep 4) & done; sleep 5; stop $S
MORE=; chmod 777 ak; STRICT=yes run; ssh -i uk $o shopann@127.0.0.1 true 2>/dev/null; stop $S; STRICT=no
taken 7580; conf; timeout 3 /usr/sbin/sshd -D -e -f $W/c 2> >(tag); stop $TAKEN; MORE='Nonsense yes\n'; conf; timeout 3 /usr/sbin/sshd -D -e -f $W/c 2> >(tag); MORE=
chmod 644 hk; conf; timeout 3 /usr/sbin/sshd -D -e -f $W/c 2> >(tag); rm hk; timeout 3 /usr/sbin/sshd -D -e -f $W/c 2> >(tag); sleep .5
userdel shopann; cp s.log $OUT/failed.log
