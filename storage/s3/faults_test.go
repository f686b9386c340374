package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/storage"
	"sohoa/storage/storagetest"
	"sohoa/storage/storagetest/flaky"
	"sohoa/storage/storagetest/servers"
)

// broken returns a store behind a proxy, and the same store without it.
func broken(t *testing.T, server func(testing.TB) (string, string, string)) (behind, direct *Store, p *flaky.Proxy) {
	t.Helper()
	direct = onServer(t, server, nil)
	p = flaky.New(t, direct.opt.Endpoint)
	o := direct.opt
	o.Endpoint = p.URL()
	o.StallAfter = time.Second
	behind, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = behind.Close() })
	return behind, direct, p
}

// times lets the fault happen to the first n requests.
func times(n int32, f flaky.Fault) func(*http.Request) flaky.Fault {
	var count atomic.Int32
	return func(*http.Request) flaky.Fault {
		if count.Add(1) <= n {
			return f
		}
		return flaky.None
	}
}

// nth lets the fault happen to the n-th request only, counted from 1.
func nth(n int32, f flaky.Fault) func(*http.Request) flaky.Fault {
	var count atomic.Int32
	return func(*http.Request) flaky.Fault {
		if count.Add(1) == n {
			return f
		}
		return flaky.None
	}
}

