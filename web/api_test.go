package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/web"
)

const paths = "/api/v1/dossiers/"

type documentBody struct {
	dossier.Record
	State      dossier.State
	Again      bool
	Reason     dossier.Reason
	ReplacedBy string `json:"replaced_by"`
}

func TestSendAndFetch(t *testing.T) {
	h := newHouse(t, setup{})
	token := h.token(dossier.Clerk, "H51.10")
	file := scan(t, "accept/scan-a5-colour.pdf")
	sum := sha256.Sum256(file)
	headers := []string{
		"Content-Digest", "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
		"Content-Disposition", "attachment; filename*=UTF-8''" + url.PathEscape("Đơn đề nghị.pdf"),
		"Sohoa-Owner-Id", "012345678901",
		"Sohoa-Name", "UTF-8''" + url.PathEscape("Đơn đề nghị cấp bản sao"),
		"Sohoa-Abstract", url.PathEscape("Trích yếu"),
	}
	first := h.send(token, code("H51.10", 1), "component", "accept/scan-a5-colour.pdf", headers...)
	if first.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", first.StatusCode, first.body)
	}
	var d documentBody
	first.json(t, &d)
	switch {
	case d.State != dossier.Stored, d.Schema != dossier.RecordSchema, d.ID == "",
		d.Original.SHA256 != dossier.Digest(hex.EncodeToString(sum[:])), d.Original.Size != int64(len(file)),
		d.Slip.FileName != "Đơn đề nghị.pdf", d.Slip.Name != "Đơn đề nghị cấp bản sao", d.Slip.Abstract != "Trích yếu",
		d.Slip.OwnerID != "012345678901", d.Slip.Unit != "H51.10", d.Slip.Door != dossier.DoorAPI, !strings.HasPrefix(d.Slip.By, "token:"),
		d.Verdict.Pages != 1, first.Header.Get("Location") != "/api/v1/documents/"+d.ID, first.Header.Get("Preference-Applied") != "wait=30":
		t.Fatalf("%s\n%v", first.body, first.Header)
	}

	// The same bytes again: the first record.
	again := h.send(token, strings.ToLower(code("H51.10", 1)), "component", "accept/scan-a5-colour.pdf", headers...)
	var d2 documentBody
	if again.json(t, &d2); again.StatusCode != http.StatusOK || d2.ID != d.ID || !d2.Again {
		t.Fatalf("%d %s", again.StatusCode, again.body)
	}

	r := h.get(first.Header.Get("Location"), token)
	d2 = documentBody{}
	if r.json(t, &d2); r.StatusCode != http.StatusOK || d2.ID != d.ID || d2.Again {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}

	// The bytes, whole and in part, so that they cannot act in our origin.
	r = h.get("/api/v1/documents/"+d.ID+"/original", token)
	for k, want := range map[string]string{"Content-Type": "application/pdf", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "Content-Disposition": "attachment; filename=" + d.ID + "-original.pdf",
		"Repr-Digest": headers[1]} {
		if got := r.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if !bytes.Equal(r.body, file) {
		t.Error("the original differs")
	}
	r = h.get("/api/v1/documents/"+d.ID+"/original", token, "Range", "bytes=100-199")
	if r.StatusCode != http.StatusPartialContent || !bytes.Equal(r.body, file[100:200]) {
		t.Errorf("range: %d, %d bytes", r.StatusCode, len(r.body))
	}
	r = h.get("/api/v1/documents/"+d.ID+"/original", token, "If-None-Match", r.Header.Get("Etag"))
	if r.StatusCode != http.StatusNotModified {
		t.Errorf("unchanged: %d", r.StatusCode)
	}
	r = h.get("/api/v1/documents/"+d.ID+"/archive", token)
	if r.StatusCode != http.StatusOK || !bytes.HasPrefix(r.body, []byte("%PDF-")) {
		t.Errorf("archive: %d %.20q", r.StatusCode, r.body)
	}
	if a := d.Archive; a != nil {
		if got := sha256.Sum256(r.body); dossier.Digest(hex.EncodeToString(got[:])) != a.SHA256 {
			t.Error("the archive copy differs from its record")
		}
	}

	// The dossier with its papers.
	var dd struct {
		Known      bool
		Unit       string
		Components int
		Documents  []documentBody
	}
	r = h.get(paths+code("H51.10", 1), token)
	if r.json(t, &dd); !dd.Known || dd.Unit != "H51.10" || dd.Components != 1 || len(dd.Documents) != 1 || dd.Documents[0].ID != d.ID {
		t.Errorf("dossier: %s", r.body)
	}

	// A better scan takes its place.
	better := h.send(token, code("H51.10", 1), "component&replaces="+d.ID, "accept/scan-a5-grey.pdf")
	var d3 documentBody
	if better.json(t, &d3); better.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", better.StatusCode, better.body)
	}
	r = h.get("/api/v1/documents/"+d.ID, token)
	if r.json(t, &d2); d2.ReplacedBy != d3.ID {
		t.Errorf("replaced by %q, want %q", d2.ReplacedBy, d3.ID)
	}
	wantProblem(t, h.send(token, code("H51.10", 1), "component&replaces="+d.ID, "accept/page.png"), 409, "not-replaceable")

	// What is personal has left no trace in the log.
	for _, secret := range []string{"012345678901", "Đơn", url.PathEscape("Đơn"), "240801-0001", token, d.Slip.FileName} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(h.log.String(), `"route":"PUT /api/v1/dossiers/{code}/documents"`) {
		t.Error("the log does not name the route")
	}
}

