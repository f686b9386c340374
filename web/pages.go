package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"sohoa/dossier"
)

//go:embed templates static
var files embed.FS

// templates are every page in every language; a page is the layout and its body.
type templates map[string]map[string]*template.Template

func parseTemplates() (templates, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	out := templates{}
	for _, lang := range []string{"vi", "en"} {
		out[lang] = map[string]*template.Template{}
		funcs := template.FuncMap{
			"t":  func(key string) (string, error) { return words(lang, key) },
			"tn": func(key, number string) (string, error) { return wordsOf(lang, key, number) },
		}
		for _, n := range names {
			base := strings.TrimSuffix(path.Base(n), ".html")
			if base == "layout" {
				continue
			}
			t, err := template.New("layout.html").Funcs(funcs).ParseFS(files, "templates/layout.html", n)
			if err != nil {
				return nil, err
			}
			out[lang][base] = t
		}
	}
	return out, nil
}

// words returns a text of the catalogue. A missing one is a mistake of the
// program, which a test finds before anybody sees it.
func words(lang, key string) (string, error) {
	m, ok := messages[key]
	if !ok {
		return "", fmt.Errorf("web: no text for %q", key)
	}
	return m.In(lang), nil
}

// say is words for keys that stand in the program text.
func say(lang, key string) string {
	v, err := words(lang, key)
	if err != nil {
		panic(err)
	}
	return v
}

// wordsOf is words as they go with a number: "1 file", "2 files".
func wordsOf(lang, key, number string) (string, error) {
	m, ok := messages[key]
	if !ok {
		return "", fmt.Errorf("web: no text for %q", key)
	}
	return m.For(number == "1").In(lang), nil
}

// sayOf is what to say of so many things: the number is the first value of the
// text, then come the others.
func sayOf(lang, key string, n int64, more ...any) string {
	number := grouped(n)
	v, err := wordsOf(lang, key, number)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(v, append([]any{number}, more...)...)
}

type navItem struct {
	Href, Text string
	Here       bool
}

// layout is what every page has.
type layout struct {
	Lang, OtherLang, Title, Stamp, Person string
	Local                                 bool // who is signed in has a password here
	Nav                                   []navItem
	Scripts                               []string
	Body                                  any
}

// navigation is what each role needs, the first entry being its home.
func navigation(a dossier.Role) []navItem {
	var out []navItem
	add := func(href, key string, access Access) {
		if access.Roles[a] != ReachNone {
			out = append(out, navItem{Href: href, Text: key})
		}
	}
	add("/station", "nav-station", maySend)
	add("/tray", "nav-tray", maySend)
	add("/", "nav-figures", mayFigures)
	add("/worklist", "nav-worklist", mayLook)
	add("/inbox", "nav-inbox", mayLook)
	add("/closings", "nav-closings", mayClosings)
	add("/people", "nav-people", mayManage)
	add("/tokens", "nav-tokens", mayManage)
	add("/audit", "nav-audit", mayAudit)
	add("/operations", "nav-operations", anyRole)
	return out
}

// home is where somebody goes after signing in.
func home(a dossier.Role) string {
	if n := navigation(a); len(n) > 0 {
		return n[0].Href
	}
	return "/"
}

func lang(r *http.Request) string {
	if v := r.URL.Query().Get("lang"); v == "en" || v == "vi" {
		return v
	}
	if c, err := r.Cookie("lang"); err == nil && c.Value == "en" {
		return "en"
	}
	return "vi"
}

// render writes a page. It is made whole before its first byte is sent, so that
// a fault in the middle shows as a fault.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name, title string, body any, scripts ...string) error {
	l := lang(r)
	if r.URL.Query().Has("lang") {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: l, Path: "/", MaxAge: 365 * 86400, HttpOnly: true,
			SameSite: http.SameSiteLaxMode, Secure: s.SecureCookies})
	}
	who := actorOf(r.Context())
	other := r.URL.Query()
	other.Set("lang", map[string]string{"vi": "en", "en": "vi"}[l])
	p := layout{Lang: l, Title: title, Stamp: s.stamp, Scripts: scripts, Body: body,
		OtherLang: "?" + other.Encode()}
	if who.Window {
		p.Person, p.Local = who.name, who.local
		p.Nav = navigation(who.Role)
		if s.Tray == nil {
			p.Nav = slices.DeleteFunc(p.Nav, func(n navItem) bool { return n.Href == "/tray" })
		}
		for i := range p.Nav {
			p.Nav[i].Here = p.Nav[i].Href == r.URL.Path || p.Nav[i].Href != "/" && strings.HasPrefix(r.URL.Path, p.Nav[i].Href+"/")
			p.Nav[i].Text = say(l, p.Nav[i].Text)
		}
	}
	t, ok := s.templates[l][name]
	if !ok {
		return fmt.Errorf("web: no page %q", name)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", l)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = b.WriteTo(w) // the client may be gone: nobody is left to tell
	}
	return nil
}

// isPage reports whether the request is a person's in a browser.
func isPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// failPage answers a person: sends them to sign in where that is what is needed,
// else says what happened and what to do.
func (s *server) failPage(w http.ResponseWriter, r *http.Request, p *Problem) {
	switch {
	case p.Code == "signed-out" && s.sessions != nil && r.Method == http.MethodGet:
		next := r.URL.RequestURI()
		http.Redirect(w, r, "/login?next="+url.QueryEscape(next), http.StatusSeeOther)
		return
	case p.Code == "password-change":
		http.Redirect(w, r, "/password", http.StatusSeeOther)
		return
	}
	type body struct{ Title, Message, RequestID string }
	l := lang(r)
	b := body{problems["fault"].title, dossier.Text{VI: p.MessageVI, EN: p.MessageEN}.In(l), p.RequestID}
	b.Title = say(l, "problem")
	if err := s.render(w, r, p.Status, "problem", b.Title, b); err != nil {
		s.Log.Error().Err(err).Str("request", p.RequestID).Msg("the page of a problem failed")
		http.Error(w, b.Message, http.StatusInternalServerError)
	}
}

func (s *server) routeStatic() error {
	sub, err := fs.Sub(files, "static")
	if err != nil {
		return err
	}
	sum := sha256.New()
	if err := fs.WalkDir(sub, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(sub, p)
		sum.Write(b)
		return err
	}); err != nil {
		return err
	}
	s.stamp = hex.EncodeToString(sum.Sum(nil))[:12]
	s.route("GET /static/{file}", public, func(w http.ResponseWriter, r *http.Request) error {
		name := r.PathValue("file")
		b, err := fs.ReadFile(sub, name)
		if err != nil {
			return problem("not-found", nil)
		}
		if r.URL.RawQuery == s.stamp {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
		return nil
	})
	return nil
}

// grouped writes a number with thin spaces between its thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	neg := strings.TrimPrefix(s, "-")
	var b strings.Builder
	if len(neg) < len(s) {
		b.WriteByte('-')
	}
	for i, c := range neg {
		if i > 0 && (len(neg)-i)%3 == 0 {
			b.WriteRune('\u2009')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// clock is an instant as people here write it.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(dossier.Zone).Format("02/01/2006 15:04")
}

func dayOf(t time.Time) string { return dossier.DateOf(t).Local() }

// size is a number of bytes for people.
func size(n int64, lang string) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"KB", "MB", "GB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	digits := 0
	if v < 10 && unit != "B" {
		digits = 1
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if lang != "en" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s + " " + unit
}
