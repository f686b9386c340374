package pipeline_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/pipeline/pdf"
	"sohoa/pipeline/pipelinetest"
	"sohoa/storage"
	"sohoa/storage/disk"
	"sohoa/storage/ledger"
	"sohoa/storage/s3"
	"sohoa/storage/storagetest/servers"
	"sohoa/tally"
)

// The test binary is its own child process, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	if plan := os.Getenv(crashEnv); plan != "" {
		os.Exit(crashMain(plan))
	}
	if plan := os.Getenv(rebuildEnv); plan != "" {
		os.Exit(rebuildMain(plan))
	}
	os.Exit(m.Run())
}

// rig is a whole house on a folder: directory store, SQLite, judge.
type rig struct {
	dir    string
	own    bool // documents are worked by who receives them
	store  storage.Store
	ledger *ledger.Ledger
	pipe   *pipeline.Pipeline
	close  func()
}

type rigOptions struct {
	wrap func(storage.Store) storage.Store
	hook func(pipeline.Point) error
	base base
	own  bool

	damaged bool // the test damages records: they are not held against their schemas
}

// base is what a rig stands on besides its folder; the zero value is a directory
// store and SQLite in it.
type base struct {
	S3  *s3.Options
	DSN string
}

// bases are the stores and ledgers there are; each call of on makes an empty one.
var bases = []struct {
	name string
	on   func(t testing.TB) base
}{
	{"disk+sqlite", func(testing.TB) base { return base{} }},
	{"disk+postgres", func(t testing.TB) base { return base{DSN: postgresDSN(t)} }},
	{"s3+sqlite", func(t testing.TB) base { return base{S3: newBucket(t)} }},
	{"s3+postgres", func(t testing.TB) base { return base{S3: newBucket(t), DSN: postgresDSN(t)} }},
}

func postgresDSN(t testing.TB) string {
	t.Helper()
	return servers.Postgres(t, false).Database(t, func(dsn string) error {
		ctx := context.Background()
		l, err := ledger.Open(ctx, dsn, ledger.Options{Log: zerolog.Nop()})
		if err != nil {
			return err
		}
		return errors.Join(l.Migrate(ctx), l.Close())
	})
}

