. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { printf 'include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile %s/p\n%b\ndatabase mdb\nmaxsize %s\nsuffix "dc=shop"\nrootdn "cn=admin,dc=shop"\nrootpw secretpw\ndirectory %s\n' $W "${MORE:-}" ${SIZE:-10000000} ${D:-$W/db} > s.conf; }
run() { conf; slapd -d ${LV:-16640} -h ldap://127.0.0.1:7750 -f s.conf >>s.log 2>&1 & S=$!; }
tool() { "$@" >/dev/null 2>&1; }
add() { printf 'dn: dc=shop\nobjectClass: domain\ndc: shop\n\n' | tool ldapadd -x -H ldap://127.0.0.1:7750 -D cn=admin,dc=shop -w secretpw; }
mkdir db; run; wait_port 7750; add; tool ldapsearch -x -H ldap://127.0.0.1:7750 -b dc=shop; for i in 1 2; do tool ldapsearch -x -H ldap://127.0.0.1:7750 -D cn=admin,dc=shop -w wrong -b dc=shop; done; stop $S; mv s.log $OUT/noise.log
mkdir db2; D=$W/db2 SIZE=60000 run; wait_port 7750; add; for i in $(seq 30); do printf 'dn: dc=d%s,dc=shop\nobjectClass: domain\ndc: d%s\ndescription: %s\n\n' $i $i $(head -c 900 /dev/urandom | base64 -w0) | tool ldapadd -x -H ldap://127.0.0.1:7750 -D cn=admin,dc=shop -w secretpw; done; stop $S
D=/nowhere/db run; sleep 2; stop $S; head -c 9000 /dev/urandom > db/data.mdb; run; sleep 2; stop $S; rm db/*; taken 7750; run; sleep 2; stop $TAKEN $S; MORE='nonsense 1' run; sleep 1; stop $S; MORE="TLSCertificateFile $W/none.pem\nTLSCertificateKeyFile $W/none.key" run; sleep 2; stop $S
cp s.log $OUT/failed.log
