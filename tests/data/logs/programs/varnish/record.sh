. "${LIB:-$(dirname "$0")/../lib.sh}"
# varnishd -F writes what the service would give to the journal
printf 'vcl 4.1;\nbackend app { .host = "127.0.0.1"; .port = "7659"; .connect_timeout = 1s; .probe = { .url = "/"; .interval = 500ms; .timeout = 300ms; } }\n' > ok.vcl
printf 'vcl 4.1;\nbackend none none;\nsub vcl_recv { return (nonsense); }\n' > bad.vcl
mkdir -p www; echo hi > www/index.html
v() { timeout ${T:-6} varnishd -F -n $W/n -a 127.0.0.1:7650 -T none -s malloc,${MEM:-2m} "$@" 2>&1; }
(cd www; exec python3 -m http.server 7659 --bind 127.0.0.1 >/dev/null 2>&1) & A=$!; wait_port 7659
(sleep 3; curl -s localhost:7650/ >/dev/null) & v -f $W/ok.vcl -j none > v.log; cp v.log $OUT/noise.log; stop $A; : > v.log
(sleep 2; for p in $(pgrep -f "varnishd -F -n $W/n" ); do echo $p; done | tail -1 | xargs kill -SEGV) & T=10 v -f $W/ok.vcl -j none >> v.log
v -f $W/bad.vcl -j none >> v.log; taken 7650; v -f $W/ok.vcl -j none >> v.log; stop $TAKEN; v -f /nowhere.vcl -j none >> v.log; v -f $W/ok.vcl -j none -s file,/nowhere/x,1g >> v.log; v -f $W/ok.vcl -j none -p nonsense=1 >> v.log
(sleep 2; kill -9 $(pgrep -f "varnishd -F -n $W/n" | tail -1)) & T=8 v -f $W/ok.vcl -j none >> v.log
(sleep 2; kill -STOP $(pgrep -f "varnishd -F -n $W/n" | tail -1)) & T=25 v -f $W/ok.vcl -j none -p cli_timeout=2 -p ping_interval=1 >> v.log; pkill -CONT -f "varnishd -F -n $W/n"
cp v.log $OUT/failed.log
