package main

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest/servers"
)

// TestHosts runs the program on hosts of their own, which are network namespaces:
// three with doors and workers, one with the database, one with the store. While
// documents come in through all doors, a host stands still, is cut off, another is
// killed, the database crashes, the store is cut off (SOHOA_OUTAGE, 10 s
// by default). In the end everything that was acknowledged is stored, once, and
// counted; and while one host is away the others go on, also with what it held.
func TestHosts(t *testing.T) {
	outage := 10 * time.Second
	if v := os.Getenv("SOHOA_OUTAGE"); v != "" {
		var err error
		if outage, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	lan := newLAN(t)
	dsn, database := startDatabase(t, lan)
	store := startStore(t, lan)
	hosts := []*host{{name: "w1", number: 11}, {name: "w2", number: 12}, {name: "w3", number: 13}}
	for _, h := range hosts {
		h.t, h.dsn, h.store, h.dir = t, dsn, store, t.TempDir()
		h.lan = lan
		lan.attach(h.name, h.number)
	}

	ctx := t.Context()
	l, err := ledger.Open(ctx, dsn, ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	// All three bring an empty database to the schema at once.
	for _, h := range hosts {
		h.start()
	}
	for _, h := range hosts {
		if err := servers.Wait(http.DefaultClient, h.url()+"/readyz"); err != nil {
			t.Fatalf("%s: %v\n%s", h.name, err, h.said())
		}
	}
	if _, err := l.ImportUnits(ctx, []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province}}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ImportProcedures(ctx, []dossier.Procedure{{Code: "1.000001", Name: "Thông báo"}}); err != nil {
		t.Fatal(err)
	}
	token, _, err := l.CreateToken(ctx, dossier.Token{Name: "quầy", Role: dossier.Operator, Unit: "H51"})
	if err != nil {
		t.Fatal(err)
	}
	scan, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", "accept", "page.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxIdleConns(0) // none that a crash has broken
	asked := probe{db}
	sent := startTraffic(t, hosts, token, scan)

	// goesOn waits until documents that are sent from now on have been settled.
	goesOn := func(what string) {
		t.Helper()
		start := time.Now()
		defer func() { t.Logf("%s: 20 more in %v", what, time.Since(start).Round(time.Millisecond)) }()
		from, acked := asked.settled(), sent.acked.Load()
		for range 1200 {
			if sent.acked.Load() >= acked+20 && asked.settled() >= from+20 {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%s: %d acknowledged and %d settled before, %d and %d now", what, acked, from, sent.acked.Load(), asked.settled())
	}
	goesOn("all is well")

	// A host stands still, with work in hand that nobody may take from it as long as
	// it may go on; then it is cut off, and the others finish what it held.
	var held []string
	for try := 0; len(held) == 0; try++ {
		if try == 50 {
			t.Fatal("the host never had work in hand")
		}
		hosts[0].signal(syscall.SIGCONT)
		time.Sleep(time.Duration(try%7) * 10 * time.Millisecond)
		hosts[0].signal(syscall.SIGSTOP)
		held, _ = asked.pending()
		goesOn("a host stands still")
		now, _ := asked.pending()
		held = slices.DeleteFunc(held, func(id string) bool { return !slices.Contains(now, id) })
	}
	lan.cut("w1")
	goesOn("a host is cut off")
	for range 1200 {
		now, known := asked.pending()
		if held = slices.DeleteFunc(held, func(id string) bool { return known && !slices.Contains(now, id) }); len(held) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(held) > 0 {
		t.Errorf("%d documents wait for a host that is cut off", len(held))
	}
	hosts[0].signal(syscall.SIGCONT) // it finds that the world went on without it
	lan.join("w1")

	hosts[1].kill()
	goesOn("a host is killed")
	hosts[1].start()
	if err := servers.Wait(http.DefaultClient, hosts[1].url()+"/readyz"); err != nil {
		t.Fatal(err)
	}

	database.crash(t)
	database.start(t)
	goesOn("the database crashed")

	lan.cut("store")
	time.Sleep(outage) // how long it is away is what is tested
	lan.join("store")
	goesOn("the store was cut off")

	stopped := time.Now()
	codes := sent.stop()
	for n := 0; ; n++ {
		left, known := asked.pending()
		if known && len(left) == 0 {
			break
		}
		if n == 3000 {
			t.Fatalf("%d documents never got their verdict", len(left))
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("the last verdict came %v after the last document", time.Since(stopped).Round(time.Millisecond))
	for _, h := range hosts {
		h.end()
	}

	// Nothing lost, nothing doubled.
	have := map[dossier.Code]int{}
	rows, err := db.Query(`SELECT dossier, state, COUNT(*) FROM document GROUP BY dossier, state`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var code dossier.Code
		var state dossier.State
		var n int
		if err := rows.Scan(&code, &state, &n); err != nil {
			t.Fatal(err)
		}
		if state != dossier.Stored {
			t.Errorf("%d documents are %s", n, state)
		}
		have[code] += n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range codes {
		if have[c] != 1 {
			t.Errorf("an acknowledged document is there %d times", have[c])
		}
	}
	if len(have) < len(codes) || len(codes) < 100 {
		t.Errorf("%d documents were acknowledged, %d are there", len(codes), len(have))
	}
	if err := l.Recount(ctx, func(m ledger.Miscount) { t.Errorf("%s: %v", m.Unit, m) }); err != nil {
		t.Fatal(err)
	}
	cmd := hosts[0].command("verify", "--deep")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	t.Logf("%d documents acknowledged, each stored once; %d requests had to be sent again", len(codes), sent.again.Load())
}

// traffic sends documents through all doors until it is stopped: each until some
// door has acknowledged it.
type traffic struct {
	acked, again atomic.Int64
	stop         func() []dossier.Code
}

func startTraffic(t *testing.T, hosts []*host, token string, scan []byte) *traffic {
	ld := &traffic{}
	ended := make(chan struct{})
	var next atomic.Int64
	var mu sync.Mutex
	var codes []dossier.Code
	var wg sync.WaitGroup
	client := &http.Client{Timeout: 2 * time.Second}
	put := func(h *host, code dossier.Code) error {
		req, err := http.NewRequest(http.MethodPut, h.url()+"/api/v1/dossiers/"+string(code)+"/documents?kind=component", bytes.NewReader(scan))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		var st struct{ ID string }
		switch {
		case resp.StatusCode >= 500: // ours, and it says so
			return errors.New(resp.Status)
		case resp.StatusCode >= 300 || json.Unmarshal(b, &st) != nil || st.ID == "":
			t.Errorf("%s answers %s: %s", h.name, resp.Status, b)
		}
		return nil
	}
	for sender := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(100 * time.Millisecond): // a counter's pace, for small machines
				}
				n := next.Add(1)
				code := dossier.Code(fmt.Sprintf("H51-240801-%06d", n))
				for try := 0; ; try++ {
					if err := put(hosts[(sender+try)%len(hosts)], code); err == nil {
						break
					}
					ld.again.Add(1)
					time.Sleep(100 * time.Millisecond)
				}
				ld.acked.Add(1)
				mu.Lock()
				codes = append(codes, code)
				mu.Unlock()
			}
		})
	}
	var once sync.Once
	ld.stop = func() []dossier.Code {
		once.Do(func() { close(ended) })
		wg.Wait()
		return codes
	}
	t.Cleanup(func() { once.Do(func() { close(ended) }) })
	return ld
}

// probe asks the database what has become of the documents; while it is away,
// nothing is known.
type probe struct{ db *sql.DB }

func (p probe) settled() (n int) {
	if err := p.db.QueryRow(`SELECT COUNT(*) FROM document WHERE state = 'stored'`).Scan(&n); err != nil {
		return 0
	}
	return n
}

func (p probe) pending() (ids []string, known bool) {
	rows, err := p.db.Query(`SELECT id FROM document WHERE state = 'pending'`)
	if err != nil {
		return nil, false
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, rows.Err() == nil
}

// lan is a switch in a namespace of its own, with hosts attached to it, and this
// process as another.
type lan struct {
	t      testing.TB
	prefix string // of the namespaces' names
	net    int    // third byte of the addresses
}

func newLAN(t testing.TB) *lan {
	t.Helper()
	if os.Getuid() != 0 {
		testneed.Missing(t, "root", "network namespaces are root's")
	}
	testneed.Tool(t, "ip", "apt-get install iproute2")
	testneed.Tool(t, "setpriv", "apt-get install util-linux")
	l := &lan{t: t, prefix: fmt.Sprintf("sohoa%d-", os.Getpid()), net: os.Getpid() % 250}
	if out, err := exec.Command("ip", "netns", "add", l.prefix+"switch").CombinedOutput(); err != nil {
		testneed.Missing(t, "network namespaces", fmt.Sprintf("the kernel says: %v %s", err, out))
	}
	l.later("switch")
	l.ip("-n", l.prefix+"switch", "link", "add", "name", "bridge0", "type", "bridge")
	l.ip("-n", l.prefix+"switch", "link", "set", "dev", "bridge0", "up")
	me := fmt.Sprintf("so%d", os.Getpid())
	l.ip("-n", l.prefix+"switch", "link", "add", "name", "me", "type", "veth", "peer", "name", me, "netns", strconv.Itoa(os.Getpid()))
	l.ip("-n", l.prefix+"switch", "link", "set", "dev", "me", "master", "bridge0", "up")
	l.ip("addr", "add", l.address(1)+"/24", "dev", me)
	l.ip("link", "set", me, "up")
	return l
}

func (l *lan) later(name string) {
	l.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", l.prefix+name).CombinedOutput(); err != nil {
			l.t.Errorf("remove the namespace: %v %s", err, out)
		}
	})
}

