package web_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/web"
)

// browser is a real Chromium on a house; whatever its console complains of fails
// the test.
type browser struct {
	t    *testing.T
	h    *house
	base string // where the pages are: the house, or the line to it
	ctx  context.Context
	kill func() // ends the browser as a power cut does

	mu         sync.Mutex
	complaints []string
	expected   []string // parts of complaints that the test provokes
}

func newBrowser(t *testing.T, h *house, more ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	exe := testneed.Tool(t, "chromium", "apt-get install chromium")
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(exe), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("lang", "vi"), chromedp.WindowSize(1200, 900))
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(opts, more...)...)
	kill := cancel
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, h: h, base: h.URL, ctx: ctx, kill: kill}
	if err := chromedp.Listen(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, ev.ExceptionDetails.Text+" "+ev.ExceptionDetails.URL)
		case *cdplog.EventEntryAdded:
			if ev.Entry.Level == cdplog.EntryLevelError || ev.Entry.Level == cdplog.EntryLevelWarning {
				b.complaints = append(b.complaints, ev.Entry.Text+" "+ev.Entry.URL)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.complaints {
			known := false
			for _, e := range b.expected {
				known = known || strings.Contains(c, e)
			}
			if !known {
				t.Errorf("the browser complains: %s", c)
			}
		}
	})
	return b
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		html, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		b.t.Fatalf("%v\n%.4000s", err, html)
	}
}

// get runs an action that answers something.
func get[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, a)
	if err != nil {
		html, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		b.t.Fatalf("%v\n%.4000s", err, html)
	}
	return v
}

