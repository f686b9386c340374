package web_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"html"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"

	"sohoa/dossier"
	"sohoa/internal/testneed"
)

// links are the addresses of a page that begin so, with their texts.
func links(r reply, prefix string) (out [][2]string) {
	for _, m := range regexp.MustCompile(`<a [^>]*href="([^"]+)"[^>]*>([^<]*)</a>`).FindAllSubmatch(r.body, -1) {
		if href := html.UnescapeString(string(m[1])); strings.HasPrefix(href, prefix) {
			out = append(out, [2]string{href, html.UnescapeString(string(m[2]))})
		}
	}
	return out
}

var thin = strings.NewReplacer("\u2009", "", "\u00a0", "", " ", "")

// amount reads a number as pages write it; ok is false for a rate or words.
func amount(s string) (int, bool) {
	n, err := strconv.Atoi(thin.Replace(s))
	return n, err == nil
}

// total is the number in the head of a list, which the list must hold to: it is
// walked to its end.
func (h *house) total(c *http.Client, path string) (said, listed int) {
	h.t.Helper()
	for path != "" {
		r := h.visit(c, path)
		if r.StatusCode != http.StatusOK {
			h.t.Fatalf("%s: %d", path, r.StatusCode)
		}
		m := regexp.MustCompile(`<h1>([0-9\x{2009}]+) `).FindSubmatch(r.body)
		if m == nil {
			h.t.Fatalf("%s has no number: %s", path, r.body)
		}
		said, _ = amount(string(m[1]))
		listed += bytes.Count(r.body, []byte(`<td class="nowrap"><a href="/dossiers/`))
		path = ""
		for _, l := range links(r, "/list") {
			if strings.HasPrefix(l[1], "Trang sau") {
				path = l[0]
			}
		}
	}
	return said, listed
}

