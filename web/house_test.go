package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/pipeline/pdf"
	"sohoa/storage"
	"sohoa/storage/disk"
	"sohoa/storage/ledger"
	"sohoa/tally"
	"sohoa/web"
)

// TestMain makes the test binary its own child process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// lister and the other adapters fit the ledger's types to the doors'.
type lister struct{ *ledger.Ledger }

func (l lister) List(ctx context.Context, q web.ListQuery) (web.ListPage, error) {
	p, err := l.Ledger.List(ctx, ledger.ListQuery{Indicator: q.Indicator.ID, Version: q.Indicator.Version, Side: q.Side,
		Units: q.Units, Period: q.Period, Procedure: q.Procedure, Channel: q.Channel, After: ledger.Cursor(q.After), Limit: q.Limit})
	if errors.Is(err, ledger.ErrQuery) {
		err = web.ErrCursor
	}
	return web.ListPage{Items: p.Items, Next: string(p.Next)}, err
}

type inbox struct{ *ledger.Ledger }

func (b inbox) Faulted(ctx context.Context, units []dossier.UnitCode, limit int) ([]web.Fault, error) {
	list, err := b.Ledger.Faulted(ctx, units, limit)
	out := make([]web.Fault, len(list))
	for i, f := range list {
		out[i] = web.Fault(f)
	}
	return out, err
}

// closer closes as the program does.
type closer struct{ h *house }

func (c closer) ClosePeriod(ctx context.Context, period string, unit dossier.UnitCode, by string) (web.Closing, error) {
	p, err := dossier.ParsePeriod(period)
	if err != nil {
		return web.Closing{}, err
	}
	at := time.Now()
	snap, err := tally.Close(ctx, c.h.ledger, tally.Query{Period: p, Unit: unit}, tally.DefaultTargets(), at)
	if err != nil {
		return web.Closing{}, err
	}
	if err := snap.AddDossiers(ctx, c.h.ledger); err != nil {
		return web.Closing{}, err
	}
	content, digest, err := snap.Encode()
	if err != nil {
		return web.Closing{}, err
	}
	id := uuid.NewString()
	return web.Closing{ID: id, Period: period, Unit: unit, At: at, By: by, SHA256: digest},
		c.h.ledger.SaveClosing(ctx, ledger.Closing{ID: id, Period: period, Unit: unit, At: at, By: by, SHA256: digest, Content: content})
}

func (c closer) Closings(ctx context.Context, units []dossier.UnitCode) (out []web.Closing, err error) {
	list, err := c.h.ledger.ClosingsOf(ctx, units)
	for _, k := range list {
		out = append(out, web.Closing{ID: k.ID, Period: k.Period, Unit: k.Unit, At: k.At, By: k.By, SHA256: k.SHA256})
	}
	return out, err
}

func (c closer) Closed(ctx context.Context, id string) (web.Closing, tally.Snapshot, bool, error) {
	k, found, err := c.h.ledger.Closing(ctx, id)
	if err != nil || !found {
		return web.Closing{}, tally.Snapshot{}, false, err
	}
	snap, err := tally.DecodeSnapshot(k.Content, k.SHA256)
	return web.Closing{ID: k.ID, Period: k.Period, Unit: k.Unit, At: k.At, By: k.By, SHA256: k.SHA256}, snap, true, err
}

// units are the tree of the tests: a district with two communes and one that was
// merged into the first, its sister with one, and another province.
var units = []dossier.Unit{
	{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province},
	{Code: "H51.10", Name: "Huyện Trần Đề", Level: dossier.District, Parent: "H51"},
	{Code: "H51.10.01", Name: "Xã Đại Ân 2", Level: dossier.Commune, Parent: "H51.10"},
	{Code: "H51.10.02", Name: "Xã Liêu Tú", Level: dossier.Commune, Parent: "H51.10"},
	{Code: "H51.10.09", Name: "Xã Cũ", Level: dossier.Commune, Parent: "H51.10", ValidTo: 20240701, Successor: "H51.10.01"},
	{Code: "H51.11", Name: "Huyện Kế Sách", Level: dossier.District, Parent: "H51"},
	{Code: "H51.11.01", Name: "Xã Kế An", Level: dossier.Commune, Parent: "H51.11"},
	{Code: "H92", Name: "Thành phố Cần Thơ", Level: dossier.Province},
}

