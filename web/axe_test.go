package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sohoa/dossier"
	"sohoa/internal/testneed"
)

// TestPagesForEverybody has axe-core look at every page, in light and dark, and
// weighs each.
func TestPagesForEverybody(t *testing.T) {
	path := filepath.Join(testneed.Root(t), "bin", "axe.min.js")
	axe, err := os.ReadFile(path)
	if err != nil {
		testneed.Missing(t, "axe-core", "run scripts/axe.sh")
	}
	h := newHouse(t, setup{})
	h.fill(400)
	h.account("lan", dossier.Operator, "H51", false)
	token := h.token(dossier.Operator, "H51")
	r := h.send(token, code("H51.10", 1), "result", "accept/signed-rsa-pades.pdf")
	var signed, blank documentBody
	r.json(t, &signed)
	r = h.send(token, code("H51.10", 1), "component", "accept/blank-back.pdf")
	r.json(t, &blank)
	h.waits("H51.10", scan(t, "accept/page.png"))
	b := newBrowser(t, h)
	b.expected = []string{"404 (Not Found)", "401 (Unauthorized)"}

	look := func(path string, schemes ...string) {
		t.Helper()
		for _, scheme := range schemes {
			b.media(scheme)
			b.open(path)
			found := get(b, chromedp.Evaluate[[]string](string(axe)+`;
				document.querySelectorAll("details").forEach(d => d.open = true);
				axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).slice(0, 3).join(" | ")))`,
				func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
			for _, v := range found {
				t.Errorf("%s (%s): %s", path, scheme, v)
			}
		}
	}
	look("/login", "light", "dark")
	b.media("light")
	b.signIn("lan")
	pages := []string{"/?period=2024", "/?period=2024&unit=H51.10&lang=en", "/?period=2019&lang=vi", "/list?period=2024&indicator=4.2&side=missing",
		"/list?period=2019&indicator=4.2", "/dossiers/" + code("H51.10", 1), "/documents/" + signed.ID, "/documents/" + blank.ID,
		"/station", "/station?code=" + code("H51.10", 1), "/dossiers/" + code("H51.10", 1) + "/receipt", "/worklist?period=2024", "/tray", "/inbox", "/operations", "/password", "/nothing"}
	for _, p := range pages {
		look(p, "light")
	}
	for _, p := range []string{pages[0], "/documents/" + blank.ID, "/station?code=" + code("H51.10", 1), "/tray"} {
		look(p, "dark")
	}

	h.account("can.bo.luu.tru", dossier.Officer, "H51", false)
	b.run(chromedp.Click("header .who button"))
	b.has("Đăng nhập")
	b.signIn("can.bo.luu.tru")
	look("/audit", "light", "dark")
	b.media("light")
	look("/closings", "light", "dark")
	closed, err := closer{h}.ClosePeriod(t.Context(), "2024-08", "H51", "cli")
	if err != nil {
		t.Fatal(err)
	}
	h.send(token, code("H51.10.01", 2), "component", "accept/page.png") // so that something has changed since
	look("/closings/"+closed.ID, "light", "dark")
	look("/documents/"+signed.ID, "light", "dark") // with what an officer may order

	h.account("quan.tri", dossier.Admin, "H51", false)
	b.run(chromedp.Click("header .who button"))
	b.has("Đăng nhập")
	b.signIn("quan.tri")
	admin, err := h.ledger.AccountByLogin(t.Context(), "quan.tri")
	if err != nil {
		t.Fatal(err)
	}
	h.account("thu", dossier.Clerk, "H51.10", false)
	thu, err := h.ledger.AccountByLogin(t.Context(), "thu")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/people", "/people/" + thu.ID, "/people/" + admin.ID, "/tokens", "/operations"} {
		look(p, "light", "dark")
	}
	b.media("light")
	b.open("/people/" + thu.ID)
	b.run(chromedp.Click("section.row form button"))
	b.has("chỉ hiện một lần")

	// What a page weighs, with its style and script, on the wire of an old line.
	person := h.browser()
	h.post(person, "/login", signInForm(password))
	shared := 0
	for _, name := range []string{"style.css", "mark.svg", "upload.js", "station.js", "qr.js"} {
		shared += len(h.get("/static/"+name, "").body)
	}
	weigh := func(c *http.Client, p string) {
		t.Helper()
		r := h.visit(c, p)
		if r.StatusCode != http.StatusOK && p != "/nothing" {
			t.Errorf("%s: %d", p, r.StatusCode)
		}
		if n := len(r.body) + shared; n > 150<<10 || shared < 50<<10 {
			t.Errorf("%s weighs %d bytes", p, n)
		}
		// Useful without JavaScript: what a page shows is in it.
		if !strings.Contains(string(r.body), "<h1") {
			t.Errorf("%s has no heading of its own", p)
		}
		// And in the other language, by a switch that leads to the same page.
		other := links(r, "?")
		if len(other) != 1 || other[0][1] != map[bool]string{true: "Tiếng Việt", false: "English"}[strings.Contains(p, "lang=en")] {
			t.Errorf("%s: the language cannot be switched: %v", p, other)
			return
		}
		path, _, _ := strings.Cut(p, "?")
		if e := h.visit(c, path+other[0][0]); e.StatusCode != r.StatusCode || e.Header.Get("Content-Language") == r.Header.Get("Content-Language") {
			t.Errorf("%s: %d in %s", p, e.StatusCode, e.Header.Get("Content-Language"))
		}
		h.visit(c, path+"?lang=vi")
	}
	for _, p := range pages {
		weigh(person, p)
	}
	for role, list := range map[dossier.Role][]string{dossier.Officer: {"/audit", "/closings", "/closings/" + closed.ID, "/documents/" + signed.ID}, dossier.Admin: {"/people", "/people/" + thu.ID, "/tokens"}} {
		c := h.person(role, "H51")
		for _, p := range list {
			weigh(c, p)
		}
	}
}