func (l *lan) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v %s", strings.Join(args, " "), err, out)
	}
}

// address is in 198.18.0.0/15, which is set aside for tests of networks.
func (l *lan) address(host int) string { return fmt.Sprintf("198.18.%d.%d", l.net, host) }

// attach makes a host.
func (l *lan) attach(name string, number int) {
	l.t.Helper()
	l.ip("netns", "add", l.prefix+name)
	l.later(name)
	l.ip("-n", l.prefix+"switch", "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", l.prefix+name)
	l.ip("-n", l.prefix+"switch", "link", "set", "dev", name, "up")
	l.join(name)
	l.ip("-n", l.prefix+name, "addr", "add", l.address(number)+"/24", "dev", "eth0")
	l.ip("-n", l.prefix+name, "link", "set", "eth0", "up")
	l.ip("-n", l.prefix+name, "link", "set", "lo", "up")
}

// cut takes the host off the switch: its packets go nowhere, and nobody tells.
func (l *lan) cut(name string) {
	l.t.Helper()
	l.ip("-n", l.prefix+"switch", "link", "set", "dev", name, "nomaster")
}

func (l *lan) join(name string) {
	l.t.Helper()
	l.ip("-n", l.prefix+"switch", "link", "set", "dev", name, "master", "bridge0")
}

