. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { cat > f.conf <<C
[global]
error_log = $W/fpm.log
daemonize = no
pid = $W/f.pid
emergency_restart_threshold = 0
[shop]
user = www-data
group = www-data
listen = 127.0.0.1:7550
pm = ${PM:-dynamic}
pm.max_children = 2
pm.start_servers = 1
pm.min_spare_servers = 1
pm.max_spare_servers = 2
request_terminate_timeout = 2
request_slowlog_timeout = 1
slowlog = $W/slow.log
catch_workers_output = yes
php_admin_value[error_log] = $W/fpm.log
php_admin_flag[log_errors] = on
php_admin_value[memory_limit] = 8M
${MORE:-}
C
}
run() { conf; php-fpm8.2 -y f.conf "$@" >>out 2>&1 & F=$!; wait_port 7550; }
ask() { python3 - "$W/$1" <<'P'
import socket, struct, sys
def rec(t, b): return struct.pack(">BBHHBB", 1, t, 1, len(b), 0, 0) + b
p = {"SCRIPT_FILENAME": sys.argv[1], "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/x", "REQUEST_URI": "/x"}
b = b"".join(bytes([len(k), len(v)]) + k.encode() + v.encode() for k, v in p.items())
c = socket.create_connection(("127.0.0.1", 7550)); c.settimeout(5)
c.sendall(rec(1, struct.pack(">HB5x", 1, 0)) + rec(4, b) + rec(4, b"") + rec(5, b""))
try:
    while c.recv(9999): pass
except OSError: pass
P
}
touch fpm.log; chmod 666 fpm.log; chmod 755 .
echo '<?php echo 1;' > ok.php; echo '<?php echo $nothing; $a=[]; echo $a["x"];' > warn.php; echo '<?php nothing();' > undefined.php; echo '<?php $a=[]; while(1) $a[]=str_repeat("x",99999);' > memory.php
echo '<?php throw new Exception("no such order");' > exception.php; echo '<?php echo 1 +;' > parse.php; echo '<?php sleep(9);' > slow.php; echo '<?php set_time_limit(1); while(1);' > time.php; echo '<?php function f($n){return f($n+1);} posix_kill(getmypid(), 11);' > segv.php
echo '<?php mysqli_connect("127.0.0.1","a","b");' > db.php; echo '<?php new PDO("sqlite:/nowhere/x");' > pdo.php; echo '<?php file_put_contents("/etc/x","a"); fopen("https://127.0.0.1:7549/","r"); require "none.php";' > files.php; echo '<?php strlen(); ' > args.php
run; ask ok.php; ask none.php; kill -USR2 $F; sleep 1; stop $F; pkill -P $$ php-fpm8.2; for p in $(pgrep -f "master process.*$W/f.conf"); do kill $p; done; sleep .5; cp fpm.log $OUT/noise.log; : > fpm.log
run; for x in warn undefined memory exception parse db pdo files args time segv undefined; do ask $x.php; done; for i in 1 2 3 4 5; do ask slow.php & done; sleep 7; kill -9 $(pgrep -f 'php-fpm: pool shop' | head -1); sleep 1; stop $F
taken 7550; conf; timeout 9 php-fpm8.2 -y f.conf >>out 2>&1; stop $TAKEN
MORE='nonsense = 1'; conf; timeout 5 php-fpm8.2 -y f.conf >>out 2>&1; MORE=; PM=static; sed -i 's/www-data/nobodyx/' f.conf; MORE=; sed 's/user = www-data/user = nobodyx/' f.conf > g.conf; timeout 5 php-fpm8.2 -y g.conf >>out 2>&1; cat out | head -0
cat fpm.log out > $OUT/failed.log