// house is a whole program: ledger, archive, judge, workers, doors.
type house struct {
	*httptest.Server
	t        *testing.T
	ledger   *ledger.Ledger
	pipeline *pipeline.Pipeline
	handler  http.Handler
	log      *syncBuffer
	options  web.Options
	tokens   map[string]string
	runs     []dossier.Run
	checks   []dossier.Check
	checked  dossier.Check
	hot      map[dossier.UnitCode]string // hot folders, by whose they are
	laid     int                         // scans laid into their trays
	start    func()                      // the workers, where the test asked for them to wait
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type setup struct {
	options func(*web.Options)
	// idle: the workers do not run until house.start.
	idle  bool
	fault bool // every document fails, at once and for good
}

func newHouse(t *testing.T, s setup) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, log: &syncBuffer{}, tokens: map[string]string{}}
	log := zerolog.New(h.log).Level(zerolog.DebugLevel)
	ctx := context.Background()
	var err error
	if h.ledger, err = ledger.Open(ctx, "sqlite:"+filepath.Join(dir, "ledger.db")+"?synchronous=OFF", ledger.Options{Log: zerolog.Nop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.ledger.Close() })
	if err := h.ledger.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	store, err := disk.Open(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pdf.NewPool(pdf.Options{Executable: []string{self, "pdf-child"}, Children: 1, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	h.pipeline = pipeline.New(pipeline.Options{Store: store, Ledger: h.ledger, Judge: pool, SpoolDir: store.SpoolDir(),
		Profile: func(d dossier.Date) dossier.Profile { return dossier.ProfileFor(d) }, Limit: 8 << 20, DPI: 200,
		Tool: "sohoa test", Now: time.Now, Log: zerolog.Nop()})

	h.register()
	o := web.Options{Pipeline: h.pipeline, Uploads: h.pipeline, Register: h.ledger, Source: h.ledger, Behind: h.ledger, Tokens: h.ledger, Lister: lister{h.ledger}, Owners: h.ledger, Auditor: h.ledger,
		Accounts: h.ledger, People: h.ledger, Orders: h.pipeline, Closer: closer{h}, SessionStore: h.ledger.Sessions(), Inbox: inbox{h.ledger}, Ready: h.ledger.Ready, Log: log, Version: "test",
		MaxBody:     8 << 20,
		Unavailable: func(err error) bool { return errors.Is(err, storage.ErrUnavailable) },
		Operations: func(ctx context.Context) (web.Operations, error) {
			st, err := h.ledger.QueueStats(ctx)
			return web.Operations{Pending: st.Pending, Running: st.Running, Faulted: st.Faulted, Oldest: st.Oldest, Ledger: "SQLite", Store: "disk", Runs: h.runs, Checks: h.checks, Checked: h.checked}, err
		},
		Pictures: pictures{h.pipeline, pool, dir},
		Life:     h.ledger.Events,
		Runs:     h.ledger,
		Tray:     h.trays(t, filepath.Join(dir, "hot"), pool),
	}
	if s.options != nil {
		s.options(&o)
	}
	h.options = o
	h.handler = web.New(o)
	h.Server = httptest.NewServer(h.handler)

	wctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var once sync.Once
	h.start = func() {
		once.Do(func() {
			wg.Go(func() {
				handle, wo := h.pipeline.Process, ledger.WorkOptions{Workers: 2}
				if s.fault {
					handle = func(context.Context, dossier.Intake) error { return errors.New("the judge is away") }
					wo.MaxAttempts = 1
				}
				if err := h.ledger.Work(wctx, wo, handle); err != nil {
					t.Error(err)
				}
			})
		})
	}
	if !s.idle {
		h.start()
	}
	t.Cleanup(func() {
		if t.Failed() {
			for line := range strings.Lines(h.log.String()) {
				if !strings.Contains(line, `"level":"info"`) {
					t.Log(line)
				}
			}
		}
		h.Server.Close()
		stop()
		wg.Wait()
	})
	return h
}

// pictures draws pages as the program does: the original out of the archive,
// into a judge's hands.
type pictures struct {
	p    *pipeline.Pipeline
	pool *pdf.Pool
	dir  string
}

func (x pictures) Picture(ctx context.Context, st dossier.Standing, page, dpi int) ([]byte, error) {
	r, _, err := x.p.OpenOriginal(ctx, st)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := os.CreateTemp(x.dir, "picture")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return nil, err
	}
	s, err := x.pool.Open(ctx, f.Name())
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Picture(ctx, page, dpi)
}

func (h *house) register() {
	h.t.Helper()
	ctx := context.Background()
	must := func(o ledger.Outcome, err error) {
		h.t.Helper()
		if err != nil || len(o.Bad) > 0 {
			h.t.Fatal(o, err)
		}
	}
	must(h.ledger.ImportUnits(ctx, units))
	must(h.ledger.ImportProcedures(ctx, []dossier.Procedure{{Code: "1.004946", Name: "Cấp bản sao trích lục", ReturnsDocument: true},
		{Code: "1.000001", Name: "Thông báo", ReturnsDocument: false}}))
	var rows []dossier.Registered
	for _, u := range units {
		for n := range 3 {
			day := 20240801
			if u.ValidTo != 0 {
				day = 20240601
			}
			rows = append(rows, dossier.Registered{Code: dossier.Code(fmt.Sprintf("%s-%06d-%04d", u.Code, day%1000000, n+1)), Unit: u.Code,
				Procedure: []dossier.ProcedureCode{"1.004946", "1.000001", "1.004946"}[n], Channel: dossier.Channel(n + 1),
				ReceivedAt: dossier.Date(day).Time().Add(9 * time.Hour), Status: dossier.Received})
		}
	}
	must(h.ledger.ImportDossiers(ctx, rows))
}

// code is the n-th dossier of a unit.
func code(u dossier.UnitCode, n int) string {
	day := "240801"
	if u == "H51.10.09" {
		day = "240601"
	}
	return fmt.Sprintf("%s-%s-%04d", u, day, n)
}

// token returns a token of that role and unit, the same each time.
func (h *house) token(role dossier.Role, unit dossier.UnitCode) string {
	h.t.Helper()
	key := string(role) + "@" + string(unit)
	if h.tokens[key] == "" {
		secret, _, err := h.ledger.CreateToken(context.Background(), dossier.Token{Name: key, Role: role, Unit: unit})
		if err != nil {
			h.t.Fatal(err)
		}
		h.tokens[key] = secret
	}
	return h.tokens[key]
}

const password = "mật khẩu đủ dài"

// person makes an account and returns a client that is signed in as it.
func (h *house) person(role dossier.Role, unit dossier.UnitCode) *http.Client {
	h.t.Helper()
	login := strings.ToLower(string(role) + "." + string(unit))
	hash, err := web.HashPassword(login, password)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.ledger.CreateAccount(context.Background(), dossier.Account{Login: login, Name: "Nguyễn Thị Lan", Role: role, Unit: unit, Hash: hash}); err != nil {
		h.t.Fatal(err)
	}
	c := h.browser()
	resp, err := c.PostForm(h.URL+"/login", url.Values{"login": {login}, "password": {password}})
	if err != nil {
		h.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("signing in as %s: %d\n%s", login, resp.StatusCode, h.log)
	}
	return c
}

// browser is a client that keeps cookies and does not follow redirects.
func (h *house) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer, read.
type reply struct {
	*http.Response
	body []byte
}

func (r reply) json(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v in %.300s", err, r.body)
	}
}

