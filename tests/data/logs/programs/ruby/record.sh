. "${LIB:-$(dirname "$0")/../lib.sh}"
cat > config.ru <<'R'
run lambda { |env|
  case env["PATH_INFO"]
  when "/bad" then raise "no such order"
  when "/nil" then nil.size
  when "/slow" then sleep 60
  when "/die" then Process.kill(9, Process.pid)
  end
  [200, {}, ["ok"]]
}
R
cat > shop.rb <<'R'
require "logger"; require "socket"; require "net/http"
log = Logger.new($stderr)
log.info("starting")
def deep(n) = deep(n + 1)
case ARGV[0]
when "quiet" then log.info("started"); log.warn("retry 1 of 3")
when "raise" then raise ArgumentError, "no such order"
when "logged" then begin; Integer("x"); rescue => e; log.error("order failed: #{e.message} (#{e.class})"); end; log.fatal("cannot go on")
when "nil" then nil.order
when "stack" then deep(0)
when "memory" then a = []; loop { a << "x" * 50_000_000 }
when "thread" then Thread.new { raise "lost order" }; sleep 0.2
when "require" then require "nothing_of_that_name"
when "refused" then TCPSocket.new("127.0.0.1", 7549)
when "dns" then Net::HTTP.get("shop.invalid", "/")
when "files" then f = []; loop { f << File.open("/dev/null") }
when "deadlock" then m = Mutex.new; m.lock; Thread.new { m.lock }.join
when "segv" then Process.kill(:SEGV, Process.pid); sleep 1
end
R
r() { timeout 20 ruby shop.rb $1 2>&1 | head -${2:-40} >>r.log; }
r quiet; puma -b tcp://127.0.0.1:7560 -t 1:1 config.ru >>r.log 2>&1 & P=$!; wait_port 7560; curl -s localhost:7560/ >/dev/null; stop $P; mv r.log $OUT/noise.log
for h in raise logged nil thread require refused dns deadlock; do r $h; done; r stack 12; (ulimit -v 900000; r memory); (ulimit -n 32; r files); r segv 25
puma -b tcp://127.0.0.1:7560 -t 1:1 -w 1 config.ru >>r.log 2>&1 & P=$!; wait_port 7560; sleep 1; for i in 1 2; do curl -s localhost:7560/bad >/dev/null; curl -s localhost:7560/nil >/dev/null; done; curl -s -m 3 localhost:7560/die >/dev/null; sleep 2; printf 'GET / HTTP/9\x01\r\n\r\n' | timeout 2 bash -c 'cat >/dev/tcp/127.0.0.1/7560'; stop $P
taken 7560; timeout 9 puma -b tcp://127.0.0.1:7560 config.ru >>r.log 2>&1; stop $TAKEN; echo 'run nothing_here' > bad.ru; timeout 9 puma -b tcp://127.0.0.1:7561 bad.ru >>r.log 2>&1
cp r.log $OUT/failed.log
