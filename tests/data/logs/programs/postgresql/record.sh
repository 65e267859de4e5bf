. "${LIB:-$(dirname "$0")/../lib.sh}"
B=/usr/lib/postgresql/15/bin; chown postgres .; D=$W/d
pg() { su postgres -s /bin/bash -c "cd $W; $*"; }
init() { pg "$B/initdb -D $1 -A trust -N" >/dev/null; }
run() { D=${1:-$W/d}; shift; pg "$B/pg_ctl -D $D -w -t 20 -l $W/pg.log -o \"-p 7500 -k $W -h 127.0.0.1 -c shared_buffers=16MB -c log_line_prefix='%m [%p] %q%u@%d ' $*\" start" >/dev/null; }
halt() { pg "$B/pg_ctl -D $D -m ${1:-fast} stop" >/dev/null 2>&1; }
q() { psql -h 127.0.0.1 -p 7500 -U postgres -d ${DB:-postgres} -v ON_ERROR_STOP=0 -qAt -c "$1" >/dev/null 2>&1; }
init d; run; q "create table orders(id int primary key, n int)"; q "insert into orders select g,0 from generate_series(1,100) g"; q "insert into orders values(1,1)"; q "selec 1"; q "select * from nowhere"; q "checkpoint"; DB=nowhere q "select 1"
timeout 1 psql -h 127.0.0.1 -p 7500 -U postgres -qc "select pg_sleep(9)" >/dev/null 2>&1; halt; cat pg.log > $OUT/noise.log; rm pg.log
run; # deadlock
(psql -h 127.0.0.1 -p 7500 -U postgres -qc "begin" -c "update orders set n=1 where id=1" -c "select pg_sleep(1)" -c "update orders set n=1 where id=2" -c commit >/dev/null 2>&1 &) ; psql -h 127.0.0.1 -p 7500 -U postgres -qc "begin" -c "update orders set n=1 where id=2" -c "select pg_sleep(1.2)" -c "update orders set n=1 where id=1" -c commit >/dev/null 2>&1; sleep 1.5
(psql -h 127.0.0.1 -p 7500 -U postgres -qc "begin" -c "lock table orders" -c "select pg_sleep(2)" >/dev/null 2>&1 &); sleep .3; q "set lock_timeout='300ms'; update orders set n=2"; q "set statement_timeout='200ms'; select pg_sleep(3)"; sleep 2
q "set idle_in_transaction_session_timeout='300ms'"; (printf "set idle_in_transaction_session_timeout='300ms';begin;select 1;\n"; sleep 1) | psql -h 127.0.0.1 -p 7500 -U postgres -q >/dev/null 2>&1
# a backend is killed: crash recovery
(psql -h 127.0.0.1 -p 7500 -U postgres -qc "select pg_sleep(20)" >/dev/null 2>&1 &); sleep .5; kill -9 $(pgrep -f 'postgres: postgres postgres.*SELECT'); sleep 3
# a data file is damaged, another is lost
F=$(psql -h 127.0.0.1 -p 7500 -U postgres -qAt -c "select pg_relation_filepath('orders')"); q checkpoint; halt; head -c 200 /dev/urandom | dd of=d/$F conv=notrunc bs=1 seek=20 2>/dev/null; run; q "select * from orders"; q "create table lost(a int)"; L=$(psql -h 127.0.0.1 -p 7500 -U postgres -qAt -c "select pg_relation_filepath('lost')"); q "insert into lost values (1)"; halt; rm d/$L; run; q "select * from lost"; q "select * from lost"; halt
# too many clients
run $W/d "-c max_connections=6 -c superuser_reserved_connections=1"; for i in $(seq 9); do (psql -h 127.0.0.1 -p 7500 -U postgres -qc "select pg_sleep(2)" >/dev/null 2>&1 &); done; sleep 3; halt
# disk full, in a table and in the log of changes
small_disk $W/full 46m; chown postgres full; chmod 700 full; init $W/full/d; run $W/full/d "-c min_wal_size=32MB"; q "create table big as select repeat(md5(g::text),40) a from generate_series(1,40000) g"; q "create table big as select repeat(md5(g::text),40) a from generate_series(1,40000) g"; sleep 1; halt immediate; umount full
# wrong password, no entry in pg_hba, port taken, wrong option, wrong permission, stale version
echo 'host all all 127.0.0.1/32 scram-sha-256' > d/pg_hba.conf; chown postgres d/pg_hba.conf; run $W/d 2>/dev/null; for i in 1 2 3; do PGPASSWORD=x q "select 1"; done; halt; echo 'local all all trust' > d/pg_hba.conf; run; q "select 1"; halt
taken 7500; run; stop $TAKEN; echo "max_connectionz = 3" >> d/postgresql.conf; run; sed -i '/connectionz/d' d/postgresql.conf; chmod 755 d; run; chmod 700 d; echo 11 > d/PG_VERSION; run; echo 15 > d/PG_VERSION
# archiving fails; the primary of a replica is away
run $W/d "-c archive_mode=on -c archive_command=/bin/false -c wal_level=replica"; q "select pg_switch_wal()"; sleep 4; halt; touch d/standby.signal; chown postgres d/standby.signal; run $W/d "-c primary_conninfo=host=127.0.0.1\\ port=7501"; sleep 6; halt
cat pg.log > $OUT/failed.log
