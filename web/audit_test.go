package web_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/web"
)

// Everything that somebody does leaves its entry, which names nobody.
func TestAuditLog(t *testing.T) {
	h := newHouse(t, setup{options: func(o *web.Options) { o.Importer = importer{} }})
	ctx := context.Background()
	token := h.token(dossier.Clerk, "H51.10")
	r := h.send(token, code("H51.10", 1), "component", "accept/page.png", "Sohoa-Owner-Id", "012345678901", "Sohoa-Name", "Lan")
	var d documentBody
	r.json(t, &d)
	h.send(token, code("H51.10", 1), "component", "accept/page.png") // again: nothing new
	better := h.send(token, code("H51.10", 1), "component&replaces="+d.ID, "accept/page.jpg", "Sohoa-Owner-Id", "012345678901")
	var d2 documentBody
	better.json(t, &d2)
	h.get("/api/v1/reusable", token, "Sohoa-Owner-Id", "012345678901")
	h.do(h.request("PUT", paths+code("H51.10", 2)+"/documents?kind=component&reuses="+d2.ID, token, http.NoBody))
	h.get("/api/v1/documents/"+d.ID, token)
	h.get("/api/v1/documents/"+d.ID, token) // the same within minutes: one entry
	h.get("/api/v1/documents/"+d.ID+"/original", token)
	h.get(paths+code("H51.10", 1), token)
	h.get("/api/v1/list?indicator=4.2&period=2024", token)
	h.get("/report.csv?period=2024", token)
	h.do(h.request("POST", "/api/v1/import/units", h.token(dossier.System, "H51"), strings.NewReader("x")))
	h.get("/api/v1/documents/"+d.ID, h.token(dossier.Clerk, "H51.11")) // refused: nothing was seen
	person := h.person(dossier.Clerk, "H51.10")
	h.visit(person, "/documents/"+d.ID)
	h.post(person, "/inbox/replay", map[string][]string{"id": {d.ID}})
	h.post(person, "/logout", nil)

	deeds, err := h.ledger.Deeds(ctx, dossier.DeedQuery{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(deeds)
	var got []string
	for _, e := range deeds {
		got = append(got, string(e.Action))
		if e.By == "" || e.Role == "" || e.Unit == "" || e.From != "127.0.0.1" {
			t.Errorf("incomplete: %+v", e)
		}
		if strings.Contains(e.Object, "012345678901") || strings.Contains(e.Object, "Lan") {
			t.Errorf("personal: %+v", e)
		}
	}
	want := "send replace ask reuse see fetch see list export import sign-in see replay sign-out"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	if n, _, err := h.ledger.CheckAudit(ctx); err != nil || n != int64(len(deeds)) {
		t.Errorf("%d, %v", n, err)
	}

	// An officer finds them; of another unit's there are none.
	officer := h.person(dossier.Officer, "H51")
	r = h.visit(officer, "/audit?object="+d.ID)
	if n := bytes.Count(r.body, []byte("<tr>")) - 1; r.StatusCode != http.StatusOK || n != 5 {
		t.Errorf("%d, %d entries: %s", r.StatusCode, n, r.body)
	}
	// By day, each whole; and out as a file, which is noted as well.
	today, all := dossier.DateOf(time.Now()), len(deeds)+2 // the officer's coming, and the other's below
	other := h.person(dossier.Officer, "H51.11")
	for query, want := range map[string]int{
		"":                                      all,
		"from=" + today.AddDays(1).String():     0,
		"through=" + today.AddDays(-1).String(): 0,
		"from=" + today.String() + "&through=" + today.String():            all,
		"action=see&from=" + today.String() + "&through=" + today.String(): 3,
	} {
		if r = h.visit(officer, "/audit?"+query); r.StatusCode != http.StatusOK || max(0, bytes.Count(r.body, []byte("<tr>"))-1) != want {
			t.Errorf("%q: %d, want %d entries: %s", query, r.StatusCode, want, r.body)
		}
	}
	if r = h.visit(officer, "/audit?from=yesterday"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a wrong day: %d", r.StatusCode)
	}
	for range 1000 { // more than one look at the log
		if err := h.ledger.Audit(ctx, dossier.Deed{By: "token:x", Role: dossier.System, Unit: "H51.10", Action: dossier.ActImport, Object: "=units", From: "127.0.0.1"}); err != nil {
			t.Fatal(err)
		}
	}
	r = h.visit(officer, "/audit.csv")
	lines, err := csv.NewReader(bytes.NewReader(r.body)).ReadAll()
	if err != nil || r.StatusCode != http.StatusOK || len(lines) != all+1000+2 {
		t.Fatalf("%d: %d lines, want %d: %v", r.StatusCode, len(lines), all+1002, err)
	}
	n := all + 1001 // the export itself comes first, and then all there is, none twice
	for _, x := range lines[1:] {
		if x[0] != strconv.Itoa(n) || x[6] == "import" && x[2] == "token:x" && x[7] != "'=units" {
			t.Fatalf("line of entry %d: %q", n, x)
		}
		n--
	}
	if x := lines[1]; x[6] != "export" || x[3] != "officer.h51" {
		t.Errorf("the export is noted as %q", x)
	}
	if r = h.visit(other, "/audit?object="+d.ID); r.StatusCode != http.StatusOK || bytes.Contains(r.body, []byte("127.0.0.1")) {
		t.Errorf("another unit's officer: %d %s", r.StatusCode, r.body)
	}
}

type deaf struct{ web.Auditor }

// What was done to what is said in words, and leads to where it can be seen.
func TestAuditObjects(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	officer := h.person(dossier.Officer, "H51")
	for _, x := range []struct{ act, object, want string }{
		{"list", "4.2 missing", "<td>4.2 Số hóa hồ sơ, kết quả: chưa được tính</td>"}, {"list", "tray", "<td>khay chờ</td>"},
		{"list", "01890a5d-ac96-774b-bcce-b302099a8057", `<td><a href="/closings/01890a5d-ac96-774b-bcce-b302099a8057">Thay đổi sau khi khóa</a></td>`},
		{"export", "audit", "<td>nhật ký truy cập</td>"}, {"import", "units", "<td>danh mục đơn vị</td>"}, {"close", "2024-08", "<td>Tháng 8/2024</td>"},
		{"list", "something new", "<td>something new</td>"},
	} {
		if err := h.ledger.Audit(context.Background(), dossier.Deed{By: "cli", Role: dossier.Officer, Unit: "H51.10", Action: dossier.Action(x.act), Object: x.object}); err != nil {
			t.Fatal(err)
		}
		if r := h.visit(officer, "/audit?object="+url.QueryEscape(x.object)+"&action="+x.act); !strings.Contains(string(r.body), x.want) {
			t.Errorf("%s %q: the page lacks %s: %s", x.act, x.object, x.want, r.body)
		}
	}
}

func (deaf) Audit(context.Context, dossier.Deed) error { return errors.New("the log is full") }

// What cannot be noted is not shown.
func TestAuditFirst(t *testing.T) {
	h := newHouse(t, setup{})
	token := h.token(dossier.Clerk, "H51.10")
	r := h.send(token, code("H51.10", 1), "component", "accept/page.png")
	var d documentBody
	r.json(t, &d)
	o := h.options
	o.Auditor, o.Registry = deaf{o.Auditor}, nil
	h.Config.Handler = web.New(o)
	for _, path := range []string{"/api/v1/documents/" + d.ID, "/api/v1/documents/" + d.ID + "/original", "/documents/" + d.ID, "/documents/" + d.ID + "/pages/1", paths + code("H51.10", 1), "/list?period=2024", "/report.xlsx?period=2024"} {
		wantProblem(t, h.get(path, token), 500, "fault")
	}
}