// Every number of the first screen opens its list, and the list has as many; so
// do those of the units below, in another structure and another formula.
func TestEveryNumberOpensItsList(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	h.fill(600)
	c := h.person(dossier.Manager, "H51")
	seen := map[string]bool{}
	for _, start := range []string{"/?period=2024", "/?period=2024-Q2&formula=766-2026", "/?period=2024&unit=H51.10&structure_as_of=2024-06-30", "/?period=2024&unit=H51.10.01&sort=rate"} {
		r := h.visit(c, start)
		found := links(r, "/list")
		if len(found) < 9 {
			t.Fatalf("%s: only %d numbers: %s", start, len(found), r.body)
		}
		// No number stands without its list: in the table each cell that is one is a link.
		for _, m := range regexp.MustCompile(`<td class="n">([0-9\x{2009}]+)</td>`).FindAllSubmatch(r.body, -1) {
			if n, _ := amount(string(m[1])); n > 0 && !regexp.MustCompile(`^<tr><td class="n">`+string(m[1])).Match(r.body) && !ordinal(r.body, m[0]) {
				t.Errorf("%s: %s opens nothing", start, m[1])
			}
		}
		for _, l := range found {
			if seen[l[0]] {
				continue
			}
			seen[l[0]] = true
			said, listed := h.total(c, l[0])
			if said != listed {
				t.Errorf("%s: says %d, lists %d", l[0], said, listed)
			}
			if n, ok := amount(l[1]); ok && n != said && !strings.Contains(l[0], "side=missing") { // those show the gap
				t.Errorf("%s: the page says %d, the list %d", l[0], n, said)
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d lists were opened", len(seen))
	}
	t.Logf("%d lists opened", len(seen))
	// What a list of missing dossiers lacks adds up to it, and each part is a list.
	r := h.visit(c, "/list?period=2024&indicator=4.2&side=missing")
	said, _ := h.total(c, "/list?period=2024&indicator=4.2&side=missing")
	sum := 0
	for _, l := range links(r, "/list") {
		if u, _ := url.Parse(l[0]); strings.HasPrefix(u.Query().Get("indicator"), "4.2/") {
			n, _ := amount(l[1])
			if total, listed := h.total(c, l[0]); total != n || listed != n {
				t.Errorf("%s: %d, says %d, lists %d", l[0], n, total, listed)
			}
			sum += n
		}
	}
	if sum != said || sum == 0 {
		t.Errorf("%d missing, and reasons for %d", said, sum)
	}
}

// ordinal reports whether a cell is the first of its row.
func ordinal(body, cell []byte) bool { return bytes.Contains(body, append([]byte("<tr>"), cell...)) }

// Who may not see lists is offered none, and what a clerk is offered opens.
func TestNumbersForWhoMaySeeThem(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	h.fill(200)
	for role, unit := range map[dossier.Role]dossier.UnitCode{dossier.Admin: "H51", dossier.Clerk: "H51.10", dossier.System: "H51"} {
		c := h.person(role, unit)
		r := h.visit(c, "/?period=2024")
		found := links(r, "/list")
		if role != dossier.Clerk && (len(found) > 0 || len(links(r, "/worklist")) > 0) {
			t.Errorf("%s is offered %v", role, found)
		}
		if role == dossier.Clerk && len(found) == 0 {
			t.Error("a clerk is offered none")
		}
		for _, l := range found {
			if said, listed := h.total(c, l[0]); said != listed {
				t.Errorf("%s: %s says %d, lists %d", role, l[0], said, listed)
			}
		}
	}
}

// seenRows are the units of the page's table, in its order, with their numbers.
func seenRows(t *testing.T, r reply) (out [][]string) {
	t.Helper()
	body := string(r.body)
	_, body, ok := strings.Cut(body, "<tbody>")
	if !ok {
		t.Fatalf("no table: %s", r.body)
	}
	body, _, _ = strings.Cut(body, "</tbody>")
	tag := regexp.MustCompile(`<[^>]*>`)
	for _, row := range regexp.MustCompile(`(?s)<tr.*?</tr>`).FindAllString(body, -1) {
		var cells []string
		for _, c := range regexp.MustCompile(`(?s)<t[dh][^>]*>(.*?)</t[dh]>`).FindAllStringSubmatch(row, -1) {
			cells = append(cells, strings.TrimSpace(strings.TrimSuffix(thin.Replace(html.UnescapeString(tag.ReplaceAllString(c[1], ""))), "✓")))
		}
		out = append(out, cells)
	}
	return out
}

// What is exported is what is seen: the same units in the same order, with the
// same numbers, under the same formula and structure.
func TestExportIsWhatIsSeen(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	h.fill(500)
	c := h.person(dossier.Manager, "H51")
	for _, q := range []string{"period=2024", "period=2024-08&sort=rate", "period=2024-Q2&sort=tree&formula=766-2026", "period=2024&unit=H51.10&structure_as_of=2024-06-30"} {
		r := h.visit(c, "/?"+q)
		seen := seenRows(t, r)
		seen = append([][]string{seen[len(seen)-1]}, seen[:len(seen)-1]...) // the total is the first of the file
		var file string
		for _, l := range links(r, "/report.csv") {
			file = l[0]
		}
		lines, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(h.visit(c, file).body, []byte("\ufeff")))).ReadAll()
		if err != nil || len(lines) != len(seen)+1 {
			t.Fatalf("%s: %d lines, %d seen, %v\n%v\n%v", q, len(lines), len(seen), err, lines, seen)
		}
		at := map[string]int{}
		for n, name := range lines[0] {
			at[name] = n
		}
		sum := func(line []string, names ...string) string {
			n := 0
			for _, x := range names {
				v, _ := strconv.Atoi(line[at[x]])
				n += v
			}
			return strconv.Itoa(n)
		}
		for n, line := range lines[1:] {
			want := []string{sum(line, "received.direct", "received.online", "received.postal")}
			for _, id := range []string{"4.2", "4.1", "4.3"} {
				rate := strings.Replace(line[at[id+" rate"]], ".", ",", 1)
				if rate == "" {
					rate = "—"
				}
				want = append(want, line[at[id+" numerator"]], rate)
			}
			gap := line[at["4.2 gap"]]
			if gap == "" || gap == "0" {
				gap = "–"
			}
			want = append(want, gap)
			if name := thin.Replace(line[at["name"]]); n > 0 && name != seen[n][1] {
				t.Errorf("%s: row %d is %s, seen %s", q, n, name, seen[n][1])
			}
			if !slices.Equal(want, seen[n][2:]) {
				t.Errorf("%s: row %d: file %v, seen %v", q, n, want, seen[n][2:])
			}
		}
		var sheet string
		for _, l := range links(r, "/report.xlsx") {
			if !strings.Contains(l[0], "whole") {
				sheet = l[0]
			}
		}
		book, err := excelize.OpenReader(bytes.NewReader(h.visit(c, sheet).body))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := book.GetRows(book.GetSheetName(0))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, row := range rows {
			for n, cell := range row[:min(3, len(row))] {
				if i := slices.IndexFunc(seen[1:], func(s []string) bool { return s[1] == thin.Replace(cell) }); i >= 0 && n > 0 {
					names = append(names, thin.Replace(cell))
				}
			}
		}
		var want []string
		for _, s := range seen[1:] {
			want = append(want, s[1])
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: the sheet has %v, seen %v", q, names, want)
		}
	}
}

