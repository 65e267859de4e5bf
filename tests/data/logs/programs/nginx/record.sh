. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { cat > n.conf <<C
user www-data; daemon off; pid $W/n.pid; error_log $W/error.log ${LEVEL:-warn}; worker_processes 1;
events { worker_connections ${CONNS:-64}; }
http { access_log off; client_body_temp_path ${BODY:-$W/body}; proxy_temp_path $W/proxy; fastcgi_temp_path $W/f; uwsgi_temp_path $W/u; scgi_temp_path $W/s;
 client_body_buffer_size 1k; limit_req_zone \$binary_remote_addr zone=one:1m rate=1r/s;
 upstream app { server 127.0.0.1:7101 max_fails=1 fail_timeout=30s; server 127.0.0.1:7102 max_fails=1 fail_timeout=30s; }
 server { listen 127.0.0.1:7100; root $W/www; client_max_body_size 40k; proxy_read_timeout 1s; proxy_connect_timeout 1s;
  location /app { proxy_pass http://app; } location /one { proxy_pass http://127.0.0.1:7109; } location /slow { proxy_pass http://127.0.0.1:7103; }
  location /up { client_max_body_size 9m; proxy_pass http://127.0.0.1:7103; } location /limited { limit_req zone=one; } location /secret { }
  location /cut { proxy_pass http://127.0.0.1:7104; } location /big { proxy_pass http://127.0.0.1:7105; } ${MORE:-} } }
C
}
run() { conf; nginx -c $W/n.conf -e $W/error.log & N=$!; wait_port 7100; }
mkdir -p www/secret; echo hello > www/index.html; touch www/secret/x; chmod 700 www/secret
get() { curl -s -m 5 -o /dev/null "$@"; }
# quiet life: missing files, a body that is too large, limits, clients that go away
run; get localhost:7100/; for f in favicon.ico wp-login.php .env robots.txt; do get localhost:7100/$f; done
head -c 100000 /dev/zero > big; get --data-binary @big localhost:7100/x; for i in 1 2 3 4; do get localhost:7100/limited/; done
get localhost:7100/www/; nginx -c $W/n.conf -e $W/error.log -s reload; sleep 1; kill -USR1 $(cat n.pid); sleep .3; stop $N; mv error.log $OUT/noise.log
# backend dead (one, all of a group), slow, closing, answering too large a header
run; for i in 1 2 3; do get localhost:7100/one; get localhost:7100/app; done
python3 -c "
import socket,time,threading
def serve(port, how):
    s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('127.0.0.1',port)); s.listen(50)
    keep=[]
    while True:
        c,_=s.accept(); keep.append(c)
        if how: c.recv(9000); how(c)
threading.Thread(target=serve,args=(7103,None),daemon=True).start()
threading.Thread(target=serve,args=(7104,lambda c:c.close()),daemon=True).start()
threading.Thread(target=serve,args=(7105,lambda c:(c.sendall(b'HTTP/1.1 200 OK\r\nX: '+b'x'*20000+b'\r\n\r\n'),c.close())),daemon=True).start()
time.sleep(600)" & B=$!; wait_port 7105
for i in 1 2; do get localhost:7100/slow; get localhost:7100/cut; get localhost:7100/big; get localhost:7100/secret/x; done
# a worker is killed
kill -9 $(pgrep -P $(cat n.pid)); sleep .5; stop $N
# too few connections, then disk full while a body is received
CONNS=12 run; for i in $(seq 15); do get localhost:7100/slow & done; sleep 2.5; stop $N
small_disk $W/full 64k; BODY=$W/full/body; mkdir -p $BODY; chmod 777 $BODY; run; head -c 400000 /dev/zero > big; for i in 1 2; do get --data-binary @big localhost:7100/up; done; stop $N; umount $W/full; BODY=
# the port is taken; the configuration is wrong; the certificate is missing, and does not fit its key
taken 7100; conf; nginx -c $W/n.conf -e $W/error.log; stop $TAKEN
MORE='proxypass x;'; conf; nginx -c $W/n.conf -e $W/error.log
MORE="ssl_certificate $W/none.pem; ssl_certificate_key $W/none.key; listen 127.0.0.1:7143 ssl;"; conf; nginx -c $W/n.conf -e $W/error.log
openssl req -x509 -newkey rsa:2048 -nodes -keyout a.key -out a.pem -days 1 -subj /CN=a 2>/dev/null; openssl genrsa -out b.key 2048 2>/dev/null
MORE="ssl_certificate $W/a.pem; ssl_certificate_key $W/b.key; listen 127.0.0.1:7143 ssl;"; conf; nginx -c $W/n.conf -e $W/error.log
MORE='location /nowhere { proxy_pass http://backend.invalid; }'; conf; nginx -c $W/n.conf -e $W/error.log
# too few files
MORE=; conf; (ulimit -n 12; exec nginx -c $W/n.conf -e $W/error.log) & N=$!; wait_port 7100; for i in $(seq 8); do get localhost:7100/slow & done; sleep 2; stop $N
stop $B; cp error.log $OUT/failed.log
