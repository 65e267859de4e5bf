. "${LIB:-$(dirname "$0")/../lib.sh}"
cat > Shop.java <<'J'
import java.util.*;
import java.util.logging.*;
public class Shop {
  static final Logger LOG = Logger.getLogger("shop.Orders");
  static int deep(int n) { return deep(n + 1) + 1; }
  public static void main(String[] a) throws Exception {
    System.setProperty("java.util.logging.SimpleFormatter.format", "%1$tF %1$tT.%1$tL %4$-7s %2$s - %5$s%6$s%n");
    LOG.info("starting");
    switch (a[0]) {
      case "quiet": LOG.info("started"); LOG.warning("slow answer of 1200 ms"); LOG.info("stopped"); break;
      case "heap": List<byte[]> l = new ArrayList<>(); try { while (true) l.add(new byte[1 << 20]); } catch (OutOfMemoryError e) { l = null; LOG.log(Level.SEVERE, "order failed", e); } break;
      case "heap2": List<byte[]> k = new ArrayList<>(); while (true) k.add(new byte[1 << 20]);
      case "meta": List<ClassLoader> c = new ArrayList<>(); byte[] b = Shop.class.getResourceAsStream("Shop.class").readAllBytes(); while (true) c.add(new ClassLoader(null) { { defineClass("Shop", b, 0, b.length); } });
      case "stack": deep(0); break;
      case "threads": while (true) { Thread t = new Thread(() -> { try { Thread.sleep(9999); } catch (InterruptedException e) { } }); t.setDaemon(true); t.start(); }
      case "direct": List<java.nio.ByteBuffer> d = new ArrayList<>(); while (true) d.add(java.nio.ByteBuffer.allocateDirect(1 << 20));
      case "gc": Map<Integer, String> m = new HashMap<>(); for (int i = 0; ; i++) m.put(i, "v" + i);
      case "deadlock": Object x = new Object(), y = new Object();
        new Thread(() -> { synchronized (x) { nap(300); synchronized (y) { } } }, "till-1").start();
        new Thread(() -> { synchronized (y) { nap(300); synchronized (x) { } } }, "till-2").start(); break;
      case "crash": var f = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe"); f.setAccessible(true); ((sun.misc.Unsafe) f.get(null)).putAddress(0, 0); break;
      case "missing": new com.shop.Absent(); break;
      case "tls": new java.net.URL("https://127.0.0.1:7543/").openConnection().getInputStream(); break;
      case "refused": new java.net.Socket("127.0.0.1", 7549); break;
    }
  }
  static void nap(int ms) { try { Thread.sleep(ms); } catch (InterruptedException e) { } }
}
J
mkdir -p com/shop; echo 'package com.shop; public class Absent { }' > com/shop/Absent.java; javac -nowarn com/shop/Absent.java Shop.java 2>/dev/null; rm com/shop/Absent.class
j() { timeout 60 java -Xmx24m -XX:+UseSerialGC -XX:MaxJavaStackTraceDepth=12 "$@" >>j.log 2>&1; }
j Shop quiet; j -Xlog:gc Shop quiet; mv j.log $OUT/noise.log
j Shop heap; j Shop heap2; j -XX:MaxMetaspaceSize=9m Shop meta; j Shop stack; j -XX:MaxDirectMemorySize=4m Shop direct; timeout 60 java -Xmx24m -XX:+UseParallelGC -XX:GCTimeLimit=20 -XX:GCHeapFreeLimit=60 Shop gc >>j.log 2>&1
(ulimit -u 90; setpriv --reuid=nobody --clear-groups timeout 30 java -Xmx24m -XX:+UseSerialGC Shop threads 2>&1 | head -30 >>j.log)
java -Xmx24m Shop deadlock >>j.log 2>&1 & J=$!; sleep 2; kill -3 $J; sleep 1; kill -9 $J
j Shop crash; rm -f hs_err*; j Shop missing; j Shop refused
openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 1 -subj /CN=a 2>/dev/null; openssl s_server -accept 7543 -cert c.pem -key k.pem -quiet >/dev/null 2>&1 & S=$!; sleep .5; j Shop tls; stop $S
j -Xmx9000g Shop quiet; j -XX:+Nonsense Shop quiet; j Nothing
cp j.log $OUT/failed.log
