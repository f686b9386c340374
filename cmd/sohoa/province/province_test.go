package province

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/register"
	"sohoa/pipeline/sheet"
	"sohoa/storage/ledger"
)

func TestSample(t *testing.T) {
	p := Sample()
	if !reflect.DeepEqual(p, Sample()) {
		t.Error("the sample is not the same every time")
	}
	inForce := func(day dossier.Date) map[dossier.Level]int {
		n := map[dossier.Level]int{}
		for _, u := range p.Units {
			if u.ValidFrom <= day && (u.ValidTo == 0 || day < u.ValidTo) {
				n[u.Level]++
			}
		}
		return n
	}
	before, after := inForce(Reorganised-100), inForce(Reorganised)
	if before[dossier.Province] != 1 || before[dossier.Department] < 6 || before[dossier.District] != 11 || before[dossier.Commune] < 30 {
		t.Errorf("before: %v", before)
	}
	if after[dossier.Province] != 1 || after[dossier.Department] < 6 || after[dossier.District] != 0 || after[dossier.Commune] < 30 {
		t.Errorf("after: %v", after)
	}
	noDocument := 0
	for _, s := range p.Procedures {
		if !s.ReturnsDocument {
			noDocument++
		}
	}
	if len(p.Procedures) != 40 || noDocument < 5 {
		t.Errorf("%d procedures, %d return nothing", len(p.Procedures), noDocument)
	}
	units := map[dossier.UnitCode]dossier.Unit{}
	for _, u := range p.Units {
		if _, ok := units[u.Code]; ok {
			t.Errorf("%s is there twice", u.Code)
		}
		units[u.Code] = u
	}
	codes := map[dossier.Code]bool{}
	statuses, channels := map[dossier.Status]int{}, map[dossier.Channel]int{}
	for _, d := range p.Dossiers {
		if c, err := dossier.ParseCode(string(d.Code)); err != nil || c != d.Code || codes[c] {
			t.Errorf("%s: %v", d.Code, err)
		}
		codes[d.Code] = true
		statuses[d.Status]++
		channels[d.Channel]++
		u, ok := units[d.Unit]
		if day := dossier.DateOf(d.ReceivedAt); !ok || day < u.ValidFrom || u.ValidTo != 0 && day >= u.ValidTo {
			t.Errorf("%s: its unit was not in force", d.Code)
		}
		if !d.SyncedAt.IsZero() && d.ResolvedAt.IsZero() {
			t.Errorf("%s: synchronised, not resolved", d.Code)
		}
	}
	if len(p.Dossiers) < 400 || len(statuses) != 6 || len(channels) != 3 {
		t.Errorf("%d dossiers, %v, %v", len(p.Dossiers), statuses, channels)
	}
}

// The files go through the same reader and ledger as a province's own.
func TestImport(t *testing.T) {
	ctx := t.Context()
	l, err := ledger.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	p := Sample()
	files, err := register.WriteFiles(t.TempDir(), register.Files{Units: p.Units, Procedures: p.Procedures,
		Dossiers: p.Dossiers, Results: p.Results, Indicators: p.Indicators})
	if err != nil {
		t.Fatal(err)
	}
	want := map[register.Kind]int{register.Units: len(p.Units), register.Procedures: 40, register.Dossiers: len(p.Dossiers),
		register.Results: len(p.Results), register.Indicators: 6}
	for again := range 2 {
		for _, kind := range register.Kinds() {
			if files[kind] == "" {
				continue
			}
			f, err := os.Open(files[kind])
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			st, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			s, err := sheet.Open(filepath.Base(files[kind]), f, st.Size())
			if err != nil {
				t.Fatal(err)
			}
			sum, bad, err := register.Import(ctx, l, kind, s, register.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(bad) > 0 {
				t.Errorf("%s: %+v", kind, bad[0])
			}
			if got := [2]int{sum.New, sum.Same}[again]; got != want[kind] || sum.Rows != want[kind] {
				t.Errorf("%s, time %d: %+v", kind, again+1, sum)
			}
		}
	}
}

func TestPlan(t *testing.T) {
	root := filepath.Join(testneed.Root(t), "testdata")
	list := func(dir string) (out []string) {
		err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				out = append(out, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	p := Sample()
	plan, err := p.Plan(list("accept"), list("reject"))
	if err != nil {
		t.Fatal(err)
	}
	stored, bad := 0, map[dossier.Reason]bool{}
	known := map[dossier.Code]bool{}
	for _, d := range p.Dossiers {
		known[d.Code] = true
	}
	papers := map[string]bool{}
	for _, s := range plan {
		if !known[s.Dossier] {
			t.Errorf("%s goes to a dossier that is not there", s.File)
		}
		if s.Paper != "" {
			key := string(s.Dossier) + " " + string(s.Paper)
			if papers[key] {
				t.Errorf("%s: the paper is handed in twice", key)
			}
			papers[key] = true
		}
		if s.Expect == "" {
			stored++
		} else {
			bad[s.Expect] = true
		}
		if strings.HasPrefix(filepath.Base(s.File), "signed") && s.Expect == "" && s.Kind != dossier.ResultKind {
			t.Errorf("%s is signed and no result", s.File)
		}
	}
	if len(plan) < 40 || stored < 30 || len(bad) < 8 {
		t.Errorf("%d submissions, %d good, reasons %v", len(plan), stored, bad)
	}
	if _, err := p.Plan(nil, []string{"reject/because/x.pdf"}); err == nil {
		t.Error("a folder that is no reason passed")
	}
}