// on is the command as it runs on the host.
func (l *lan) on(name string, args ...string) []string {
	return append([]string{"ip", "netns", "exec", l.prefix + name}, args...)
}

// host runs the program: doors and workers.
type host struct {
	t          testing.TB
	lan        *lan
	name       string
	number     int
	dsn, store string
	dir        string
	program    string // empty: the one that is tested
	cmd        *exec.Cmd
}

func (h *host) url() string { return fmt.Sprintf("http://%s:8080", h.lan.address(h.number)) }

func (h *host) command(args ...string) *exec.Cmd {
	h.t.Helper()
	sohoa, err := exec.LookPath(cmp.Or(h.program, "sohoa"))
	if err != nil {
		h.t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		h.t.Fatal(err)
	}
	line := h.lan.on(h.name, append([]string{sohoa}, args...)...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = h.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "SOHOA_DATABASE="+h.dsn, "SOHOA_STORE="+h.store, "SOHOA_DATA="+h.dir, "SOHOA_LOG_LEVEL=warn",
		"AWS_ACCESS_KEY_ID="+servers.AccessKey, "AWS_SECRET_ACCESS_KEY="+servers.SecretKey, "XDG_CACHE_HOME="+cache)
	return cmd
}

func (h *host) start() {
	h.t.Helper()
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	h.cmd = h.command("serve", "--listen", "0.0.0.0:8080", "--workers", "2")
	h.cmd.Stdout, h.cmd.Stderr = log, log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	cmd := h.cmd
	h.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // it may just have ended
			_ = cmd.Wait()
			if h.t.Failed() {
				h.t.Logf("%s said: %s", h.name, h.said())
			}
		}
	})
}

