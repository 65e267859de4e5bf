. "${LIB:-$(dirname "$0")/../lib.sh}"
# chronyd -d writes its log to stderr; -x leaves the clock alone
ntp() { python3 - "$1" <<'P' &
import socket, struct, sys, time
off = float(sys.argv[1]); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 7570))
while True:
    d, a = s.recvfrom(999); t = time.time() + off + 2208988800; w = struct.pack(">II", int(t), int(t % 1 * 2**32))
    s.sendto(bytes([0x24, int(sys.argv[1] == "0") + 1, 4, 0xE9]) + b"\0" * 8 + b"GPS\0" + w + d[40:48] + w + w, a)
P
N=$!; }
c() { timeout ${2:-12} chronyd -d -x -f $W/$1.conf >>c.log 2>&1; }
common() { printf 'server 127.0.0.1 port 7570 minpoll -2 maxpoll -2 iburst %s\ncmdport 0\nport 0\nbindcmdaddress /\npidfile %s/c.pid\nmaxdistance 16\n' "${2:-}" $W > $1.conf; [ $# -lt 3 ] || printf "$3\n" >> $1.conf; }
ntp 0; common a; c a 8; stop $N; mv c.log $OUT/noise.log
ntp 0; common b; (sleep 4; kill $N) & c b 16
ntp 400; common d '' 'maxchange 10 1 1\nlogchange 0.5'; c d 8; stop $N
ntp 5; common e '' 'logchange 0.5'; c e 8; stop $N
echo 'nonsense 1' > f.conf; c f; printf 'server ntp.invalid iburst\ncmdport 0\nport 0\npidfile %s/c.pid\n' $W > g.conf; c g 10
printf 'driftfile /nowhere/drift\nserver 127.0.0.1 port 7570 minpoll -2 maxpoll -2 iburst\ncmdport 0\nport 0\npidfile %s/c.pid\n' $W > h.conf; ntp 0; c h 6; stop $N
python3 -c "
import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('127.0.0.1',7571)); time.sleep(30)" & S=$!; sleep .5; printf 'local\nallow\nport 7571\nbindaddress 127.0.0.1\ncmdport 0\npidfile %s/c.pid\n' $W > i.conf; c i 4; stop $S
cp c.log $OUT/failed.log
