package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/internal/program"
	"sohoa/internal/testneed"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest/servers"
)

// site is a whole house under load: the program itself, serving in a process of
// its own, and what it stands on.
type site struct {
	t     *testing.T
	dir   string
	addr  string
	token string
	env   []string // where the ledger and the archive are
	log   string
	up    *program.Server // nil: it does not run
}

func newSite(t *testing.T, env ...string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.log = filepath.Join(s.dir, "log")
	cache, err := os.UserCacheDir() // of the compiled PDFium, so that it is made once
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(append(os.Environ(), "SOHOA_DATA="+filepath.Join(s.dir, "data"), "XDG_CACHE_HOME="+cache, "SOHOA_VERIFY_DAYS=0"), env...)
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s.addr = "127.0.0.1:" + port
	s.file("units.csv", "code,name,level,parent,valid_from,valid_to,successor\nH51,Tỉnh Sóc Trăng,province,,,,\nH51.10,Huyện Trần Đề,district,H51,,,\n")
	s.file("procedures.csv", "code,name,returns_document\n1.000002,Thông báo,0\n")
	var rows strings.Builder
	rows.WriteString("code,unit,procedure,channel,received_at,status,resolved_at\n")
	for i := range mostErrands {
		fmt.Fprintf(&rows, "%s,H51.10,1.000002,1,2024-08-01,received,\n", errandCode(i))
	}
	s.file("dossiers.csv", rows.String())
	for _, kind := range []string{"units", "procedures", "dossiers"} {
		s.run(0, "import", kind, filepath.Join(s.dir, kind+".csv"))
	}
	out, _ := s.run(0, "token", "create", "--role", "operator", "--unit", "H51", "--name", "soak")
	s.token = strings.TrimSpace(out)
	t.Cleanup(s.kill)
	return s
}

func (s *site) file(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command("sohoa", args...)
	cmd.Env, cmd.Dir = s.env, s.dir
	return cmd
}

// run runs a subcommand that ends with the code.
func (s *site) run(code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	var o, e bytes.Buffer
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		s.t.Fatalf("sohoa %s ends with %d, want %d\n%s%s", strings.Join(args, " "), got, code, o.String(), e.String())
	}
	return o.String(), e.String()
}

// start starts the server and waits until it is ready.
func (s *site) start() {
	s.t.Helper()
	f, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	p := program.Program{Path: "sohoa", Dir: s.dir, Env: s.env, Stderr: f}
	if s.up, err = p.Serve("--listen", s.addr); err != nil {
		s.t.Fatalf("%v:\n%s", err, s.logged())
	}
}

// kill is SIGKILL.
func (s *site) kill() {
	if s.up != nil {
		s.up.Kill()
	}
}

// stop lets the server end in good order.
func (s *site) stop() {
	s.t.Helper()
	if err := s.up.Stop(); err != nil {
		s.t.Errorf("%v\n%s", err, s.logged())
	}
}

func (s *site) logged() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Error(err)
	}
	return string(b)
}

// mostErrands is how many dossiers there are.
const mostErrands = 6000

func errandCode(i int) string { return fmt.Sprintf("H51.10-240801-%06d", i) }

// load is what the uploaders were told: an acknowledged document is one for which
// any answer but a refusal to take it came.
type load struct {
	s          *site
	scan, bad  []byte
	next       atomic.Int64
	mu         sync.Mutex
	acked      map[int]string // errand → document id
	refused    atomic.Int64   // 503
	broken     atomic.Int64   // no answer
	unexpected []string
}

func newLoad(s *site) *load {
	s.t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(testneed.Root(s.t), "testdata", name))
		if err != nil {
			s.t.Fatal(err)
		}
		return b
	}
	return &load{s: s, scan: read("accept/scan-a5-colour.pdf"), bad: read("reject/truncated/pdf-at-60-percent.pdf"), acked: map[int]string{}}
}

// isBad: every fifth errand is a scan that is rejected.
func isBad(i int) bool { return i%5 == 4 }

func (l *load) body(i int) []byte {
	b := l.scan
	if isBad(i) {
		b = l.bad
	}
	return append(slices.Clone(b), fmt.Sprintf("\n%% %d\n", i)...)
}

// upload has n uploaders hand in one document after the other until ctx ends, each
// again and again until it is acknowledged. The uploader that holds a document
// when ctx ends brings it to its end all the same.
func (l *load) upload(ctx context.Context, n int) *sync.WaitGroup {
	var wg sync.WaitGroup
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(l.next.Add(1)) - 1
				if i >= mostErrands {
					return
				}
				for try := 0; !l.send(client, i, try); try++ {
					time.Sleep(time.Duration(10+rand.N(40)) * time.Millisecond)
				}
			}
		})
	}
	return &wg
}

