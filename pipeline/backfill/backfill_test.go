package backfill

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

// desk is a door in memory with the ways of the real one, and with moods: it
// may be busy, lose its answer after the document was taken in, or be away.
type desk struct {
	mu     sync.Mutex
	by     map[string]*dossier.Standing // the same bytes for the same paper
	ids    map[string]*dossier.Standing
	papers map[string]dossier.Digest
	order  []string // file names as they came in
	reads  int      // documents read to their end
	mood   func(n int) error
	calls  int
}

func newDesk() *desk {
	return &desk{by: map[string]*dossier.Standing{}, ids: map[string]*dossier.Standing{}, papers: map[string]dossier.Digest{}}
}

var errAwayFromDesk = errors.New("nobody at the desk")

func (d *desk) Submit(_ context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) (dossier.Standing, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return dossier.Standing{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	d.calls++
	var mood error
	if d.mood != nil {
		mood = d.mood(d.calls)
	}
	var busy *Busy
	if errors.As(mood, &busy) || errors.Is(mood, errAwayFromDesk) {
		return dossier.Standing{}, mood
	}
	if int64(len(b)) != size || slip.Door != dossier.DoorBackfill || slip.By == "" || slip.FileName == "" {
		return dossier.Standing{}, fmt.Errorf("bad slip: %+v, %d bytes", slip, size)
	}
	if slip.Unit == "H99" || strings.HasPrefix(string(slip.Dossier), "H99") {
		return dossier.Standing{}, dossier.ErrUnknownUnit
	}
	sum := sha256.Sum256(b)
	paper := fmt.Sprint(slip.Kind, slip.Dossier, slip.Unit, slip.Number, slip.Paper)
	key := paper + hex.EncodeToString(sum[:])
	if st := d.by[key]; st != nil {
		again := *st
		again.Again = true
		return again, mood
	}
	if slip.Paper != "" {
		if old, ok := d.papers[paper]; ok && old != dossier.Digest(sum[:]) {
			return dossier.Standing{}, dossier.ErrPaperTaken
		}
	}
	st := &dossier.Standing{Intake: dossier.Intake{ID: fmt.Sprintf("%036d", len(d.by))}, State: dossier.Stored}
	switch {
	case bytes.HasPrefix(b, []byte("bad ")):
		reason := dossier.Reason(strings.Fields(string(b))[1])
		st.State, st.Refusal = dossier.Refused, &dossier.Refusal{Reason: reason, Message: reason.Text()}
	case bytes.HasPrefix(b, []byte("slow")):
		st.State = dossier.Pending
	case bytes.HasPrefix(b, []byte("fault")):
		st.State = dossier.Faulted
	}
	if slip.Paper != "" && st.State != dossier.Refused {
		d.papers[paper] = dossier.Digest(sum[:])
	}
	d.by[key], d.ids[st.Intake.ID] = st, st
	d.order = append(d.order, slip.FileName)
	return *st, mood
}

func (d *desk) Standing(_ context.Context, id string) (dossier.Standing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.ids[id]
	if st == nil {
		return dossier.Standing{}, dossier.ErrUnknownDocument
	}
	if st.State == dossier.Pending {
		st.State = dossier.Stored // seen once more, it is done
		return dossier.Standing{Intake: st.Intake, State: dossier.Pending}, nil
	}
	return *st, nil
}

func (d *desk) Replay(_ context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ids[id].State = dossier.Stored
	return nil
}

// a job is a manifest with its files.
type job struct {
	dir      string
	manifest string
	want     map[Outcome]int
	reasons  map[string]int
}

const manifestHeader = "file,dossier,kind,number,unit,paper,name,issued_on,valid_from,valid_to,owner_id\n"

// generate makes n rows: three in a hundred bad in ten ways, two twice.
func generate(t testing.TB, n int, good func(i int) []byte, bad map[dossier.Reason][]byte) job {
	t.Helper()
	j := job{dir: t.TempDir(), want: map[Outcome]int{}, reasons: map[string]int{}}
	var text strings.Builder
	text.WriteString(manifestHeader)
	rows := 0
	add := func(outcome Outcome, reason, file, code, kind, issued, owner string) {
		fmt.Fprintf(&text, "%s,%s,%s,,,,Nguyễn Văn A,%s,,,%s\n", file, code, kind, issued, owner)
		rows++
		j.want[outcome]++
		if reason != "" {
			j.reasons[reason]++
		}
	}
	write := func(name string, b []byte) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(j.dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(j.dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var reasons []dossier.Reason
	for _, r := range dossier.Reasons() {
		if bad[r] != nil {
			reasons = append(reasons, r)
		}
	}
	for i := 0; rows < n; i++ {
		name := fmt.Sprintf("thùng %d/tệp %05d.pdf", i/500, i)
		code := fmt.Sprintf("H51.04-240830-%04d", i)
		switch i % 100 {
		case 13, 47, 81: // bad
			switch way := i / 100 * 3 % 10; {
			case way == 0:
				add(Skipped, string(FileMissing), name, code, "component", "", "")
			case way == 1:
				write(name, good(i))
				add(Skipped, string(BadRow), name, code, "component", "2024-02-31", "")
			case way == 2:
				write(name, good(i))
				add(Skipped, string(UnknownUnit), name, "H99"+code[3:], "component", "", "")
			case way == 3:
				write(name, good(i))
				add(Skipped, string(BadRow), name, code+"x", "result", "", "")
			case way == 4:
				write(name, good(i))
				add(Skipped, string(BadRow), name, code, "component", "", "12345")
			default:
				r := reasons[way%len(reasons)]
				write(name, append(bytes.Clone(bad[r]), fmt.Sprintf("\n%% %d\n", i)...))
				add(Rejected, string(r), name, code, "result", "", "")
			}
		case 22, 66: // twice
			write(name, good(i))
			add(Stored, "", name, code, "component", "", "")
			add(Already, "", name, code, "component", "", "")
		default:
			write(name, good(i))
			if i%3 == 0 { // a decomposed name in the sheet, as other systems write it
				name = norm.NFD.String(name)
			}
			add(Stored, "", name, code, []string{"component", "result"}[i%2], "2024-08-30", "079123456789")
		}
	}
	j.manifest = text.String()
	return j
}

func (j job) open(t testing.TB) (*sheet.Sheet, Options) {
	t.Helper()
	s, err := sheet.Open("manifest.csv", strings.NewReader(j.manifest), int64(len(j.manifest)))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(j.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), root.Close() })
	return s, Options{Root: root, By: "operator", Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

func bogus() map[dossier.Reason][]byte {
	m := map[dossier.Reason][]byte{}
	for _, r := range []dossier.Reason{dossier.Truncated, dossier.Encrypted, dossier.NotADocument, dossier.LowResolution, dossier.ActiveContent} {
		m[r] = []byte("bad " + string(r) + " ")
	}
	return m
}

func plainFile(i int) []byte { return fmt.Appendf(nil, "good %d", i) }

// finished: stored and already taken together, after a run that was not the first.
func finished(c map[Outcome]int) map[Outcome]int {
	m := maps.Clone(c)
	m[Stored] += m[Already]
	delete(m, Already)
	return m
}

func TestRun(t *testing.T) {
	j := generate(t, 1000, plainFile, bogus())
	d := newDesk()
	s, o := j.open(t)
	var file bytes.Buffer
	out, err := NewOutcomeFile(&file)
	if err != nil {
		t.Fatal(err)
	}
	o.Outcomes = out.Write
	o.Journal = journal(t, t.TempDir())
	sum, err := Run(t.Context(), s, d, o)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(sum.Counts, j.want) || !maps.Equal(sum.Reasons, j.reasons) || sum.Rows != sum.Total || sum.Stopped {
		t.Errorf("got  %+v\nwant %v %v", sum, j.want, j.reasons)
	}

	// The outcome file: a line a row, each row once, every id and reason there.
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.String(), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, l := range lines[1:] {
		if rows[l[0]] {
			t.Errorf("row %s has two lines", l[0])
		}
		rows[l[0]] = true
		o := Outcome(l[2])
		if (o == Stored || o == Already || o == Rejected) != (l[3] != "") || (o != Stored && o != Already) != (l[4] != "" && l[5] != "" && l[6] != "") {
			t.Errorf("incomplete line: %q", l)
		}
	}
	if len(rows) != sum.Total {
		t.Errorf("%d lines for %d rows", len(rows), sum.Total)
	}

	// Again: nothing is handed in, nothing even read.
	reads := d.reads
	s, o2 := j.open(t)
	o2.Journal = o.Journal
	sum, err = Run(t.Context(), s, d, o2)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(finished(sum.Counts), finished(j.want)) || sum.Counts[Stored] != 0 {
		t.Errorf("again: %+v", sum)
	}
	// Only what never got an id is handed in once more: unknown units.
	if got := d.reads - reads; got != j.reasons[string(UnknownUnit)] {
		t.Errorf("again, %d files were read", got)
	}
}

func journal(t testing.TB, dir string) *FileJournal {
	t.Helper()
	j, err := OpenJournal(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// Stopped at any moment, at a desk of bad moods, and started again until it is
// through: the outcome is that of an undisturbed run.
func TestStoppedAndStarted(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		j := generate(t, 300, plainFile, bogus())
		d := newDesk()
		d.mood = func(int) error {
			switch rnd.IntN(20) {
			case 0:
				return &Busy{After: time.Second}
			case 1:
				return errors.New("the answer is lost") // the document was taken in
			case 2:
				return errAwayFromDesk
			}
			return nil
		}
		dir := t.TempDir()
		var sum Summary
		runs := 0
		for done := false; !done; {
			if runs++; runs > 200 {
				t.Fatal("it does not come to an end")
			}
			ctx, cancel := context.WithCancel(t.Context())
			s, o := j.open(t)
			jn, err := OpenJournal(filepath.Join(dir, "journal"))
			if err != nil {
				t.Fatal(err)
			}
			if seed%4 > 0 {
				o.Journal = jn
			}
			o.Parallel = 1 + rnd.IntN(8)
			left := 20 + rnd.IntN(200)
			if runs > 10 {
				left = 1000
			}
			o.Progress = func(Progress) {
				if left--; left == 0 {
					cancel()
				}
			}
			sum, err = Run(ctx, s, d, o)
			if err != nil {
				t.Fatal(err)
			}
			done = !sum.Stopped
			cancel()
			// A crash may also cut the journal's last line.
			if err := jn.Close(); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, "journal")
			if st, err := os.Stat(name); err == nil && st.Size() > 0 {
				if err := os.Truncate(name, st.Size()-int64(rnd.IntN(int(min(st.Size(), 2*journalLine))))); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !maps.Equal(finished(sum.Counts), finished(j.want)) || !maps.Equal(sum.Reasons, j.reasons) {
			t.Errorf("seed %d: got %+v, want %v %v", seed, sum, j.want, j.reasons)
		}
		if got, want := len(d.by), j.want[Stored]+j.want[Rejected]; got != want {
			t.Errorf("seed %d: %d documents, want %d", seed, got, want)
		}
	}
}

// Two runs at once keep one journal; neither spoils a line of the other.
func TestJournalOfTwo(t *testing.T) {
	dir := t.TempDir()
	a, b := journal(t, dir), journal(t, dir)
	key := func(i int) Key { return sha256.Sum256(fmt.Append(nil, i)) }
	id := func(i int) string { return fmt.Sprintf("%036d", i) }
	var both sync.WaitGroup
	for n, j := range []*FileJournal{a, b} {
		both.Go(func() {
			for i := n; i < 400; i += 2 {
				if err := j.Add(key(i), id(i)); err != nil {
					t.Error(err)
				}
				if got, ok, err := j.Find(key(i)); err != nil || !ok || got != id(i) {
					t.Error(i, got, ok, err)
				}
			}
		})
	}
	both.Wait()
	c := journal(t, dir)
	for i := range 400 {
		if got, ok, err := c.Find(key(i)); err != nil || !ok || got != id(i) {
			t.Error(i, got, ok, err)
		}
	}
	if _, ok, err := c.Find(key(400)); ok || err != nil {
		t.Error("found what was never added", err)
	}
}

func TestDoorAway(t *testing.T) {
	j := generate(t, 50, plainFile, bogus())
	d := newDesk()
	d.mood = func(n int) error {
		if n > 20 {
			return errAwayFromDesk
		}
		return nil
	}
	s, o := j.open(t)
	var slept time.Duration
	var mu sync.Mutex
	o.Sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		slept += d
		return ctx.Err()
	}
	o.Patience = 10 * time.Minute
	o.Parallel = 1
	sum, err := Run(t.Context(), s, d, o)
	if !errors.Is(err, ErrAway) || !errors.Is(err, errAwayFromDesk) {
		t.Errorf("err = %v", err)
	}
	if !sum.Stopped || sum.Counts[Faulted] != 0 || sum.Rows > 25 {
		t.Errorf("%+v", sum)
	}
	if slept < o.Patience || slept > 2*o.Patience {
		t.Errorf("waited %v", slept)
	}
}

func manifest(rows ...string) job {
	return job{manifest: manifestHeader + strings.Join(rows, "\n") + "\n"}
}

func runOnce(t *testing.T, j job, d *desk, change func(*Options)) (Summary, map[int]Result) {
	t.Helper()
	if j.dir == "" {
		j.dir = t.TempDir()
	}
	s, o := j.open(t)
	got := map[int]Result{}
	o.Outcomes = func(r Result) error { got[r.Row] = r; return nil }
	if change != nil {
		change(&o)
	}
	sum, err := Run(t.Context(), s, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return sum, got
}

func TestVerdicts(t *testing.T) {
	j := manifest("a.pdf,H51-240830-0001,component", "slow.pdf,H51-240830-0001,component", "fault.pdf,H51-240830-0002,result",
		"b.pdf,H51-240830-0003,component,,,TK-01", "a.pdf,H51-240830-0003,component,,,TK-01", "../x.pdf,H51-240830-0003,component",
		"c.pdf,,,12/QĐ,H51", "c.pdf,,component,12/QĐ,H51", "out.pdf,H51-240830-0003,component", "dir,H51-240830-0003,component")
	j.manifest = strings.ReplaceAll(j.manifest, "\n", strings.Repeat(",", 8)+"\n")
	j.manifest = strings.Replace(j.manifest, strings.Repeat(",", 8), "", 1)
	j.dir = t.TempDir()
	for name, text := range map[string]string{"a.pdf": "a", "b.pdf": "b", "c.pdf": "c", "slow.pdf": "slow", "fault.pdf": "fault"} {
		if err := os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(j.dir, "dir"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(j.dir, "out.pdf")); err != nil {
		t.Fatal(err)
	}
	d := newDesk()
	want := []string{"stored ", "stored ", "faulted fault", "stored ", "skipped paper-taken", "skipped bad-row", "stored ", "skipped bad-row",
		"skipped file-unreadable", "skipped file-unreadable"}
	_, got := runOnce(t, j, d, nil)
	for i, w := range want {
		if r := got[i+2]; string(r.Outcome)+" "+r.Reason != w {
			t.Errorf("row %d: %+v, want %s", i+2, r, w)
		}
	}
	// What lay in the failure inbox is tried again by the next run.
	_, got = runOnce(t, j, d, nil)
	if got[4].Outcome != Already {
		t.Errorf("replayed: %+v", got[4])
	}
}

// Rows of one dossier go in in the order of the manifest, however many lanes.
func TestOrderWithinDossier(t *testing.T) {
	var rows []string
	dir := t.TempDir()
	for i := range 200 {
		name := fmt.Sprintf("%03d.pdf", i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, fmt.Sprintf("%s,H51-240830-%04d,component,,,,,,,,", name, i%7))
	}
	j := manifest(rows...)
	j.dir = dir
	d := newDesk()
	runOnce(t, j, d, func(o *Options) { o.Parallel = 8 })
	last := map[int]int{}
	for _, name := range d.order {
		i, err := strconv.Atoi(strings.TrimSuffix(name, ".pdf"))
		if err != nil {
			t.Fatal(err)
		}
		if i < last[i%7] {
			t.Errorf("%s came after %03d", name, last[i%7])
		}
		last[i%7] = i
	}
}

func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{norm.NFD.String("Hồ sơ/Quyết định số 1.PDF"), "H51/12-QD-UBND.pdf", "H51/GP_13 – SYT.pdf", "H51/14.a.pdf", "H51/14-A.pdf", "Giấy/hai.pdf", "Giấy/Hai.pdf"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	j := manifest("hồ sơ\\quyết định  số 1.pdf,H51-240830-0001,component,,,,,,,,", ",,,12/QĐ-UBND,H51,,,,,,", ",,,GP.13/SYT,h51,,,,,,", ",,,14/A,H51,,,,,,", ",,,15,H51,,,,,,",
		"Giấy/hai.pdf,H51-240830-0001,component,,,,,,,,", "Giấy/HAI.pdf,H51-240830-0001,component,,,,,,,,")
	j.dir = dir
	_, got := runOnce(t, j, newDesk(), func(o *Options) { o.Match = "{unit}/{number}.pdf" })
	for row, want := range map[int]string{2: "stored ", 3: "stored ", 4: "stored ", 5: "skipped file-ambiguous", 6: "skipped file-missing", 7: "stored ", 8: "skipped file-ambiguous"} {
		if r := got[row]; string(r.Outcome)+" "+r.Reason != want {
			t.Errorf("row %d: %+v, want %s", row, r, want)
		}
	}
	for _, bad := range []string{"/{unit}", "../{number}", "{what}.pdf", "all.pdf", "{unit"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("%s passed", bad)
		}
	}
}

func TestHoursAndRate(t *testing.T) {
	h, err := ParseHours("18:00-06:00")
	if err != nil {
		t.Fatal(err)
	}
	day := dossier.Date(20240830).Time()
	for clock, want := range map[time.Duration]time.Duration{
		0: 0, 5*time.Hour + 59*time.Minute: 0, 6 * time.Hour: 12 * time.Hour, 17*time.Hour + 30*time.Minute: 30 * time.Minute, 18 * time.Hour: 0} {
		if got := h.Wait(day.Add(clock).UTC()); got != want {
			t.Errorf("%v: %v, want %v", clock, got, want)
		}
	}
	if h, err = ParseHours("08:00-17:00"); err != nil || h.Wait(day.Add(18*time.Hour)) != 14*time.Hour || h.Wait(day.Add(9*time.Hour)) != 0 {
		t.Error("hours of one day", err)
	}
	for _, bad := range []string{"18:00", "18-6", "25:00-01:00", "06:00-06:00"} {
		if _, err := ParseHours(bad); err == nil {
			t.Errorf("%s passed", bad)
		}
	}

	// A clock that sleeping moves on: at two rows a second 100 rows take 50 s, and
	// none goes in outside the hours.
	j := generate(t, 100, plainFile, bogus())
	now := day.Add(17*time.Hour + 59*time.Minute)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	d := newDesk()
	night, err := ParseHours("18:00-06:00")
	if err != nil {
		t.Fatal(err)
	}
	d.mood = func(int) error {
		if night.Wait(clock()) != 0 {
			t.Error("a document came outside the hours")
		}
		return nil
	}
	runOnce(t, j, d, func(o *Options) {
		o.Rate, o.Between, o.Now = 2, night, clock
		o.Sleep = func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(d)
			return ctx.Err()
		}
	})
	if took := clock().Sub(day.Add(18 * time.Hour)); took < 45*time.Second || took > 55*time.Second {
		t.Errorf("100 rows at 2 a second took %v", took)
	}
}

// counting is a door that needs a tenth of a second and says how many are at it.
type counting struct {
	swallow
	mu      sync.Mutex
	now     int
	entered func(now int)
}

func (c *counting) Submit(ctx context.Context, s dossier.Slip, body io.ReadSeeker, size int64) (dossier.Standing, error) {
	c.mu.Lock()
	c.now++
	c.entered(c.now)
	c.mu.Unlock()
	time.Sleep(100 * time.Millisecond)
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
	return c.swallow.Submit(ctx, s, body, size)
}

// As many rows are in flight as are allowed at the time, within a second, in which
// those that are at it may end.
func TestAllowed(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.pdf", i)), plainFile(i), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	manifest := rowsFile(t, dir, 4000)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		allowed := func(at time.Duration) int { return []int{6, 2, 5, 5, 0, 9}[min(5, at/(10*time.Second))] }
		most := map[int]int{} // by what is allowed
		door := &counting{entered: func(now int) {
			at := time.Since(start)
			if n := allowed(at); at%(10*time.Second) > askAgain+100*time.Millisecond {
				most[n] = max(most[n], now)
			}
		}}
		sum, err := Run(t.Context(), manifest, door, Options{Root: root, By: "x", Parallel: 8,
			Allowed: func(context.Context) int { return allowed(time.Since(start)) }})
		if err != nil || sum.Rows != 4000 {
			t.Errorf("%d rows, %v", sum.Rows, err)
		}
		if want := map[int]int{6: 6, 2: 2, 5: 5, 0: 1, 9: 8}; !maps.Equal(most, want) {
			t.Errorf("in flight at most, by what was allowed: %v, want %v", most, want)
		}
	})
}

// inspector is a Checker that knows a few dossiers.
type inspector struct{ *desk }

func (inspector) Known(_ context.Context, s dossier.Slip) (bool, error) {
	if strings.HasPrefix(string(s.Dossier), "H99") {
		return false, dossier.ErrUnknownUnit
	}
	return !strings.HasSuffix(string(s.Dossier), "1"), nil
}

func (i inspector) Seen(_ context.Context, s dossier.Slip, digest dossier.Digest) (dossier.Standing, bool, error) {
	st, ok := i.by[fmt.Sprint(s.Kind, s.Dossier, s.Unit, s.Number, s.Paper)+string(digest)]
	if !ok {
		return dossier.Standing{}, false, nil
	}
	return *st, true, nil
}

func (inspector) Inspect(_ context.Context, _ dossier.Slip, body io.ReadSeeker, _ int64) error {
	b, err := io.ReadAll(body)
	if err == nil && bytes.HasPrefix(b, []byte("bad ")) {
		return dossier.Reject(dossier.Reason(strings.Fields(string(b))[1]), dossier.Text{}, nil)
	}
	return err
}

func TestDryRun(t *testing.T) {
	j := generate(t, 1000, plainFile, bogus())
	d := newDesk()
	dry := func(fast bool) Preview {
		t.Helper()
		s, o := j.open(t)
		p, err := DryRun(t.Context(), s, inspector{d}, o, fast)
		if err != nil {
			t.Fatal(err)
		}
		if p.Rows != p.Total || p.Encoding != sheet.UTF8 {
			t.Errorf("%+v", p)
		}
		return p
	}
	p := dry(false)
	want := maps.Clone(j.want) // what is there twice is named before it happens
	want[Skipped] += want[Already]
	delete(want, Already)
	if !maps.Equal(p.Counts, want) || p.Reasons[string(Repeated)] != j.want[Already] || p.Unmatched == 0 {
		t.Errorf("got %+v, want %v", p, want)
	}
	for reason, n := range j.reasons {
		if p.Reasons[reason] != n {
			t.Errorf("%s: %d, want %d", reason, p.Reasons[reason], n)
		}
	}
	if len(d.by) != 0 {
		t.Error("a dry run handed something in")
	}
	fast := dry(true)
	if fast.Counts[Rejected] != 0 || fast.Counts[Stored] != j.want[Stored]+j.want[Rejected] {
		t.Errorf("fast: %+v", fast)
	}
	// After the real run all of it is there already.
	runOnce(t, j, d, nil)
	if p := dry(false); p.Counts[Already] != j.want[Stored] || p.Counts[Stored] != 0 || p.Counts[Rejected] != j.want[Rejected] {
		t.Errorf("after: %+v", p)
	}
}

func TestBadManifest(t *testing.T) {
	for _, text := range []string{"name\nx\n", "file\nx\n", "dossier,kind\nx,y\n", "file,number\na,b\n", "file,dossier,Mã hồ sơ\na,b,c\n"} {
		j := job{dir: t.TempDir(), manifest: text}
		s, o := j.open(t)
		_, err := Run(t.Context(), s, newDesk(), o)
		var bad *dossier.RowError
		if !errors.As(err, &bad) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
