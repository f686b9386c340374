package pdf_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

// TestCutScans cuts scans at every tenth of their length. None may be accepted
// without a word: it is rejected, or a finding says that something was amiss.
//
// The scans are the samples and the accepted files of testdata: each is cut at
// the exact tenths, and under SOHOA_CONFORMANCE=1 again, elsewhere near them,
// until two hundred have been cut.
func TestCutScans(t *testing.T) {
	const all = 200
	files, err := filepath.Glob(filepath.Join(testneed.Shared(t, "scans"), "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".md") || strings.HasSuffix(f, ".txt") })
	more, err := filepath.Glob(filepath.Join(testneed.Root(t), "testdata", "accept", "*.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, more...)
	if len(files) == 0 || len(more) == 0 {
		t.Fatal("no scans")
	}
	scans := len(files)
	if conformance() {
		scans = all
	}
	pool := newPool(t, pdf.Options{})
	rng := rand.New(rand.NewPCG(2, 10))
	count := map[string]int{}
	silent := 0
	dir := t.TempDir()
	for i := range scans {
		b, err := os.ReadFile(files[i%len(files)])
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for tenth := 1; tenth <= 9; tenth++ {
			// The first variant is cut exactly, the others somewhere near.
			at := len(b) * tenth / 10
			if i >= len(files) {
				at += rng.IntN(len(b)/10) - len(b)/20
			}
			path := filepath.Join(dir, fmt.Sprintf("%03d-%d%s", i, tenth, filepath.Ext(files[i%len(files)])))
			if err := os.WriteFile(path, b[:at], 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
		for _, o := range judgeAll(t, pool, paths, pdf.Question{Kind: dossier.Component, Profile: dossier.AnyProfile()}) {
			count[o.String()]++
			switch {
			case o.fault != nil:
				t.Errorf("%s: %v", filepath.Base(o.name), o.fault)
			case o.rejected == nil && !slices.ContainsFunc(o.verdict.Findings, saysCut):
				silent++
				t.Errorf("%s of %s: accepted without a word: %+v", filepath.Base(o.name), filepath.Base(files[i%len(files)]), o.verdict)
			case o.rejected == nil:
				t.Logf("%s of %s: accepted with %+v", filepath.Base(o.name), filepath.Base(files[i%len(files)]), o.verdict.Findings)
			}
			os.Remove(o.name)
		}
	}
	t.Logf("%d scans cut at every tenth: %v; %d accepted silently", scans, count, silent)
}

// saysCut reports whether a finding tells that something was amiss with the file.
func saysCut(f dossier.Finding) bool {
	return f.Flag == dossier.Repaired || f.Flag == dossier.ReadBySecondReader
}
