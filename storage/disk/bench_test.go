package disk

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"sohoa/storage"
	"sohoa/storage/storagetest"
)

const scanSize = 900_000 // a page of 200 dpi in colour

// BenchmarkPut writes scans with one to eight writers: as a plain durable write
// (file, fsync, fsync of the folder), by Put of bytes, and by Put of a Temp
// whose spooling is part of the time. Each object gets a folder of its own, as a
// document does, except in the plain write.
func BenchmarkPut(b *testing.B) {
	body := storagetest.Random(1, scanSize)
	sum := storagetest.Digest(body)
	for _, writers := range []int{1, 2, 4, 8} {
		for _, how := range []string{"plain", "bytes", "temp"} {
			b.Run(fmt.Sprintf("%s/writers=%d", how, writers), func(b *testing.B) {
				s := open(b)
				b.SetBytes(scanSize)
				work(b, writers, func(i int64) error {
					key := storage.Key(fmt.Sprintf("dossiers/H51.04/H51.04-240830-%04d/%d/original.pdf", i/10, i))
					switch how {
					case "plain":
						return plainWrite(s.dir, body)
					case "bytes":
						return s.Put(b.Context(), key, bytes.NewReader(body), storage.Info{SHA256: sum})
					}
					tmp, err := storage.Spool(s.SpoolDir(), bytes.NewReader(body), 0)
					if err != nil {
						return err
					}
					defer tmp.Close()
					return s.Put(b.Context(), key, tmp, storage.Info{SHA256: sum})
				})
			})
		}
	}
}

// BenchmarkPutSmall is the record beside a scan: 4 KiB into a folder that exists.
func BenchmarkPutSmall(b *testing.B) {
	body := storagetest.Random(1, 4096)
	for _, writers := range []int{1, 4} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b)
			work(b, writers, func(i int64) error {
				return s.Put(b.Context(), storage.Key(fmt.Sprintf("a/%d.json", i)), bytes.NewReader(body), storage.Info{})
			})
		})
	}
}

func BenchmarkStat(b *testing.B) {
	s := open(b)
	if err := s.Put(b.Context(), "a/b/c/d.pdf", bytes.NewReader(storagetest.Random(1, scanSize)), storage.Info{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Stat(b.Context(), "a/b/c/d.pdf"); err != nil {
			b.Fatal(err)
		}
	}
}

func work(b *testing.B, writers int, f func(int64) error) {
	b.Helper()
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "objects/s")
}

func plainWrite(dir string, body []byte) error {
	f, err := os.Create(filepath.Join(dir, rand.Text()))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(body); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
