. "${LIB:-$(dirname "$0")/../lib.sh}"
d() { timeout ${T:-12} dockerd --data-root $W/d --exec-root $W/x -H unix://$W/s --pidfile $W/p --bridge=none --iptables=false ${C:-} "$@" >>d.log 2>&1; }
containerd -c /dev/null -a $W/c.sock --root $W/c --state $W/cs >>c.log 2>&1 & K=$!; sleep 2; C="--containerd $W/c.sock"
T=8 d; cat d.log c.log > $OUT/noise.log; : > d.log
T=14 d & Q=$!; sleep 5; T=4 d; stop $K; wait $Q; T=9 d; C=
echo '{"nonsense": 1}' > j.json; T=5 d --config-file j.json; echo '{' > j.json; T=5 d --config-file j.json
containerd -c /dev/null -a $W/c.sock --root $W/c --state $W/cs >>c.log 2>&1 & K=$!; sleep 2; C="--containerd $W/c.sock"; T=6 d --storage-driver nonsense; T=6 d -H tcp://203.0.113.9:2375
small_disk $W/full 1m; dd if=/dev/zero of=full/x bs=64k 2>/dev/null; timeout 9 dockerd --data-root $W/full/d --exec-root $W/x2 -H unix://$W/s --pidfile $W/p --bridge=none --iptables=false $C >>d.log 2>&1; umount full; stop $K
grep -av 'level=info' d.log > $OUT/failed.log
