. "${LIB:-$(dirname "$0")/../lib.sh}"
# small programs that have no pack of their own
head -c 300000 /dev/zero > big; { cp -v big copy; tar cvf big.tar big; gzip -v copy; } > $OUT/noise.log 2>&1
small_disk $W/full 100k
{ cp big full/; tar cf full/big.tar big; gzip -c big > full/x.gz; dd if=/dev/zero of=full/y bs=1k count=900 status=none; echo x | tee full/z; } > a.log 2>&1
umount full; for i in $(seq 40); do echo $i > part$i; done; (ulimit -n 8; sort -m part* > sorted) >> a.log 2>&1; bash -c 'ulimit -n 5; cat <(echo a) <(echo b) <(echo c) <(echo d)' >> a.log 2>&1
taken 7760; (cd $W; printf 'port=7760\naddress=127.0.0.1\nlog file=/dev/stderr\npid file=%s/p\n' $W > r.conf; timeout 3 rsync --daemon --no-detach --config r.conf) >> a.log 2>&1; stop $TAKEN
cp a.log $OUT/failed.log
