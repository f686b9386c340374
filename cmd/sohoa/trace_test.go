package main

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// collectorStub is an OpenTelemetry collector as far as this program needs one: it
// takes traces by OTLP over HTTP.
type collectorStub struct {
	mu     sync.Mutex
	spans  []string
	faults []error
}

func (c *collectorStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lines, err := spansOf(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, lines...)
	if err != nil {
		c.faults = append(c.faults, err)
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func spansOf(r *http.Request) (lines []string, err error) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return nil, fmt.Errorf("%s %s of %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return nil, err
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	var req collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &req); err != nil {
		return nil, err
	}
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				line := fmt.Sprintf("trace=%x span=%x parent=%x name=%q", s.TraceId, s.SpanId, s.ParentSpanId, s.Name)
				for _, l := range s.Links {
					line += fmt.Sprintf(" link=%x", l.TraceId)
				}
				for _, a := range s.Attributes {
					var v any = a.Value.GetStringValue()
					if _, number := a.Value.Value.(*commonpb.AnyValue_IntValue); number {
						v = a.Value.GetIntValue()
					}
					line += fmt.Sprintf(" %s=%v", a.Key, v)
				}
				lines = append(lines, line)
			}
		}
	}
	return lines, nil
}

// collectorKey finds a script's own collector.
type collectorKey struct{}

// collector VAR starts a collector and sets VAR to its address.
func collector(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: collector VAR")
	}
	srv := httptest.NewServer(ts.Value(collectorKey{}).(*collectorStub))
	ts.Defer(srv.Close)
	ts.Setenv(args[0], srv.URL)
}

// spans DOCUMENT NAME… waits until the collector has spans of those names in the
// document's trace, checks that they hang together, and prints all it has.
func spans(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: spans FILE-WITH-DOCUMENT NAME…")
	}
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`).FindString(ts.ReadFile(args[0]))
	if id == "" {
		ts.Fatalf("%s names no document", args[0])
	}
	want := "trace=" + strings.ReplaceAll(id, "-", "")
	c := ts.Value(collectorKey{}).(*collectorStub)
	var have []string
	for range 600 {
		c.mu.Lock()
		have = slices.Clone(c.spans)
		faults := slices.Clone(c.faults)
		c.mu.Unlock()
		if len(faults) > 0 {
			ts.Fatalf("the collector was sent what it cannot read: %v", faults)
		}
		missing := slices.DeleteFunc(slices.Clone(args[1:]), func(name string) bool {
			return slices.ContainsFunc(have, func(s string) bool {
				return strings.HasPrefix(s, want+" ") && strings.Contains(s, fmt.Sprintf(" name=%q", name))
			})
		})
		if len(missing) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Fprintln(ts.Stdout(), strings.Join(have, "\n"))
	root := ""
	for _, s := range have {
		if strings.HasPrefix(s, want+" ") && strings.Contains(s, ` parent= `) {
			if root != "" {
				ts.Fatalf("two roots:\n%s\n%s", root, s)
			}
			root = regexp.MustCompile(`span=([0-9a-f]{16})`).FindStringSubmatch(s)[1]
		}
	}
	if _, err := hex.DecodeString(root); err != nil || root == "" {
		ts.Fatalf("no root in\n%s", strings.Join(have, "\n"))
	}
	for _, name := range args[1:] {
		n := 0
		for _, s := range have {
			if strings.HasPrefix(s, want+" ") && strings.Contains(s, fmt.Sprintf(" name=%q", name)) {
				n++
				if name != "receive" && !strings.Contains(s, " parent="+root+" ") {
					ts.Fatalf("not below the reception: %s", s)
				}
			}
		}
		if n == 0 {
			ts.Fatalf("no span %s of %s in\n%s", name, want, strings.Join(have, "\n"))
		}
	}
}
