package web_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

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

// A hold keeps a document from every deletion until it is lifted; another opinion on
// the signatures, and a revocation, change the figures. The page offers what makes
// sense, says what was done, and asks for number and reason each time.
func TestOrders(t *testing.T) {
	h := newHouse(t, setup{})
	r := h.send(h.token(dossier.Clerk, "H51.10"), code("H51.10", 1), "result", "accept/signed-rsa-pades.pdf")
	var d documentBody
	r.json(t, &d)
	person := h.person(dossier.Officer, "H51")
	do := func(name, number, reason string, want int) {
		t.Helper()
		if r := h.post(person, "/documents/"+d.ID+"/"+name, url.Values{"order": {number}, "reason": {reason}}); r.StatusCode != want {
			t.Fatalf("%s: %d, want %d: %s", name, r.StatusCode, want, r.body)
		}
	}
	see := func(offered ...string) string {
		t.Helper()
		r := h.visit(person, "/documents/"+d.ID)
		for _, x := range []string{"delete", "revoke", "refile", "trust", "doubt", "hold", "lift"} {
			if got := strings.Contains(string(r.body), `action="/documents/`+d.ID+"/"+x+`"`); got != slices.Contains(offered, x) {
				t.Errorf("%s is offered: %v, want %v", x, got, offered)
			}
		}
		return string(r.body)
	}
	results := func(all, legal int) {
		t.Helper()
		if x, _, err := h.ledger.Dossier(context.Background(), dossier.Code(code("H51.10", 1))); err != nil || x.Results != all || x.LegalResults != legal {
			t.Errorf("%d results, %d of legal value, want %d and %d: %v", x.Results, x.LegalResults, all, legal, err)
		}
	}
	first, other, now, then := "trust", "doubt", 0, 1
	if x, _, err := h.ledger.Dossier(context.Background(), dossier.Code(code("H51.10", 1))); err != nil {
		t.Fatal(err)
	} else if x.LegalResults == 1 {
		first, other, now, then = other, first, then, now
	}
	results(1, now)
	see("delete", "revoke", "refile", first, "hold")
	do(first, "", "x", http.StatusUnprocessableEntity)
	do(first, "7/KL", " ", http.StatusUnprocessableEntity)
	results(1, now)
	do(first, "7/KL-STP", "kiểm tra lại chứng thư", http.StatusSeeOther)
	results(1, then)
	if page := see("delete", "revoke", "refile", other, "hold"); strings.Contains(page, "có giá trị pháp lý</span>") != (then == 1) || !strings.Contains(page, "7/KL-STP") {
		t.Error(page)
	}

	do("hold", "8/TA", "vụ án đang xét", http.StatusSeeOther)
	if page := see("revoke", "refile", other, "lift"); !strings.Contains(page, "Đang phong tỏa") || !strings.Contains(page, "vụ án đang xét") {
		t.Error(page)
	}
	do("delete", "9/QĐ", "hết hạn", http.StatusConflict)
	results(1, then)
	do("lift", "10/TA", "án đã có hiệu lực", http.StatusSeeOther)
	do("revoke", "11/QĐ", "cấp sai thẩm quyền", http.StatusSeeOther)
	results(0, 0)
	if page := see("delete", other, "hold"); !strings.Contains(page, "đã thu hồi") {
		t.Error(page)
	}
	do("delete", "12/QĐ", "hết hạn", http.StatusSeeOther)
	see()
	for act, n := range map[dossier.Action]int{dossier.ActReverdict: 1, dossier.ActHold: 2, dossier.ActRevoke: 1, dossier.ActDelete: 2} {
		if got := h.acts(act, d.ID); len(got) != n {
			t.Errorf("%s: %v", act, got)
		}
	}
	if page := string(h.visit(h.person(dossier.Manager, "H51"), "/documents/"+d.ID).body); strings.Contains(page, "Số quyết định") {
		t.Error("a manager is offered orders")
	}
	r = h.post(person, "/documents/"+d.ID+"/hold", url.Values{"order": {"1"}, "reason": {"x"}}, "Sec-Fetch-Site", "cross-site")
	if r.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", r.StatusCode)
	}
}