// TestPassingFaults: whatever happens to a request or two, every operation comes
// through by itself.
func TestPassingFaults(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, direct, p := broken(t, servers.MinIO)
	small, large := storagetest.Random(1, 100_000), storagetest.Random(2, 20<<20)
	put(t, direct, "there/small", small)
	put(t, direct, "there/large", large)
	for _, f := range flaky.Faults() {
		t.Run(f.String(), func(t *testing.T) {
			key := storage.Key("put/" + f.String())
			for name, op := range map[string]func() error{
				"put":      func() error { return behind.Put(t.Context(), key, bytes.NewReader(small), storage.Info{}) },
				"get":      func() error { return compare(t.Context(), behind, "there/small", small) },
				"getLarge": func() error { return compare(t.Context(), behind, "there/large", large) },
				"stat": func() error {
					_, err := behind.Stat(t.Context(), "there/small")
					return err
				},
				"list": func() error {
					n := 0
					for _, err := range behind.List(t.Context(), "there/") {
						if err != nil {
							return err
						}
						n++
					}
					if n != 2 {
						return fmt.Errorf("%d objects listed", n)
					}
					return nil
				},
				"delete": func() error { return behind.Delete(t.Context(), "missing") },
			} {
				p.Plan(times(2, f))
				if err := op(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			p.Plan(nil)
			wantBody(t, direct, key, small)
		})
	}
}

// TestLargeFaults breaks every request of an upload in parts in turn: looking
// whether it is there, beginning, each part, completing.
func TestLargeFaults(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, direct, p := broken(t, servers.MinIO)
	large := storagetest.Random(2, 17<<20)
	for _, f := range []flaky.Fault{flaky.Busy, flaky.CutRequest, flaky.LoseAnswer, flaky.Stall} {
		for n := int32(1); n <= 5; n++ {
			key := storage.Key(fmt.Sprintf("large/%d/%d", f, n))
			p.Plan(nth(n, f))
			if err := behind.Put(t.Context(), key, bytes.NewReader(large), storage.Info{}); err != nil {
				t.Errorf("%v of request %d: %v", f, n, err)
				continue
			}
			p.Plan(nil)
			wantBody(t, direct, key, large)
		}
	}
}

// TestDenials: a server that denies what it allows a moment later is asked again,
// one that goes on denying is believed.
func TestDenials(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, direct, p := broken(t, servers.MinIO)
	small, large := storagetest.Random(1, 1000), storagetest.Random(2, 17<<20)
	p.Plan(times(2, flaky.Denied))
	put(t, behind, "small", small)
	for n := int32(1); n <= 5; n++ { // each request of an upload in parts in turn
		key := storage.Key(fmt.Sprintf("large/%d", n))
		p.Plan(nth(n, flaky.Denied))
		put(t, behind, key, large)
		wantBody(t, direct, key, large)
	}
	p.Plan(func(*http.Request) flaky.Fault { return flaky.Denied })
	if err := behind.Put(t.Context(), "never", bytes.NewReader(small), storage.Info{}); !errors.Is(err, storage.ErrDenied) {
		t.Errorf("Put: %v, want ErrDenied", err)
	}
	if err := behind.Delete(t.Context(), "small"); !errors.Is(err, storage.ErrDenied) {
		t.Errorf("Delete: %v, want ErrDenied", err)
	}
	wantBody(t, direct, "small", small)
}

// TestGarbage: an answer that is not S3's (of a proxy, a login page) is never
// taken for a success.
func TestGarbage(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, direct, p := broken(t, servers.MinIO)
	small := storagetest.Random(1, 1000)
	put(t, direct, "there", small)
	p.Plan(func(*http.Request) flaky.Fault { return flaky.Garbage })
	if err := listError(t.Context(), behind); err == nil {
		t.Error("List: a page of a proxy is taken for an empty listing")
	}
	if err := behind.Delete(t.Context(), "there"); err == nil {
		t.Error("Delete: a page of a proxy is taken for an answer")
	}
	if _, err := behind.versions(t.Context(), "there"); err == nil {
		t.Error("versions: a page of a proxy is taken for an answer")
	}
	if err := behind.Put(t.Context(), "new", bytes.NewReader(small), storage.Info{}); err == nil {
		t.Error("Put: a page of a proxy is taken for an answer")
	}
	if info, err := behind.Stat(t.Context(), "there"); err == nil {
		t.Errorf("Stat: a page of a proxy is taken for an answer: %+v", info)
	}
	if r, _, err := behind.Open(t.Context(), "there"); err == nil {
		b, _ := io.ReadAll(r)
		t.Errorf("Open: a page of a proxy is taken for an object: %q", b)
	}
	if err := behind.Check(t.Context()); err == nil {
		t.Error("Check is content with a page of a proxy")
	}
}

// TestLastingFaults: when it does not pass, the answer is ErrUnavailable, nothing
// half-written is visible, and repeating the Put later succeeds, also where the
// first one had been carried out and only its answer was lost.
func TestLastingFaults(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, direct, p := broken(t, servers.MinIO)
	behind.opt.Attempts = 2
	for _, f := range flaky.Faults() {
		if f == flaky.Slow {
			continue
		}
		t.Run(f.String(), func(t *testing.T) {
			for name, body := range map[string][]byte{"small": storagetest.Random(1, 100_000), "large": storagetest.Random(2, 17<<20)} {
				key := storage.Key(fmt.Sprintf("lasting/%d/%s", f, name))
				p.Plan(func(*http.Request) flaky.Fault { return f })
				err := behind.Put(t.Context(), key, bytes.NewReader(body), storage.Info{})
				answered := (f == flaky.CutAnswer || f == flaky.ShortAnswer) && err == nil // an answer without a body cannot be cut
				if !answered && !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("Put of %s: %v, want ErrUnavailable", name, err)
				}
				for op, err := range map[string]error{
					"Stat":   second(behind.Stat(t.Context(), key)),
					"Open":   compare(t.Context(), behind, key, body),
					"Delete": behind.Delete(t.Context(), "missing"),
					"List":   listError(t.Context(), behind),
				} {
					if f == flaky.CutRequest || f == flaky.CutAnswer || f == flaky.ShortAnswer {
						continue // of requests and answers without a body nothing is cut
					}
					if !errors.Is(err, storage.ErrUnavailable) {
						t.Errorf("%s: %v, want ErrUnavailable", op, err)
					}
				}
				p.Plan(nil)
				wantWholeOrNothing(t, direct, key, body)
				if err := behind.Put(t.Context(), key, bytes.NewReader(body), storage.Info{}); err != nil {
					t.Errorf("repeating the Put of %s: %v", name, err)
				}
				wantBody(t, direct, key, body)
			}
		})
	}
}

// TestOutage: the server goes away under the hands of eight writers and comes
// back. What was acknowledged is there and whole; what was not is whole or not
// there; the writers go on by themselves. SOHOA_OUTAGE sets how long (default 2s).
func TestOutage(t *testing.T) {
	t.Parallel() // it mostly waits
	outage := 2 * time.Second
	if v := os.Getenv("SOHOA_OUTAGE"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		outage = d
	}
	behind, direct, p := broken(t, servers.MinIO)
	behind.opt.Attempts = 2
	writers(t, behind, direct, 8, 15, func() {
		time.Sleep(300 * time.Millisecond)
		if err := p.Down(); err != nil {
			t.Error(err)
		}
		time.Sleep(outage)
		if err := p.Up(); err != nil {
			t.Error(err)
		}
	})
}

// TestRandomFaults: every fourth request breaks in some way.
func TestRandomFaults(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, direct, p := broken(t, servers.MinIO)
	behind.opt.Attempts = 3
	all := flaky.Faults()
	p.Plan(func(*http.Request) flaky.Fault {
		if f := all[rand.N(len(all))]; rand.N(4) == 0 {
			return f
		}
		return flaky.None
	})
	writers(t, behind, direct, 8, 10, func() {})
}

// writers has n writers put m objects each, repeating what was not acknowledged,
// as the queue above does, while trouble goes on.
func writers(t *testing.T, behind, direct *Store, n, m int, trouble func()) {
	t.Helper()
	var (
		wg      sync.WaitGroup
		refused atomic.Int64
	)
	wg.Go(trouble)
	for w := range n {
		wg.Go(func() {
			for i := range m {
				key := storage.Key(fmt.Sprintf("writers/%d/%d", w, i))
				body := storagetest.Random(uint64(w*1000+i), 50_000+i)
				for {
					err := behind.Put(t.Context(), key, bytes.NewReader(body), storage.Info{})
					if err == nil {
						break
					}
					if !errors.Is(err, storage.ErrUnavailable) {
						t.Errorf("Put: %v", err)
						return
					}
					refused.Add(1)
					wantWholeOrNothing(t, direct, key, body)
					time.Sleep(50 * time.Millisecond)
				}
				if err := compare(t.Context(), direct, key, body); err != nil {
					t.Errorf("acknowledged, but: %v", err)
				}
			}
		})
	}
	wg.Wait()
	count := 0
	for _, err := range direct.List(t.Context(), "writers/") {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != n*m {
		t.Errorf("%d objects, want %d", count, n*m)
	}
	t.Logf("%d objects, %d times refused", count, refused.Load())
}

// TestReadOn: a reader in the middle of a large object survives an outage, and a
// replaced object is never read as a mixture of two.
func TestReadOn(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, direct, p := broken(t, servers.MinIO)
	first, second := storagetest.Random(1, 12<<20), storagetest.Random(2, 12<<20)
	put(t, direct, "a", first)
	r, _, err := behind.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, 1<<20)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Down(), p.Up()); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(got, rest...), first) {
		t.Fatalf("read %d bytes across an outage, %v", len(got)+len(rest), err)
	}
	// Another object takes the name.
	if err := direct.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	put(t, direct, "a", second)
	if _, err := r.Seek(6<<20, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if n, err := io.ReadFull(r, got); err == nil {
		t.Errorf("read %d bytes of another object", n)
	}
}

func TestStallEndsWithContext(t *testing.T) {
	t.Parallel() // it mostly waits
	behind, _, p := broken(t, servers.MinIO)
	behind.opt.StallAfter = time.Hour
	p.Plan(func(*http.Request) flaky.Fault { return flaky.Stall })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := behind.Put(ctx, "a", bytes.NewReader([]byte("x")), storage.Info{}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put: %v, want the context's error", err)
	}
}

func second[T any](_ T, err error) error { return err }

func listError(ctx context.Context, s *Store) error {
	for _, err := range s.List(ctx, "") {
		if err != nil {
			return err
		}
	}
	return nil
}

func compare(ctx context.Context, s *Store, key storage.Key, want []byte) error {
	r, info, err := s.Open(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) || info.SHA256 != storagetest.Digest(want) {
		return fmt.Errorf("%q holds %d other bytes, %+v", key, len(got), info)
	}
	return nil
}

func wantWholeOrNothing(t *testing.T, s *Store, key storage.Key, want []byte) {
	t.Helper()
	if err := compare(t.Context(), s, key, want); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("neither whole nor absent: %v", err)
	}
}
