. "${LIB:-$(dirname "$0")/../lib.sh}"
cat > shop.go <<'J'
package main
import ("errors"; "fmt"; "log"; "net"; "net/http"; "os"; "sync"; "time"; "crypto/tls")
type order struct{ n int }
func deep(n int) int { return deep(n+1) + 1 }
func main() {
  log.Println("starting")
  switch os.Args[1] {
  case "quiet": log.Println("listening on :3000"); log.Println("order 7 done")
  case "nil": var o *order; log.Println(o.n)
  case "index": a := []int{1}; i := len(os.Args); log.Println(a[i])
  case "panic": panic(errors.New("no such order"))
  case "map": m := map[int]int{}; for i := 0; i < 4; i++ { go func() { for { m[1]++ } }() }; time.Sleep(2 * time.Second)
  case "nilmap": var m map[string]int; m["a"] = 1
  case "deadlock": var w sync.WaitGroup; w.Add(1); w.Wait()
  case "mutex": var m sync.Mutex; m.Lock(); m.Lock()
  case "stack": deep(0)
  case "closed": c := make(chan int); close(c); close(c)
  case "oom": var k [][]byte; for { b := make([]byte, 64<<20); for i := range b { b[i] = 1 }; k = append(k, b) }
  case "fatal": log.Fatal(errors.New("cannot read the configuration"))
  case "taken": log.Fatal(http.ListenAndServe("127.0.0.1:7540", nil))
  case "refused": _, e := net.Dial("tcp", "127.0.0.1:7549"); log.Printf("error: %v", e)
  case "tls": _, e := http.Get("https://127.0.0.1:7543/"); log.Printf("error: %v", e); _ = tls.VersionTLS12
  case "served":
    http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { var o *order; fmt.Fprint(w, o.n) })
    go http.ListenAndServe("127.0.0.1:7541", nil); time.Sleep(200 * time.Millisecond); http.Get("http://127.0.0.1:7541/"); 
    var keep []net.Conn; for i := 0; i < 99; i++ { c, e := net.Dial("tcp", "127.0.0.1:7541"); if e != nil { log.Printf("error: %v", e); break }; keep = append(keep, c) }; time.Sleep(200 * time.Millisecond)
  }
}
J
HOME=$W GOCACHE=$W/c GO111MODULE=off go build -o shop shop.go || exit 1
printf 'package main\nimport ("log"; "sync")\nfunc waitForOrders() { var w sync.WaitGroup; w.Add(1); w.Wait() }\nfunc main() { log.Println("starting"); waitForOrders() }\n' > dead.go; HOME=$W GOCACHE=$W/c GO111MODULE=off CGO_ENABLED=0 go build -gcflags=-l -o dead dead.go
g() { timeout 30 ./shop $1 2>&1 | head -${2:-45} >>g.log; }
g quiet; mv g.log $OUT/noise.log
for h in nil index panic nilmap closed fatal refused; do g $h 25; done; g map 18; g stack 22
taken 7540; g taken; stop $TAKEN; (ulimit -v 900000; g oom 20); (ulimit -n 24; g served 40)
openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 1 -subj /CN=a 2>/dev/null; openssl s_server -accept 7543 -cert c.pem -key k.pem -quiet >/dev/null 2>&1 & S=$!; sleep .5; g tls; stop $S
./dead 2>&1 | head -12 >> g.log
cp g.log $OUT/failed.log
