package backfill

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/pipeline/pdf"
	"sohoa/pipeline/sheet"
	"sohoa/storage/disk"
	"sohoa/storage/ledger"
)

const childEnv = "SOHOA_TEST_BACKFILL"

// The test binary is its own children: the reader of PDFs, and a backfill that
// is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	if dir := os.Getenv(childEnv); dir != "" {
		if err := backfillIn(dir, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// house is the real thing on a folder: pipeline, directory store, SQLite, judge.
type house struct {
	ledger *ledger.Ledger
	store  *disk.Store
	pipe   *pipeline.Pipeline
	close  func()
}

func openHouse(dir string, observe func(context.Context, pipeline.Observation)) (*house, error) {
	ctx := context.Background()
	log := zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)
	d, err := disk.Open(filepath.Join(dir, "archive"))
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, "sqlite:"+filepath.Join(dir, "ledger.db"), ledger.Options{Log: log})
	if err != nil {
		return nil, err
	}
	if err := l.Migrate(ctx); err != nil {
		return nil, err
	}
	judge, err := pdf.NewPool(pdf.Options{Executable: []string{"/proc/self/exe", "pdf-child"}, Children: 2, Log: log})
	if err != nil {
		return nil, err
	}
	h := &house{ledger: l, store: d}
	h.pipe = pipeline.New(pipeline.Options{Store: d, Ledger: l, Judge: judge, SpoolDir: d.SpoolDir(),
		Profile: func(d dossier.Date) dossier.Profile { return dossier.ProfileFor(d) },
		Limit:   64 << 20, DPI: 200, Tool: "sohoa test", Now: time.Now, Log: log, Observe: observe})
	h.close = func() { judge.Close(); l.Close() }
	return h, nil
}

// backfillIn runs the backfill of a folder once: its manifest, files, journal
// and outcome file.
func backfillIn(dir string, observe func(context.Context, pipeline.Observation)) (err error) {
	h, err := openHouse(dir, observe)
	if err != nil {
		return err
	}
	defer h.close()
	ctx, cancel := context.WithCancel(context.Background())
	worked := make(chan error, 1)
	go func() {
		worked <- h.ledger.Work(ctx, ledger.WorkOptions{Workers: 2, Hands: Alone(), BulkOnly: true, Timeout: time.Minute}, h.pipe.Process)
	}()
	defer func() { cancel(); err = errors.Join(err, <-worked) }()

	f, err := os.Open(filepath.Join(dir, "manifest.csv"))
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	s, err := sheet.Open("manifest.csv", f, st.Size())
	if err != nil {
		return err
	}
	defer s.Close()
	root, err := os.OpenRoot(filepath.Join(dir, "files"))
	if err != nil {
		return err
	}
	defer root.Close()
	jn, err := OpenJournal(filepath.Join(dir, "journal"))
	if err != nil {
		return err
	}
	defer jn.Close()
	out, err := os.Create(filepath.Join(dir, "outcome.csv"))
	if err != nil {
		return err
	}
	defer out.Close()
	lines, err := NewOutcomeFile(out)
	if err != nil {
		return err
	}
	_, err = Run(ctx, s, Local{Pipeline: h.pipe, Again: h.ledger.Replay}, Options{Root: root, By: "operator", Parallel: Alone(), Journal: jn, Outcomes: lines.Write})
	return err
}

// rows is how many rows the killed backfill has; make soak sets 20,000.
func rowsOf(t *testing.T) int {
	n, err := strconv.Atoi(cmpOr(os.Getenv("SOHOA_TEST_BACKFILL_ROWS"), "200"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// The whole way on real scans, killed ten times by SIGKILL: the outcome is as
// generated, no document is there twice, and once more changes nothing.
func TestKilled(t *testing.T) {
	root := filepath.Join(testneed.Root(t), "testdata")
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	scan := read("accept/object-streams.pdf") // small, so that 20,000 of them fit
	n := rowsOf(t)
	j := generate(t, n, func(i int) []byte { return append(bytes.Clone(scan), fmt.Sprintf("%%%d\n", i)...) },
		map[dossier.Reason][]byte{
			dossier.Encrypted:     read("reject/encrypted/password-rc4.pdf"),
			dossier.NotADocument:  read("reject/not-a-document/text.txt"),
			dossier.LowResolution: read("reject/low-resolution/100-dpi.pdf"),
			dossier.ActiveContent: read("reject/active-content/javascript.pdf"),
			dossier.Empty:         read("reject/empty/no-pages.pdf"),
		})
	dir := t.TempDir()
	if err := os.Rename(j.dir, filepath.Join(dir, "files")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.csv"), []byte(j.manifest), 0o666); err != nil {
		t.Fatal(err)
	}
	h, err := openHouse(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := units(h.ledger); err != nil {
		t.Fatal(err)
	}
	h.close()

	outcome := func() (counts map[Outcome]int, reasons map[string]int) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, "outcome.csv"))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		counts, reasons = map[Outcome]int{}, map[string]int{}
		for _, l := range lines[1:] {
			counts[Outcome(l[2])]++
			if l[4] != "" {
				reasons[l[4]]++
			}
		}
		return counts, reasons
	}
	start := func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	rnd := rand.New(rand.NewPCG(6, uint64(n)))
	kills := 0
	for kills < 10 {
		cmd := start()
		// Killed after some documents of this run, wherever it then is.
		after := n/15 + rnd.IntN(n/30+1)
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		killed := false
		for base := records(t, dir); !killed; {
			select {
			case err := <-done:
				if err != nil {
					t.Fatalf("the backfill ended: %v", err)
				}
				killed = true // it was through before
				kills = 10
			case <-time.After(time.Duration(5+rnd.IntN(20)) * time.Millisecond * time.Duration(1+n/1000)): // counting takes its time, too
				if records(t, dir)-base >= after {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					<-done
					killed = true
					kills++
				}
			}
		}
	}
	if err := start().Wait(); err != nil {
		t.Fatal(err)
	}
	counts, reasons := outcome()
	if !maps.Equal(finished(counts), finished(j.want)) || !maps.Equal(reasons, j.reasons) {
		t.Errorf("got  %v %v\nwant %v %v", counts, reasons, j.want, j.reasons)
	}
	if got, want := records(t, dir), j.want[Stored]+j.want[Rejected]; got != want {
		t.Errorf("%d documents in the archive, want %d", got, want)
	}
	if err := start().Wait(); err != nil {
		t.Fatal(err)
	}
	counts, _ = outcome()
	if counts[Stored] != 0 || !maps.Equal(finished(counts), finished(j.want)) {
		t.Errorf("once more: %v", counts)
	}
	if got, want := records(t, dir), j.want[Stored]+j.want[Rejected]; got != want {
		t.Errorf("once more: %d documents in the archive, want %d", got, want)
	}
}

// records counts the verdicts in the archive: record.json and rejected.json.
func records(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(dir, "archive"), func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && (d.Name() == "record.json" || d.Name() == "rejected.json") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
