. "${LIB:-$(dirname "$0")/../lib.sh}"
d() { timeout ${T:-3} dnsmasq -d -C /dev/null -p 7630 --listen-address=127.0.0.1 --bind-interfaces --log-facility=- --no-resolv --no-hosts "$@" 2>&1 | sed -E "/^\s*$/d; s/^([A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8}) /\1 host-1 /; t; s/^/$(LC_ALL=C date '+%b %e %H:%M:%S') host-1 /" | sed 's/dnsmasq: /dnsmasq[812]: /' >>d.log; }
ask() { python3 - "$1" ${2:-1} <<'P'
import socket, struct, sys
for i in range(int(sys.argv[2])):
    q = struct.pack(">HHHHHH", i, 0x0100, 1, 0, 0, 0) + b"".join(bytes([len(p)]) + p.encode() for p in (f"a{i}." + sys.argv[1]).split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(.05); s.sendto(q, ("127.0.0.1", 7630))
    try: s.recv(999)
    except OSError: pass
P
}
(sleep 1; ask shop.example) & d --address=/shop.example/127.0.0.1 -q; mv d.log $OUT/noise.log
python3 -c "
import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('127.0.0.1',7639)); time.sleep(60)" & S=$!; (sleep 1; ask shop.example 20) & T=5 d --server=127.0.0.1#7639 --dns-forward-max=5; stop $S
python3 -c "
import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('127.0.0.1',7639))
while 1:
    d,a=s.recvfrom(999); s.sendto(d[:2]+b'\x81\x85'+d[4:],a)" & S=$!; sleep .5; (sleep 1; ask shop.example 3) & T=4 d --server=127.0.0.1#7639; stop $S
python3 -c "
import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('127.0.0.1',7630)); time.sleep(60)" & S=$!; sleep .5; d; stop $S
d --nonsense=1; d --conf-file=/nowhere/c; d --addn-hosts=/nowhere/h; d --server=127.0.0.1#7630 --resolv-file=/nowhere/r; d --dhcp-range=10.1.1.1,10.1.1.9,1h --interface=nothing0
timeout 4 dnsmasq -d -C /dev/null -p 7630 --listen-address=127.0.0.1 --bind-interfaces --no-hosts --resolv-file=/nowhere/r 2>&1 | grep . | sed "s/^/$(LC_ALL=C date '+%b %e %H:%M:%S') host-1 /" >> d.log
cp d.log $OUT/failed.log
