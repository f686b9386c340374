package web_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/web"
)

// TestClerksAtOnce has many clerks upload through the pages' own API at once,
// more than there is room for: nothing that was acknowledged is lost, and nobody
// gets an error but "busy, come back". SOHOA_LOAD_CLERKS says how many (20 by
// default), each sending SOHOA_LOAD_FILES (3) different scans.
func TestClerksAtOnce(t *testing.T) {
	clerks, each := setting("SOHOA_LOAD_CLERKS", 20), setting("SOHOA_LOAD_FILES", 3)
	h := newHouse(t, setup{options: func(o *web.Options) { o.MaxUploads = max(2, clerks/4) }})
	h.account("lan", dossier.Clerk, "H51.10", false)
	person := h.browser()
	person.Transport = &http.Transport{MaxIdleConnsPerHost: clerks}
	if r := h.post(person, "/login", signInForm(password)); r.StatusCode != http.StatusSeeOther {
		t.Fatal(r.StatusCode)
	}
	page := scan(t, "accept/page.png")

	var mu sync.Mutex
	acknowledged := map[string]string{} // id by the dossier and number of the scan
	var busy, sent atomic.Int64
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	var wg sync.WaitGroup
	for c := range clerks {
		wg.Go(func() {
			for n := range each {
				// A scan of its own: bytes after the end of a PNG change nothing
				// that is seen.
				body := append(bytes.Clone(page), fmt.Sprintf("%d-%d", c, n)...)
				code := fmt.Sprintf("H51.10-240901-%04d", c)
				for {
					req, err := http.NewRequest("PUT", h.URL+paths+code+"/documents?kind=component", bytes.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					resp, err := person.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					b, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests {
						if resp.Header.Get("Retry-After") == "" {
							t.Error("busy without Retry-After")
						}
						busy.Add(1)
						time.Sleep(20 * time.Millisecond)
						continue
					}
					if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
						t.Errorf("%d %s", resp.StatusCode, b)
						return
					}
					var d documentBody
					reply{resp, b}.json(t, &d)
					mu.Lock()
					acknowledged[fmt.Sprint(code, n)] = d.ID
					mu.Unlock()
					sent.Add(int64(len(body)))
					break
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if len(acknowledged) != clerks*each {
		t.Fatalf("%d acknowledged, want %d", len(acknowledged), clerks*each)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	defer cancel()
	ids := map[string]bool{}
	for _, id := range acknowledged {
		st, err := h.pipeline.Wait(ctx, id, time.Until(time.Now().Add(8*time.Minute)))
		if err != nil || st.State != dossier.Stored {
			t.Fatalf("%s: %s, %v", id, st.State, err)
		}
		ids[id] = true
	}
	if len(ids) != len(acknowledged) {
		t.Errorf("%d documents for %d scans", len(ids), len(acknowledged))
	}
	t.Logf("%d clerks, %d scans, %.1f MB acknowledged in %v, %d times told to come back; heap in use %d → %d MB; all settled after %v",
		clerks, len(acknowledged), float64(sent.Load())/1e6, took.Round(time.Millisecond), busy.Load(), before.HeapInuse>>20, after.HeapInuse>>20, time.Since(start).Round(time.Millisecond))
}

func setting(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return fallback
}

// BenchmarkPages says how long the server takes for what people open most, with
// SOHOA_BENCH_DOSSIERS dossiers (20,000 by default; the figures count sums, so
// that more make little difference) of 350 units in five years, and a third as
// many documents.
func BenchmarkPages(b *testing.B) {
	n := setting("SOHOA_BENCH_DOSSIERS", 20000)
	h := benchHouse(b, n)
	for name, path := range map[string]string{
		"dashboard":     "/?period=2024",
		"dashboard/sub": "/?period=2024-08&unit=H51.30",
		"list":          "/list?period=2024&indicator=4.2&side=counted",
		"list/sub":      "/list?period=2024&indicator=4.1&side=missing&unit=H51.30",
		"report":        "/api/v1/report?period=2024",
		"xlsx":          "/report.xlsx?period=2024",
	} {
		b.Run(name, func(b *testing.B) {
			req, err := http.NewRequest("GET", h.url+path, nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+h.token)
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
