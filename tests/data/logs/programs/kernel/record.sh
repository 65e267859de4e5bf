. "${LIB:-$(dirname "$0")/../lib.sh}"
# the kernel's own log, in the form that a host's kern.log has
since() { dmesg | tail -n +$((BEFORE + 1)) | python3 -c "
import re,sys,time
for l in sys.stdin:
    m = re.match(r'\[ *([0-9.]+)\] (.*)', l)
    if m: print(time.strftime('%b %e %H:%M:%S'), 'host-1 kernel: [%12s]' % m[1], m[2])"; }
BEFORE=$(dmesg | wc -l)
truncate -s 20M a.img; mkfs.ext4 -q -F a.img; mkdir m; mount -o loop a.img m; umount m; sleep .5; since > $OUT/noise.log; BEFORE=$(dmesg | wc -l)
# memory: a limit of a cgroup
C=/sys/fs/cgroup/memory/shoprec; mkdir -p $C; echo 30M > $C/memory.limit_in_bytes; echo 30M > $C/memory.memsw.limit_in_bytes 2>/dev/null
sh -c "echo \$\$ > $C/cgroup.procs; exec python3 -c 'a=bytearray(90<<20)'"; sleep 1; rmdir $C
# segmentation fault, trap
printf 'int main(){*(int*)0=1;}' > s.c; gcc -o shop s.c 2>/dev/null && ./shop; printf 'int main(){__builtin_trap();}' > t.c; gcc -o shopt t.c 2>/dev/null && ./shopt; printf 'int main(int c,char**v){volatile int z=c-1; return 1/z;}' > d.c; gcc -o shopd d.c 2>/dev/null && ./shopd
# a damaged file system
mount -o loop a.img m; mkdir m/d; for i in $(seq 40); do echo $i > m/d/f$i; done; sync; umount m; debugfs -w -R 'clri /d/f7' a.img 2>/dev/null; python3 - <<'P'
import os
f=open('a.img','r+b'); f.seek(1024*1024); data=f.read(8<<20)
i=data.find(b'f12\0')
f.seek(1024*1024+i-60); f.write(os.urandom(300)); f.close()
P
mount -o loop,errors=remount-ro a.img m; ls -la m/d >/dev/null 2>&1; find m >/dev/null 2>&1; touch m/d/new 2>/dev/null; cat m/d/f7 2>/dev/null; sleep 1; umount m
# a disk that goes away: a loop device cut short
truncate -s 20M b.img; mkfs.ext4 -q -F b.img; L=$(losetup -f --show b.img); mount $L m; dd if=/dev/zero of=m/x bs=1M count=5 2>/dev/null; sync; truncate -s 1M b.img; echo 3 > /proc/sys/vm/drop_caches; cat m/x >/dev/null 2>&1; dd if=/dev/zero of=m/y bs=1M count=8 2>/dev/null; sync; sleep 3; umount m; losetup -d $L
truncate -s 20M c.img; head -c 20000000 /dev/urandom > c.img; mount -t ext4 -o loop c.img m 2>/dev/null; mount -t xfs -o loop c.img m 2>/dev/null
since > $OUT/failed.log
