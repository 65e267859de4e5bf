. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { cat > m.conf <<C
listener 7320 127.0.0.1
allow_anonymous ${ANON:-true}
log_dest file $W/m.log
log_timestamp_format %Y-%m-%dT%H:%M:%S
max_connections ${MAX:--1}
persistence true
persistence_location ${D:-$W/}
user nobody
${MORE:-}
C
}
run() { conf; mosquitto -c m.conf >>out 2>&1 & M=$!; wait_port 7320; }
talk() { python3 - "$@" <<'P'
import socket, struct, sys, time
def client(name, user=None, level=4, wait=0.3):
    c = socket.create_connection(("127.0.0.1", 7320)); c.settimeout(2)
    var = b"\x00\x04MQTT" + bytes([level, 2 | (0xC0 if user else 0)]) + b"\x00\x05"
    pay = struct.pack(">H", len(name)) + name
    if user: pay += struct.pack(">H", len(user)) + user + b"\x00\x02pw"
    c.sendall(bytes([0x10, len(var + pay)]) + var + pay)
    try: c.recv(99)
    except OSError: pass
    time.sleep(wait); return c
how = sys.argv[1]
if how == "quiet": c = client(b"shop"); c.sendall(b"\xe0\x00"); c.close()
if how == "auth":
    for _ in range(3): client(b"shop", b"ann")
if how == "lost": c = client(b"till"); time.sleep(9)
if how == "bad": c = socket.create_connection(("127.0.0.1", 7320)); c.sendall(b"GET / HTTP/1.0\r\n\r\n"); time.sleep(.5)
if how == "level": client(b"old", level=9)
if how == "many": keep = [client(b"c%d" % i, wait=.05) for i in range(6)]; time.sleep(1)
if how == "same": a = client(b"one"); b = client(b"one"); time.sleep(.3)
P
}
chmod 777 .; run; talk quiet; talk quiet; talk bad; talk lost; talk same; stop $M; cat m.log > $OUT/noise.log; rm m.log
ANON=false run; talk auth; stop $M; ANON=true
MAX=3 run; talk many; talk level; stop $M; MAX=-1
printf 'garbage garbage garbage' > mosquitto.db; chmod 666 mosquitto.db; conf; timeout 3 mosquitto -c m.conf >>out 2>&1; rm -f mosquitto.db
small_disk $W/full 8k; chmod 777 full; head -c 8192 /dev/zero > full/x; D=$W/full/ MORE='autosave_interval 1' run; talk quiet; sleep 2; stop $M; umount full; D=; MORE=
taken 7320; conf; mosquitto -c m.conf >>out 2>&1; stop $TAKEN
MORE='nonsense 1'; conf; mosquitto -c m.conf >>out 2>&1
MORE="listener 7321 127.0.0.1
cafile $W/none.pem
certfile $W/none.pem
keyfile $W/none.key"; conf; mosquitto -c m.conf >>out 2>&1
MORE="password_file $W/none"; conf; mosquitto -c m.conf >>out 2>&1
cat m.log out > $OUT/failed.log