// A paper filed in the wrong dossier counts in the right one and no more in the
// wrong one; either page leads to the other. Both dossiers have to be the officer's.
func TestRefile(t *testing.T) {
	h := newHouse(t, setup{})
	wrong, right := code("H51.10", 1), code("H51.10.01", 2)
	var d, there documentBody
	h.send(h.token(dossier.Clerk, "H51.10"), wrong, "component", "accept/page.png").json(t, &d)
	officer := h.token(dossier.Officer, "H51.10")
	ask := func(token, to, order string) reply {
		return h.do(h.request("POST", "/api/v1/documents/"+d.ID+"/refile", token, strings.NewReader(`{"dossier":"`+to+`","order":"`+order+`","reason":"nhầm hồ sơ"}`), "Content-Type", "application/json"))
	}
	wantProblem(t, ask(officer, right, " "), 422, "bad-order")
	wantProblem(t, ask(officer, "nowhere", "1/BB"), 422, string(dossier.WrongDossier))
	wantProblem(t, ask(officer, code("H99", 1), "1/BB"), 404, "unknown-unit")
	wantProblem(t, ask(officer, wrong, "1/BB"), 400, "bad-value")
	wantProblem(t, ask(officer, code("H51.11", 1), "1/BB"), 403, "out-of-scope")
	wantProblem(t, ask(h.token(dossier.Officer, "H51.10.01"), right, "1/BB"), 403, "out-of-scope")
	components := func(of string, want int) {
		t.Helper()
		if x, _, err := h.ledger.Dossier(context.Background(), dossier.Code(of)); err != nil || x.Components != want {
			t.Errorf("%s has %d components, want %d: %v", of, x.Components, want, err)
		}
	}
	components(wrong, 1)
	components(right, 0)

	person := h.person(dossier.Officer, "H51.10")
	to := url.Values{"dossier": {right}, "order": {"1/BB"}, "reason": {"nhầm hồ sơ"}}
	r := h.post(person, "/documents/"+d.ID+"/refile", to)
	there.ID = strings.TrimPrefix(r.Header.Get("Location"), "/documents/")
	if r.StatusCode != http.StatusSeeOther || there.ID == d.ID {
		t.Fatalf("%d %s %s", r.StatusCode, r.Header.Get("Location"), r.body)
	}
	components(wrong, 0)
	components(right, 1)
	page := string(h.visit(person, "/documents/"+d.ID).body)
	for _, want := range []string{"đã thu hồi", "nhầm hồ sơ", `href="/documents/` + there.ID + `">Xem giấy tờ kia`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %s", want, page)
		}
	}
	if strings.Contains(page, "/refile") {
		t.Error("offered again")
	}
	if page := string(h.visit(person, "/documents/"+there.ID).body); !strings.Contains(page, right) || !strings.Contains(page, "Trạm số hóa") {
		t.Error(page)
	}
	// Again, it is where it is.
	var again documentBody
	if r := ask(officer, right, "1/BB"); r.StatusCode != http.StatusOK {
		t.Errorf("again: %d %s", r.StatusCode, r.body)
	} else if r.json(t, &again); again.ID != there.ID {
		t.Errorf("again it is %s, not %s", again.ID, there.ID)
	}
	components(right, 1)
	if got := h.acts(dossier.ActRefile, d.ID); len(got) != 3 { // the dossier where it lay already was an order, too
		t.Errorf("in the log: %v", got)
	}
}

