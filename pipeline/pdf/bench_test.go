package pdf

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sohoa/dossier"
	"sohoa/internal/testneed"
)

// BenchmarkScan is what a 0.9 MB scan costs inside a child, beside the digest of
// the same bytes.
func BenchmarkScan(b *testing.B) {
	model.ConfigPath = "disable"
	path := filepath.Join(testneed.Shared(b, "scans"), "c200_01p_01.pdf")
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	q := Question{Kind: dossier.Component, Profile: dossier.Profiles()[0], DefaultDPI: 200, At: time.Now()}.wire()
	s := setup{Limits: Limits{}.withDefaults()}
	out := filepath.Join(b.TempDir(), "copy.pdf")
	var room rooms
	run := func(b *testing.B, normalise bool) {
		defer processorTime(b)()
		for b.Loop() {
			d, err := openDocument(path, s, func(response) {}, &room)
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
		defer processorTime(b)()
		for b.Loop() {
			sha256.Sum256(data)
		}
	})
	b.Run("inspect", func(b *testing.B) { run(b, false) })
	b.Run("inspect+normalise", func(b *testing.B) { run(b, true) })
}

// processorTime reports what an operation costs in processor time, which says
// more than the clock on a busy machine.
func processorTime(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() {
		b.ReportMetric(float64(used()-before)/float64(b.N)/1000, "cpu-µs/op")
	}
}