func TestRefusals(t *testing.T) {
	h := newHouse(t, setup{})
	token := h.token(dossier.Operator, "H51")
	page := scan(t, "accept/page.png")
	put := func(path string, body []byte, header ...string) reply {
		return h.do(h.request("PUT", path, token, bytes.NewReader(body), header...))
	}
	one := paths + code("H51.10", 1) + "/documents?kind=component"

	p := wantProblem(t, h.send(token, code("H51.10", 1), "component", "../go.mod"), 422, "not-a-document")
	if p.Reason != "not-a-document" || p.Document == "" {
		t.Errorf("%+v", p)
	}
	// The same bytes again, and asking at Location: the first verdict.
	if q := wantProblem(t, h.send(token, code("H51.10", 1), "component", "../go.mod"), 422, "not-a-document"); q.Document != p.Document {
		t.Errorf("a second verdict: %s, %s", q.Document, p.Document)
	}
	wantProblem(t, h.get("/api/v1/documents/"+p.Document, token), 422, "not-a-document")
	wantProblem(t, h.get("/api/v1/documents/"+p.Document+"/archive", token), 404, "no-archive-copy")
	wantProblem(t, put(one, nil, "Prefer", "wait=30"), 422, "not-a-document")

	wantProblem(t, put(paths+"H51.10-990230-0001/documents?kind=component", page), 422, "wrong-dossier")
	wantProblem(t, put(paths+"X99-240801-0001/documents?kind=component", page), 404, "unknown-unit")
	wantProblem(t, put(paths+code("H51.10", 1)+"/documents?kind=photo", page), 400, "bad-value")
	wantProblem(t, put(paths+code("H51.10", 1)+"/documents", page), 400, "bad-value")
	wantProblem(t, put(one, page, "Sohoa-Owner-Id", "12345"), 400, "bad-value")
	wantProblem(t, put(one+"&issued_on=30/08/2024", page), 400, "bad-value")
	wantProblem(t, put(one+"&replaces=nonsense", page), 404, "unknown-document")
	wantProblem(t, put(one+"&reuses=01a207a2-0def-7770-a95f-d4b2db7ea303", nil), 404, "unknown-document")
	wantProblem(t, put(one, page, "Content-Digest", "sha-256=:AAAA:"), 400, "bad-digest")
	wantProblem(t, put(one, page, "Content-Digest", "sha-256=:"+strings.Repeat("A", 43)+"=:"), 400, "digest-differs")
	wantProblem(t, put(one, make([]byte, 8<<20+1)), 413, "too-large")
	// Without a promised length the limit holds, too.
	wantProblem(t, h.do(h.request("PUT", one, token, io.MultiReader(bytes.NewReader(make([]byte, 9<<20))))), 413, "too-large")
	wantProblem(t, put("/api/v1/results/documents", page, "Sohoa-Unit", "H51.10"), 400, "bad-value")
	wantProblem(t, put("/api/v1/results/documents", page, "Sohoa-Unit", "X1", "Sohoa-Number", "1/QĐ"), 404, "unknown-unit")

	// A paper with a code is there once.
	if r := put(one+"&paper=A1", page, "Prefer", "wait=30"); r.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	wantProblem(t, put(one+"&paper=A1", scan(t, "accept/page.jpg")), 409, "paper-taken")

	wantProblem(t, h.get("/api/v1/documents/01a207a2-0def-7770-a95f-d4b2db7ea303", token), 404, "unknown-document")
	wantProblem(t, h.get(paths+"H51.10-240801-7777", token), 404, "unknown-dossier")
	wantProblem(t, h.get("/api/v1/nothing", token), 404, "not-found")
	r := h.do(h.request("DELETE", "/api/v1/units", token, nil))
	if wantProblem(t, r, 405, "method-not-allowed"); r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow: %q", r.Header.Get("Allow"))
	}
	wantProblem(t, h.get("/api/v1/report?period=soon", token), 400, "bad-value")
	wantProblem(t, h.get("/api/v1/report?unit=H51.99", token), 404, "unknown-unit")
	wantProblem(t, h.get("/api/v1/list?indicator=77", token), 400, "bad-value")
	wantProblem(t, h.get("/api/v1/list?indicator=4.2&after=%21", token), 400, "bad-value")
	wantProblem(t, h.get("/api/v1/list?indicator=4.2&limit=100000", token), 422, "bad-request")
	wantProblem(t, h.get("/api/v1/list", token), 422, "bad-request")
	wantProblem(t, h.get("/api/v1/units", ""), 401, "signed-out")
}

