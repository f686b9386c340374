package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// notes is what is learnt of a request on its way, for its one log line.
type notes struct {
	id      string
	address string
	route   string // its pattern: the address itself may name somebody
	actor   string
	problem string
	err     error
}

type notesKey struct{}

func requestID(ctx context.Context) string {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		return n.id
	}
	return ""
}

func note(ctx context.Context, p *Problem) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.problem, n.err = p.Code, p.err
	}
}

func noteRoute(ctx context.Context, pattern string) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.route = pattern
	}
}

func noteActor(ctx context.Context, a Actor) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.actor = a.ID
	}
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	status int
	size   int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.size += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// outermost gives every request an id, deadlines, one log line and its metrics,
// and keeps a panic from doing more than fail its own request.
func (s *server) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		n := &notes{id: newRequestID(), route: "none", address: s.addresses.of(r)}
		a := &answer{ResponseWriter: w}
		ctx, traced := r.Context(), func(string, string, int) {}
		if s.Trace != nil {
			ctx, traced = s.Trace(r)
		}
		r = r.WithContext(context.WithValue(ctx, notesKey{}, n))
		h := a.Header()
		h.Set("X-Request-Id", n.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", pagePolicy)
		if s.SecureCookies {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}

		deadlines(a, maxWait+30*time.Second)
		s.metrics.inFlight.Inc()
		defer func() {
			s.metrics.inFlight.Dec()
			aborted := false
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					aborted = true
				} else {
					// The value may quote what was sent; its type and the stack do not.
					s.Log.Error().Str("request", n.id).Str("panic", panicName(v)).Bytes("stack", debug.Stack()).Msg("a handler panicked")
					if a.status == 0 {
						s.fail(a, r, errors.New("panic"))
					} else {
						aborted = true // end the connection: the answer is not whole
					}
				}
			}
			s.metrics.seen(n.route, a.status, time.Since(start))
			traced(n.route, n.id, a.status)
			s.logRequest(a, n, time.Since(start))
			if aborted {
				panic(http.ErrAbortHandler)
			}
		}()

		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics" {
				s.fail(a, r, problem("busy", nil))
				return
			}
		}
		next.ServeHTTP(a, r)
	})
}

// logRequest never names the URL: paths carry codes and queries carry names.
func (s *server) logRequest(a *answer, n *notes, d time.Duration) {
	level := zerolog.InfoLevel
	switch {
	case a.status >= 500 && a.status != http.StatusServiceUnavailable && a.status != http.StatusNotImplemented:
		level = zerolog.ErrorLevel
	case n.problem == "unavailable": // who knows whether it is says so, once
		level = zerolog.DebugLevel
	case n.route == "GET /healthz", n.route == "GET /readyz", n.route == "GET /metrics":
		level = zerolog.DebugLevel
	}
	e := s.Log.WithLevel(level).Str("request", n.id).Str("route", n.route).Int("status", a.status).
		Int64("bytes", a.size).Dur("ms", d)
	if n.actor != "" {
		e = e.Str("by", n.actor)
	}
	if n.problem != "" {
		e = e.Str("problem", n.problem)
	}
	if n.err != nil {
		e = e.Err(n.err)
	}
	e.Msg("request")
}

func panicName(v any) string {
	if err, ok := v.(error); ok {
		return fmt.Sprintf("%T", errors.Unwrap(err)) + " in " + fmt.Sprintf("%T", err)
	}
	return fmt.Sprintf("%T", v)
}

func newRequestID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// deadlines bounds reading the request and writing the answer. A recorder in a
// test has none, and there it does not matter.
func deadlines(w http.ResponseWriter, d time.Duration) {
	c, at := http.NewResponseController(w), time.Now().Add(d)
	_ = c.SetReadDeadline(at)
	_ = c.SetWriteDeadline(at)
}

// moving reads a body that may take hours but must not stand still.
type moving struct {
	r    io.Reader
	c    *http.ResponseController
	idle time.Duration
	err  error // other than io.EOF: the transfer failed, not we
}

func (s *server) moving(w http.ResponseWriter, r io.Reader) *moving {
	return &moving{r: r, c: http.NewResponseController(w), idle: s.IdleRead}
}

func (m *moving) Read(b []byte) (int, error) {
	at := time.Now().Add(m.idle)
	_ = m.c.SetReadDeadline(at)
	_ = m.c.SetWriteDeadline(at.Add(maxWait + 30*time.Second))
	n, err := m.r.Read(b)
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}

// problem is the answer for a transfer that failed. It ends the connection: else
// the server would first wait for the rest of the body.
func (m *moving) problem() *Problem {
	var tooLarge *http.MaxBytesError
	var p *Problem
	switch {
	case m.err == nil:
		return nil
	case errors.As(m.err, &tooLarge):
		p = problem("too-large", nil)
	case errors.Is(m.err, os.ErrDeadlineExceeded):
		p = problem("too-slow", nil)
	default:
		p = problem("incomplete", nil)
	}
	p.header.Set("Connection", "close")
	return p
}

// steady writes an answer that may take hours but must not stand still.
type steady struct {
	http.ResponseWriter
	c    *http.ResponseController
	idle time.Duration
}

func (s *server) steady(w http.ResponseWriter) *steady {
	return &steady{w, http.NewResponseController(w), s.IdleRead}
}

func (s *steady) Write(b []byte) (int, error) {
	_ = s.c.SetWriteDeadline(time.Now().Add(s.idle))
	return s.ResponseWriter.Write(b)
}

// preferWait reads "Prefer: wait=20" (RFC 7240), at most maxWait.
func preferWait(values []string) time.Duration {
	for _, v := range values {
		for _, p := range splitList(v) {
			name, value, ok := cutTrim(p, "=")
			if !ok || name != "wait" {
				continue
			}
			if n, err := strconv.Atoi(unquote(value)); err == nil && n > 0 {
				return min(time.Duration(min(n, 3600))*time.Second, maxWait)
			}
		}
	}
	return 0
}

const maxWait = time.Minute
