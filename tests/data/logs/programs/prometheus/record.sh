. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { printf 'global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [%s/r.yml]\nalerting:\n  alertmanagers:\n  - static_configs: [{targets: ["127.0.0.1:7729"]}]\nscrape_configs:\n- job_name: shop\n  static_configs: [{targets: ["127.0.0.1:7720"]}]\n%b' $W "${MORE:-}" > p.yml; }
printf 'groups:\n- name: shop\n  rules:\n  - alert: Up\n    expr: vector(1)\n' > r.yml
run() { conf; prometheus --config.file=p.yml --storage.tsdb.path=${D:-$W/d} --web.listen-address=127.0.0.1:7720 --rules.alert.resend-delay=2s >>p.log 2>&1 & P=$!; }
run; wait_port 7720; sleep 1; stop $P; grep -v "Error sending alert" p.log > $OUT/noise.log; rm p.log
run; wait_port 7720; sleep 16; stop $P
printf 'groups:\n- name: shop\n  rules:\n  - record: a\n    expr: up * on(x) group_left up{a="b"} + count_values("v", up) / scalar(up)\n  - record: b\n    expr: label_replace(up,"__name__","1-a","job",".*") and up\n  - record: c\n    expr: up * on() group_right vector(1) * on() (up or label_replace(up,"a","b","",""))\n' > r.yml; run; wait_port 7720; sleep 3; stop $P
small_disk $W/full 3m; D=$W/full/d run; wait_port 7720; dd if=/dev/zero of=full/x bs=64k 2>/dev/null; sleep 4; stop $P; umount full; D=
printf 'groups:\n- name: shop\n  rules:\n  - alert: Up\n    expr: vector(\n' > r.yml; run; sleep 1.5; stop $P; rm r.yml
MORE='nonsense: 1\n' run; sleep 1.5; stop $P; MORE=; taken 7720; run; sleep 2; stop $TAKEN; stop $P; run; wait_port 7720; sleep 2; run; sleep 2; kill $P; pkill -f storage.tsdb.path=$W/d; sleep 2; head -c 5000 /dev/urandom > d/wal/00000000; run; sleep 3; stop $P
awk '/^ts=/{g=0} /^goroutine /{g++} g<2' p.log | grep -av level=info > $OUT/failed.log