func (h *host) said() string {
	b, err := os.ReadFile(filepath.Join(h.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

func (h *host) signal(s syscall.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) kill() {
	h.t.Helper()
	h.signal(syscall.SIGKILL)
	_ = h.cmd.Wait() // killed, it says
}

// end asks the host to finish what runs, and sees that it ends well.
func (h *host) end() {
	h.t.Helper()
	h.signal(syscall.SIGTERM)
	if err := h.cmd.Wait(); err != nil {
		h.t.Errorf("%s ended: %v\n%s", h.name, err, h.said())
	}
}

func startStore(t testing.TB, l *lan) string {
	t.Helper()
	program := testneed.Tool(t, "minio", "make tools")
	l.attach("store", 3)
	dir, err := os.MkdirTemp("", "sohoa-hosts-store-")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.address(3) + ":9000"
	cmd := servers.MinIOCommand(program, dir, addr)
	cmd.Args = l.on("store", cmd.Args...)
	stop, err := servers.Guard(cmd, dir, filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := servers.Wait(http.DefaultClient, "http://"+addr+"/minio/health/live"); err != nil {
		t.Fatal(err)
	}
	return "s3://sohoa?endpoint=http://" + addr + "&region=us-east-1"
}

// database is PostgreSQL on the host db.
type postgres struct {
	lan       *lan
	bin, data string
	cmd       *exec.Cmd
}

func startDatabase(t testing.TB, l *lan) (string, *postgres) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		testneed.Missing(t, "PostgreSQL", "apt-get install postgresql")
	}
	l.attach("db", 2)
	who, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sohoa-hosts-db-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	p := &postgres{lan: l, bin: filepath.Dir(found[len(found)-1]), data: filepath.Join(dir, "data")}
	initdb := exec.Command("setpriv", p.as(filepath.Join(p.bin, "initdb"), "-D", p.data, "-U", "sohoa", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")...)
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v %s", err, out)
	}
	hba, err := os.OpenFile(filepath.Join(p.data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(hba, "host all all %s/24 trust\n", l.address(0)); err != nil {
		t.Fatal(err)
	}
	if err := hba.Close(); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	t.Cleanup(func() { p.crash(t) })
	u := url.URL{Scheme: "postgres", User: url.User("sohoa"), Host: l.address(2) + ":5432", Path: "/postgres", RawQuery: "sslmode=disable"}
	return u.String(), p
}

func (p *postgres) as(args ...string) []string {
	return append([]string{"--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig", "QUIT"}, args...)
}

func (p *postgres) start(t testing.TB) {
	t.Helper()
	line := p.lan.on("db", append([]string{"setpriv"}, p.as(filepath.Join(p.bin, "postgres"), "-D", p.data,
		"-c", "listen_addresses=*", "-c", "unix_socket_directories=", "-c", "fsync=off")...)...)
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Dir = filepath.Dir(p.data)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// crash ends it without a checkpoint and without a word to those connected.
func (p *postgres) crash(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // its exit code says that it was asked to
}
