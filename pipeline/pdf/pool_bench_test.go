package pdf_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

// BenchmarkSession is a 0.9 MB scan from Open to Close, child process included,
// with as many sessions at once as there are children; beside the digest of the
// same bytes.
func BenchmarkSession(b *testing.B) {
	path := filepath.Join(testneed.Shared(b, "scans"), "c200_01p_01.pdf")
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			sha256.Sum256(data)
		}
	})
	for name, normalise := range map[string]bool{"inspect": false, "inspect+normalise": true} {
		b.Run(name, func(b *testing.B) {
			pool := newPool(b, pdf.Options{})
			dir := b.TempDir()
			var n atomic.Int64
			b.SetBytes(int64(len(data)))
			b.RunParallel(func(pb *testing.PB) {
				out := filepath.Join(dir, string(rune('a'+n.Add(1)))+".pdf")
				for pb.Next() {
					s, err := pool.Open(b.Context(), path)
					if err != nil {
						b.Error(err)
						return
					}
					if _, err := s.Inspect(b.Context(), pdf.Question{Kind: dossier.Component}); err != nil {
						b.Error(err)
					} else if normalise {
						if _, err := s.Normalise(b.Context(), out, pdf.Label{}); err != nil {
							b.Error(err)
						}
					}
					s.Close()
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
		})
	}
}
