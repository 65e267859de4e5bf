. "${LIB:-$(dirname "$0")/../lib.sh}"
cat > shop.js <<'J'
const how = process.argv[2], fs = require("fs"), net = require("net"), http = require("http");
function deep(n) { return deep(n + 1) + 1; }
const cases = {
  quiet() { console.log("listening on 3000"); new Buffer(3); process.emitWarning("old call", "DeprecationWarning"); },
  uncaught() { null.order; }, rejected() { Promise.reject(new Error("no such order")); }, rejected2() { Promise.reject("lost"); },
  heap() { const a = []; for (;;) a.push(new Array(9999).fill({ a: 1 }).map(x => ({ ...x }))); }, stack() { deep(0); },
  taken() { net.createServer().listen(7530, "127.0.0.1"); }, refused() { net.connect(7549, "127.0.0.1"); },
  dns() { http.get("http://shop.invalid/"); }, module() { require("express-nothing"); }, full() { fs.writeFileSync("full/x", Buffer.alloc(9e6)); },
  files() { const f = []; for (;;) f.push(fs.openSync("/dev/null")); }, denied() { process.setuid(65534); fs.readFileSync("/etc/shadow"); },
  listeners() { const e = new (require("events"))(); for (let i = 0; i < 12; i++) e.on("order", () => 1); }, json() { JSON.parse("<html>"); },
  tls() { require("https").get("https://127.0.0.1:7543/"); }, syntax() { eval("let let = 1"); },
}; console.log(new Date().toISOString() + " INFO starting"); cases[how]();
J
n() { timeout 60 node "$@" >>n.log 2>&1; }
n shop.js quiet; mv n.log $OUT/noise.log
small_disk $W/full 1m; for h in uncaught rejected rejected2 stack refused dns module full denied listeners json; do n shop.js $h; done; umount full
n --max-old-space-size=20 shop.js heap; taken 7530; n shop.js taken; stop $TAKEN; (ulimit -n 64; node shop.js files >>n.log 2>&1)
openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 1 -subj /CN=a 2>/dev/null; openssl s_server -accept 7543 -cert c.pem -key k.pem -quiet >/dev/null 2>&1 & S=$!; sleep .5; n shop.js tls; stop $S
cp n.log $OUT/failed.log
