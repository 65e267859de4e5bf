. "${LIB:-$(dirname "$0")/../lib.sh}"
export RABBITMQ_NODENAME=shop@localhost RABBITMQ_MNESIA_BASE=$W/m RABBITMQ_LOG_BASE=$W/log RABBITMQ_LOGS=$W/log/r.log RABBITMQ_NODE_PORT=7700 RABBITMQ_DIST_PORT=7725 HOME=$W RABBITMQ_ENABLED_PLUGINS_FILE=$W/plugins RABBITMQ_CONFIG_FILE=$W/r.conf ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1 -setcookie abcdefghijkl" RABBITMQ_CTL_ERL_ARGS="-setcookie abcdefghijkl" RABBITMQ_PID_FILE=$W/r.pid
echo '[].' > plugins; R=/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin
run() { printf 'listeners.tcp.1 = 127.0.0.1:7700\n%b' "${1:-}" > r.conf; $(echo $R)/rabbitmq-server >>out 2>&1 & P=$!; wait_text "${2:-started TCP listener}" log/r.log 400; }
ctl() { $(echo $R)/rabbitmqctl "$@" >>ctl.out 2>&1; }
amqp() { python3 - "$@" <<'P'
import socket, sys, time
how = sys.argv[1]
c = socket.create_connection(("127.0.0.1", 7700)); c.settimeout(3)
if how == "bad": c.sendall(b"GET / HTTP/1.0\r\n\r\n"); print(c.recv(99)); sys.exit()
c.sendall(b"AMQP\0\0\x09\1"); c.recv(4096)
if how == "lost": sys.exit()
def m(b): return b"\1\0\0" + len(b).to_bytes(4, "big") + b + b"\xce"
r = b"\0guest\0" + (b"wrong" if how == "auth" else b"guest")
c.sendall(m(b"\0\x0a\0\x0b" + b"\0\0\0\0" + b"\5PLAIN" + len(r).to_bytes(4, "big") + r + b"\5en_US"))
try: c.recv(4096)
except OSError: sys.exit()
c.sendall(m(b"\0\x0a\0\x1f" + b"\7\xff" + b"\0\2\0\0" + b"\0\5")); c.sendall(m(b"\0\x0a\0\x28" + b"\1/" + b"\0" + b"\0")); c.recv(4096)
if how == "abrupt": time.sleep(.5); sys.exit()
if how == "beat": time.sleep(17)
P
}
run; amqp abrupt; amqp bad; kill $P; sleep 1; ctl stop; wait $P; cp log/r.log $OUT/noise.log; rm log/r.log
run; amqp auth; amqp auth; amqp beat; ctl set_vm_memory_high_watermark 0.0001; sleep 2; ctl set_disk_free_limit 900GB; sleep 12; ctl set_vm_memory_high_watermark 0.4; ctl set_disk_free_limit 1MB; sleep 3; ctl stop; wait $P
taken 7700; run '' 'BOOT FAILED'; sleep 3; stop $TAKEN; kill $P 2>/dev/null; wait $P
run 'nonsense.key = 1\n' 'xxxx' 30; sleep 2; kill $P 2>/dev/null; wait $P
for f in m/shop@localhost/msg_stores/vhosts/*/recovery.dets m/shop@localhost/schema.DAT m/shop@localhost/rabbit_*; do head -c 500 /dev/urandom > $f 2>/dev/null; done; run '' 'BOOT FAILED'; sleep 4; kill $P 2>/dev/null; sleep 1; kill -9 $(pgrep -f shop@localhost) 2>/dev/null
cat log/r.log out | grep -av ' \[info\] ' > $OUT/failed.log; epmd -kill >/dev/null 2>&1
