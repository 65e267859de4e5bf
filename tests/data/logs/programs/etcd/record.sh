. "${LIB:-$(dirname "$0")/../lib.sh}"
run() { etcd --name shop --data-dir ${D:-$W/d} --listen-client-urls http://127.0.0.1:7710 --advertise-client-urls http://127.0.0.1:7710 --listen-peer-urls http://127.0.0.1:7711 --initial-advertise-peer-urls http://127.0.0.1:7711 ${CL:---initial-cluster shop=http://127.0.0.1:7711} --logger zap "$@" >>e.log 2>&1 & E=$!; }
c() { ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:7710 --command-timeout=3s "$@" >/dev/null 2>&1; }
run; wait_port 7710; c put a 1; c get a; stop $E; mv e.log $OUT/noise.log
CL='--initial-cluster shop=http://127.0.0.1:7711,b=http://127.0.0.1:7712,c=http://127.0.0.1:7713' D=$W/d3 run; sleep 8; c put a 1; stop $E; CL= D=
run --quota-backend-bytes 200000; wait_port 7710; for i in $(seq 12); do head -c 30000 /dev/urandom | base64 | c put k$i; done; sleep 1; stop $E
rm -rf d; small_disk $W/full 70m; D=$W/full/d run; wait_port 7710; dd if=/dev/zero of=full/x bs=1M 2>/dev/null; for i in $(seq 20); do head -c 90000 /dev/urandom | base64 | c put k$i; done; sleep 2; stop $E; umount full; D=
taken 7710; run; sleep 2; stop $TAKEN; stop $E; run; sleep 2; stop $E; head -c 500 /dev/urandom | dd of=$(ls d/member/wal/*.wal | head -1) bs=1 seek=40 conv=notrunc 2>/dev/null; run; sleep 2; stop $E; rm -rf d; run; sleep 2; stop $E; head -c 9000 /dev/urandom > d/member/snap/db; run; sleep 2; stop $E; run --nonsense; sleep 1; stop $E
grep -av '"level":"info"' e.log > $OUT/failed.log
