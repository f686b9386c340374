package web

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sohoa/dossier"
)

// Every text is there in both languages, every key that a page or the program
// names is in the catalogue, and nothing in it is unused.
func TestMessages(t *testing.T) {
	used := map[string]bool{}
	find := func(text string, patterns ...string) {
		for _, p := range patterns {
			for _, m := range regexp.MustCompile(p).FindAllStringSubmatch(text, -1) {
				used[m[1]] = true
			}
		}
	}
	pages, err := fs.Glob(files, "templates/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, p := range pages {
		b, _ := fs.ReadFile(files, p)
		find(string(b), `{{t "([^"]+)"}}`, `{{tn "([^"]+)" `)
		if regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|<script>|<style`).Match(b) {
			t.Errorf("%s: something inline that the policy forbids", p)
		}
	}
	sources, _ := filepath.Glob("*.go")
	for _, p := range sources {
		if strings.HasSuffix(p, "_test.go") || p == "messages.go" {
			continue
		}
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		find(string(b), `say\(l, "([^"]+)"\)`, `say\(lang\(r\), "([^"]+)"\)`, `again\("([^"]+)"\)`, `add\("[^"]+", "([^"]+)"`)
		// Keys of facts, and keys in lists.
		for k := range messages {
			if strings.Contains(string(b), `"`+k+`"`) {
				used[k] = true
			}
		}
	}
	for k := range used {
		if _, ok := messages[k]; !ok && !strings.HasSuffix(k, "-") {
			t.Errorf("no text for %q", k)
		}
	}
	for k, m := range messages {
		if m.VI == "" || m.EN == "" {
			t.Errorf("%s: a language is missing", k)
		}
		if strings.Count(m.VI, "%") != strings.Count(m.EN, "%") {
			t.Errorf("%s: the languages take different values", k)
		}
		if strings.Contains(m.VI, "{") || regexp.MustCompile(`%[sd] [a-z]{2,}[^s]s\b|[{}]`).MatchString(m.For(true).EN) {
			t.Errorf("%s: of one thing it says %q", k, m.For(true).EN)
		}
		composed := false
		for _, p := range []string{"station-", "status-", "state-", "kind-", "door-", "colour-", "conforms-", "event-", "outcome-", "sort-", "side-", "list-", "zone-", "head-", "channel-", "act-", "run-", "check-", "fault-", "role-", "order-", "object-", "register-"} {
			composed = composed || strings.HasPrefix(k, p)
		}
		if !used[k] && !composed {
			t.Errorf("%s: nobody says it", k)
		}
	}
	for k, p := range problems {
		if k != "rejected" && (p.text.VI == "" || p.text.EN == "" || p.title == "") {
			t.Errorf("problem %s: a text is missing", k)
		}
		if p.status == 503 && p.retry == 0 || p.status == 429 && p.retry == 0 {
			t.Errorf("problem %s: no time to come back", k)
		}
	}
	// What is composed has a text for every value.
	for _, lang := range []string{"vi", "en"} {
		for _, k := range stationWords {
			if _, err := words(lang, "station-"+k); err != nil {
				t.Error(err)
			}
		}
		for _, k := range []dossier.Status{dossier.Received, dossier.Resolved, dossier.Returned, dossier.Withdrawn, dossier.Rejected, dossier.Cancelled} {
			if _, err := words(lang, "status-"+string(k)); err != nil {
				t.Error(err)
			}
		}
		for _, k := range []dossier.Door{dossier.DoorAPI, dossier.DoorWeb, dossier.DoorHot, dossier.DoorBackfill, dossier.DoorSubmit} {
			if _, err := words(lang, "door-"+string(k)); err != nil {
				t.Error(err)
			}
		}
		for _, k := range []order{orderDelete, orderRevoke, orderTrust, orderDoubt, orderHold, orderLift} {
			for _, key := range []string{"order-" + k.name, "order-" + k.name + "-help"} {
				if _, err := words(lang, key); err != nil {
					t.Error(err)
				}
			}
		}
		for _, k := range dossier.Actions() {
			if _, err := words(lang, "act-"+string(k)); err != nil {
				t.Error(err)
			}
		}
		for _, k := range []dossier.Kind{dossier.Component, dossier.ResultKind, dossier.ResultInForce} {
			if _, err := words(lang, "kind-"+string(k)); err != nil {
				t.Error(err)
			}
		}
		for _, k := range []dossier.Colour{dossier.BlackWhite, dossier.Grey, dossier.FullColour} {
			if _, err := words(lang, "colour-"+string(k)); err != nil {
				t.Error(err)
			}
		}
		for _, k := range []dossier.Conformance{dossier.PDFA2b, dossier.AsOriginal} {
			if _, err := words(lang, "conforms-"+string(k)); err != nil {
				t.Error(err)
			}
		}
	}
}

// FuzzHeaders feeds the parsers of foreign headers.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"", "UTF-8''%C4%90%C6%A1n", "utf-8'vi'x%", "sha-256=:AAAA:", "attachment; filename*=UTF-8''a.pdf", "wait=20, respond-async", "dossier SDUx,kind", "sha1 AAAA", "100 %", "\x00", "..", "a/b\\c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := personal("x", s); err == nil && (len(v) > 3*maxText || strings.ContainsAny(v, "\r\n\x00")) {
			t.Errorf("personal(%q) = %q", s, v)
		}
		if d, err := contentDigest([]string{s}); err == nil && d != "" && len(d) != 64 {
			t.Errorf("contentDigest(%q) = %q", s, d)
		}
		if n, err := fileName(s); err == nil && strings.ContainsAny(n, "/\\\x00") {
			t.Errorf("fileName(%q) = %q", s, n)
		}
		if d := preferWait([]string{s}); d < 0 || d > maxWait {
			t.Errorf("preferWait(%q) = %v", s, d)
		}
		if m, err := uploadMetadata(s); err == nil && len(m) > strings.Count(s, ",")+1 {
			t.Errorf("uploadMetadata(%q) = %q", s, m)
		}
		if c, err := uploadChecksum(s); err == nil && s != "" && (c.New == nil || c.New().Size() != len(c.Want)) {
			t.Errorf("uploadChecksum(%q) = %d bytes", s, len(c.Want))
		}
		if p := localPath(s); !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
			t.Errorf("localPath(%q) = %q", s, p)
		}
	})
}