// The pages that are printed fit A4 across: nothing is cut off at the right.
func TestPrint(t *testing.T) {
	tool := testneed.Tool(t, "pdftotext", "apt-get install poppler-utils")
	info := testneed.Tool(t, "pdfinfo", "apt-get install poppler-utils")
	h := newHouse(t, setup{idle: true})
	h.fill(400)
	h.account("lan", dossier.Manager, "H51", false)
	b := newBrowser(t, h)
	b.signIn("lan")
	for name, p := range map[string]struct{ path, right string }{
		"dashboard": {"/?period=2024", "Thiếu số hóa"}, "list": {"/list?period=2024&indicator=4.2&side=missing", "Còn thiếu"}, "worklist": {"/worklist?period=2024", "Để được tính"},
	} {
		b.open(p.path)
		if name == "worklist" {
			b.picture(name)
		}
		out, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: new(true)})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".pdf")
		if err := os.WriteFile(file, out.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		size, err := exec.Command(info, file).Output()
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`Page size: +84[12][.0-9]* x 59[45][.0-9]* pts \(A4\)`).Match(size) {
			t.Errorf("%s: %s", name, size)
		}
		text, err := exec.Command(tool, "-layout", "-f", "1", "-l", "1", file, "-").Output()
		if err != nil || !strings.Contains(string(text), p.right) || strings.Contains(string(text), "Thoát") {
			t.Errorf("%s: %v: %s", name, err, text)
		}
		if dir := os.Getenv("SOHOA_PICTURES"); dir != "" {
			if err := os.WriteFile(filepath.Join(os.TempDir(), "sohoa-print-"+name+".pdf"), out.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The worklist says first what costs least; every number on it is its list, and
// no dossier on it has to wait for something.
func TestWorklist(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	h.fill(600)
	c := h.person(dossier.Operator, "H51")
	r := h.visit(c, "/worklist?period=2024")
	found := links(r, "/list")
	if len(found) < 4 {
		t.Fatalf("%s", r.body)
	}
	for _, l := range found {
		n, _ := amount(l[1])
		if said, listed := h.total(c, l[0]); said != n || listed != n {
			t.Errorf("%s: %d, says %d, lists %d", l[0], n, said, listed)
		}
	}
	sign, scan := strings.Index(string(r.body), "Thay bằng tệp kết quả có chữ ký số"), strings.Index(string(r.body), "Quét giấy tờ người dân đã nộp")
	if sign < 0 || scan < sign {
		t.Errorf("signing costs less than scanning: %d, %d", sign, scan)
	}
	tasks := links(r, "/station?code=")
	if len(tasks) != 50 {
		t.Fatalf("%d tasks", len(tasks))
	}
	for _, l := range tasks {
		d, _, err := h.ledger.Dossier(context.Background(), dossier.Code(l[1]))
		if err != nil || d.Components > 0 && d.Results == 0 && d.Status == dossier.Received {
			t.Errorf("%s waits for its result: %+v %v", l[1], d, err)
		}
	}
	// What is done is off the list.
	first := dossier.Code(tasks[0][1])
	d, _, err := h.ledger.Dossier(context.Background(), first)
	if err != nil {
		t.Fatal(err)
	}
	h.settle(d.Registered, dossier.Component, 900_001, true)
	h.settle(d.Registered, dossier.ResultKind, 900_002, true)
	if r := h.visit(c, "/worklist?period=2024"); strings.Contains(string(r.body), ">"+string(first)+"<") {
		t.Errorf("%s is done and still there", first)
	}
	// A clerk's is of the own unit.
	r = h.visit(h.person(dossier.Clerk, "H51.10"), "/worklist?period=2024")
	for _, l := range links(r, "/station?code=") {
		if d, _, err := h.ledger.Dossier(context.Background(), dossier.Code(l[1])); err != nil || d.Unit != "H51.10" {
			t.Errorf("a clerk sees %s of %s, %v", l[1], d.Unit, err)
		}
	}
	if r := h.visit(c, "/worklist?period=1999"); !strings.Contains(string(r.body), "Không có hồ sơ nào") {
		t.Errorf("%s", r.body)
	}
}
