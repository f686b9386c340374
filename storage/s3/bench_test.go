package s3

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"sohoa/storage"
	"sohoa/storage/storagetest"
	"sohoa/storage/storagetest/servers"
)

const scanSize = 900_000 // a page of 200 dpi in colour

func BenchmarkMinIO(b *testing.B) {
	body := storagetest.Random(1, scanSize)
	sum := storagetest.Digest(body)
	for _, n := range []int{1, 4, 8} {
		s := onServer(b, servers.MinIO, nil)
		b.Run(fmt.Sprintf("put/clients=%d", n), func(b *testing.B) {
			b.SetBytes(scanSize)
			round := fmt.Sprint(b.N)
			work(b, n, func(i int64) error {
				return s.Put(b.Context(), storage.Key(fmt.Sprintf("put/%s/%d/original.pdf", round, i)), bytes.NewReader(body), storage.Info{SHA256: sum})
			})
		})
		if err := s.Put(b.Context(), "get", bytes.NewReader(body), storage.Info{}); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("get/clients=%d", n), func(b *testing.B) {
			b.SetBytes(scanSize)
			work(b, n, func(int64) error {
				r, _, err := s.Open(b.Context(), "get")
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = io.Copy(io.Discard, r)
				return err
			})
		})
		b.Run(fmt.Sprintf("stat/clients=%d", n), func(b *testing.B) {
			work(b, n, func(int64) error {
				_, err := s.Stat(b.Context(), "get")
				return err
			})
		})
	}
}

// BenchmarkMinIOLarge puts and gets 100 MB, whose parts go in parallel.
func BenchmarkMinIOLarge(b *testing.B) {
	body := storagetest.Random(1, 100<<20)
	for _, n := range []int{1, 4} {
		s := onServer(b, servers.MinIO, func(o *Options) { o.Parallel = n })
		b.Run(fmt.Sprintf("put/parallel=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			round := fmt.Sprint(b.N)
			work(b, 1, func(i int64) error {
				return s.Put(b.Context(), storage.Key(fmt.Sprintf("large/%s/%d", round, i)), bytes.NewReader(body), storage.Info{})
			})
		})
	}
}

func work(b *testing.B, clients int, f func(int64) error) {
	b.Helper()
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	b.ResetTimer()
	for range clients {
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
