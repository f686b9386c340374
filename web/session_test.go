package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/web"
)

// visitor is a browser with an account, and a clock that the test turns.
func visitor(t *testing.T, must bool) (*house, *http.Client, *atomic.Int64) {
	var ahead atomic.Int64
	h := newHouse(t, setup{idle: true, options: func(o *web.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}})
	h.account("lan", dossier.Clerk, "H51.10", must)
	return h, h.browser(), &ahead
}

func (h *house) post(c *http.Client, path string, v url.Values, header ...string) reply {
	h.t.Helper()
	return h.doWith(c, h.request("POST", path, "", strings.NewReader(v.Encode()),
		append([]string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"}, header...)...))
}

func (h *house) visit(c *http.Client, path string) reply {
	h.t.Helper()
	return h.doWith(c, h.request("GET", path, "", nil, "Accept", "text/html"))
}

func signInForm(password string) url.Values {
	return url.Values{"login": {" LAN "}, "password": {password}}
}

func TestSignInAndOut(t *testing.T) {
	h, c, _ := visitor(t, false)
	if r := h.visit(c, "/dossiers/"+code("H51.10", 1)); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/login?next="+url.QueryEscape("/dossiers/"+code("H51.10", 1)) {
		t.Fatalf("signed out: %d %v", r.StatusCode, r.Header)
	}
	r := h.post(c, "/login", url.Values{"login": {"lan"}, "password": {password}, "next": {"/dossiers/" + code("H51.10", 1)}})
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/dossiers/"+code("H51.10", 1) {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	cookie := r.Header.Get("Set-Cookie")
	for _, want := range []string{"sohoa=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	if r = h.visit(c, "/station"); r.StatusCode != http.StatusOK || !strings.Contains(string(r.body), "Lan") {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for k, want := range map[string]string{"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if r.Header.Get(k) != want {
			t.Errorf("%s: %q", k, r.Header.Get(k))
		}
	}
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	u, _ := url.Parse(h.URL)
	old := c.Jar.Cookies(u)
	if r = h.post(c, "/logout", nil); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d", r.StatusCode)
	}
	// The old cookie is worth nothing any more.
	c.Jar.SetCookies(u, old)
	if r = h.visit(c, "/station"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out: %d", r.StatusCode)
	}
}

// Nobody is sent to another site by the way back after signing in.
func TestWayBack(t *testing.T) {
	h, _, _ := visitor(t, false)
	for next, want := range map[string]string{
		"/list?unit=H51.10":    "/list?unit=H51.10",
		"https://evil.example": "/station", "//evil.example": "/station", `/\evil.example`: "/station", "javascript:alert(1)": "/station", "": "/station",
	} {
		r := h.post(h.browser(), "/login", url.Values{"login": {"lan"}, "password": {password}, "next": {next}})
		if got := r.Header.Get("Location"); got != want {
			t.Errorf("next %q: %q", next, got)
		}
	}
}

// Five wrong passwords lock the account, for the right one too, and the answer
// is the same as for a login that nobody has.
func TestLockOut(t *testing.T) {
	h, c, _ := visitor(t, false)
	first := h.post(c, "/login", url.Values{"login": {"nobody"}, "password": {"sai hoàn toàn"}})
	for range 5 {
		if r := h.post(c, "/login", signInForm("sai hoàn toàn")); r.StatusCode != http.StatusUnauthorized || string(r.body) != string(first.body) {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	if r := h.post(c, "/login", signInForm(password)); r.StatusCode != http.StatusUnauthorized || string(r.body) != string(first.body) {
		t.Fatalf("locked: %d", r.StatusCode)
	}
	a, err := h.ledger.AccountByLogin(context.Background(), "lan")
	if err != nil || a.LockedUntil.Before(time.Now().Add(14*time.Minute)) {
		t.Errorf("locked until %v, %v", a.LockedUntil, err)
	}
	if strings.Contains(h.log.String(), "lan") && strings.Contains(h.log.String(), `"lan"`) {
		t.Error("the log names the login")
	}
}

// Many attempts from one address are told to wait.
func TestAttemptsByAddress(t *testing.T) {
	h, c, ahead := visitor(t, false)
	busy := false
	for range 40 {
		r := h.post(c, "/login", url.Values{"login": {"nobody"}, "password": {"x"}})
		if r.StatusCode == http.StatusTooManyRequests {
			if busy = true; r.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	}
	if !busy {
		t.Fatal("never told to wait")
	}
	ahead.Store(int64(time.Minute))
	if r := h.post(c, "/login", signInForm(password)); r.StatusCode != http.StatusSeeOther {
		t.Errorf("a minute later: %d", r.StatusCode)
	}
}

// Who was given a password can do nothing but change it.
func TestForcedChange(t *testing.T) {
	h, c, _ := visitor(t, true)
	if r := h.post(c, "/login", signInForm(password)); r.Header.Get("Location") != "/password" {
		t.Fatalf("%v", r.Header)
	}
	if r := h.visit(c, "/station"); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/password" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	wantProblem(t, h.doWith(c, h.request("GET", "/api/v1/units", "", nil)), 403, "password-change")
	other := h.browser()
	h.post(other, "/login", signInForm(password))
	change := func(old, fresh, again string) reply {
		return h.post(c, "/password", url.Values{"old": {old}, "new": {fresh}, "again": {again}})
	}
	for name, r := range map[string]reply{
		"wrong": change("sai hoàn toàn", "mật khẩu mới hẳn", "mật khẩu mới hẳn"), "differs": change(password, "mật khẩu mới hẳn", "mật khẩu mới hơn"),
		"short": change(password, "ngắn", "ngắn"), "same": change(password, password, password),
	} {
		if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), "note bad") {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if r := change(password, "mật khẩu mới hẳn", "mật khẩu mới hẳn"); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if r := h.visit(c, "/station"); r.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
	// The sessions of the old password have ended with it.
	if r := h.visit(other, "/station"); r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), "/login") {
		t.Errorf("another session: %d %v", r.StatusCode, r.Header)
	}
	if r := h.post(h.browser(), "/login", signInForm("mật khẩu mới hẳn")); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the new password: %d", r.StatusCode)
	}
}

// A session ends when nobody uses it, and when its account is closed.
func TestSessionEnds(t *testing.T) {
	h, c, ahead := visitor(t, false)
	h.post(c, "/login", signInForm(password))
	for range 3 { // used, it lives on
		ahead.Add(int64(90 * time.Minute))
		if r := h.visit(c, "/station"); r.StatusCode != http.StatusOK {
			t.Fatalf("used: %d", r.StatusCode)
		}
	}
	ahead.Add(int64(2*time.Hour + time.Minute))
	if r := h.visit(c, "/station"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("unused: %d", r.StatusCode)
	}
	ahead.Store(0)
	h.post(c, "/login", signInForm(password))
	a, err := h.ledger.AccountByLogin(context.Background(), "lan")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.ledger.SetAccountDisabled(context.Background(), a.ID, true); err != nil {
		t.Fatal(err)
	}
	if r := h.visit(c, "/station"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("closed: %d", r.StatusCode)
	}
	if r := h.post(h.browser(), "/login", signInForm(password)); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("signing in to a closed account: %d", r.StatusCode)
	}
}

// What another site makes a browser send is refused.
func TestCrossOrigin(t *testing.T) {
	h, c, _ := visitor(t, false)
	h.post(c, "/login", signInForm(password))
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		req := h.request("PUT", paths+code("H51.10", 1)+"/documents?kind=component", "", strings.NewReader("x"), header...)
		wantProblem(t, h.doWith(c, req), 403, "cross-origin")
		if r := h.post(c, "/logout", nil, header...); r.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", header, r.StatusCode)
		}
	}
	if r := h.visit(c, "/station"); r.StatusCode != http.StatusOK {
		t.Errorf("still signed in: %d", r.StatusCode)
	}
}

func TestHashPassword(t *testing.T) {
	for _, weak := range []string{"", "ngắn quá", "nguyenthilan", strings.Repeat("x", 201), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if _, err := web.HashPassword("nguyenthilan", weak); err == nil {
			t.Errorf("%q passes", weak)
		}
	}
	one, err := web.HashPassword("lan", password)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := web.HashPassword("lan", password)
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%s %s", one, two)
	}
}
