. "${LIB:-$(dirname "$0")/../lib.sh}"
chown mysql .; mysql_install_db --no-defaults --user=mysql --datadir=$W/d --auth-root-authentication-method=normal >/dev/null 2>&1
run() { setpriv --reuid=mysql --regid=mysql --clear-groups mariadbd --no-defaults --datadir=${D:-$W/d} --socket=$W/s --port=7600 --bind-address=127.0.0.1 --pid-file=$W/pid --log-error=$W/my.log --innodb-buffer-pool-size=16M --tmpdir=$W "$@" & M=$!; for _ in $(seq 150); do mariadb-admin -S s -uroot ping >/dev/null 2>&1 && return; kill -0 $M 2>/dev/null || return; sleep .1; done; }
q() { mariadb -S $W/s -uroot ${DB:-test} -e "$1" >/dev/null 2>&1; }
run; q "create table orders(id int primary key, n int) engine=innodb; insert into orders values (1,1),(2,2)"; q "selec"; q "insert into orders values (1,1)"; mariadb -S s -unobodyx -pwrong -e 'select 1' >/dev/null 2>&1; mariadb-admin -S s -uroot shutdown; wait $M; cp my.log $OUT/noise.log; rm my.log
run --log-warnings=4 --innodb-print-all-deadlocks=1 --max-connections=4; (mariadb -S s -uroot test -e "begin; update orders set n=1 where id=1; select sleep(1); update orders set n=1 where id=2; commit" >/dev/null 2>&1 &); mariadb -S s -uroot test -e "begin; update orders set n=1 where id=2; select sleep(1.2); update orders set n=1 where id=1; commit" >/dev/null 2>&1; sleep 1
for i in 1 2 3; do mariadb -h 127.0.0.1 -P 7600 -uann -pwrong -e 'select 1' >/dev/null 2>&1; done
for i in $(seq 8); do (mariadb -S s -uroot -e "select sleep(2)" >/dev/null 2>&1 &); done; sleep 3
(mariadb -S s -uroot -e "select sleep(30)" >/dev/null 2>&1 & P=$!; sleep .5; kill -9 $P); sleep .5
kill -9 $M; wait $M; run; mariadb-admin -S s -uroot shutdown; wait $M
run --innodb-buffer-pool-size=16M; q "create table m(a int) engine=myisam; insert into m values (1)"; q "create table a(a int) engine=aria; insert into a values(1)"; mariadb-admin -S s -uroot shutdown; wait $M
head -c 300 /dev/urandom > d/test/m.MYI; chown mysql d/test/m.MYI; head -c 400 /dev/urandom | dd of=d/test/orders.ibd bs=1 seek=49160 conv=notrunc 2>/dev/null; run; q "select * from m"; q "select * from orders"; mariadb-admin -S s -uroot shutdown 2>/dev/null; stop $M
taken 7600; run; stop $TAKEN; stop $M; run --nonsense-option=1; mv d/ibdata1 x; printf 'x' > d/ibdata1; chown mysql d/ibdata1; run; stop $M; mv x d/ibdata1
run & sleep 4; run; sleep 2; kill $(cat pid); sleep 3
run --server-id=2 --log-bin=$W/bin; q "stop slave; change master to master_host='127.0.0.1', master_port=7601, master_user='r', master_password='x', master_connect_retry=1; start slave"; sleep 3; mariadb-admin -S s -uroot shutdown 2>/dev/null; stop $M
small_disk $W/full 170m; chown mysql full; mysql_install_db --no-defaults --user=mysql --datadir=$W/full/d --auth-root-authentication-method=normal >/dev/null 2>&1; head -c 9000000000 /dev/zero > full/x 2>/dev/null; truncate -s -900k full/x; D=$W/full/d run --log-bin=$W/full/bin; mariadb -S $W/s -uroot mysql -e "create table big (a longtext) engine=innodb; insert into big values (repeat('x',6000000))" >/dev/null 2>&1; sleep 2; kill -9 $M; wait $M; umount full
cp my.log $OUT/failed.log