func (h *house) do(req *http.Request) reply {
	h.t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return h.doWith(c, req)
}

func (h *house) doWith(c *http.Client, req *http.Request) reply {
	h.t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{resp, b}
}

func (h *house) request(method, path, token string, body io.Reader, header ...string) *http.Request {
	h.t.Helper()
	req, err := http.NewRequest(method, h.URL+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (h *house) get(path, token string, header ...string) reply {
	h.t.Helper()
	return h.do(h.request("GET", path, token, nil, header...))
}

// send sends a file of testdata and waits for its verdict.
func (h *house) send(token, code, kind, file string, header ...string) reply {
	h.t.Helper()
	return h.do(h.request("PUT", "/api/v1/dossiers/"+code+"/documents?kind="+kind, token, bytes.NewReader(scan(h.t, file)),
		append([]string{"Prefer", "wait=30"}, header...)...))
}

// scan reads a file of testdata.
func scan(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type problemBody struct {
	Type, Title, Code, Detail, Reason string
	Status                            int
	MessageVI                         string `json:"message_vi"`
	MessageEN                         string `json:"message_en"`
	Document                          string
	RequestID                         string `json:"request_id"`
}

// wantProblem fails unless the answer is that problem, whole.
func wantProblem(t *testing.T, r reply, status int, code string) problemBody {
	t.Helper()
	var p problemBody
	if r.StatusCode != status {
		t.Fatalf("status %d, want %d: %.500s", r.StatusCode, status, r.body)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("content type %q", ct)
	}
	r.json(t, &p)
	if p.Code != code || p.Status != status || p.Type != "urn:sohoa:problem:"+code || p.MessageVI == "" || p.MessageEN == "" || p.RequestID == "" {
		t.Fatalf("problem %+v, want code %s", p, code)
	}
	return p
}

var _ tally.Source = (*ledger.Ledger)(nil)
