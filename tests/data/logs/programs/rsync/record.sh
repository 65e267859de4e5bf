. "${LIB:-$(dirname "$0")/../lib.sh}"
mkdir a b; echo x > a/f; head -c 3000000 /dev/urandom > a/big
r() { timeout 10 rsync -a "$@" >>r.log 2>&1; }
r -v a/ b/; mv r.log $OUT/noise.log
small_disk $W/full 1m; r a/ full/; umount full; r none/ b/; r a/ rsync://127.0.0.1:7749/m/; mkdir -m 755 c; echo y > c/f; chmod 0 c/f; chmod 755 .; mkdir -m 777 o; (setpriv --reuid=65534 --clear-groups rsync -r c/ o/ >>r.log 2>&1); r -e 'ssh -p 7748 -o BatchMode=yes' a/ 127.0.0.1:/x/
printf 'port=7740\naddress=127.0.0.1\nuse chroot=no\nread only=no\nuid=0\nlog file=%s/d.log\npid file=%s/p\n[m]\npath=%s/b\nauth users=ann\nsecrets file=%s/sec\nmax connections=1\n[gone]\npath=/nowhere\n' $W $W $W $W > d.conf; echo ann:right > sec; chmod 600 sec
rsync --daemon --no-detach --config d.conf & D=$!; wait_port 7740; RSYNC_PASSWORD=wrong r a/ rsync://ann@127.0.0.1:7740/m/; r rsync://127.0.0.1:7740/gone/ b/; r rsync://127.0.0.1:7740/nomod/ b/; dd if=/dev/urandom of=a/huge bs=1M count=20 2>/dev/null; (RSYNC_PASSWORD=right rsync -a --bwlimit=900 a/ rsync://ann@127.0.0.1:7740/m/ >>r.log 2>&1 & Q=$!; sleep 2; kill -9 $Q); sleep 1; (RSYNC_PASSWORD=right rsync -a --timeout=1 --bwlimit=900 a/ rsync://ann@127.0.0.1:7740/m/ >>r.log 2>&1 & Q=$!; sleep 1; pkill -STOP -P $D; sleep 4; pkill -CONT -P $D; kill $Q); stop $D
cat r.log d.log > $OUT/failed.log
