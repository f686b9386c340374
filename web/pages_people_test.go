package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sohoa/dossier"
)

// secretOn is what a page shows once.
func secretOn(t *testing.T, r reply) string {
	t.Helper()
	m := regexp.MustCompile(`<p class="secret">([^<]+)</p>`).FindSubmatch(r.body)
	if r.StatusCode != http.StatusOK || m == nil {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	return string(m[1])
}

// acts are the deeds of an account, in their order, with the unit.
func (h *house) acts(by dossier.Action, object string) (out []string) {
	h.t.Helper()
	deeds, err := h.ledger.Deeds(context.Background(), dossier.DeedQuery{Action: by, Object: object})
	if err != nil {
		h.t.Fatal(err)
	}
	for i := len(deeds) - 1; i >= 0; i-- {
		out = append(out, string(deeds[i].Action)+"@"+string(deeds[i].Unit))
	}
	return out
}

// An account's life: made, its password changed, moved, locked out, unlocked,
// given a new password, locked.
func TestPeople(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	admin := h.person(dossier.Admin, "H51.10")
	fresh := url.Values{"login": {"  Hoa.TT "}, "name": {"Trần Thị Hoa"}, "role": {"clerk"}, "unit": {"H51.10.01"}}
	first := secretOn(t, h.post(admin, "/people", fresh))
	a, err := h.ledger.AccountByLogin(context.Background(), "hoa.tt")
	if err != nil || a.Role != dossier.Clerk || a.Unit != "H51.10.01" || !a.MustChange || a.Name != "Trần Thị Hoa" {
		t.Fatal(a, err)
	}
	if r := h.visit(admin, "/people"); !strings.Contains(string(r.body), "hoa.tt") || !strings.Contains(string(r.body), "chờ đổi mật khẩu") || strings.Contains(string(r.body), first) {
		t.Errorf("%s", r.body)
	}
	for name, v := range map[string]url.Values{
		"đã có người dùng":   fresh,
		"không có khoảng":    {"login": {"a b"}, "role": {"clerk"}, "unit": {"H51.10"}},
		"Hãy chọn vai trò":   {"login": {"b"}, "role": {"king"}, "unit": {"H51.10"}},
		"không có đơn vị":    {"login": {"b"}, "role": {"clerk"}, "unit": {"H51.99"}},
		"không dùng được":    {"login": {"b"}, "name": {"\x00"}, "role": {"clerk"}, "unit": {"H51.10"}},
		"mang mã này":        {"login": {"b"}, "role": {"clerk"}, "unit": {"???"}},
		"không quá 200 ký":   {"login": {strings.Repeat("b", 201)}, "role": {"clerk"}, "unit": {"H51.10"}},
		"Tên đăng nhập phải": {"role": {"clerk"}, "unit": {"H51.10"}},
	} {
		if r := h.post(admin, "/people", v); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), name) {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}

	signIn := func(password string) (*http.Client, reply) {
		c := h.browser()
		return c, h.post(c, "/login", url.Values{"login": {"hoa.tt"}, "password": {password}})
	}
	c, r := signIn(first)
	if r.Header.Get("Location") != "/password" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	if r = h.visit(c, "/station"); r.Header.Get("Location") != "/password" {
		t.Errorf("%d", r.StatusCode)
	}
	if r = h.post(c, "/password", url.Values{"old": {first}, "new": {password}, "again": {password}}); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if r = h.visit(c, "/dossiers/"+code("H51.10.01", 1)); r.StatusCode != http.StatusOK {
		t.Fatalf("%d", r.StatusCode)
	}

	// Moved: the session goes on, with what is now hers.
	at := "/people/" + a.ID
	if r = h.post(admin, at, url.Values{"name": {"Hoa"}, "role": {"manager"}, "unit": {"H51.10.02"}}); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if r = h.visit(c, "/dossiers/"+code("H51.10.01", 1)); r.StatusCode != http.StatusForbidden {
		t.Errorf("moved away: %d", r.StatusCode)
	}
	if r = h.post(admin, at, url.Values{"role": {"manager"}, "unit": {"H51.99"}}); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nowhere: %d", r.StatusCode)
	}
	if r = h.post(admin, at, url.Values{"role": {"admin"}, "unit": {"H51"}}); r.StatusCode != http.StatusForbidden {
		t.Errorf("above the administrator: %d", r.StatusCode)
	}

	// Locked out by wrong passwords, opened by the administrator.
	for range 5 {
		signIn("sai hoàn toàn")
	}
	if _, r = signIn(password); r.StatusCode != http.StatusUnauthorized {
		t.Fatalf("%d", r.StatusCode)
	}
	if r = h.visit(admin, at); !strings.Contains(string(r.body), "tạm khóa đến") {
		t.Errorf("%s", r.body)
	}
	h.post(admin, at+"/unlock", nil)
	if c, r = signIn(password); r.StatusCode != http.StatusSeeOther {
		t.Errorf("unlocked: %d", r.StatusCode)
	}

	// A new temporary password ends her sessions, and has to be changed.
	second := secretOn(t, h.post(admin, at+"/password", nil))
	if r = h.visit(c, "/list?period=2024"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the old session: %d", r.StatusCode)
	}
	if _, r = signIn(password); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old password: %d", r.StatusCode)
	}
	if c, r = signIn(second); r.Header.Get("Location") != "/password" || second == first {
		t.Errorf("%v", r.Header)
	}
	h.post(admin, at+"/lock", nil)
	if r = h.visit(c, "/password"); r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), "/login") {
		t.Errorf("locked, the session: %d", r.StatusCode)
	}
	if _, r = signIn(second); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("locked: %d", r.StatusCode)
	}

	// Nobody does it to oneself.
	me, err := h.ledger.AccountByLogin(context.Background(), "admin.h51.10")
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"", "/lock", "/unlock", "/password"} {
		if r = h.post(admin, "/people/"+me.ID+what, url.Values{"role": {"admin"}, "unit": {"H51.10"}}); r.StatusCode != http.StatusConflict {
			t.Errorf("oneself %s: %d", what, r.StatusCode)
		}
	}
	if r = h.visit(admin, "/people/nobody"); r.StatusCode != http.StatusNotFound {
		t.Errorf("nobody: %d", r.StatusCode)
	}
	// An account of the single sign-on is changed there, and locked here.
	sso, err := h.ledger.SignOn(context.Background(), dossier.Account{Subject: "x", Login: "sso", Role: dossier.Clerk, Unit: "H51.10"})
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]int{"": 409, "/password": 409, "/lock": 303} {
		if r = h.post(admin, "/people/"+sso.ID+what, url.Values{"role": {"admin"}, "unit": {"H51.10"}}); r.StatusCode != want {
			t.Errorf("of the single sign-on %s: %d", what, r.StatusCode)
		}
	}

	want := "account-make@H51.10.01 grant-clerk@H51.10.01 account-change@H51.10.02 grant-manager@H51.10.02 account-unlock@H51.10.02 account-password@H51.10.02 account-lock@H51.10.02"
	if got := strings.Join(h.acts("", a.ID), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if strings.Contains(h.log.String(), "hoa") || strings.Contains(h.log.String(), "Hoa") || strings.Contains(h.log.String(), first) {
		t.Error("the log names her")
	}
}

