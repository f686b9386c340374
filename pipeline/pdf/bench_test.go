package pdf

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/api"

	"sohoa/dossier"
	"sohoa/internal/testneed"
)

// BenchmarkScan is what a 0.9 MB scan costs inside a child, beside the digest of
// the same bytes.
func BenchmarkScan(b *testing.B) {
	api.DisableConfigDir()
	path := filepath.Join(testneed.Shared(b, "scans"), "c200_01p_01.pdf")
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	q := Question{Kind: dossier.Component, Profile: dossier.Profiles()[0], DefaultDPI: 200, At: time.Now()}.wire()
	s := setup{Limits: Limits{}.withDefaults()}
	out := filepath.Join(b.TempDir(), "copy.pdf")
	run := func(b *testing.B, normalise bool) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			d, err := openDocument(path, s, func(int) {})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := d.inspect(b.Context(), q); err != nil {
				b.Fatal(err)
			}
			if normalise {
				if _, err := d.normalise(b.Context(), q, out, Label{}); err != nil {
					b.Fatal(err)
				}
			}
			d.close()
		}
	}
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			sha256.Sum256(data)
		}
	})
	b.Run("inspect", func(b *testing.B) { run(b, false) })
	b.Run("inspect+normalise", func(b *testing.B) { run(b, true) })
}