// newBucket makes an empty bucket.
func newBucket(t testing.TB) *s3.Options {
	t.Helper()
	endpoint, access, secret := servers.MinIO(t)
	o := s3.Options{Endpoint: endpoint, Bucket: fmt.Sprintf("b-%d-%d", os.Getpid(), buckets.Add(1)), Region: "us-east-1", AccessKey: access, SecretKey: secret}
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.EnsureBucket(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	return &o
}

var buckets atomic.Int64

func openRig(dir string, o rigOptions) (*rig, error) {
	ctx := context.Background()
	log := zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)
	r := &rig{dir: dir, own: o.own}
	spool := filepath.Join(dir, "spool")
	if o.base.S3 != nil {
		d, err := s3.Open(ctx, *o.base.S3)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(spool, 0o700); err != nil {
			return nil, err
		}
		r.store = d
	} else {
		d, err := disk.Open(filepath.Join(dir, "archive"))
		if err != nil {
			return nil, err
		}
		r.store, spool = d, d.SpoolDir()
	}
	if o.wrap != nil {
		r.store = o.wrap(r.store)
	}
	l, err := ledger.Open(ctx, cmp.Or(o.base.DSN, "sqlite:"+filepath.Join(dir, "ledger.db")), ledger.Options{Log: log})
	if err != nil {
		return nil, err
	}
	r.ledger = l
	if err := l.Migrate(ctx); err != nil {
		return nil, err
	}
	judge, err := pdf.NewPool(pdf.Options{Executable: []string{"/proc/self/exe", "pdf-child"}, Children: 2, Log: log})
	if err != nil {
		return nil, err
	}
	r.pipe = pipeline.New(pipeline.Options{
		Store: r.store, Ledger: l, Judge: judge, SpoolDir: spool,
		Profile: func(d dossier.Date) dossier.Profile { return dossier.ProfileFor(d) },
		Limit:   64 << 20, DPI: 200, Tool: "sohoa test",
		// A fixed clock: two undisturbed runs write the same records.
		Now: func() time.Time { return fixedNow },
		Log: log, Hook: o.hook,
	})
	r.close = func() { judge.Close(); l.Close() }
	return r, nil
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r, err := openRig(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	t.Cleanup(func() {
		if o.damaged {
			return
		}
		if d, err := disk.Open(filepath.Join(r.dir, "archive")); err != nil {
			t.Error(err)
		} else {
			wantValid(t, d)
			d.Close()
		}
	})
	if err := r.register(); err != nil {
		t.Fatal(err)
	}
	return r
}

// register enters a small province: two units, two procedures, four dossiers.
func (r *rig) register() error {
	ctx := context.Background()
	if out, err := r.ledger.ImportUnits(ctx, []dossier.Unit{
		{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province},
		{Code: "H51.10", Name: "Huyện Trần Đề", Level: dossier.District, Parent: "H51"},
		{Code: "H51.11", Name: "Huyện Kế Sách", Level: dossier.District, Parent: "H51"},
	}); err != nil || len(out.Bad) > 0 {
		return fmt.Errorf("units: %v %v", out, err)
	}
	if out, err := r.ledger.ImportProcedures(ctx, []dossier.Procedure{
		{Code: "1.000001", Name: "Cấp bản sao trích lục", ReturnsDocument: true},
		{Code: "1.000002", Name: "Thông báo", ReturnsDocument: false},
	}); err != nil || len(out.Bad) > 0 {
		return fmt.Errorf("procedures: %v %v", out, err)
	}
	at := time.Date(2024, 8, 1, 9, 0, 0, 0, dossier.Zone)
	var rows []dossier.Registered
	for i, code := range []dossier.Code{"H51.10-240801-0001", "H51.10-240801-0002", "H51.11-240801-0003", "H51.11-240801-0004"} {
		rows = append(rows, dossier.Registered{Code: code, Unit: dossier.UnitCode(code[:6]),
			Procedure: []dossier.ProcedureCode{"1.000001", "1.000002"}[i%2],
			Channel:   dossier.Online, ReceivedAt: at, Status: dossier.Resolved, ResolvedAt: at.AddDate(0, 0, 5)})
	}
	if out, err := r.ledger.ImportDossiers(ctx, rows); err != nil || len(out.Bad) > 0 {
		return fmt.Errorf("dossiers: %v %v", out, err)
	}
	return nil
}

// work runs the workers until stop is called, which waits for them.
func (r *rig) work(t testing.TB) (stop func()) { return r.workWith(t, workOptions) }

func (r *rig) workWith(t testing.TB, o ledger.WorkOptions) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.ledger.Work(ctx, o, r.pipe.Process)
	}()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("work: %v", err)
		}
	}
}

