. "${LIB:-$(dirname "$0")/../lib.sh}"
# HAProxy speaks syslog: this writes the file as a host's syslog service would
python3 -c "
import re,socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('127.0.0.1',7490))
while 1:
    d=s.recv(9999).decode(); f=open('$W/haproxy.log','a'); f.write(re.sub(r'^<[0-9]+>(.{15}) ', r'\\1 host-1 ', d).rstrip()+chr(10)); f.close()" & L=$!; sleep 1
conf() { cat > h.cfg <<C
global
 log 127.0.0.1:7490 local0
 maxconn ${MAX:-50}
 stats socket $W/sock mode 666 level admin
defaults
 mode http
 log global
 option httplog
 option log-health-checks
 timeout connect 1s
 timeout client 2s
 timeout server 1s
 timeout queue 1s
frontend web
 bind 127.0.0.1:7400
 default_backend app
 use_backend slow if { path_beg /slow }
 use_backend missing if { path_beg /missing }
backend app
 option httpchk GET /
 server app1 127.0.0.1:7401 check inter 300ms fall 2 rise 2
 server app2 127.0.0.1:7402 check inter 300ms fall 2 rise 2
backend slow
 server s1 127.0.0.1:7403 maxconn 1
backend missing
 server m1 127.0.0.1:7409
${MORE:-}
C
}
web() { (cd $W; mkdir -p www$1; echo ok > www$1/index.html; cd www$1; exec python3 -m http.server $1 --bind 127.0.0.1 >/dev/null 2>&1) & }
get() { curl -s -m 5 -o /dev/null "$@"; }
web 7401; A=$!; web 7402; B=$!; wait_port 7401; wait_port 7402
conf; haproxy -db -f h.cfg & H=$!; wait_port 7400; sleep 1; for i in 1 2 3; do get localhost:7400/; get localhost:7400/nothere; done; sleep .5; cp haproxy.log $OUT/noise.log
stop $A; sleep 2; get localhost:7400/; stop $B; sleep 2; for i in 1 2 3; do get localhost:7400/; get localhost:7400/missing; done
web 7401; A=$!; wait_port 7401; sleep 2; get localhost:7400/
python3 -c "
import socket,time
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('127.0.0.1',7403)); s.listen(9); time.sleep(120)" & S=$!; wait_port 7403
for i in 1 2 3 4; do get localhost:7400/slow & done; sleep 5; stop $H $A $S
conf; taken 7400; haproxy -db -f h.cfg >>haproxy.log 2>&1; stop $TAKEN
MORE=' serverx a'; conf; haproxy -db -f h.cfg >>haproxy.log 2>&1
MORE="frontend tls
 bind 127.0.0.1:7443 ssl crt $W/none.pem"; conf; haproxy -db -f h.cfg >>haproxy.log 2>&1
sleep .5; stop $L; cp haproxy.log $OUT/failed.log