// A page is a hundred; a thousand accounts weigh no more.
func TestPeopleByThePage(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	for i := range 250 {
		if _, err := h.ledger.CreateAccount(context.Background(), dossier.Account{Login: fmt.Sprintf("can.bo.%03d", i), Name: "Nguyễn Thị Lan", Role: dossier.Clerk, Unit: "H51.11"}); err != nil {
			t.Fatal(err)
		}
	}
	admin := h.person(dossier.Admin, "H51")
	seen := map[string]bool{}
	for path, pages := "/people?unit=H51.11", 0; path != ""; pages++ {
		r := h.visit(admin, path)
		if pages > 2 || len(r.body) > 100<<10 {
			t.Fatalf("page %d of %d bytes", pages, len(r.body))
		}
		for _, m := range regexp.MustCompile(`can\.bo\.\d+`).FindAllString(string(r.body), -1) {
			seen[m] = true
		}
		path = ""
		if m := regexp.MustCompile(`href="([^"]+)">Trang sau`).FindSubmatch(r.body); m != nil {
			path = strings.ReplaceAll(string(m[1]), "&amp;", "&")
		}
	}
	if len(seen) != 250 {
		t.Errorf("%d seen", len(seen))
	}
	for _, bad := range []string{"page=0", "page=x", "unit=%3F"} {
		if r := h.visit(admin, "/people?"+bad); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, r.StatusCode)
		}
	}
}

