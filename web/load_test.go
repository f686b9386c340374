package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/web"
)

// loadClerk is one of many: an account, a session and an address of its own.
type loadClerk struct {
	h    *house
	c    *http.Client
	from string
	busy *atomic.Int64
}

// ask sends a request until there is room for it: "busy" has to say when to come
// back, and is the only trouble a clerk may meet.
func (k loadClerk) ask(method, path string, body []byte, header ...string) (*http.Response, error) {
	for {
		req, err := http.NewRequest(method, k.h.URL+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		req.Header.Set("Tus-Resumable", "1.0.0")
		req.Header.Set("X-Forwarded-For", k.from)
		resp, err := k.c.Do(req)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		switch resp.StatusCode {
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			if resp.Header.Get("Retry-After") == "" {
				return nil, errors.New("busy without Retry-After")
			}
			k.busy.Add(1)
			time.Sleep(20 * time.Millisecond) // sooner than told, to press
		case http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusSeeOther:
			return resp, nil
		default:
			return nil, fmt.Errorf("%s: %d %s", method, resp.StatusCode, b)
		}
	}
}

// send is what the station does with a file: begin, pieces, and the document.
func (k loadClerk) send(code string, body []byte, pieces int) (id string, err error) {
	resp, err := k.ask("POST", "/api/v1/uploads", nil, "Upload-Length", strconv.Itoa(len(body)),
		"Upload-Metadata", metadata("dossier", code, "kind", "component", "filename", "quét.png", "sha256", hexSum(body)))
	if err != nil {
		return "", err
	}
	up := resp.Header.Get("Location")
	for at, n := 0, 1; at < len(body); n++ {
		end := len(body) * n / pieces
		if resp, err = k.ask("PATCH", up, body[at:end], piece(at)...); err != nil {
			return "", err
		}
		at = end
	}
	where := resp.Header.Get("Content-Location")
	if where == "" {
		return "", errors.New("all was sent, and there is no document")
	}
	return strings.TrimPrefix(where, "/api/v1/documents/"), nil
}

// TestClerksAtOnce has many clerks, each signed in by themselves, upload at once
// through the pages' own API, more than there is room for, in rounds: nothing
// that was acknowledged is lost, nobody gets an error but "busy, come back", and
// the last round needs no more memory than the first. SOHOA_LOAD_CLERKS says how
// many (20 by default), SOHOA_LOAD_FILES how many scans each sends in all (3).
func TestClerksAtOnce(t *testing.T) {
	clerks, each := setting("SOHOA_LOAD_CLERKS", 20), setting("SOHOA_LOAD_FILES", 3)
	h := newHouse(t, setup{options: func(o *web.Options) { o.MaxUploads, o.BehindProxy = max(2, clerks/4), true }})
	var busy, sent atomic.Int64
	transport := &http.Transport{MaxIdleConnsPerHost: clerks}
	t.Cleanup(transport.CloseIdleConnections)
	people := make([]loadClerk, clerks)
	for n := range people {
		login := fmt.Sprintf("can.bo.%d", n)
		h.account(login, dossier.Clerk, "H51.10", false)
		people[n] = loadClerk{h, h.browser(), fmt.Sprintf("10.0.%d.%d", n/250, n%250+1), &busy}
		people[n].c.Transport = transport
		if _, err := people[n].ask("POST", "/login", []byte(url.Values{"login": {login}, "password": {password}}.Encode()),
			"Content-Type", "application/x-www-form-urlencoded"); err != nil {
			t.Fatal(err)
		}
	}
	page := scan(t, "accept/page.png")

	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	defer cancel()
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var peaks []uint64
	busy.Store(0)
	start, acks := time.Now(), time.Duration(0)
	for round := range each {
		peak := watchHeap()
		begin := time.Now()
		var wg sync.WaitGroup
		for n, k := range people {
			wg.Go(func() {
				// A scan of its own: bytes after the end of a PNG change nothing that
				// is seen. Every third comes in two pieces, as over a bad line.
				body := append(bytes.Clone(page), fmt.Sprintf("%d-%d", n, round)...)
				id, err := k.send(fmt.Sprintf("H51.10-240901-%04d", n), body, 1+(n+round)%3/2)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[id] = true
				mu.Unlock()
				sent.Add(int64(len(body)))
			})
		}
		wg.Wait()
		acks += time.Since(begin)
		// The next round begins when all of this one has its verdict, so that the
		// rounds are alike.
		for id := range acknowledged {
			st, err := h.pipeline.Wait(ctx, id, 8*time.Minute)
			if err != nil || st.State != dossier.Stored {
				t.Fatalf("%s: %s, %v", id, st.State, err)
			}
		}
		peaks = append(peaks, peak())
	}
	if len(acknowledged) != clerks*each {
		t.Errorf("%d documents for %d scans", len(acknowledged), clerks*each)
	}
	docs := 0
	for n := range clerks {
		list, err := h.ledger.Documents(ctx, dossier.Code(fmt.Sprintf("H51.10-240901-%04d", n)))
		if err != nil {
			t.Fatal(err)
		}
		docs += len(list)
	}
	if docs != clerks*each {
		t.Errorf("%d documents in the ledger for %d scans", docs, clerks*each)
	}
	if first, last := peaks[0], peaks[len(peaks)-1]; last > 2*first+(32<<20) {
		t.Errorf("memory grows: heap of at most %d MB in the first round, %d MB in the last", first>>20, last>>20)
	}
	var text []string
	for _, p := range peaks {
		text = append(text, strconv.Itoa(int(p>>20)))
	}
	t.Logf("%d clerks, %d scans, %.0f MB acknowledged in %v, %d times told to come back; heap (clerks' own included) at most %s MB in the rounds; all settled after %v",
		clerks, len(acknowledged), float64(sent.Load())/1e6, acks.Round(time.Millisecond), busy.Load(), strings.Join(text, ", "), time.Since(start).Round(time.Millisecond))
}

// watchHeap looks at the heap in use until the returned function is called, which
// answers the most there was.
func watchHeap() func() uint64 {
	runtime.GC()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var m runtime.MemStats
		var peak uint64
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-stop:
				most <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-most }
}

