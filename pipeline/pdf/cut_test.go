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
// The scans are the samples and variants of them: with bytes put before the
// header and after the end, so that every cut falls elsewhere. By default some
// are cut, under SOHOA_CONFORMANCE=1 two hundred.
func TestCutScans(t *testing.T) {
	const all = 200
	scans := 10
	if conformance() {
		scans = all
	}
	files, err := filepath.Glob(filepath.Join(testneed.Shared(t, "scans"), "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".md") || strings.HasSuffix(f, ".txt") })
	if len(files) == 0 {
		t.Fatal("no scans")
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
			case o.rejected == nil && len(o.verdict.Findings) == 0:
				silent++
				t.Errorf("%s: accepted without a word", filepath.Base(o.name))
			}
			os.Remove(o.name)
		}
	}
	t.Logf("%d scans cut at every tenth: %v; %d accepted silently", scans, count, silent)
}