// until waits for a condition of the page, across pages too.
func (b *browser) until(condition string) {
	b.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		if ok {
			return
		}
		if b.ctx.Err() != nil || time.Now().After(deadline) {
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			b.t.Fatalf("%s: %v\n%.2000s", condition, err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// open opens the page. A page that was asked for before, by a form, may arrive at
// that moment and take its place; then it is opened again.
func (b *browser) open(path string) {
	b.t.Helper()
	for {
		err := chromedp.Do(b.ctx, chromedp.Navigate(b.base+path))
		if err == nil {
			return
		}
		if b.ctx.Err() != nil || !strings.Contains(err.Error(), "net::ERR_ABORTED") {
			b.t.Fatalf("%s: %v", path, err)
		}
	}
}

// follow clicks on what leads to another page and waits for that to be there.
func (b *browser) follow(selector string) {
	b.t.Helper()
	get(b, chromedp.Evaluate[bool]("window.left = true"))
	b.run(chromedp.Click(selector))
	b.until(`!window.left && document.readyState === "complete"`)
}

// has waits for a text on the page.
func (b *browser) has(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// media has the page shown in light or dark.
func (b *browser) media(scheme string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		b.t.Fatal(err)
	}
}

// picture keeps a screenshot of the whole page in docs/pictures when
// SOHOA_PICTURES is set; else it only proves that there is one.
func (b *browser) picture(name string) {
	b.t.Helper()
	png := get(b, chromedp.FullScreenshot(100))
	if len(png) < 1000 {
		b.t.Fatal("no picture")
	}
	if os.Getenv("SOHOA_PICTURES") == "" {
		return
	}
	dir := filepath.Join(testneed.Root(b.t), "docs", "pictures")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) signIn(login string) {
	b.t.Helper()
	b.open("/login")
	b.run(chromedp.SendKeys("input[name=login]", login), chromedp.SendKeys("input[name=password]", password),
		chromedp.Submit("form.sign"), chromedp.WaitVisible("header nav a"))
}

// fill gives the house a province with a year and a half of dossiers, part of
// them digitised.
func (h *house) fill(n int) {
	h.t.Helper()
	ctx := context.Background()
	var list []dossier.Unit
	add := func(code, name string, level dossier.Level, parent dossier.UnitCode) {
		list = append(list, dossier.Unit{Code: dossier.UnitCode(code), Name: name, Level: level, Parent: parent})
	}
	for i, name := range []string{"Sở Tư pháp", "Sở Xây dựng", "Sở Y tế", "Sở Nội vụ"} {
		add(fmt.Sprintf("H51.S%d", i+1), name, dossier.Department, "H51")
	}
	for i, name := range []string{"Thành phố Sóc Trăng", "Thị xã Vĩnh Châu", "Thị xã Ngã Năm", "Huyện Châu Thành", "Huyện Cù Lao Dung", "Huyện Long Phú", "Huyện Mỹ Tú", "Huyện Mỹ Xuyên", "Huyện Thạnh Trị"} {
		add(fmt.Sprintf("H51.2%d", i+1), name, dossier.District, "H51")
	}
	if o, err := h.ledger.ImportUnits(ctx, list); err != nil || len(o.Bad) > 0 {
		h.t.Fatal(o, err)
	}
	list = append(list, units[1:7]...)
	r := rand.New(rand.NewPCG(1, 2))
	var rows []dossier.Registered
	for i := range n {
		u := list[r.IntN(len(list))]
		if u.ValidTo != 0 {
			continue
		}
		day := dossier.Date(20240101).AddDays(r.IntN(244))
		d := dossier.Registered{Code: dossier.Code(fmt.Sprintf("%s-%06d-%05d", u.Code, int(day)%1000000, i)), Unit: u.Code,
			Procedure: []dossier.ProcedureCode{"1.004946", "1.004946", "1.000001"}[r.IntN(3)], Channel: dossier.Channel(1 + r.IntN(3)),
			ReceivedAt: day.Time().Add(9 * time.Hour), Status: dossier.Received}
		if r.IntN(4) > 0 {
			d.Status, d.ResolvedAt = dossier.Returned, d.ReceivedAt.AddDate(0, 0, 5)
			if r.IntN(5) > 0 {
				d.SyncedAt = d.ResolvedAt
			}
		}
		rows = append(rows, d)
	}
	for at := 0; at < len(rows); at += 500 {
		if o, err := h.ledger.ImportDossiers(ctx, rows[at:min(at+500, len(rows))]); err != nil || len(o.Bad) > 0 {
			h.t.Fatal(o, err)
		}
	}
	for i, d := range rows {
		month := int(dossier.DateOf(d.ReceivedAt).Month())
		share := 25 + 5*month + len(d.Unit)%4*6 + int(d.Unit[len(d.Unit)-1])%5*6
		if r.IntN(100) >= share {
			continue
		}
		h.settle(d, dossier.Component, i, r.IntN(2) == 0)
		if d.Procedure == "1.004946" && r.IntN(10) < 8 {
			h.settle(d, dossier.ResultKind, i, r.IntN(3) > 0)
		}
	}
}

// settle enters a document without a scan: figures need none.
func (h *house) settle(d dossier.Registered, kind dossier.Kind, n int, good bool) {
	h.t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		h.t.Fatal(err)
	}
	in := dossier.Intake{ID: id.String(), ReceivedAt: d.ReceivedAt, Slip: dossier.Slip{Kind: kind, Dossier: d.Code, Unit: d.Unit, By: "token:test", Door: dossier.DoorBackfill},
		Original: dossier.File{Key: "x/" + id.String(), MediaType: "application/pdf", Size: 1, SHA256: dossier.Digest(fmt.Sprintf("%064x", n*2+len(kind)))}}
	rec := dossier.Record{Schema: dossier.RecordSchema, ID: in.ID, Slip: in.Slip, Original: in.Original, Conforms: dossier.AsOriginal,
		Verdict: dossier.Verdict{Pages: 1, Scan: true}, ReceivedAt: in.ReceivedAt}
	if kind == dossier.ResultKind {
		rec.Verdict.Signed, rec.Verdict.LegalValue = good, good
	} else if good {
		rec.Slip.PersonalStore = true
	}
	ctx := context.Background()
	if _, err := h.ledger.Receive(ctx, in); err != nil {
		h.t.Fatal(err)
	}
	if err := h.ledger.Settle(ctx, rec); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) account(login string, role dossier.Role, unit dossier.UnitCode, must bool) {
	h.t.Helper()
	hash, err := web.HashPassword(login, password)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.ledger.CreateAccount(context.Background(), dossier.Account{Login: login, Name: "Lan", Role: role, Unit: unit, Hash: hash, MustChange: must}); err != nil {
		h.t.Fatal(err)
	}
}

func TestBrowserDashboard(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	h.fill(1200)
	h.account("lanh.dao", dossier.Manager, "H51", false)
	b := newBrowser(t, h)
	b.expected = []string{"401 (Unauthorized)"}
	b.open("/?period=2024")
	b.has("Đăng nhập")
	b.picture("login")
	b.run(chromedp.SendKeys("input[name=login]", "lanh.dao"), chromedp.SendKeys("input[name=password]", "sai hoàn toàn"), chromedp.Submit("form.sign"))
	b.has("không đúng")
	b.run(chromedp.SendKeys("input[name=login]", "lanh.dao"), chromedp.SendKeys("input[name=password]", password), chromedp.Submit("form.sign"))
	b.has("Tỉnh Sóc Trăng")
	b.picture("dashboard")
	// A number opens its list, a list its dossier.
	missing := get(b, chromedp.Text(".figures > div:first-child a.no"))
	b.run(chromedp.Click(".figures > div:first-child a.no"))
	b.has("chưa được tính")
	b.picture("list")
	if missing == "" {
		t.Error("no gap shown")
	}
	b.run(chromedp.Click("table.data tbody td a"))
	b.has("Được tính vào")
	b.picture("dossier-register")
	b.open("/?unit=H51.10&period=2024-08&sort=gap&lang=en")
	b.has("Digitised dossiers")
	b.picture("dashboard-en-district")
	b.open("/?lang=vi&period=2019")
	b.has("Chưa có hồ sơ")
	b.open("/operations")
	b.has("bình thường")
	b.picture("operations")
	b.open("/inbox")
	b.has("Không có tệp")
	b.media("dark")
	b.open("/?period=2024")
	b.has("Tỉnh Sóc Trăng")
	b.picture("dashboard-dark")
	b.media("light")
	b.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile))
	b.open("/?period=2024")
	b.has("Tỉnh Sóc Trăng")
	b.picture("dashboard-phone")
	b.run(chromedp.EmulateReset())
	pdf := get(b, chromedp.PrintToPDF(func(p *page.PrintToPDFParams) { p.PreferCSSPageSize = new(true) }))
	if len(pdf) < 1000 {
		t.Error("nothing to print")
	}
	if p := os.Getenv("SOHOA_PRINT"); p != "" {
		os.WriteFile(p, pdf, 0o644)
	}
}

