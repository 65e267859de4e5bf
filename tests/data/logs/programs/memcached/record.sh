. "${LIB:-$(dirname "$0")/../lib.sh}"
run() { memcached -u nobody -l 127.0.0.1 -p 7310 -m 4 "$@" >>m.log 2>&1 & M=$!; wait_port 7310; }
ask() { timeout 2 bash -c "exec 3<>/dev/tcp/127.0.0.1/7310; printf '$1' >&3; head -${2:-1} <&3" >/dev/null; }
run -v; ask 'set a 0 0 1\r\nx\r\n'; ask 'get a\r\n'; ask 'get b\r\n'; ask 'nonsense\r\n'; stop $M; mv m.log $OUT/noise.log
run -vv -M; python3 - <<'P'
import socket
c = socket.create_connection(("127.0.0.1", 7310)); body = b"x" * 900000
for i in range(9):
    c.sendall(b"set k%d 0 0 %d\r\n" % (i, len(body)) + body + b"\r\n"); c.recv(999)
c.sendall(b"set big 0 0 5000000\r\n" + b"x" * 5000000 + b"\r\n"); c.recv(999)
P
stop $M
run -v -c 6; for i in 1 2 3 4 5 6 7 8 9 10; do (exec 3<>/dev/tcp/127.0.0.1/7310; sleep 2) & done; sleep 3; stop $M
taken 7310; memcached -u nobody -l 127.0.0.1 -p 7310 >>m.log 2>&1; stop $TAKEN
memcached -u nobodyx -l 127.0.0.1 -p 7310 >>m.log 2>&1
(ulimit -v 60000; memcached -u nobody -l 127.0.0.1 -p 7310 -m 4096 >>m.log 2>&1)
cp m.log $OUT/failed.log
