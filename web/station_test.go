package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/hotfolder"
	"sohoa/storage/storagetest/flaky"
)

func testFile(t *testing.T, name string) string {
	return filepath.Join(testneed.Root(t), "testdata", name)
}

// await evaluates a promise.
func await[T any](b *browser, js string) T {
	b.t.Helper()
	return get(b, chromedp.Evaluate[T](js, func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
}

// A file that was cut in the middle goes on by itself in a browser that was
// killed and opened again, from where it was; the clerk chooses nothing anew.
func TestBrowserUploadGoesOn(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	line := flaky.New(t, h.URL)
	profile := t.TempDir()
	// A scan that takes more than a moment: bytes behind its end change nothing.
	content := append(scan(t, "accept/scan-a5-colour.pdf"), bytes.Repeat([]byte("%"), 3<<20)...)
	path := filepath.Join(t.TempDir(), "Đơn đề nghị.pdf")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}

	b := newBrowser(t, h, chromedp.UserDataDir(profile))
	b.base = line.URL()
	b.signIn("lan")
	var cut atomic.Bool
	line.Plan(func(r *http.Request) flaky.Fault {
		switch {
		case r.Method == "PATCH" && !cut.Swap(true):
			return flaky.CutRequest
		case cut.Load() && strings.HasPrefix(r.URL.Path, "/api/"):
			return flaky.Reset // from then on nothing gets through
		}
		return flaky.None
	})
	b.expected = []string{"ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_SOCKET"}
	b.open("/station?code=" + code("H51.10", 1))
	b.run(chromedp.SetUploadFiles(`.drop[data-kind=component] input`, []string{path}))
	b.has("Mất kết nối")
	b.kill()

	var sent atomic.Int64
	line.Plan(func(r *http.Request) flaky.Fault {
		if r.Method == "PATCH" {
			sent.Add(r.ContentLength)
		}
		return flaky.None
	})
	b = newBrowser(t, h, chromedp.UserDataDir(profile))
	b.base = line.URL()
	// The cookie of a session may or may not outlive the browser; the file does.
	b.open("/station")
	if get(b, chromedp.Evaluate[bool]("location.pathname === '/login'")) {
		b.signIn("lan") // and is at the station
	}
	b.has(code("H51.10", 1) + " · Đơn đề nghị.pdf")
	b.run(chromedp.WaitVisible("#others .sign.ok, #others .sign.warn"))
	b.has("trang")
	docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || len(docs) != 1 || string(docs[0].Intake.Original.SHA256) != hexSum(content) || docs[0].Intake.Slip.FileName != "Đơn đề nghị.pdf" {
		t.Fatalf("%+v, %v", docs, err)
	}
	if n := sent.Load(); n == 0 || n > int64(len(content))*3/4 {
		t.Errorf("%d of %d bytes were sent after a cut in the middle", n, len(content))
	}
	t.Logf("%d of %d bytes were sent after the cut", sent.Load(), len(content))
	// It is not sent a third time: nothing is kept of what is done.
	b.until(`!document.querySelector("#others progress")`)
	if n := await[int](b, `uploads.kept(document.getElementById("words").dataset.who).then(l => l.length)`); n != 0 {
		t.Errorf("%d files are still kept in the browser", n)
	}
	// Without TLS the browser has no digest of its own: ours is the same.
	for _, n := range []int{0, 55, 56, 64, 1 << 20, 1<<20 + 63} {
		want := hexSum(bytes.Repeat([]byte{'a'}, n))
		if got := await[string](b, fmt.Sprintf(`uploads.sha256(new Blob(["a".repeat(%d)]), true)`, n)); got != want {
			t.Errorf("sha256 of %d bytes: %s, want %s", n, got, want)
		}
	}
}

// choose answers the next file chooser that the page opens.
func (b *browser) choose(files ...string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: true}); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	if err := chromedp.Listen(ctx, func(ev any) {
		if ev, ok := ev.(*page.EventFileChooserOpened); ok {
			cancel()
			go func() {
				if _, err := chromedp.Call(b.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files, BackendNodeID: ev.BackendNodeID}); err != nil {
					b.t.Error(err)
				}
			}()
		}
	}); err != nil {
		b.t.Fatal(err)
	}
}

// tab presses Tab until the element that matches has the focus.
func (b *browser) tab(match string) {
	b.t.Helper()
	for range 60 {
		b.run(chromedp.KeyEvent(kb.Tab))
		if get(b, chromedp.Evaluate[bool](fmt.Sprintf("document.activeElement.matches(%q)", match))) {
			return
		}
	}
	b.t.Fatalf("Tab never reaches %s", match)
}

