// Package flaky is an HTTP proxy for tests that stands before a real server and
// breaks what passes through it, request by request.
package flaky

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"sohoa/storage/storagetest/servers"
)

// Fault is what happens to a request.
type Fault int

const (
	None        Fault = iota
	Slow              // passes after Delay
	Busy              // answered 503 SlowDown, never forwarded
	Reset             // the connection is reset before anything is forwarded
	CutRequest        // half of the body is forwarded, then both connections are reset
	LoseAnswer        // forwarded whole and carried out; the answer is lost
	CutAnswer         // half of the answer's body comes, then the connection is reset
	ShortAnswer       // half of the answer's body comes, then the connection is closed in good order
	Stall             // forwarded, carried out, and then nothing comes any more
	Garbage           // answered 200 with a page that is no answer of S3
	Denied            // answered 403 AccessDenied, never forwarded
)

// Faults are all of the network's and the server's; Denied is neither, but what
// a server of folders now and then says where it means that it is busy.
func Faults() []Fault {
	return []Fault{Slow, Busy, Reset, CutRequest, LoseAnswer, CutAnswer, ShortAnswer, Stall, Garbage}
}

func (f Fault) String() string {
	return [...]string{"none", "slow", "busy", "reset", "cut request", "lost answer", "cut answer", "short answer", "stall", "garbage", "denied"}[f]
}

// Delay is how long a Slow request waits.
const Delay = 50 * time.Millisecond

// Proxy stands before a server.
type Proxy struct {
	target *url.URL
	addr   string
	tr     *http.Transport

	mu   sync.Mutex
	plan func(*http.Request) Fault
	srv  *http.Server
}

// New starts a proxy before the server at target; without a plan everything passes.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: u, addr: "127.0.0.1:" + port, tr: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Down(); err != nil {
			t.Error(err)
		}
		p.tr.CloseIdleConnections()
	})
	return p
}

// URL is where the proxy listens.
func (p *Proxy) URL() string { return "http://" + p.addr }

// Plan sets what decides about each request from now on; it is called
// concurrently. Nil: everything passes.
func (p *Proxy) Plan(plan func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
}

// Up lets it listen, again on the same port.
func (p *Proxy) Up() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.srv = &http.Server{Handler: p}
	go func(srv *http.Server) { _ = srv.Serve(l) }(p.srv) // ends with Close
	return nil
}

// Down closes the port and every connection, in the middle of whatever passes.
func (p *Proxy) Down() error {
	p.mu.Lock()
	srv := p.srv
	p.srv = nil
	p.mu.Unlock()
	if srv == nil {
		return nil
	}
	return srv.Close()
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	plan := p.plan
	p.mu.Unlock()
	fault := None
	if plan != nil {
		fault = plan(r)
	}
	switch fault {
	case Slow:
		time.Sleep(Delay)
	case Busy:
		refuse(w, r, http.StatusServiceUnavailable, "SlowDown")
		return
	case Denied:
		refuse(w, r, http.StatusForbidden, "AccessDenied")
		return
	case Garbage:
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>The proxy of the office greets you</body></html>")
		return
	case Reset:
		reset(w)
		return
	}
	resp, err := p.forward(r, fault)
	if err != nil {
		reset(w)
		return
	}
	defer resp.Body.Close()
	switch fault {
	case LoseAnswer:
		_, _ = io.Copy(io.Discard, resp.Body)
		reset(w)
		return
	case Stall:
		_, _ = io.Copy(io.Discard, resp.Body)
		<-r.Context().Done() // until the client gives up
		return
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	if fault == CutAnswer || fault == ShortAnswer {
		if resp.ContentLength > 1 {
			w.WriteHeader(resp.StatusCode)
			_, _ = io.CopyN(w, resp.Body, resp.ContentLength/2)
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
		}
		if fault == CutAnswer || resp.ContentLength <= 1 {
			reset(w)
			return
		}
		closeConn(w, false)
		return
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the client's connection broke: so be it
}

// refuse answers with one of S3's errors.
func refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>As planned.</Message></Error>`, code)
}

var errCut = errors.New("flaky: cut")

// forward passes the request on, as it was signed.
func (p *Proxy) forward(r *http.Request, fault Fault) (*http.Response, error) {
	u := *r.URL
	u.Scheme, u.Host = p.target.Scheme, p.target.Host
	body := r.Body
	if fault == CutRequest {
		body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), failing{}))
	}
	// Without the client's context: what was forwarded is carried out, whether
	// or not the client still waits.
	out, err := http.NewRequest(r.Method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("flaky: %w", err)
	}
	out.Host = r.Host
	out.ContentLength = r.ContentLength
	if r.ContentLength == 0 && fault != CutRequest {
		out.Body = http.NoBody
	}
	for k, v := range r.Header {
		out.Header[k] = v
	}
	return p.tr.RoundTrip(out)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }

// reset ends the client's connection with a TCP reset.
func reset(w http.ResponseWriter) { closeConn(w, true) }

func closeConn(w http.ResponseWriter, hard bool) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && hard {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
