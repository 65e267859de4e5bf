. "${LIB:-$(dirname "$0")/../lib.sh}"
cat > shop.py <<'P'
import asyncio, logging, os, socket, sqlite3, ssl, sys, threading, urllib.request, warnings
logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level="INFO")
log = logging.getLogger("shop.orders")
def deep(n): return deep(n + 1)
def main(how):
    log.info("started")
    if how == "quiet": log.warning("retry 1 of 3"); warnings.warn("old call", DeprecationWarning); log.info("stopped")
    if how == "logged":
        try: {}["order"]
        except KeyError: log.exception("order failed")
    if how == "uncaught": raise ValueError("no such order")
    if how == "memory":
        import resource; resource.setrlimit(resource.RLIMIT_AS, (200 << 20,) * 2); b = [bytearray(50 << 20) for _ in range(9)]
    if how == "recursion": deep(0)
    if how == "thread": t = threading.Thread(target=lambda: 1 / 0, name="till"); t.start(); t.join()
    if how == "import": import nothing_of_that_name
    if how == "full": open("full/x", "wb", 0).write(b"x" * 9_000_000) and open("full/y", "wb", 0).write(b"x")
    if how == "files": f = [open("/dev/null") for _ in range(9000)]
    if how == "refused": socket.create_connection(("127.0.0.1", 7549))
    if how == "tls": urllib.request.urlopen("https://127.0.0.1:7543/")
    if how == "dns": urllib.request.urlopen("http://shop.invalid/")
    if how == "locked":
        a = sqlite3.connect("a.db"); a.execute("create table t(a)"); a.execute("begin exclusive"); sqlite3.connect("a.db", timeout=0).execute("insert into t values (1)")
    if how == "task":
        async def fail(): raise RuntimeError("lost order")
        async def run():
            t = asyncio.create_task(fail()); await asyncio.sleep(.1); del t; import gc; gc.collect(); await asyncio.sleep(.1)
        asyncio.run(run())
    if how == "segv": import faulthandler, ctypes; faulthandler.enable(); ctypes.string_at(0)
    if how == "denied": os.setuid(65534); open("/etc/shadow")
main(sys.argv[1])
P
p() { timeout 20 /usr/bin/python3 shop.py $1 >>p.log 2>&1; }
cat > wsgi.py <<'P'
import time
def app(env, start):
    if env["PATH_INFO"] == "/slow": time.sleep(60)
    if env["PATH_INFO"] == "/bad": raise RuntimeError("no stock")
    start("200 OK", []); return [b"ok"]
P
cat > asgi.py <<'P'
async def app(scope, receive, send):
    if scope["type"] != "http": return
    if scope["path"] == "/bad": raise RuntimeError("no stock")
    await send({"type": "http.response.start", "status": 200, "headers": []}); await send({"type": "http.response.body", "body": b"ok"})
P
p quiet; gunicorn -b 127.0.0.1:7520 wsgi:app >>p.log 2>&1 & G=$!; wait_port 7520; curl -s localhost:7520/ >/dev/null; kill -HUP $G; sleep 1; stop $G
/usr/bin/python3 -m uvicorn --port 7521 asgi:app >>p.log 2>&1 & U=$!; wait_port 7521; curl -s localhost:7521/ >/dev/null; stop $U; mv p.log $OUT/noise.log
small_disk $W/full 1m; for h in logged uncaught memory recursion thread import full refused dns locked task denied; do p $h; done; umount full
(ulimit -n 64; /usr/bin/python3 shop.py files >>p.log 2>&1); python3 shop.py segv >>p.log 2>&1
openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 1 -subj /CN=a 2>/dev/null; openssl s_server -accept 7543 -cert c.pem -key k.pem -quiet >/dev/null 2>&1 & S=$!; sleep .5; p tls; stop $S
gunicorn -b 127.0.0.1:7520 -t 2 wsgi:app >>p.log 2>&1 & G=$!; wait_port 7520; curl -s localhost:7520/bad >/dev/null; curl -s -m 6 localhost:7520/slow >/dev/null; kill -9 $(pgrep -P $G | head -1); sleep 1.5; stop $G
gunicorn -b 127.0.0.1:7520 nothing:app >>p.log 2>&1; taken 7520; timeout 9 gunicorn -b 127.0.0.1:7520 wsgi:app >>p.log 2>&1; timeout 9 /usr/bin/python3 -m uvicorn --port 7520 asgi:app >>p.log 2>&1; stop $TAKEN
/usr/bin/python3 -m uvicorn --port 7521 asgi:app >>p.log 2>&1 & U=$!; wait_port 7521; curl -s localhost:7521/bad >/dev/null; stop $U
cp p.log $OUT/failed.log