// Everything with the keyboard alone: open, send, scan again, take over, print.
func TestBrowserStationByKeyboard(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	h.send(h.token(dossier.Clerk, "H51.11"), code("H51.11", 1), "component", "accept/page.png", "Sohoa-Owner-Id", "012345678901", "Sohoa-Name", "Gi%E1%BA%A5y%20khai%20sinh")
	b := newBrowser(t, h)
	b.expected = []string{"422 (Unprocessable"}
	b.signIn("lan")
	// A reader types an address that holds the code, wherever the cursor is.
	b.open("/inbox")
	b.open("/station")
	b.run(chromedp.KeyEvent("https://tra-cuu.example/?ma=" + strings.ToLower(code("H51.10", 1)) + "\r"))
	b.has("chưa có thành phần")
	if get(b, chromedp.Evaluate[string]("document.activeElement.id")) != "code" {
		t.Error("the cursor is not where the next code belongs")
	}
	b.choose(testFile(t, "reject/low-resolution/96-dpi.jpg"))
	b.tab(".drop[data-kind=component] input")
	b.run(chromedp.KeyEvent(" "))
	rows := ".drop[data-kind=component] ~ ul.files "
	b.run(chromedp.WaitVisible(rows + ".sign.no"))
	b.has("Hãy quét lại ở 300 dpi")
	b.picture("station-rejected")
	b.choose(testFile(t, "accept/skewed.pdf"))
	b.tab(rows + "button")
	b.run(chromedp.KeyEvent("\r"))
	b.run(chromedp.WaitVisible(rows + ".sign.warn"))
	b.has("Trang bị nghiêng")
	b.until(fmt.Sprintf("document.querySelectorAll(%q).length === 1", rows+"li"))
	// A better scan takes the place of the skewed one.
	b.choose(testFile(t, "accept/scan-a5-colour.pdf"))
	b.tab(rows + "button")
	b.run(chromedp.KeyEvent("\r"))
	b.run(chromedp.WaitVisible(rows + ".sign.ok"))
	b.until(fmt.Sprintf("document.querySelectorAll(%q).length === 1", rows+"li"))
	docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", 1)))
	inForce := 0
	for _, d := range docs {
		if d.State == dossier.Stored && d.ReplacedBy == "" {
			inForce++
		}
	}
	if err != nil || inForce != 1 {
		t.Errorf("%d documents in force, %v", inForce, err)
	}
	// The applicant's card in the field of the code is the applicant, not a code,
	// and gets into no address.
	b.run(chromedp.Focus("#code"), chromedp.Evaluate[chromedp.Void](`document.getElementById("code").select()`), chromedp.KeyEvent("012345678901|Nguyễn Thị Hoa|01011990\r"), chromedp.WaitVisible("#reusable button"))
	if url := get(b, chromedp.Location()); strings.Contains(url, "0123456789") {
		t.Errorf("the owner is in the address: %s", url)
	}
	b.tab("#reusable button")
	b.run(chromedp.KeyEvent("\r"))
	b.has("dùng lại")
	b.until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(li => li.innerText.includes("Giấy khai sinh") && li.querySelector(".sign.ok, .sign.warn"))`, rows+"li"))
	// For indicator 4.3 the paper counts as reused.
	d, _, err := h.ledger.Dossier(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || d.Reused != 1 || d.Components != 2 {
		t.Errorf("%d reused of %d components, %v", d.Reused, d.Components, err)
	}
	b.tab("a[href$='/receipt']")
	b.run(chromedp.KeyEvent("\r"))
	b.has("Biên nhận số hóa hồ sơ")
	b.tab("#print")
}

// What is printed names the dossier so that a machine reads it, and tells the
// very bytes that were received.
func TestBrowserReceipt(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	token := h.token(dossier.Clerk, "H51.10")
	h.send(token, code("H51.10", 1), "component", "accept/scan-a5-colour.pdf", "Sohoa-Name", "%C4%90%C6%A1n%20%C4%91%E1%BB%81%20ngh%E1%BB%8B", "Sohoa-Owner-Id", "012345678901")
	h.send(token, code("H51.10", 1), "result", "accept/signed-rsa-pades.pdf", "Sohoa-Name", "B%E1%BA%A3n%20sao%20tr%C3%ADch%20l%E1%BB%A5c")
	b := newBrowser(t, h)
	b.signIn("lan")
	b.open("/dossiers/" + code("H51.10", 1) + "/receipt")
	b.has("Đơn đề nghị")
	b.has(hexSum(scan(t, "accept/scan-a5-colour.pdf")))
	if get(b, chromedp.Evaluate[bool](`document.body.innerText.includes("012345678901")`)) {
		t.Error("the owner's number is on the receipt")
	}
	b.picture("receipt")
	// The hot folder reads the code off the printed page.
	shot := get(b, chromedp.FullScreenshot(100))
	m, _, err := image.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := hotfolder.ReadCode(m); !ok || got != dossier.Code(code("H51.10", 1)) {
		t.Errorf("the receipt's code reads %q", got)
	}
	pdf := get(b, chromedp.PrintToPDF(func(p *page.PrintToPDFParams) { p.PreferCSSPageSize = new(true) }))
	if n := bytes.Count(pdf, []byte("/Type /Page\n")); n != 1 && !bytes.Contains(pdf, []byte("/Count 1")) {
		t.Errorf("%d pages are printed, want one", n)
	}
	if p := os.Getenv("SOHOA_PRINT"); p != "" {
		if err := os.WriteFile(p, pdf, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// film writes a motion picture that shows a QR code, as a camera would see it.
func film(t *testing.T, text string) string {
	t.Helper()
	qr, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, 320, 320, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	draw.Draw(m, m.Bounds(), image.NewUniform(color.RGBA{200, 196, 190, 255}), image.Point{}, draw.Src)
	for y := range qr.GetHeight() {
		for x := range qr.GetWidth() {
			c := color.RGBA{245, 245, 240, 255}
			if qr.Get(x, y) {
				c = color.RGBA{30, 28, 32, 255}
			}
			m.Set(480+x, 200+y, c)
		}
	}
	var b bytes.Buffer
	for range 3 {
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "film.mjpeg")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The camera reads the code off a receipt, and photographs several papers, each
// of which gets its verdict.
func TestBrowserCamera(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	b := newBrowser(t, h, chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-video-capture", film(t, code("H51.10", 1))))
	b.expected = []string{"422 (Unprocessable"}
	b.signIn("lan")
	b.run(chromedp.Click("#code-camera"))
	b.has("chưa có thành phần")
	if got := get(b, chromedp.Value("#code")); got != code("H51.10", 1) {
		t.Fatalf("the camera read %q", got)
	}
	b.run(chromedp.Click(".drop[data-kind=component] button"), chromedp.WaitVisible("#camera-shoot"))
	b.until(`document.querySelector("dialog video").readyState >= 2`)
	b.run(chromedp.KeyEvent("\r"))
	b.has("1 ảnh đã chụp")
	b.run(chromedp.KeyEvent("\r"))
	b.has("2 ảnh đã chụp")
	b.picture("station-camera")
	b.run(chromedp.KeyEvent(kb.Escape))
	b.until(`document.querySelectorAll(".drop[data-kind=component] ~ ul.files li .sign:is(.ok, .warn, .no)").length >= 1 && !document.querySelector("ul.files progress, ul.files .sign.soft")`)
	if get(b, chromedp.Evaluate[bool](`!!document.querySelector("dialog video").srcObject`)) {
		t.Error("the camera is still on")
	}
	time.Sleep(300 * time.Millisecond) // for the picture only: the thumbnails
	b.picture("station-photos")
}

// What could not file itself is looked at, filed by its code, refused where the
// scan is bad, and given up.
func TestBrowserTray(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	h.waits("H51.10", scan(t, "accept/scan-a4-g4-2-pages.pdf"))
	h.waits("H51.10", scan(t, "reject/low-resolution/100-dpi.pdf"))
	h.waits("H51.10", scan(t, "accept/page.png"))
	h.waits("H51.11", scan(t, "accept/page.jpg"))
	b := newBrowser(t, h)
	b.expected = []string{"422 (Unprocessable"}
	b.signIn("lan")
	b.run(chromedp.Click("header nav a[href='/tray']"))
	b.has("3 tệp đang chờ")
	drawn := `document.querySelector(".pages img").complete && document.querySelector(".pages img").naturalWidth > 300`
	b.until(drawn)
	b.run(chromedp.Click(".pages .tools a"))
	b.has("Trang trước")
	b.until(drawn)
	b.picture("tray")
	// A wrong code says what to do, and what was typed stays.
	b.run(chromedp.Focus("input[name=name]"), chromedp.KeyEvent("Tờ khai"), chromedp.Focus("input[name=code]"), chromedp.KeyEvent("H51.10-241301-0001\r"))
	b.run(chromedp.WaitVisible(".note.bad"))
	if got := get(b, chromedp.Value("input[name=name]")); got != "Tờ khai" {
		t.Errorf("the name is %q", got)
	}
	// The reader types the code and Enter: filed, and the next is there.
	b.run(chromedp.Evaluate[chromedp.Void](`document.querySelector("input[name=code]").value = ""`), chromedp.Focus("input[name=code]"),
		chromedp.KeyEvent("https://tra-cuu.example/"+code("H51.10", 1)+"\r"))
	b.has("2 tệp đang chờ")
	b.has("Tờ khai · " + code("H51.10", 1))
	b.run(chromedp.KeyEvent(code("H51.10", 1) + "\r"))
	b.run(chromedp.WaitVisible(".note.bad"))
	b.has("Hãy quét lại ở 300 dpi")
	b.has("1 tệp đang chờ")
	b.until(drawn)
	b.picture("tray-rejected")
	b.run(chromedp.Click("form[action='/tray/discard'] button"))
	b.has("Khay trống")
	docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", 1)))
	stored := 0
	for _, d := range docs {
		if d.State == dossier.Stored && d.Record.Slip.Name == "Tờ khai" && d.Record.Slip.Door == dossier.DoorHot {
			stored++
		}
	}
	if err != nil || stored != 1 {
		t.Errorf("%d stored of %d, %v", stored, len(docs), err)
	}
}

// What failed for our fault is grouped by its reason, and tried again one by one
// and all at once.
func TestBrowserInbox(t *testing.T) {
	h := newHouse(t, setup{fault: true})
	h.account("lan", dossier.Clerk, "H51.10", false)
	token := h.token(dossier.Clerk, "H51.10")
	var ids []string
	for n, f := range []string{"accept/page.png", "accept/page.jpg", "accept/scan-a5-grey.pdf"} {
		r := h.send(token, code("H51.10", n+1), "component", f)
		p := wantProblem(t, r, 500, "faulted")
		ids = append(ids, p.Document)
	}
	h.send(h.token(dossier.Clerk, "H51.11"), code("H51.11", 1), "component", "accept/page.png")
	b := newBrowser(t, h)
	b.signIn("lan")
	b.run(chromedp.Click("header nav a[href='/inbox']"))
	b.has("3 tệp")
	b.has("Chưa xử lý xong")
	b.has("the judge is away")
	if get(b, chromedp.Evaluate[bool](`document.body.innerText.includes("H51.11")`)) {
		t.Error("a sister's documents are shown")
	}
	b.picture("inbox")
	// tried is how often each was tried again, by the audit log.
	tried := func() map[string]int {
		deeds, err := h.ledger.Deeds(context.Background(), dossier.DeedQuery{Action: dossier.ActReplay})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]int{}
		for _, d := range deeds {
			out[d.Object]++
		}
		return out
	}
	// wait until the condition holds; the judge is still away, so that what is tried
	// again fails again and comes back.
	wait := func(what string, done func() bool) {
		for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("never: %s; tried again %v", what, tried())
			}
		}
	}
	back := func() bool {
		list, err := h.ledger.Faulted(context.Background(), []dossier.UnitCode{"H51.10"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == len(ids)
	}
	b.follow("table.data form button")
	wait("one is tried again", func() bool { return len(tried()) == 1 })
	wait("it is back", back)
	b.open("/inbox")
	b.has("3 tệp")
	b.follow("form.tools button")
	wait("all are tried again", func() bool { return len(tried()) == len(ids) })
	wait("all are back", back)
	for _, id := range ids {
		if tried()[id] == 0 {
			t.Errorf("document %s was not tried again", id)
		}
	}
}

// A file that is a script, a page and a PDF at once, under a name that is markup,
// is saved when it is opened, runs nowhere in our origin, and its name is text.
func TestBrowserHostileFile(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	token := h.token(dossier.Clerk, "H51.10")
	const name = `"><img src=x onerror="window.hacked='name'">.pdf`
	var coded strings.Builder
	for i := range len(name) {
		fmt.Fprintf(&coded, "%%%02X", name[i])
	}
	pdf := scan(t, "accept/scan-a5-colour.pdf")
	accepted := slices.Concat([]byte("window.hacked='script';/*<script>window.hacked='page'</script>\n"), pdf, []byte("\n*/\n"))
	rejected := []byte("<!DOCTYPE html><script>window.hacked='html'</script><svg xmlns='http://www.w3.org/2000/svg' onload=\"window.hacked='svg'\">")
	originals := map[string]string{} // by what they are
	for what, body := range map[string][]byte{"accepted": accepted, "rejected": rejected} {
		r := h.do(h.request("PUT", paths+code("H51.10", 1)+"/documents?kind=component", token, bytes.NewReader(body), "Prefer", "wait=30",
			"Content-Disposition", "attachment; filename*=UTF-8''"+coded.String(), "Sohoa-Name", coded.String()))
		where := r.Header.Get("Location")
		if want := map[string]int{"accepted": 201, "rejected": 422}[what]; r.StatusCode != want || where == "" {
			t.Fatalf("%s: %d %s", what, r.StatusCode, r.body)
		}
		originals[what] = where + "/original"
	}
	h.waits("H51.10", pdf)
	b := newBrowser(t, h)
	b.expected = []string{"Refused to execute script", "Refused to apply style", "violates the following Content Security Policy", "Framing '", "net::ERR_ABORTED", "422 (Unprocessable", "ERR_BLOCKED", "X-Frame-Options"}
	if _, err := chromedp.Call(b.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: cdpbrowser.SetDownloadBehaviorBehaviorDeny, EventsEnabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	var saved atomic.Int64
	if err := chromedp.Listen(b.ctx, func(ev any) {
		if _, ok := ev.(*cdpbrowser.EventDownloadWillBegin); ok {
			saved.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	b.signIn("lan")
	clean := func(where string) {
		t.Helper()
		if got := get(b, chromedp.Evaluate[string](`String(window.hacked)`)); got != "undefined" {
			t.Errorf("%s: the %s ran", where, got)
		}
	}
	b.open("/station?code=" + code("H51.10", 1))
	n := int64(0)
	for what, original := range originals {
		for _, path := range []string{original, strings.Replace(original, "/original", "/archive", 1)} {
			if what == "rejected" && strings.HasSuffix(path, "/archive") {
				continue // there is none
			}
			n++
			b.run(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("location.href = %q", path)))
			for deadline := time.Now().Add(30 * time.Second); saved.Load() < n; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s (%s) is not saved when it is opened: %s", what, path, get(b, chromedp.Location()))
				}
			}
			if at := get(b, chromedp.Location()); !strings.Contains(at, "/station?code=") {
				t.Errorf("%s is shown at %s", what, at)
			}
			// As what a page could be tricked into loading.
			for _, tag := range []string{"script src", "iframe src", "object data", "embed src", "link href"} {
				name, attribute, _ := strings.Cut(tag, " ")
				await[bool](b, fmt.Sprintf(`new Promise(done => {
					const e = document.createElement(%q);
					if (e.tagName === "LINK") e.rel = "stylesheet";
					e[%q] = %q;
					e.onload = e.onerror = () => { e.remove(); done(true) };
					setTimeout(() => { e.remove(); done(false) }, 300);
					document.body.append(e);
				})`, name, attribute, path))
				clean(what + " as " + name)
			}
		}
	}
	for _, path := range []string{"/station?code=" + code("H51.10", 1), "/dossiers/" + code("H51.10", 1), "/dossiers/" + code("H51.10", 1) + "/receipt",
		strings.Replace(strings.TrimSuffix(originals["accepted"], "/original"), "/api/v1", "", 1), "/tray"} {
		b.open(path)
		if path != "/tray" {
			b.has("window.hacked='name'")
		}
		clean(path)
	}
}

// A session that is over while a file is being sent costs the file nothing: it
// waits in the browser, and goes on when the clerk has signed in.
func TestBrowserSessionOver(t *testing.T) {
	h := newHouse(t, setup{})
	h.account("lan", dossier.Clerk, "H51.10", false)
	b := newBrowser(t, h)
	b.expected = []string{"401 (Unauthorized)"}
	b.signIn("lan")
	b.open("/station?code=" + code("H51.10", 1))
	if _, err := chromedp.Call(b.ctx, network.ClearBrowserCookies, struct{}{}); err != nil {
		t.Fatal(err)
	}
	b.run(chromedp.SetUploadFiles(`.drop[data-kind=component] input`, []string{testFile(t, "accept/scan-a5-colour.pdf")}))
	b.run(chromedp.Click(`ul.files a[href^="/login"]`))
	b.has("Đăng nhập")
	b.run(chromedp.SendKeys("input[name=login]", "lan"), chromedp.SendKeys("input[name=password]", password), chromedp.Submit("form.sign"))
	b.run(chromedp.WaitVisible(`.drop[data-kind=component] ~ ul.files .sign.ok`))
	docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || len(docs) != 1 {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}