func setting(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return fallback
}

// BenchmarkPages says how long the server takes for every page that depends on how
// much there is, with SOHOA_BENCH_DOSSIERS dossiers (20,000 by default).
func BenchmarkPages(b *testing.B) {
	h := benchHouse(b, setting("SOHOA_BENCH_DOSSIERS", 20000))
	for _, p := range []struct {
		name string
		role dossier.Role
		path string
	}{
		{"dashboard", dossier.Manager, "/?period=2024"},
		{"dashboard/8-months", dossier.Manager, "/?from=2024-01-01&to=2024-08-30"},
		{"dashboard/sub", dossier.Manager, "/?period=2024-08&unit=" + string(h.unit)},
		{"dashboard/clerk", dossier.Clerk, "/?period=2024"},
		{"list", dossier.Manager, "/list?period=2024&indicator=4.2&side=counted"},
		{"list/sub", dossier.Manager, "/list?period=2024&indicator=4.1&side=missing&unit=" + string(h.unit)},
		{"list/reason", dossier.Manager, "/list?period=2024&indicator=4.2/no-result&side=all"},
		{"list/rare", dossier.Manager, "/list?period=2024&indicator=4.3&side=counted"},
		{"worklist", dossier.Manager, "/worklist?period=2024"},
		{"worklist/sub", dossier.Manager, "/worklist?period=2024-08&unit=" + string(h.unit)},
		{"worklist/clerk", dossier.Clerk, "/worklist?period=2024"},
		{"station", dossier.Clerk, "/station"},
		{"dossier", dossier.Manager, "/dossiers/" + h.dossier},
		{"document", dossier.Officer, "/documents/" + h.document},
		{"inbox", dossier.Manager, "/inbox"},
		{"closings", dossier.Officer, "/closings"},
		{"audit", dossier.Officer, "/audit"},
		{"people", dossier.Admin, "/people"},
		{"tokens", dossier.Admin, "/tokens"},
		{"operations", dossier.Admin, "/operations"},
		{"report", dossier.Manager, "/api/v1/report?period=2024"},
		{"xlsx", dossier.Manager, "/report.xlsx?period=2024"},
	} {
		name, path := p.name, p.path
		b.Run(name, func(b *testing.B) {
			req, err := http.NewRequest("GET", h.url+path, nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+h.tokens[p.role])
			size := 0
			for b.Loop() {
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Fatalf("%d %s", resp.StatusCode, body)
				}
				size = len(body)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/page")
			b.ReportMetric(float64(size)/1024, "KB")
		})
	}
}