// made enters documents without judging them.
func (r *rig) made(t testing.TB, n int, size int64) []dossier.Record {
	t.Helper()
	m := pipelinetest.Made{Store: r.store, Ledger: r.ledger, Unit: "H51.10", Size: size}
	out := make([]dossier.Record, n)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for i := range out {
		g.Go(func() (err error) {
			out[i], err = m.Document(ctx, i)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return out
}

// verify checks all anew and returns what differs, a line each.
func (r *rig) verify(t testing.TB, o pipeline.VerifyOptions) (dossier.Check, []string) {
	t.Helper()
	o.Anew = true
	c, err := r.pipe.Verify(t.Context(), r.ledger, o)
	if err != nil {
		t.Fatal(err)
	}
	return c, r.differences(t, c)
}

// deeply is what a deep verification finds.
func (r *rig) deeply(t testing.TB) []string {
	t.Helper()
	_, found := r.verify(t, pipeline.VerifyOptions{Deep: true})
	return found
}

func (r *rig) differences(t testing.TB, c dossier.Check) []string {
	t.Helper()
	var out []string
	if err := r.ledger.EachDifference(t.Context(), c.ID, func(d dossier.Difference) error {
		out = append(out, string(d.Kind)+" "+d.Key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if int64(len(out)) != c.Differences {
		t.Errorf("%d differences are kept, %d were counted", len(out), c.Differences)
	}
	return out
}

// verdict waits for a document's verdict, and sees that what is handed to who waits
// is what the ledger says.
func (r *rig) verdict(t testing.TB, st dossier.Standing) dossier.Standing {
	t.Helper()
	got, err := r.pipe.Wait(context.Background(), st.Intake.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got.State == dossier.Pending {
		t.Fatal("no verdict within a minute")
	}
	entered, err := r.pipe.Standing(context.Background(), st.Intake.ID)
	if err != nil {
		t.Fatal(err)
	}
	a, err := json.Marshal(got)
	b, berr := json.Marshal(entered)
	if err != nil || berr != nil || !bytes.Equal(a, b) {
		t.Errorf("who waits is told\n%s\nthe ledger says\n%s\n%v %v", a, b, err, berr)
	}
	return got
}

// file returns a file of testdata.
func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func slip(kind dossier.Kind, code dossier.Code, paper string) dossier.Slip {
	return dossier.Slip{Kind: kind, Dossier: code, Paper: dossier.PaperCode(paper), By: "test", Door: dossier.DoorAPI, FileName: "quét.pdf"}
}

func (r *rig) send(t testing.TB, s dossier.Slip, b []byte) dossier.Standing {
	t.Helper()
	st, err := r.pipe.Receive(context.Background(), s, bytes.NewReader(b), pipeline.ReceiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// picture is what archive and ledger hold, free of document ids, so that two
// runs can be compared: a line an object, a document and a counter.
func (r *rig) picture() (string, error) {
	ctx := context.Background()
	var lines []string
	ids := map[string]string{} // id → a name that two runs share
	objects := map[storage.Key]storage.Info{}
	copies := map[string]bool{}
	for info, err := range r.store.List(ctx, "") {
		if err != nil {
			return "", err
		}
		objects[info.Key] = info
		name := string(info.Key)
		if strings.HasSuffix(name, ".json") {
			var doc struct {
				ID       string
				Slip     dossier.Slip
				Original dossier.File
			}
			body, _, err := r.store.Open(ctx, info.Key)
			if err != nil {
				return "", err
			}
			err = json.NewDecoder(body).Decode(&doc)
			body.Close()
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			if doc.Slip.Kind == "" || doc.Original.Key == "" {
				continue // an event, or a corrected slip
			}
			ids[doc.ID] = fmt.Sprintf("<%s %s %s %.12s>", doc.Slip.Dossier, doc.Slip.Kind, doc.Slip.Paper, doc.Original.SHA256)
		}
	}
	rename := func(s string) string {
		for id, name := range ids {
			s = strings.ReplaceAll(s, id, name)
		}
		return s
	}
	for key := range objects {
		folder := string(key[:strings.LastIndexByte(string(key), '/')])
		if _, named := ids[folder[strings.LastIndexByte(folder, '/')+1:]]; !named {
			continue // an original nobody names: the janitor's, and counted apart
		}
		body, _, err := r.store.Open(ctx, key)
		if err != nil {
			return "", err
		}
		temp, err := storage.Spool(os.TempDir(), body, 1<<30)
		body.Close()
		if err != nil {
			return "", err
		}
		sum := temp.SHA256()
		temp.Close()
		switch {
		case strings.HasSuffix(string(key), ".json"):
			sum = "json" // holds the id; the ledger's view of it is compared below
		case strings.HasSuffix(string(key), "/archive.pdf"):
			// Holds the id too: it must be the one its record states.
			copies[sum] = true
			sum = "copy"
		}
		lines = append(lines, fmt.Sprintf("object %s %s", rename(string(key)), sum[:min(12, len(sum))]))
	}
	for id := range ids {
		st, err := r.ledger.Standing(ctx, id)
		if err != nil {
			return "", fmt.Errorf("the archive has a verdict the ledger does not know: %w", err)
		}
		events, err := r.ledger.Events(ctx, id)
		if err != nil {
			return "", err
		}
		if rec := st.Record; rec != nil && rec.Archive != nil {
			if !copies[string(rec.Archive.SHA256)] && !st.Deleted {
				return "", fmt.Errorf("document %s: the archive copy is not the one its record states", id)
			}
			rec.Archive.SHA256 = ""
		}
		b, err := json.Marshal(struct {
			dossier.State
			*dossier.Record
			*dossier.Refusal
			Revoked, Deleted bool
			Amended          *dossier.Slip
			Later            []dossier.Event
		}{st.State, st.Record, st.Refusal, st.Revoked, st.Deleted, st.Amended, events})
		if err != nil {
			return "", err
		}
		lines = append(lines, rename(fmt.Sprintf("document %s replaced-by %q %s", id, st.ReplacedBy, b)))
	}
	cells, err := r.ledger.Sums(ctx, nil, tally.AllSeries(), dossier.Period{})
	if err != nil {
		return "", err
	}
	for _, c := range cells {
		lines = append(lines, fmt.Sprintf("count %s %s %d/%d", c.Unit, c.Series, c.Numerator, c.Denominator))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

var fixedNow = time.Date(2024, 8, 29, 8, 0, 0, 0, dossier.Zone)

var workOptions = ledger.WorkOptions{Workers: 2, Hands: 2, Backoff: func(int) time.Duration { return 10 * time.Millisecond }}
