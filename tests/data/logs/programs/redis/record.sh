. "${LIB:-$(dirname "$0")/../lib.sh}"
run() { (ulimit -v ${VM:-unlimited}; exec redis-server --port 7300 --bind 127.0.0.1 --dir ${D:-$W} --logfile $W/redis.log --loglevel notice "$@") & R=$!; wait_port 7300; }
c() { redis-cli -p 7300 "$@"; }
run --save "1 1"; c set a 1 >/dev/null; sleep 2.2; c bgsave; c bgrewriteaof; sleep 1; c shutdown nosave; wait $R; mv redis.log $OUT/noise.log
# disk full while saving
small_disk $W/full 300k; D=$W/full run --save "1 1"; head -c 2000000 /dev/urandom | base64 -w0 | c -x set big >/dev/null; sleep 3; c set b 2; sleep 2; c shutdown nosave; wait $R
D=$W/full run --appendonly yes; for i in 1 2 3; do head -c 200000 /dev/urandom | base64 -w0 | c -x set k$i >/dev/null; done; sleep 2; kill -9 $R; wait $R; umount $W/full
# a broken dump, a broken append-only file, no permission, the port taken, a wrong option
head -c 3000 /dev/urandom > dump.rdb; printf 'REDIS0010' | dd of=dump.rdb conv=notrunc 2>/dev/null; redis-server --port 7300 --logfile $W/redis.log --dir $W; rm dump.rdb
mkdir -p aof; run --appendonly yes --appenddirname aof; c set a 1 >/dev/null; stop $R; printf '*3\r\n$garbage' >> $(ls aof/*.incr.aof); printf '*2\r\n$3\r\nxxx\r\n' >> $(ls aof/*.incr.aof); redis-server --port 7300 --logfile $W/redis.log --dir $W --appendonly yes --appenddirname aof; rm -rf aof
taken 7300; redis-server --bind 127.0.0.1 --port 7300 --logfile $W/redis.log; stop $TAKEN
# replication to a primary that is not there, then one with another password
run --replicaof "127.0.0.1 7301"; sleep 3; stop $R
redis-server --port 7301 --requirepass secret1 --save "" >/dev/null & P=$!; wait_port 7301; run --replicaof "127.0.0.1 7301"; sleep 3; stop $R
# its primary dies
stop $P; redis-server --port 7301 --save "" >/dev/null & P=$!; wait_port 7301; run --replicaof "127.0.0.1 7301"; sleep 2; kill -9 $P; sleep 3; stop $R
# clients beyond the limit, memory beyond the limit of the process, a crash
run --maxclients 4; for i in 1 2 3 4 5 6; do (exec 3<>/dev/tcp/127.0.0.1/7300; sleep 2) & done; sleep 2.5; stop $R
run --save ""; kill -SEGV $R; wait $R
run --save "" --enable-debug-command yes; c debug oom 2>/dev/null; sleep 1; kill -9 $R 2>/dev/null; wait $R
python3 - <<P
import re
s=open('$W/redis.log',errors='replace').read()
open('$OUT/failed.log','w').write(s)
P
