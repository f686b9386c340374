package pdf_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
)

// mutate spoils a file in one of three ways: cut, bytes flipped, a number
// changed. The same source and rng give the same mutant.
func mutate(rng *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	switch rng.IntN(3) {
	case 0: // cut, at the end or in the middle
		if rng.IntN(2) == 0 {
			return b[:rng.IntN(len(b))]
		}
		from := rng.IntN(len(b))
		return slices.Delete(b, from, min(len(b), from+1+rng.IntN(1+len(b)/10)))
	case 1:
		for range 1 + rng.IntN(16) {
			b[rng.IntN(len(b))] ^= byte(1 << rng.IntN(8))
		}
		return b
	}
	// Numbers: lengths, counts, offsets, references.
	for range 1 + rng.IntN(4) {
		at := rng.IntN(len(b))
		for at < len(b) && (b[at] < '0' || b[at] > '9') {
			at++
		}
		end := at
		for end < len(b) && b[end] >= '0' && b[end] <= '9' {
			end++
		}
		if at == end {
			continue
		}
		n := []string{"0", "1", "-1", "2147483647", "8388608", "99999999999999999999", strconv.Itoa(rng.IntN(1 << 20))}[rng.IntN(7)]
		b = slices.Replace(b, at, end, []byte(n)...)
	}
	return b
}

// mutants is how many are made by default; conformance (SOHOA_CONFORMANCE=1)
// makes them all.
const (
	mutants    = 200
	allMutants = 2000
)

// TestMutants judges files spoilt at random, always the same ones: every one
// gets a verdict.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("judges thousands of files")
	}
	var sources []string
	for _, f := range foreignFiles(t) {
		if st, err := os.Stat(f.path); err == nil && st.Size() > 0 && st.Size() < 1<<20 {
			sources = append(sources, f.path)
		}
	}
	mutants := mutants
	if conformance() {
		mutants = allMutants
	}
	pool := newPool(t, pdf.Options{Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)})
	rng := rand.New(rand.NewPCG(2796, 766))
	count := map[string]int{}
	dir := t.TempDir()
	for done := 0; done < mutants; {
		var paths []string
		for ; len(paths) < 100 && done < mutants; done++ {
			b, err := os.ReadFile(sources[rng.IntN(len(sources))])
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, fmt.Sprintf("%04d.pdf", done))
			if err := os.WriteFile(path, mutate(rng, b), 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
		for _, o := range judgeAll(t, pool, paths, pdf.Question{Kind: dossier.Component, Profile: dossier.AnyProfile()}) {
			count[o.String()]++
			if o.rejected != nil && o.rejected.Reason == dossier.TooComplex {
				t.Logf("%s: %v", filepath.Base(o.name), o.rejected)
			}
			if o.fault != nil {
				t.Errorf("%s: no verdict: %v", filepath.Base(o.name), o.fault)
				if keep := os.Getenv("SOHOA_MUTANT_KEEP"); keep != "" {
					b, _ := os.ReadFile(o.name)
					_ = os.WriteFile(filepath.Join(keep, filepath.Base(o.name)), b, 0o600)
				}
			}
			os.Remove(o.name)
		}
	}
	var sum []string
	for k, n := range count {
		sum = append(sum, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(sum)
	t.Logf("%d mutants: %s", mutants, strings.Join(sum, ", "))
}
