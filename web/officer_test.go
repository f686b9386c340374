package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sohoa/dossier"
)

// By order only, with a number and a reason, by an officer; the figures follow,
// what is left says so, and the log has it.
func TestDeleteByOrder(t *testing.T) {
	h := newHouse(t, setup{})
	r := h.send(h.token(dossier.Clerk, "H51.10"), code("H51.10", 1), "component", "accept/page.png", "Sohoa-Name", "Lan")
	var d documentBody
	r.json(t, &d)
	officer, path := h.token(dossier.Officer, "H51.10"), "/api/v1/documents/"+d.ID+"/deletion"
	ask := func(token, body string) reply {
		return h.do(h.request("POST", path, token, strings.NewReader(body), "Content-Type", "application/json"))
	}
	wantProblem(t, ask(officer, `{"order":" ","reason":"trùng"}`), 422, "bad-order")
	wantProblem(t, ask(officer, `{"order":"1/QĐ","reason":"`+strings.Repeat("x", 501)+`"}`), 422, "bad-order")
	for _, role := range []dossier.Role{dossier.Clerk, dossier.Operator, dossier.Manager, dossier.Admin} {
		wantProblem(t, ask(h.token(role, "H51.10"), `{"order":"1/QĐ","reason":"trùng"}`), 403, "not-allowed")
	}
	wantProblem(t, ask(h.token(dossier.Officer, "H51.11"), `{"order":"1/QĐ","reason":"trùng"}`), 403, "out-of-scope")
	if before, _, err := h.ledger.Dossier(context.Background(), dossier.Code(code("H51.10", 1))); err != nil || before.Components != 1 {
		t.Fatal(before, err)
	}

	person := h.person(dossier.Officer, "H51")
	if r := h.visit(person, "/documents/"+d.ID); !strings.Contains(string(r.body), "Xóa theo quyết định") {
		t.Errorf("%s", r.body)
	}
	if r := h.visit(h.person(dossier.Manager, "H51"), "/documents/"+d.ID); strings.Contains(string(r.body), "Xóa theo quyết định") {
		t.Error("a manager is offered it")
	}
	if r := h.post(person, "/documents/"+d.ID+"/delete", url.Values{"order": {""}, "reason": {"x"}}); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a number: %d", r.StatusCode)
	}
	v := url.Values{"order": {"12/QĐ-UBND"}, "reason": {"quét nhầm hồ sơ"}}
	for range 2 { // again, nothing more happens
		if r := h.post(person, "/documents/"+d.ID+"/delete", v); r.StatusCode != http.StatusSeeOther {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	after, _, err := h.ledger.Dossier(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || after.Components != 0 {
		t.Errorf("%+v, %v", after, err)
	}
	wantProblem(t, h.get("/api/v1/documents/"+d.ID+"/original", h.token(dossier.Officer, "H51")), 410, "deleted")
	r = h.visit(person, "/documents/"+d.ID)
	for _, want := range []string{"đã xóa theo quyết định", "12/QĐ-UBND", "quét nhầm hồ sơ"} {
		if !strings.Contains(string(r.body), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(r.body), `action="/documents/`) {
		t.Error("offered again")
	}
	if r := h.visit(person, "/dossiers/"+code("H51.10", 1)); !strings.Contains(string(r.body), "đã xóa theo quyết định") {
		t.Errorf("the dossier: %s", r.body)
	}
	if got := h.acts(dossier.ActDelete, d.ID); len(got) != 2 || got[0] != "delete@H51.10" {
		t.Error(got)
	}
}

// A document without a verdict is not deleted.
func TestDeleteUndecided(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	r := h.do(h.request("PUT", paths+code("H51.10", 1)+"/documents?kind=component", h.token(dossier.Clerk, "H51.10"), strings.NewReader(string(scan(t, "accept/page.png")))))
	var d documentBody
	r.json(t, &d)
	wantProblem(t, h.do(h.request("POST", "/api/v1/documents/"+d.ID+"/deletion", h.token(dossier.Officer, "H51.10"),
		strings.NewReader(`{"order":"1/QĐ","reason":"trùng"}`), "Content-Type", "application/json")), 409, "undecided")
}

func TestClosePeriod(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	officer := h.person(dossier.Officer, "H51.10")
	closing := func(c *http.Client, period, unit string) int {
		return h.post(c, "/closings", url.Values{"period": {period}, "unit": {unit}}).StatusCode
	}
	for name, c := range map[string]struct {
		period, unit string
		want         int
	}{
		"good": {"2024-08", "H51.10", 303}, "below": {"2024-Q2", "H51.10.01", 303}, "above": {"2024-08", "H51", 403}, "not over": {"2999", "H51.10", 422},
		"nowhere": {"2024-08", "H51.99", 404}, "nonsense": {"summer", "H51.10", 400}, "no code": {"2024-08", "?", 400},
	} {
		if got := closing(officer, c.period, c.unit); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	r := h.visit(officer, "/closings")
	for _, want := range []string{"Huyện Trần Đề", "Xã Đại Ân 2", "tháng 8/2024", "Khóa một kỳ"} {
		if !strings.Contains(strings.ToLower(string(r.body)), strings.ToLower(want)) {
			t.Errorf("the page lacks %q: %s", want, r.body)
		}
	}
	manager := h.person(dossier.Manager, "H51.10.01")
	if r := h.visit(manager, "/closings"); strings.Contains(string(r.body), "Huyện Trần Đề") || !strings.Contains(string(r.body), "Xã Đại Ân 2") || strings.Contains(string(r.body), "Khóa một kỳ") {
		t.Errorf("a manager below: %s", r.body)
	}
	if got := closing(manager, "2024-08", "H51.10.01"); got != http.StatusForbidden {
		t.Errorf("a manager: %d", got)
	}
	if got := h.acts(dossier.ActClose, ""); len(got) != 2 {
		t.Error(got)
	}
	// What was closed for every unit as one, by the command line.
	if _, err := (closer{h}).ClosePeriod(context.Background(), "2024-07", "", "cli"); err != nil {
		t.Fatal(err)
	}
	if r := h.visit(officer, "/closings"); strings.Contains(string(r.body), "mọi đơn vị") {
		t.Error("a district sees the province's")
	}
	if r := h.visit(h.person(dossier.Manager, "H51"), "/closings"); !strings.Contains(string(r.body), "mọi đơn vị") {
		t.Errorf("%s", r.body)
	}
}

func TestBrowserOfficer(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("luu.tru", dossier.Officer, "H51", false)
	r := h.send(h.token(dossier.Clerk, "H51.10"), code("H51.10", 1), "component", "accept/page.png", "Sohoa-Name", "Gi%E1%BA%A5y%20khai%20sinh")
	var d documentBody
	r.json(t, &d)
	b := newBrowser(t, h)
	b.signIn("luu.tru")
	b.open("/documents/" + d.ID)
	b.run(chromedp.Click("details summary"), chromedp.SendKeys("input[name=order]", "12/QĐ-UBND"), chromedp.SendKeys("input[name=reason]", "Quét nhầm hồ sơ"))
	b.picture("delete")
	b.run(chromedp.Click("details form button"))
	b.has("đã xóa theo quyết định")
	b.picture("deleted")
	b.open("/closings")
	b.run(chromedp.Click("form.pick button"))
	b.until(`document.querySelector("table.data td.digest")`)
	b.picture("closings")
}