// What the page says of a rejected scan whose days are over: no address that
// leads nowhere.
func TestSweptDocument(t *testing.T) {
	h := newHouse(t, setup{})
	r := h.send(h.token(dossier.Clerk, "H51.10"), code("H51.10", 1), "component", "reject/low-resolution/100-dpi.pdf")
	var p problemBody
	r.json(t, &p)
	if r.StatusCode != http.StatusUnprocessableEntity || p.Document == "" {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	person, original := h.person(dossier.Officer, "H51"), "/documents/"+p.Document+"/original"
	if page := string(h.visit(person, "/documents/"+p.Document).body); !strings.Contains(page, original) {
		t.Error("before: ", page)
	}
	if err := h.ledger.Swept(context.Background(), p.Document); err != nil {
		t.Fatal(err)
	}
	if page := string(h.visit(person, "/documents/"+p.Document).body); strings.Contains(page, original) || !strings.Contains(page, "đã hết thời hạn giữ") {
		t.Error("after: ", page)
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

// What changed since a period was closed: by figure, by unit, with its list.
func TestRestatement(t *testing.T) {
	h := newHouse(t, setup{})
	c, err := closer{h}.ClosePeriod(context.Background(), "2024-08", "H51.10", "cli")
	if err != nil {
		t.Fatal(err)
	}
	manager := h.person(dossier.Manager, "H51.10")
	page := func() string {
		t.Helper()
		r := h.visit(manager, "/closings/"+c.ID)
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return strings.ReplaceAll(string(r.body), "&amp;", "&")
	}
	if !strings.Contains(page(), "Mọi số liệu vẫn như đã báo cáo") {
		t.Error(page())
	}
	// A result, and what it asks for, in a commune: 4.2 of three rises to one.
	h.send(h.token(dossier.Clerk, "H51.10.01"), code("H51.10.01", 2), "component", "accept/page.png")
	got := page()
	for _, want := range []string{`<strong>4.2 Số hóa hồ sơ, kết quả</strong></td><td class="n">0</td><td class="n">0,00</td><td class="n">1</td><td class="n">11,11</td>`,
		`<tr><td>Xã Đại Ân 2</td><td class="n">0</td><td class="n">0,00</td><td class="n"><a href="/list?formula=766-2022&indicator=4.2&own=true&period=2024-08&side=all&unit=H51.10.01">1</a></td><td class="n">33,33</td>`} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %s: %s", want, got)
		}
	}
	if strings.Contains(got, "<td>Huyện Trần Đề</td>") || strings.Contains(got, "Xã Liêu Tú") {
		t.Error("a unit that did not change is there")
	}
	// What the command prints: the plan's figures as well, and each dossier by name.
	if _, err := h.ledger.ImportResults(context.Background(), []dossier.Result{{Number: "12/GP-UBND", Unit: "H51.10", AuthorityLevel: dossier.District, IssuedOn: 20240802}}); err != nil {
		t.Fatal(err)
	}
	got = page()
	for _, want := range []string{`<a href="/closings/` + c.ID + `?series=plan.district">Kết quả còn hiệu lực, cấp huyện</a></td><td class="n">0</td><td class="n">—</td><td class="n">0</td><td class="n">0,00</td>`,
		`href="/closings/` + c.ID + `?dossiers=true"`} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %s: %s", want, got)
		}
	}
	if strings.Contains(got, code("H51.10.01", 2)) {
		t.Error("dossiers are named though nobody asked")
	}
	r := h.visit(manager, "/closings/"+c.ID+"?series=plan.district&dossiers=true")
	for _, want := range []string{`<tr><td>Huyện Trần Đề</td><td class="n">0</td><td class="n">—</td><td class="n">0</td><td class="n">0,00</td></tr>`, "Hồ sơ thay đổi: 1<",
		`<a href="/dossiers/` + code("H51.10.01", 2) + `">` + code("H51.10.01", 2) + `</a></td><td>`, "nay được tính ở 4.2 Số hóa hồ sơ, kết quả; "} {
		if !strings.Contains(string(r.body), want) {
			t.Errorf("the page lacks %s: %s", want, r.body)
		}
	}
	if got := h.acts(dossier.ActList, c.ID); len(got) != 1 {
		t.Errorf("in the log: %v", got)
	}
	if r := h.visit(manager, "/closings/none"); r.StatusCode != http.StatusNotFound {
		t.Errorf("no such closing: %d", r.StatusCode)
	}
	if r := h.visit(manager, "/list?formula=766-2022&indicator=4.2&own=true&period=2024-08&side=all&unit=H51.10.01"); r.StatusCode != http.StatusOK || !strings.Contains(string(r.body), code("H51.10.01", 2)) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	every, err := closer{h}.ClosePeriod(context.Background(), "2024-07", "", "cli")
	if err != nil {
		t.Fatal(err)
	}
	if r := h.visit(manager, "/closings/"+every.ID); r.StatusCode != http.StatusForbidden {
		t.Errorf("every unit's, as a district: %d", r.StatusCode)
	}
	if r := h.visit(h.person(dossier.Manager, "H51"), "/closings/"+every.ID); r.StatusCode != http.StatusOK {
		t.Errorf("every unit's, as the province: %d", r.StatusCode)
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
	b.tab("#order-hold > summary") // by keyboard alone
	b.run(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("8/TA"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("Vụ án đang xét"))
	b.until(`[...document.images].every(i => i.complete)`)
	b.picture("order")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.has("Đang phong tỏa")
	b.run(chromedp.Click("#order-lift > summary"), chromedp.SendKeys("#order-lift input[name=order]", "9/TA"), chromedp.SendKeys("#order-lift input[name=reason]", "Án đã có hiệu lực"), chromedp.Click("#order-lift button"))
	b.until(`document.querySelector("#order-delete")`)
	b.run(chromedp.Click("#order-delete > summary"), chromedp.SendKeys("#order-delete input[name=order]", "12/QĐ-UBND"), chromedp.SendKeys("#order-delete input[name=reason]", "Quét nhầm hồ sơ"))
	b.picture("delete")
	b.run(chromedp.Click("#order-delete button"))
	b.has("đã xóa theo quyết định")
	b.picture("deleted")
	b.open("/closings")
	b.run(chromedp.Click("form.pick button"))
	b.until(`document.querySelector("table.data td.digest")`)
	b.picture("closings")
	h.send(h.token(dossier.Clerk, "H51.10.01"), code("H51.10.01", 2), "component", "accept/page.png")
	b.run(chromedp.Click(`table.data a[href^="/closings/"]`))
	b.has("Đã báo cáo")
	b.run(chromedp.Click(`a.button[href$="dossiers=true"]`))
	b.has("nay được tính ở")
	b.picture("restatement")
	b.open("/audit")
	b.picture("audit")
	// One line at 1,200 px: nothing to press is pushed under the fields.
	b.until(`document.querySelector("form.pick button").getBoundingClientRect().bottom === document.querySelector("form.pick input").getBoundingClientRect().bottom`)
	b.has("Thay đổi sau khi khóa")
	b.has("Năm 2024")
}