// A token's life: made, shown once, used within its scope, revoked.
func TestTokensPage(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	admin := h.person(dossier.Admin, "H51.10")
	v := url.Values{"name": {"phần mềm Một cửa"}, "role": {"manager"}, "unit": {"H51.10.01"}, "days": {"90"}}
	secret := secretOn(t, h.post(admin, "/tokens", v))
	if r := h.get("/api/v1/report?unit=H51.10.01&period=2024", secret); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	wantProblem(t, h.get("/api/v1/report?unit=H51.10&period=2024", secret), 403, "out-of-scope")
	r := h.visit(admin, "/tokens")
	m := regexp.MustCompile(`/tokens/([0-9a-f-]+)/revoke`).FindSubmatch(r.body)
	if m == nil || strings.Contains(string(r.body), secret) || !strings.Contains(string(r.body), "phần mềm Một cửa") {
		t.Fatalf("%s", r.body)
	}
	id := string(m[1])
	tk, err := h.ledger.TokenByID(context.Background(), id)
	if err != nil || tk.Expires.Sub(tk.CreatedAt).Round(1e9).Hours() != 90*24 {
		t.Errorf("%+v, %v", tk, err)
	}
	if r := h.post(admin, "/tokens/"+id+"/revoke", nil); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d", r.StatusCode)
	}
	wantProblem(t, h.get("/api/v1/report?unit=H51.10.01&period=2024", secret), 401, "signed-out")
	if r := h.visit(admin, "/tokens"); !strings.Contains(string(r.body), "đã thu hồi") {
		t.Errorf("%s", r.body)
	}
	if r := h.post(admin, "/tokens/nobody/revoke", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("%d", r.StatusCode)
	}
	for name, change := range map[string]func(url.Values){
		"no name": func(v url.Values) { v.Set("name", " ") }, "no role": func(v url.Values) { v.Del("role") }, "no unit": func(v url.Values) { v.Set("unit", "H51.10.99") },
	} {
		bad := url.Values{"name": {"x"}, "role": {"clerk"}, "unit": {"H51.10"}, "days": {"30"}}
		if change(bad); h.post(admin, "/tokens", bad).StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s passes", name)
		}
	}
	if r := h.post(admin, "/tokens", url.Values{"name": {"x"}, "role": {"clerk"}, "unit": {"H51.10"}, "days": {"100000"}}); r.StatusCode != http.StatusBadRequest {
		t.Errorf("for ever: %d", r.StatusCode)
	}
	if got := strings.Join(h.acts("", id), " "); got != "token-make@H51.10.01 grant-manager@H51.10.01 token-revoke@H51.10.01" {
		t.Error(got)
	}
}

func TestBrowserPeople(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	h.fill(20)
	h.account("quan.tri", dossier.Admin, "H51", false)
	for i, p := range []struct {
		login, name string
		role        dossier.Role
		unit        dossier.UnitCode
		must        bool
	}{
		{"hoa.tt", "Trần Thị Hoa", dossier.Clerk, "H51.10", false}, {"minh.lv", "Lê Văn Minh", dossier.Operator, "H51.10", false},
		{"nam.pq", "Phạm Quốc Nam", dossier.Manager, "H51", false}, {"thu.nt", "Nguyễn Thị Thu", dossier.Officer, "H51", true},
	} {
		if _, err := h.ledger.CreateAccount(context.Background(), dossier.Account{Login: p.login, Name: p.name, Role: p.role, Unit: p.unit, MustChange: p.must, Disabled: i == 1, Hash: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	b := newBrowser(t, h)
	b.signIn("quan.tri")
	b.open("/people")
	b.picture("people")
	b.run(chromedp.SendKeys("form[method=post] input[name=login]", "vy.hm"), chromedp.SendKeys("form[method=post] input[name=name]", "Huỳnh Mỹ Vy"),
		chromedp.SendKeys("form[method=post] input[name=unit]", "H51.11.01"), chromedp.Click("form[method=post] button.main"))
	b.has("Đã tạo tài khoản vy.hm")
	b.picture("people-made")
	b.run(chromedp.Click("main a"))
	b.has("Khóa tài khoản")
	b.picture("account")
	b.open("/tokens")
	b.run(chromedp.SendKeys("form[method=post] input[name=name]", "Phần mềm Một cửa huyện Trần Đề"), chromedp.SendKeys("form[method=post] input[name=unit]", "H51.10"),
		chromedp.Click("form[method=post] button.main"))
	b.has("chỉ hiện một lần")
	b.open("/tokens")
	b.has("còn hiệu lực")
	b.picture("tokens")
}
