package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline/backfill"
)

// What a server answers becomes what the pipeline of this process would say.
func TestClientAnswers(t *testing.T) {
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if r.Header.Get("Sohoa-Door") != "backfill" || r.Header.Get("Sohoa-Name") != "T%E1%BB%9D%20khai" || strings.Contains(r.URL.String(), "khai") {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	c, err := newClient(server.URL, "x")
	if err != nil {
		t.Fatal(err)
	}
	slip := dossier.Slip{Kind: dossier.Component, Dossier: "H51.10-240801-0001", Name: "Tờ khai", Door: dossier.DoorBackfill}
	for _, a := range []struct {
		status int
		body   string
		state  dossier.State
		again  bool
		err    error // by errors.Is
	}{
		{201, `{"id":"1","state":"stored","verdict":{"pages":1}}`, dossier.Stored, false, nil},
		{200, `{"id":"1","state":"stored","again":true,"verdict":{"pages":1}}`, dossier.Stored, true, nil},
		{202, `{"id":"1","state":"pending"}`, dossier.Pending, false, nil},
		{422, `{"code":"encrypted","reason":"encrypted","document":"1"}`, dossier.Refused, false, nil},
		{500, `{"code":"faulted","document":"1"}`, dossier.Faulted, false, nil},
		{404, `{"code":"unknown-unit"}`, "", false, dossier.ErrUnknownUnit},
		{409, `{"code":"paper-taken"}`, "", false, dossier.ErrPaperTaken},
		{409, `{"code":"not-replaceable"}`, "", false, dossier.ErrNotReplaceable},
		{400, `{"code":"bad-value"}`, "", false, backfill.ErrSlip},
		{403, `{"code":"out-of-scope"}`, "", false, backfill.ErrOutOfScope},
		{403, `{"code":"not-allowed"}`, "", false, backfill.ErrDenied},
		{401, `{"code":"signed-out"}`, "", false, backfill.ErrDenied},
	} {
		status, body = a.status, a.body
		st, err := c.Submit(t.Context(), slip, strings.NewReader("scan"), 4)
		if !errors.Is(err, a.err) || (err == nil) != (a.err == nil) || st.State != a.state || st.Again != a.again {
			t.Errorf("%d %s: %+v %v", a.status, a.body, st, err)
		}
	}
	for _, code := range []int{429, 503} {
		status, body = code, `{"code":"busy"}`
		var busy *backfill.Busy
		if _, err := c.Submit(t.Context(), slip, strings.NewReader("scan"), 4); !errors.As(err, &busy) || busy.After != 7*time.Second {
			t.Errorf("%d: %v", code, err)
		}
	}
	var rej *dossier.Rejection
	status, body = 413, `{"code":"too-large","reason":"too-large"}`
	if _, err := c.Submit(t.Context(), slip, strings.NewReader("scan"), 4); !errors.As(err, &rej) || rej.Reason != dossier.TooLarge {
		t.Error(err)
	}
	// Anything else is a fault, and quotes neither the dossier nor what was sent.
	for _, s := range []int{400, 404, 500, 502, 307} {
		status, body = s, `<html>`
		if _, err := c.Submit(t.Context(), slip, strings.NewReader("scan"), 4); err == nil || errors.Is(err, backfill.ErrSlip) || strings.Contains(err.Error(), "H51") {
			t.Errorf("%d: %v", s, err)
		}
	}
	server.Close()
	if _, err := c.Submit(t.Context(), slip, strings.NewReader("scan"), 4); err == nil || strings.Contains(err.Error(), "H51") {
		t.Error(err)
	}
}
