. "${LIB:-$(dirname "$0")/../lib.sh}"
export CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=$W JAVA_OPTS="-Xmx48m -XX:+UseSerialGC -XX:MaxJavaStackTraceDepth=8" CATALINA_TMPDIR=$W/temp
mkdir -p conf logs temp work webapps/shop/WEB-INF; cp /etc/tomcat10/*.xml /etc/tomcat10/*.properties conf/ 2>/dev/null; cp /usr/share/tomcat10/etc/* conf/ 2>/dev/null
printf 'handlers=java.util.logging.ConsoleHandler\njava.util.logging.ConsoleHandler.level=INFO\njava.util.logging.ConsoleHandler.formatter=org.apache.juli.OneLineFormatter\n' > conf/logging.properties
conf() { printf '<Server port="-1"><Service name="Catalina"><Connector address="127.0.0.1" port="7730" maxThreads="2" acceptCount="1" %s/><Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" autoDeploy="false"/></Engine></Service></Server>' "${MORE:-}" > conf/server.xml; }
run() { conf; /usr/share/tomcat10/bin/catalina.sh run >>t.log 2>&1 & T=$!; for _ in $(seq 200); do grep -qs "${1:-Server startup in}" t.log && break; sleep .1; done; sleep .5; }
jsp() { printf '<%%%s%%>' "$2" > webapps/shop/$1.jsp; }
jsp ok ' out.print(1); '; run; curl -s localhost:7730/shop/ok.jsp >/dev/null; curl -s localhost:7730/shop/none >/dev/null; stop $T; cp t.log $OUT/noise.log; : > t.log
jsp npe ' String s = null; s.length(); '; jsp oom ' java.util.List<byte[]> l = new java.util.ArrayList<>(); while (true) l.add(new byte[1 << 20]); '; jsp bad ' nonsense; '; jsp sql ' java.sql.DriverManager.getConnection("jdbc:none://127.0.0.1/a"); '; jsp deep '! int f(int n) { return f(n + 1) + 1; } %><% f(0); '
run; for x in npe npe sql bad oom deep; do curl -s -m 30 localhost:7730/shop/$x.jsp >/dev/null; done; stop $T
mkdir -p webapps/broken/WEB-INF; printf '<web-app><servlet>' > webapps/broken/WEB-INF/web.xml; mkdir -p webapps/absent/WEB-INF; printf '<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0"><listener><listener-class>com.shop.Absent</listener-class></listener></web-app>' > webapps/absent/WEB-INF/web.xml; : > t2; mv t.log t1; run; stop $T; mv t.log t2; rm -rf webapps/broken webapps/absent
taken 7730; run; stop $T $TAKEN; mv t.log t3; MORE='SSLEnabled="true" scheme="https" secure="true"><SSLHostConfig><Certificate certificateKeystoreFile="conf/none.p12"/></SSLHostConfig></Connector><Connector address="127.0.0.1" port="7731"' run; stop $T; mv t.log t4; MORE='nonsense="<"' run 'x' & sleep 6; stop $(pgrep -f catalina.base=$W)
cat t1 t2 t3 t4 t.log | grep -av " INFO \[" > $OUT/failed.log