// A result in force has no dossier: its number and unit name it.
func TestResultInForce(t *testing.T) {
	h := newHouse(t, setup{})
	r := h.do(h.request("PUT", "/api/v1/results/documents?issued_on=2019-05-06", h.token(dossier.Operator, "H51"), bytes.NewReader(scan(t, "accept/page.jpg")),
		"Sohoa-Unit", "H51.10.01", "Sohoa-Number", "UTF-8''"+url.PathEscape("15/QĐ-UBND"), "Prefer", "wait=30"))
	var d documentBody
	if r.json(t, &d); r.StatusCode != http.StatusCreated || d.Slip.Number != "15/QĐ-UBND" || d.Slip.Unit != "H51.10.01" || d.Slip.Kind != dossier.ResultInForce ||
		!strings.HasPrefix(d.Original.Key, "results/H51.10.01/2019/") {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
}

// A paper may be reused from out of reach where the owner is the same, and else
// not.
func TestReuse(t *testing.T) {
	h := newHouse(t, setup{})
	r := h.send(h.token(dossier.Clerk, "H51.11"), code("H51.11", 1), "component", "accept/page.png", "Sohoa-Owner-Id", "012345678901")
	var d documentBody
	r.json(t, &d)
	reuse := func(owner string) reply {
		return h.do(h.request("PUT", paths+code("H51.10", 1)+"/documents?kind=component&reuses="+d.ID, h.token(dossier.Clerk, "H51.10"), http.NoBody,
			"Sohoa-Owner-Id", owner, "Prefer", "wait=30"))
	}
	list := h.get("/api/v1/reusable", h.token(dossier.Clerk, "H51.10"), "Sohoa-Owner-Id", "012345678901")
	var offered []struct{ ID, Unit string }
	if list.json(t, &offered); len(offered) != 1 || offered[0].ID != d.ID || offered[0].Unit != "H51.11" {
		t.Errorf("offered: %s", list.body)
	}
	list = h.get("/api/v1/reusable", h.token(dossier.Clerk, "H51.10"), "Sohoa-Owner-Id", "012345678902")
	if string(bytes.TrimSpace(list.body)) != "[]" {
		t.Errorf("offered to another: %s", list.body)
	}
	wantProblem(t, h.get("/api/v1/reusable", h.token(dossier.Clerk, "H51.10"), "Sohoa-Owner-Id", "1"), 400, "bad-value")
	wantProblem(t, reuse(""), 403, "out-of-scope")
	wantProblem(t, reuse("999999999999"), 403, "out-of-scope")
	var d2 documentBody
	r = reuse("012345678901")
	if r.json(t, &d2); r.StatusCode != http.StatusCreated || d2.Slip.Reuses != d.ID || d2.Original.SHA256 != d.Original.SHA256 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	var dd struct{ Components, Reused int }
	r = h.get(paths+code("H51.10", 1), h.token(dossier.Clerk, "H51.10"))
	if r.json(t, &dd); dd.Components != 1 || dd.Reused != 1 {
		t.Errorf("%s", r.body)
	}
}

// Without a wish to wait, or where the wait is over, the answer is 202 and the
// way to ask again.
func TestAskAgain(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	token := h.token(dossier.Clerk, "H51.10")
	for _, prefer := range []string{"", "wait=1", "respond-async", "wait=many"} {
		r := h.send(token, code("H51.10", 1), "component", "accept/page.png", "Prefer", prefer)
		var d documentBody
		if r.json(t, &d); r.StatusCode != http.StatusAccepted || d.State != dossier.Pending || r.Header.Get("Retry-After") != "1" {
			t.Fatalf("Prefer %q: %d %s", prefer, r.StatusCode, r.body)
		}
		where := r.Header.Get("Location")
		if r = h.get(where, token); r.StatusCode != http.StatusAccepted || r.Header.Get("Location") != where {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		wantProblem(t, h.get(where+"/archive", token), 404, "no-archive-copy")
		if r = h.get(where+"/original", token); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	h.start()
	r := h.send(token, code("H51.10", 1), "component", "accept/page.png")
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
}

// What we failed at for good is kept, and said to be our fault.
func TestFault(t *testing.T) {
	h := newHouse(t, setup{fault: true})
	token := h.token(dossier.Clerk, "H51.10")
	p := wantProblem(t, h.send(token, code("H51.10", 1), "component", "accept/page.png"), 500, "faulted")
	if p.Document == "" {
		t.Error("it does not say which document")
	}
	person := h.person(dossier.Clerk, "H51.10")
	r := h.doWith(person, h.request("GET", "/inbox", "", nil, "Accept", "text/html"))
	if !bytes.Contains(r.body, []byte("the judge is away")) || !bytes.Contains(r.body, []byte(p.Document)) {
		t.Errorf("the inbox does not show it: %s", r.body)
	}
	stranger := h.person(dossier.Clerk, "H51.11")
	if r := h.doWith(stranger, h.request("GET", "/inbox", "", nil, "Accept", "text/html")); bytes.Contains(r.body, []byte(p.Document)) {
		t.Error("another unit's inbox shows it")
	}
	replay := func() *http.Request {
		return h.request("POST", "/inbox/replay", "", strings.NewReader("id="+p.Document), "Content-Type", "application/x-www-form-urlencoded")
	}
	wantProblem(t, h.doWith(stranger, replay()), 403, "out-of-scope")
	if st, err := h.pipeline.Standing(context.Background(), p.Document); err != nil || st.State != dossier.Faulted {
		t.Fatal(st.State, err)
	}
	if r := h.doWith(person, replay()); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
}

// Lines that break or stand still leave nothing behind, and hold nothing up.
func TestBadLines(t *testing.T) {
	h := newHouse(t, setup{idle: true, options: func(o *web.Options) { o.IdleRead = 300 * time.Millisecond }})
	token := h.token(dossier.Clerk, "H51.10")
	head := func(length int) string {
		return fmt.Sprintf("PUT %s%s/documents?kind=component HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\nabc", paths, code("H51.10", 1), token, length)
	}
	dial := func() *net.TCPConn {
		c, err := net.Dial("tcp", h.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.(*net.TCPConn)
	}
	read := func(c net.Conn) string {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		b, _ := io.ReadAll(c)
		return string(b)
	}
	slow := dial()
	io.WriteString(slow, head(1000))
	if got := read(slow); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, `"code":"too-slow"`) {
		t.Errorf("standing still: %.300q", got)
	}
	cut := dial()
	io.WriteString(cut, head(1000))
	cut.CloseWrite()
	if got := read(cut); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, `"code":"incomplete"`) {
		t.Errorf("cut: %.300q", got)
	}
	docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || len(docs) != 0 {
		t.Errorf("left behind: %d documents, %v", len(docs), err)
	}
}

// Too many at once are told to come back, and the way is free again afterwards.
func TestBusy(t *testing.T) {
	h := newHouse(t, setup{idle: true, options: func(o *web.Options) { o.MaxUploads = 1 }})
	token := h.token(dossier.Clerk, "H51.10")
	pr, pw := io.Pipe()
	first := make(chan int)
	go func() {
		resp, err := http.DefaultClient.Do(h.request("PUT", paths+code("H51.10", 1)+"/documents?kind=component", token, pr))
		if err != nil {
			first <- 0
			return
		}
		resp.Body.Close()
		first <- resp.StatusCode
	}()
	pw.Write([]byte("%PDF-1.4\n")) // returns when it has been read, though not yet by whom
	deadline := time.Now().Add(30 * time.Second)
	for {
		r := h.send(token, code("H51.10", 2), "component", "accept/page.png", "Prefer", "")
		if r.StatusCode == http.StatusServiceUnavailable {
			if wantProblem(t, r, 503, "busy"); r.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("never busy")
		}
	}
	pw.Close()
	if got := <-first; got != http.StatusAccepted {
		t.Errorf("the first: %d", got)
	}
	if r := h.send(token, code("H51.10", 2), "component", "accept/page.jpg", "Prefer", ""); r.StatusCode != http.StatusAccepted {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

type panicking struct{ web.Register }

func (panicking) Dossier(context.Context, dossier.Code) (dossier.Dossier, bool, error) {
	panic("012345678901 is in the value")
}

// A panic fails its own request and says nothing of what was in it.
func TestPanic(t *testing.T) {
	h := newHouse(t, setup{idle: true, options: func(o *web.Options) { o.Register = panicking{o.Register} }})
	token := h.token(dossier.Clerk, "H51.10")
	for range 2 {
		wantProblem(t, h.get(paths+code("H51.10", 1), token), 500, "fault")
	}
	if log := h.log.String(); strings.Contains(log, "012345678901") || !strings.Contains(log, "a handler panicked") {
		t.Errorf("log: %s", log)
	}
}

func TestFigures(t *testing.T) {
	h := newHouse(t, setup{})
	token := h.token(dossier.Operator, "H51")
	// Of the nine dossiers of the district's three units in August, one of a
	// procedure without a result and one with one become digitised.
	h.send(token, code("H51.10", 2), "component", "accept/page.png")
	h.send(token, code("H51.10.01", 1), "component", "accept/page.png")
	h.send(token, code("H51.10.01", 1), "result", "accept/signed-rsa-pades.pdf")
	h.send(token, code("H51.10.02", 1), "component", "accept/page.png")

	var rep struct {
		Formula, From, To string
		Rows              []struct {
			Unit       string
			Indicators []struct {
				ID                     string
				Numerator, Denominator int64
				Rate                   *string
			}
		}
	}
	r := h.get("/api/v1/report?unit=H51.10&from=2024-08-01&to=2024-09-01", h.token(dossier.Manager, "H51.10"))
	r.json(t, &rep)
	if rep.Formula != "766-2022" || len(rep.Rows) != 3 || rep.Rows[0].Unit != "H51.10" {
		t.Fatalf("%s", r.body)
	}
	found := false
	for _, i := range rep.Rows[0].Indicators {
		if i.ID == "4.2" {
			found = true
			if i.Numerator != 2 || i.Denominator != 9 || i.Rate == nil || *i.Rate != "22.22" {
				t.Errorf("%+v", i)
			}
		}
	}
	if !found {
		t.Errorf("no 4.2 in %s", r.body)
	}

	// The lists have what the figures count, over all pages, however small.
	for side, want := range map[string]int{"counted": 2, "missing": 7, "all": 9} {
		seen := map[string]bool{}
		after := ""
		for {
			var l struct {
				Total int
				Items []struct {
					Code    string
					Missing []struct{ Code, VI, EN string }
				}
				Next string
			}
			r := h.get("/api/v1/list?unit=H51.10&period=2024-08&indicator=4.2&limit=2&side="+side+"&after="+url.QueryEscape(after), token)
			r.json(t, &l)
			if l.Total != want {
				t.Fatalf("%s: total %d, want %d: %s", side, l.Total, want, r.body)
			}
			for _, it := range l.Items {
				if seen[it.Code] {
					t.Errorf("%s: %s twice", side, it.Code)
				}
				seen[it.Code] = true
				if (len(it.Missing) > 0) != (side == "missing" || side == "all" && len(it.Missing) > 0) {
					t.Errorf("%s: %s lacks %v", side, it.Code, it.Missing)
				}
			}
			if after = l.Next; after == "" {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("%s: %d dossiers, want %d", side, len(seen), want)
		}
	}

	// Narrowed to a channel or a procedure: a third each.
	for _, narrow := range []string{"channel=2", "procedure=1.000001"} {
		var l struct {
			Total *int
			Items []struct {
				Channel   int
				Procedure string
			}
		}
		h.get("/api/v1/list?unit=H51.10&period=2024-08&indicator=4.2&side=all&"+narrow, token).json(t, &l)
		if len(l.Items) != 3 || l.Total != nil {
			t.Errorf("%s: %d dossiers, want 3 and no total (%v)", narrow, len(l.Items), l.Total)
		}
		for _, it := range l.Items {
			if it.Channel != 2 || it.Procedure != "1.000001" {
				t.Errorf("%s: %+v", narrow, it)
			}
		}
	}

	// An account of a unit that has ended has what the unit had, under the
	// structure of its days, and does not get its successor's.
	ended := h.token(dossier.Manager, "H51.10.09")
	wantProblem(t, h.get("/api/v1/report?period=2024&structure_as_of=2024-12-31", ended), 403, "out-of-scope")
	if r := h.get("/api/v1/report?period=2024&structure_as_of=2024-06-30", ended); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// Its successor has them: June's dossiers of the merged commune.
	r = h.get("/api/v1/report?period=2024-06&structure_as_of=2024-12-31", h.token(dossier.Manager, "H51.10.01"))
	rep.Rows = nil
	r.json(t, &rep)
	if len(rep.Rows) != 1 || rep.Rows[0].Indicators[0].Denominator != 3 {
		t.Errorf("the successor: %s", r.body)
	}
	if r := h.get(paths+code("H51.10.09", 1), h.token(dossier.Clerk, "H51.10.01")); r.StatusCode != http.StatusOK {
		t.Errorf("the successor's clerk: %d", r.StatusCode)
	}
}

type importer struct{ err error }

func (i importer) Import(_ context.Context, kind, name string, body io.Reader) (web.ImportReport, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return web.ImportReport{}, err
	}
	if i.err != nil {
		return web.ImportReport{}, i.err
	}
	return web.ImportReport{New: bytes.Count(b, []byte("\n")), Bad: []dossier.RowError{{File: name, Row: 2, Column: "unit", Reason: dossier.Text{VI: "sai", EN: "wrong"}}}}, nil
}

func TestImport(t *testing.T) {
	h := newHouse(t, setup{idle: true, options: func(o *web.Options) { o.Importer, o.MaxImport = importer{}, 100 }})
	token := h.token(dossier.System, "H51")
	r := h.do(h.request("POST", "/api/v1/import/dossiers", token, strings.NewReader("code\nx\n"), "Content-Disposition", "attachment; filename=thang8.csv"))
	var rep web.ImportReport
	if r.json(t, &rep); r.StatusCode != http.StatusOK || rep.New != 2 || len(rep.Bad) != 1 || rep.Bad[0].File != "thang8.csv" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	wantProblem(t, h.do(h.request("POST", "/api/v1/import/people", token, strings.NewReader("x"))), 422, "bad-request")
	wantProblem(t, h.do(h.request("POST", "/api/v1/import/units", token, strings.NewReader(strings.Repeat("x", 101)))), 413, "too-large")
	wantProblem(t, h.do(h.request("POST", "/api/v1/import/units", token, io.MultiReader(strings.NewReader(strings.Repeat("x", 101))))), 413, "too-large")

	h = newHouse(t, setup{idle: true, options: func(o *web.Options) {
		o.Importer = importer{&dossier.RowError{Row: 1, Column: "code", Reason: dossier.Text{VI: "thiếu cột code", EN: "no column code"}}}
	}})
	if p := wantProblem(t, h.do(h.request("POST", "/api/v1/import/units", h.token(dossier.System, "H51"), strings.NewReader("x"))), 422, "bad-file"); p.MessageVI != "thiếu cột code" {
		t.Errorf("%+v", p)
	}
}

// The document describes every route of the API, and nothing else.
func TestOpenAPI(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	r := h.get("/api/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]json.RawMessage
			Security    []map[string][]string
		}
	}
	r.json(t, &doc)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %q", doc.OpenAPI)
	}
	n := 0
	for _, route := range web.Routes(h.handler) {
		method, path, _ := strings.Cut(route.Pattern, " ")
		if !strings.HasPrefix(path, "/api/v1/") {
			continue
		}
		n++
		op, ok := doc.Paths[path][strings.ToLower(method)]
		if !ok || op.OperationID == "" || len(op.Security) == 0 {
			t.Errorf("%s is not described", route.Pattern)
		}
		if strings.HasPrefix(route.Pattern, "PUT ") && strings.HasSuffix(path, "/documents") {
			for _, status := range []string{"200", "201", "202", "400", "401", "403", "404", "409", "413", "422", "503"} {
				if op.Responses[status] == nil {
					t.Errorf("%s: %s is not described", route.Pattern, status)
				}
			}
		}
	}
	ops := 0
	for _, p := range doc.Paths {
		ops += len(p)
	}
	if n != ops || n == 0 {
		t.Errorf("%d routes, %d operations", n, ops)
	}
	if strings.Contains(string(r.body), "ErrorModel") {
		t.Error("the document describes errors that are not ours")
	}
}

func TestHealth(t *testing.T) {
	ready := error(nil)
	h := newHouse(t, setup{idle: true, options: func(o *web.Options) { o.Ready = func(context.Context) error { return ready } }})
	if r := h.get("/readyz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("%d", r.StatusCode)
	}
	ready = io.ErrClosedPipe
	wantProblem(t, h.get("/readyz", ""), 503, "unavailable")
	if r := h.get("/healthz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("%d", r.StatusCode)
	}
	r := h.get("/metrics", h.token(dossier.Admin, "H51"))
	if !strings.Contains(string(r.body), `sohoa_http_requests_total{route="GET /readyz",status="503"} 1`) {
		t.Errorf("%s", r.body)
	}
}
