. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { cat > n.conf <<C
options { directory "$W"; listen-on port 7620 { 127.0.0.1; }; listen-on-v6 { none; }; pid-file "$W/n.pid"; session-keyfile "$W/sk"; recursion ${REC:-no}; dnssec-validation no; ${OPT:-} };
controls { };
logging { channel f { file "$W/n.log"; severity info; print-time yes; print-severity yes; print-category yes; }; category default { f; }; };
zone "shop.example" { type ${TYPE:-primary}; file "$W/${ZF:-shop.zone}"; ${PRIM:-} };
${MORE:-}
C
}
zone() { printf '$TTL 60\n@ IN SOA ns.shop.example. a.shop.example. ( 1 60 60 600 60 )\n@ IN NS ns.shop.example.\nns IN A 127.0.0.1\nwww IN A 127.0.0.1\n%b' "${1:-}"; }
zone > shop.zone; chmod 777 .
run() { conf; named -f -n 1 -u bind -c $W/n.conf >>out 2>&1 & N=$!; wait_text 'running' n.log 50; sleep .5; }
ask() { python3 - "$1" <<'P'
import socket, struct, sys
q = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"".join(bytes([len(p)]) + p.encode() for p in sys.argv[1].split(".")) + b"\0" + struct.pack(">HH", 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(4); s.sendto(q, ("127.0.0.1", 7620))
try: s.recv(999)
except OSError: pass
P
}
run; ask www.shop.example; ask nothing.shop.example; ask www.other.example; kill -HUP $N; sleep 1; stop $N; cp n.log $OUT/noise.log; : > n.log
zone 'bad IN A 999.1.1.1\n' > bad.zone; ZF=bad.zone run; ask www.shop.example; stop $N; ZF=none.zone run; stop $N; ZF=shop.zone
REC=yes OPT='forward only; forwarders { 127.0.0.1 port 7629; };' run; for i in 1 2; do ask www.other$i.example; done; sleep 2; stop $N; REC=no OPT=
TYPE=secondary PRIM='primaries port 7628 { 127.0.0.1; };' ZF=s.zone run; sleep 8; stop $N; TYPE=primary PRIM= ZF=shop.zone
python3 -c "
import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('127.0.0.1',7620)); t=socket.socket(); t.bind(('127.0.0.1',7620)); t.listen(); time.sleep(60)" & S=$!; sleep .5; run; stop $N $S
MORE='nonsense { };'; conf; cp n.log n1; timeout 4 named -g -n 1 -c $W/n.conf >>g.log 2>&1; MORE=; REC=yes; OPT='recursive-clients 2; forward only; forwarders { 127.0.0.1 port 7627; };'; run
python3 - <<'P'
import socket, struct, time
h = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); h.bind(("127.0.0.1", 7627)); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(60): s.sendto(struct.pack(">HHHHHH", i, 0x0100, 1, 0, 0, 0) + b"\x04a%03d\x05other\x07example\0" % i + struct.pack(">HH", 1, 1), ("127.0.0.1", 7620))
time.sleep(3)
P
stop $N; REC=no OPT=; chmod 000 shop.zone; chown root shop.zone; run; stop $N
cat n.log g.log > $OUT/failed.log
