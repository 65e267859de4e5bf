. "${LIB:-$(dirname "$0")/../lib.sh}"
M=/usr/lib/apache2/modules
conf() { cat > a.conf <<C
ServerRoot $W
ServerName localhost
PidFile $W/a.pid
Listen 127.0.0.1:7200
ErrorLog $W/error.log
LogLevel ${LEVEL:-warn}
LoadModule mpm_prefork_module $M/mod_mpm_prefork.so
LoadModule authz_core_module $M/mod_authz_core.so
LoadModule proxy_module $M/mod_proxy.so
LoadModule proxy_http_module $M/mod_proxy_http.so
LoadModule cgi_module $M/mod_cgi.so
LoadModule alias_module $M/mod_alias.so
LoadModule rewrite_module $M/mod_rewrite.so
LoadModule ssl_module $M/mod_ssl.so
LoadModule dir_module $M/mod_dir.so
LoadModule reqtimeout_module $M/mod_reqtimeout.so
User www-data
Group www-data
StartServers 1
MinSpareServers 1
MaxSpareServers 2
MaxRequestWorkers ${WORKERS:-3}
ServerLimit ${WORKERS:-3}
DocumentRoot $W/www
ScriptAlias /cgi $W/cgi
ProxyPass /app http://127.0.0.1:7209/ retry=0
ProxyPass /slow http://127.0.0.1:7203/ retry=0 timeout=1
ProxyTimeout 1
Timeout 2
<Directory $W/www>
AllowOverride All
Require all granted
</Directory>
<Directory $W/cgi>
Options +ExecCGI
Require all granted
</Directory>
<Location /denied>
Require all denied
</Location>
${MORE:-}
C
}
run() { conf; apache2 -f $W/a.conf -k start; wait_port 7200; }
halt() { P=$(cat a.pid); apache2 -f $W/a.conf -k stop; for _ in $(seq 50); do kill -0 $P 2>/dev/null || break; sleep .1; done; }
get() { curl -s -m 6 -o /dev/null "$@"; }
mkdir -p www/closed cgi; echo hi > www/index.html; chmod 700 www/closed; touch www/closed/x
printf '#!/bin/sh\necho broken\n' > cgi/nohead; printf '#!/bin/sh\nsleep 9\n' > cgi/slow; printf '#!/bin/sh\necho oh no >&2; exit 3\n' > cgi/dies; printf '#!/nowhere/sh\n' > cgi/nosh; chmod 755 cgi/*
LEVEL=info run; get localhost:7200/; for f in favicon.ico wp-login.php .env; do get localhost:7200/$f; done; get localhost:7200/denied; printf 'GET / HTTP/1.1\r\n\r\n' | timeout 3 bash -c 'cat >/dev/tcp/127.0.0.1/7200'; printf '\x16\x03\x01junk\r\n\r\n' | timeout 3 bash -c 'cat >/dev/tcp/127.0.0.1/7200'
apache2 -f $W/a.conf -k graceful; sleep 1; halt; mv error.log $OUT/noise.log
LEVEL=warn run
for i in 1 2; do get localhost:7200/app/; get localhost:7200/cgi/nohead; get localhost:7200/cgi/dies; get localhost:7200/cgi/nosh; get localhost:7200/closed/x; done
python3 -c "
import socket,time
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('127.0.0.1',7203)); s.listen(9); time.sleep(120)" & B=$!; wait_port 7203
get localhost:7200/slow/; get localhost:7200/cgi/slow
echo 'Nonsense on' > www/.htaccess; get localhost:7200/; rm www/.htaccess
printf 'RewriteEngine on\nRewriteRule ^(.*)$ /x/$1\n' > www/.htaccess; get localhost:7200/loop; rm www/.htaccess
kill -SEGV $(pgrep -P $(cat a.pid) | head -1); sleep 1.5
for i in 1 2 3 4 5 6; do get localhost:7200/cgi/slow & done; sleep 4; halt; stop $B
taken 7200; conf; apache2 -f $W/a.conf -k start >>error.log 2>&1; stop $TAKEN
MORE='Listne 80'; conf; apache2 -f $W/a.conf -k start >>error.log 2>&1
openssl req -x509 -newkey rsa:2048 -nodes -keyout a.key -out a.pem -days 1 -subj /CN=a 2>/dev/null; openssl genrsa -out b.key 2048 2>/dev/null
MORE="SSLEngine on
SSLCertificateFile $W/a.pem
SSLCertificateKeyFile $W/b.key"; conf; apache2 -f $W/a.conf -k start >>error.log 2>&1; sleep 1
cp error.log $OUT/failed.log