// send hands in a document once and reports whether it was acknowledged. Every
// other waits for its verdict.
func (l *load) send(client *http.Client, i, try int) bool {
	req, err := http.NewRequest(http.MethodPut, "http://"+l.s.addr+"/api/v1/dossiers/"+errandCode(i)+"/documents?kind=component", bytes.NewReader(l.body(i)))
	if err != nil {
		l.strange(err.Error())
		return true
	}
	req.Header.Set("Authorization", "Bearer "+l.s.token)
	if i%2 == 0 {
		req.Header.Set("Prefer", "wait=5")
	}
	resp, err := client.Do(req)
	if err != nil {
		l.broken.Add(1)
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		l.broken.Add(1)
		return false
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusUnprocessableEntity:
		id := resp.Header.Get("Location")[strings.LastIndexByte(resp.Header.Get("Location"), '/')+1:]
		if id == "" {
			l.strange(fmt.Sprintf("%d without a place: %s", resp.StatusCode, answer))
			return true
		}
		l.mu.Lock()
		l.acked[i] = id
		l.mu.Unlock()
		return true
	case http.StatusServiceUnavailable:
		l.refused.Add(1)
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || n < 1 {
			l.strange("503 without Retry-After")
		}
		return false
	}
	l.strange(fmt.Sprintf("%d: %s", resp.StatusCode, answer))
	return true // given up: the test has failed
}

func (l *load) strange(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unexpected) < 10 {
		l.unexpected = append(l.unexpected, s)
	}
}

// settle waits until every acknowledged document has its verdict, ends the server
// and holds the house against what was acknowledged: nothing lost, nothing counted
// twice, nothing that verification finds.
func (l *load) settle() {
	t := l.s.t
	t.Helper()
	for _, s := range l.unexpected {
		t.Errorf("an answer that should not be: %s", s)
	}
	led := l.s.openLedger()
	good := 0
	for i := range mostErrands {
		id, ok := l.acked[i]
		if !ok {
			continue
		}
		want := "stored"
		if isBad(i) {
			want = "rejected"
		} else {
			good++
		}
		got := ""
		for range 6000 {
			st, err := led.Standing(t.Context(), id)
			if err != nil {
				t.Fatalf("acknowledged and lost: document %s: %v", id, err)
			}
			if got = string(st.State); got != "pending" {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if got != want {
			t.Errorf("document %s is %s, want %s", id, got, want)
		}
	}
	n, err := led.CountDocuments(t.Context())
	if err != nil || n != int64(len(l.acked)) {
		t.Errorf("the ledger has %d documents, %d were acknowledged; %v", n, len(l.acked), err)
	}
	l.s.stop()
	out, _ := l.s.run(0, "report", "--format", "json", "--unit", "H51", "--from", "2024-08-01", "--to", "2024-09-01")
	var report struct {
		Rows []struct {
			Indicators []struct {
				ID        string
				Numerator int
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Rows) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	counted := false
	for _, ind := range report.Rows[0].Indicators {
		if ind.ID == "4.2" {
			counted = true
			if ind.Numerator != good {
				t.Errorf("%d dossiers count as digitised, %d good scans were acknowledged", ind.Numerator, good)
			}
		}
	}
	if !counted {
		t.Errorf("4.2 is not in the report: %s", out)
	}
	l.s.run(0, "verify", "--deep", "--anew")
	t.Logf("%d documents acknowledged (%d good), %d times 503, %d times no answer; verify is clean", len(l.acked), good, l.refused.Load(), l.broken.Load())
}

func (s *site) openLedger() *ledger.Ledger {
	s.t.Helper()
	dsn := "sqlite:" + filepath.Join(s.dir, "data", "ledger.db")
	for _, e := range s.env {
		if v, ok := strings.CutPrefix(e, "SOHOA_DATABASE="); ok {
			dsn = v
		}
	}
	l, err := ledger.Open(s.t.Context(), dsn, ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return l
}

// postgresDSN is the address of a new, migrated ledger.
func postgresDSN(t *testing.T) string {
	t.Helper()
	return servers.Postgres(t, false).Database(t, func(dsn string) error {
		l, err := ledger.Open(context.Background(), dsn, ledger.Options{Log: zerolog.Nop()})
		if err != nil {
			return err
		}
		return errors.Join(l.Migrate(context.Background()), l.Close())
	})
}

// machines is PostgreSQL and S3 at the
// endpoint.
func machines(t *testing.T, endpoint, access, secret string) []string {
	t.Helper()
	return []string{"SOHOA_DATABASE=" + postgresDSN(t), "SOHOA_STORE=" + fmt.Sprintf("s3://soak-%d?endpoint=%s&region=us-east-1", rand.Uint32(), endpoint),
		"AWS_ACCESS_KEY_ID=" + access, "AWS_SECRET_ACCESS_KEY=" + secret}
}

// TestKillLoop kills the server again and again at random moments under the load
// of eight uploaders. SOHOA_KILLS sets how often, over both houses.
func TestKillLoop(t *testing.T) {
	kills, err := strconv.Atoi(cmp.Or(os.Getenv("SOHOA_KILLS"), "20"))
	if err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string]func(t *testing.T) []string{
		"embedded": func(*testing.T) []string { return nil },
		"machines": func(t *testing.T) []string {
			endpoint, access, secret := servers.MinIO(t)
			return machines(t, endpoint, access, secret)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, env(t)...)
			l := newLoad(s)
			s.start()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			uploading := l.upload(ctx, 8)
			for range kills / 2 {
				// The moment falls anywhere from the first request of a new process on.
				time.Sleep(rand.N(700 * time.Millisecond))
				s.kill()
				s.start()
			}
			cancel()
			uploading.Wait()
			l.settle()
			if l.broken.Load() == 0 {
				t.Error("no uploader noticed that the server was killed")
			}
			if l.next.Load() >= mostErrands {
				t.Error("there was no load any more at the end: more errands are needed")
			}
		})
	}
}
