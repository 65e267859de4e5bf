# What the recordings share. A recording writes failed.log (each failure must raise its ticket) and noise.log (must raise
# none) into OUT; W is its scratch folder. Run one as root: OUT=/tmp/out/nginx sh nginx/record.sh
set -u
W=${W:-/srv/rec/w}; rm -rf "$W"; mkdir -p "$W" "$OUT"; cd "$W" || exit 1
chmod 755 "$W"
wait_port() { for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null && return 0; sleep 0.1; done; echo "nothing listens on $1" >&2; return 1; }
wait_text() { for _ in $(seq ${3:-100}); do grep -qs -- "$1" "$2" && return 0; sleep 0.1; done; echo "no $1 in $2" >&2; return 1; }
stop() { kill "$@" 2>/dev/null; for p in "$@"; do for _ in $(seq 80); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done; kill -9 "$p" 2>/dev/null; done; wait "$@" 2>/dev/null; }
taken() { python3 -c "
import socket,time
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('127.0.0.1',$1)); s.listen()
time.sleep(${2:-600})" & TAKEN=$!; wait_port "$1"; }
small_disk() { mkdir -p "$1"; mount -t tmpfs -o size="$2",mode=1777 tmpfs "$1"; }