func TestBrowserStation(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	b := newBrowser(t, h)
	b.expected = []string{"422 (Unprocessable", "404 (Not Found)"}
	b.signIn("lan")
	b.has("Trạm số hóa")
	// A barcode reader types the code and Enter.
	b.run(chromedp.SendKeys("#code", strings.ToLower(code("H51.10", 1))+"\r"), chromedp.WaitVisible(".drop"))
	b.has("chưa có thành phần")
	root := filepath.Join(testneed.Root(t), "testdata")
	component := `.drop[data-kind=component] input`
	rows := `.drop[data-kind=component] ~ ul.files`
	b.run(chromedp.SetUploadFiles(component, []string{filepath.Join(root, "accept/scan-a5-colour.pdf"), filepath.Join(root, "accept/blank-back.pdf"), filepath.Join(root, "README.md")}))
	b.run(chromedp.WaitVisible(rows+" .sign.ok"), chromedp.WaitVisible(rows+" .sign.warn"), chromedp.WaitVisible(rows+" .sign.no"), chromedp.WaitVisible(rows+" img"))
	b.has("Tệp không phải là PDF")
	chosen := time.Now()
	b.run(chromedp.SetUploadFiles(`.drop[data-kind=result] input`, []string{filepath.Join(root, "accept/signed-rsa-pades.pdf")}))
	b.run(chromedp.WaitVisible(`.drop[data-kind=result] ~ ul.files .sign.ok, .drop[data-kind=result] ~ ul.files .sign.warn`))
	t.Logf("from the choice of a file to its verdict in the page: %v", time.Since(chosen).Round(10*time.Millisecond))
	time.Sleep(500 * time.Millisecond) // for the picture only: the thumbnails
	b.picture("station")
	// The cursor is where the next barcode belongs.
	if focused := get(b, chromedp.Evaluate[string]("document.activeElement.id")); focused != "code" {
		t.Errorf("the cursor is at %q", focused)
	}
	// The same file again is the same document, not another.
	b.run(chromedp.SetUploadFiles(component, []string{filepath.Join(root, "accept/scan-a5-colour.pdf")}))
	b.has("đã có từ trước")
	docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || len(docs) != 4 {
		t.Errorf("%d documents, %v", len(docs), err)
	}
	// Nothing is lacking any more, or only what a scan cannot mend, and the page
	// says so without being asked.
	b.until(`!document.getElementById("lacks").innerText.includes("chưa có thành phần")`)

	// What the owner has elsewhere is offered, and one click takes it over.
	h.send(h.token(dossier.Clerk, "H51.11"), code("H51.11", 1), "component", "accept/page.png", "Sohoa-Owner-Id", "012345678901", "Sohoa-Name", "Gi%E1%BA%A5y%20khai%20sinh")
	b.run(chromedp.SendKeys("#owner", "012345678901\r"), chromedp.WaitVisible("#reusable button"))
	b.has("Giấy khai sinh")
	b.picture("station-reuse")
	b.run(chromedp.Click("#reusable button"))
	b.has("dùng lại")
	b.until(`[...document.querySelectorAll("ul.files li")].some(li => li.innerText.includes("Giấy khai sinh") && li.querySelector(".sign.ok, .sign.warn"))`)
	d, _, err := h.ledger.Dossier(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || d.Reused != 1 {
		t.Errorf("%d reused, %v", d.Reused, err)
	}
}

// On a phone nothing stands beside the page, and files that are dropped, several
// at once, or pasted are taken like chosen ones.
func TestBrowserStationDropAndPaste(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	b := newBrowser(t, h)
	b.signIn("lan")
	b.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile))
	b.open("/station?lang=en&code=" + code("H51.10", 1))
	b.has("Still lacks")
	give := func(event string, names ...string) {
		t.Helper()
		js := "const d = new DataTransfer();"
		for _, n := range names {
			js += fmt.Sprintf("d.items.add(new File([Uint8Array.from(atob(%q), c => c.charCodeAt(0))], %q, {type: 'image/png'}));",
				base64.StdEncoding.EncodeToString(scan(t, "accept/"+n)), n)
		}
		b.run(chromedp.Evaluate[chromedp.Void]("{" + js + event + "}"))
	}
	give(`document.querySelector(".drop[data-kind=component]").dispatchEvent(new DragEvent("drop", {dataTransfer: d, bubbles: true, cancelable: true}))`, "page.png", "page.jpg")
	give(`document.querySelector(".drop[data-kind=result] input").focus();
		document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: d, bubbles: true, cancelable: true}))`, "page-a4-g4.tif")
	done := `[...document.querySelectorAll(".drop[data-kind=%s] ~ ul.files .sign:is(.ok, .warn)")].length === %d`
	b.until(fmt.Sprintf(done, "component", 2))
	b.until(fmt.Sprintf(done, "result", 1))
	// A file dropped beside the zones is a component, and the page stays.
	give(`document.querySelector("h1").dispatchEvent(new DragEvent("drop", {dataTransfer: d, bubbles: true, cancelable: true}))`, "cmyk.jpg")
	b.until(fmt.Sprintf(done, "component", 3))
	if wide := get(b, chromedp.Evaluate[int]("document.documentElement.scrollWidth")); wide > 390 {
		t.Errorf("the page is %d wide on a phone of 390", wide)
	}
	time.Sleep(500 * time.Millisecond) // for the picture only: the thumbnails
	b.picture("station-phone")
}

func TestBrowserDocument(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	r := h.send(h.token(dossier.Clerk, "H51.10"), code("H51.10", 1), "result", "accept/signed-rsa-pades.pdf", "Content-Disposition", "attachment; filename*=UTF-8''K%E1%BA%BFt%20qu%E1%BA%A3.pdf")
	var d documentBody
	r.json(t, &d)
	h.send(h.token(dossier.Clerk, "H51.10"), code("H51.10", 1), "component", "accept/blank-back.pdf", "Sohoa-Name", "%C4%90%C6%A1n")
	b := newBrowser(t, h)
	b.signIn("lan")
	b.open("/dossiers/" + code("H51.10", 1))
	b.has("Kết quả.pdf")
	b.picture("dossier")
	b.open("/documents/" + d.ID)
	b.has("Chữ ký số")
	b.until("[...document.querySelectorAll('.pages img')].length > 0 && [...document.querySelectorAll('.pages img')].every(i => i.complete && i.naturalWidth > 100)")
	b.picture("document")
}
