package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/web"
)

// accessTable reads docs/access.md: reach by route and role; "public" under the
// role "" where anybody may.
func accessTable(t *testing.T) map[string]map[dossier.Role]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "access.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[dossier.Role]string{}
	var roles []dossier.Role
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == "route":
			for _, c := range cells[1:] {
				r, err := dossier.ParseRole(c)
				if err != nil {
					t.Fatal(err)
				}
				roles = append(roles, r)
			}
		case len(roles) > 0 && strings.HasPrefix(line, "| `"):
			row := map[dossier.Role]string{}
			for i, c := range cells[1:] {
				row[roles[i]] = c
			}
			out[strings.Trim(cells[0], "`")] = row
		case strings.HasPrefix(line, "`GET /healthz`"):
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
				out[m[1]] = map[dossier.Role]string{"": "public"}
			}
		}
	}
	if !slices.Equal(roles, dossier.Roles()) || len(out) < 20 {
		t.Fatalf("docs/access.md: roles %v, %d routes", roles, len(out))
	}
	return out
}

func TestAccessTableIsTheProgramsOwn(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	want := accessTable(t)
	for _, r := range web.Routes(h.handler) {
		row, ok := want[r.Pattern]
		if !ok {
			t.Errorf("%s: docs/access.md does not name it", r.Pattern)
			continue
		}
		delete(want, r.Pattern)
		if r.Access.Public != (row[""] == "public") {
			t.Errorf("%s: public %v, docs/access.md says otherwise", r.Pattern, r.Access.Public)
		}
		for _, role := range dossier.Roles() {
			if got := r.Access.Roles[role].String(); !r.Access.Public && got != row[role] {
				t.Errorf("%s: %s reaches %q, docs/access.md says %q", r.Pattern, role, got, row[role])
			}
		}
	}
	for p := range want {
		t.Errorf("%s: in docs/access.md, not in the program", p)
	}
}

// places are the units a request may be about, seen from H51.10.
var places = map[string]dossier.UnitCode{"own": "H51.10", "sub": "H51.10.01", "former sub": "H51.10.09", "sister": "H51.11", "sister's": "H51.11.01", "above": "H51", "foreign": "H92"}

// TestAccessMatrix tries every route as every role on every place, by token and
// signed in; then with the same role's expired session and expired token; then
// without any, and with a revoked and an invented one.
func TestAccessMatrix(t *testing.T) {
	var later atomic.Int64 // how far the house's clock is ahead
	h := newHouse(t, setup{options: func(o *web.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	}})
	const home = dossier.UnitCode("H51.10")
	documents := map[dossier.UnitCode]string{}
	for _, u := range places {
		r := h.send(h.token(dossier.Operator, u), code(u, 1), "component", "accept/page.png")
		var d struct{ ID string }
		if r.json(t, &d); r.StatusCode != http.StatusCreated || d.ID == "" {
			t.Fatalf("%s: %d %v %s", u, r.StatusCode, r.Header, r.body)
		}
		documents[u] = d.ID
	}
	page := scan(t, "accept/page.png")
	accounts, tokens, closings := map[dossier.UnitCode]string{}, map[dossier.UnitCode]string{}, map[dossier.UnitCode]string{}
	for _, u := range places {
		var err error
		if accounts[u], err = h.ledger.CreateAccount(context.Background(), dossier.Account{Login: "of." + string(u), Role: dossier.Clerk, Unit: u}); err != nil {
			t.Fatal(err)
		}
		c, err := closer{h}.ClosePeriod(context.Background(), "2023-01", u, "cli")
		if err != nil {
			t.Fatal(err)
		}
		closings[u] = c.ID
		if _, tokens[u], err = h.ledger.CreateToken(context.Background(), dossier.Token{Name: "x", Role: dossier.Clerk, Unit: u}); err != nil {
			t.Fatal(err)
		}
	}
	get := func(f string, a ...any) func(dossier.UnitCode) *http.Request {
		return func(u dossier.UnitCode) *http.Request {
			return h.request("GET", strings.NewReplacer("{id}", documents[u], "{code}", code(u, 1), "{unit}", string(u), "{account}", accounts[u], "{closing}", closings[u]).Replace(fmt.Sprintf(f, a...)), "", nil)
		}
	}
	post := func(path string, v func(dossier.UnitCode) url.Values) func(dossier.UnitCode) *http.Request {
		return func(u dossier.UnitCode) *http.Request {
			path := strings.NewReplacer("{account}", accounts[u], "{token}", tokens[u], "{id}", documents[u]).Replace(path)
			return h.request("POST", path, "", strings.NewReader(v(u).Encode()), "Content-Type", "application/x-www-form-urlencoded")
		}
	}
	metadata := func(u dossier.UnitCode) string {
		return "dossier " + base64.StdEncoding.EncodeToString([]byte(code(u, 1))) + ",kind " + base64.StdEncoding.EncodeToString([]byte("component"))
	}
	// An upload of its own for each request, which may end it.
	upload := func(method string, header ...string) func(dossier.UnitCode) *http.Request {
		return func(u dossier.UnitCode) *http.Request {
			up, err := h.pipeline.BeginUpload(context.Background(), dossier.Slip{Kind: dossier.Component, Dossier: dossier.Code(code(u, 1))}, 100, "")
			if err != nil {
				t.Fatal(err)
			}
			return h.request(method, "/api/v1/uploads/"+up.ID, "", strings.NewReader("piece"),
				append(header, "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")...)
		}
	}
	nothing := func(dossier.UnitCode) url.Values { return nil }
	byOrder := func(dossier.UnitCode) url.Values { return url.Values{"order": {"1/QĐ"}, "reason": {"x"}} }
	requests := map[string]func(dossier.UnitCode) *http.Request{
		"OPTIONS /api/v1/uploads": func(dossier.UnitCode) *http.Request { return h.request("OPTIONS", "/api/v1/uploads", "", nil) },
		"POST /api/v1/uploads": func(u dossier.UnitCode) *http.Request {
			return h.request("POST", "/api/v1/uploads", "", nil, "Tus-Resumable", "1.0.0", "Upload-Length", "100", "Upload-Metadata", metadata(u))
		},
		"HEAD /api/v1/uploads/{id}":   upload("HEAD"),
		"PATCH /api/v1/uploads/{id}":  upload("PATCH"),
		"DELETE /api/v1/uploads/{id}": upload("DELETE"),
		"POST /api/v1/uploads/{id}":   upload("POST", "X-HTTP-Method-Override", "DELETE"),
		"PUT /api/v1/dossiers/{code}/documents": func(u dossier.UnitCode) *http.Request {
			return h.request("PUT", "/api/v1/dossiers/"+code(u, 1)+"/documents?kind=component", "", bytes.NewReader(page))
		},
		"PUT /api/v1/results/documents": func(u dossier.UnitCode) *http.Request {
			return h.request("PUT", "/api/v1/results/documents?issued_on=2020-01-02", "", bytes.NewReader(page), "Sohoa-Unit", string(u), "Sohoa-Number", "12/QĐ-UBND")
		},
		"GET /api/v1/documents/{id}":          get("/api/v1/documents/{id}"),
		"GET /api/v1/documents/{id}/original": get("/api/v1/documents/{id}/original"),
		"GET /api/v1/documents/{id}/archive":  get("/api/v1/documents/{id}/archive"),
		"GET /api/v1/dossiers/{code}":         get("/api/v1/dossiers/{code}"),
		"GET /api/v1/report":                  get("/api/v1/report?unit={unit}&period=2024&structure_as_of=2024-06-30"),
		"GET /api/v1/list":                    get("/api/v1/list?unit={unit}&period=2024&structure_as_of=2024-06-30&indicator=4.2"),
		"POST /api/v1/import/{kind}": func(dossier.UnitCode) *http.Request {
			return h.request("POST", "/api/v1/import/units", "", strings.NewReader("code,name\n"))
		},
		"GET /api/v1/units": get("/api/v1/units"),
		"GET /api/v1/reusable": func(dossier.UnitCode) *http.Request {
			return h.request("GET", "/api/v1/reusable", "", nil, "Sohoa-Owner-Id", "012345678901")
		},
		"GET /api/v1/tray": get("/api/v1/tray"),
		"GET /api/v1/tray/{id}/pages/{page}": func(u dossier.UnitCode) *http.Request {
			return h.request("GET", "/api/v1/tray/"+h.waits(u, page)+"/pages/1", "", nil)
		},
		"POST /api/v1/tray/{id}/file": func(u dossier.UnitCode) *http.Request {
			return h.request("POST", "/api/v1/tray/"+h.waits(u, page)+"/file", "", strings.NewReader(`{"kind":"component","dossier":"`+code(u, 1)+`"}`),
				"Content-Type", "application/json")
		},
		"POST /api/v1/tray/{id}/discard": func(u dossier.UnitCode) *http.Request {
			return h.request("POST", "/api/v1/tray/"+h.waits(u, page)+"/discard", "", nil)
		},
		"GET /metrics":                     get("/metrics"),
		"GET /{$}":                         get("/?unit={unit}&period=2024&structure_as_of=2024-06-30"),
		"GET /report.xlsx":                 get("/report.xlsx?unit={unit}&period=2024&structure_as_of=2024-06-30"),
		"GET /report.csv":                  get("/report.csv?unit={unit}&period=2024&structure_as_of=2024-06-30"),
		"GET /list":                        get("/list?unit={unit}&period=2024&structure_as_of=2024-06-30"),
		"GET /worklist":                    get("/worklist?unit={unit}&period=2024&structure_as_of=2024-06-30"),
		"GET /dossiers/{code}":             get("/dossiers/{code}"),
		"GET /dossiers/{code}/receipt":     get("/dossiers/{code}/receipt"),
		"GET /documents/{id}":              get("/documents/{id}"),
		"GET /documents/{id}/pages/{page}": get("/documents/{id}/pages/1?dpi=24"),
		"GET /station":                     get("/station?code={code}"),
		"GET /inbox":                       get("/inbox"),
		"GET /tray":                        get("/tray"),
		"POST /tray/file": post("/tray/file", func(u dossier.UnitCode) url.Values {
			return url.Values{"id": {h.waits(u, page)}, "kind": {"component"}, "code": {code(u, 1)}}
		}),
		"POST /tray/discard": post("/tray/discard", func(u dossier.UnitCode) url.Values {
			return url.Values{"id": {h.waits(u, page)}}
		}),
		"POST /inbox/replay": post("/inbox/replay", func(u dossier.UnitCode) url.Values {
			return url.Values{"id": {documents[u]}}
		}),
		"GET /audit":      get("/audit"),
		"GET /audit.csv":  get("/audit.csv"),
		"GET /operations": get("/operations"),
		"GET /password":   get("/password"),
		"POST /password":  post("/password", nothing),
		"POST /logout":    post("/logout", nothing),
		"POST /api/v1/documents/{id}/deletion": func(u dossier.UnitCode) *http.Request {
			return h.request("POST", "/api/v1/documents/"+documents[u]+"/deletion", "", strings.NewReader(`{"order":"1/QĐ","reason":"x"}`), "Content-Type", "application/json")
		},
		"POST /api/v1/documents/{id}/refile": func(u dossier.UnitCode) *http.Request {
			return h.request("POST", "/api/v1/documents/"+documents[u]+"/refile", "", strings.NewReader(`{"dossier":"`+code(u, 2)+`","order":"1/QĐ","reason":"x"}`), "Content-Type", "application/json")
		},
		"POST /documents/{id}/refile": post("/documents/{id}/refile", func(u dossier.UnitCode) url.Values {
			return url.Values{"dossier": {code(u, 2)}, "order": {"1/QĐ"}, "reason": {"x"}}
		}),
		"POST /api/v1/closings": func(u dossier.UnitCode) *http.Request {
			return h.request("POST", "/api/v1/closings", "", strings.NewReader(`{"period":"2023-01","unit":"`+string(u)+`"}`), "Content-Type", "application/json")
		},
		"GET /api/v1/closings":        get("/api/v1/closings"),
		"POST /documents/{id}/delete": post("/documents/{id}/delete", byOrder),
		"POST /documents/{id}/revoke": post("/documents/{id}/revoke", byOrder),
		"POST /documents/{id}/trust":  post("/documents/{id}/trust", byOrder),
		"POST /documents/{id}/doubt":  post("/documents/{id}/doubt", byOrder),
		"POST /documents/{id}/hold":   post("/documents/{id}/hold", byOrder),
		"POST /documents/{id}/lift":   post("/documents/{id}/lift", byOrder),
		"PUT /api/v1/runs/{id}": func(dossier.UnitCode) *http.Request {
			return h.request("PUT", "/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057", "", strings.NewReader(`{"started_at":"2024-08-01T09:00:00Z","done":1,"total":2,"failed":0}`), "Content-Type", "application/json")
		},
		"GET /closings":      get("/closings"),
		"GET /closings/{id}": get("/closings/{closing}"),
		"POST /closings": post("/closings", func(u dossier.UnitCode) url.Values {
			return url.Values{"period": {"2023-01"}, "unit": {string(u)}}
		}),
		"GET /people": get("/people?unit={unit}"),
		"POST /people": post("/people", func(u dossier.UnitCode) url.Values {
			return url.Values{"login": {"new." + string(u)}, "role": {"clerk"}, "unit": {string(u)}}
		}),
		"GET /people/{id}": get("/people/{account}"),
		"POST /people/{id}": post("/people/{account}", func(u dossier.UnitCode) url.Values {
			return url.Values{"role": {"clerk"}, "unit": {string(u)}}
		}),
		"POST /people/{id}/password": post("/people/{account}/password", nothing),
		"POST /people/{id}/lock":     post("/people/{account}/lock", nothing),
		"POST /people/{id}/unlock":   post("/people/{account}/unlock", nothing),
		"GET /tokens":                get("/tokens?unit={unit}"),
		"POST /tokens": post("/tokens", func(u dossier.UnitCode) url.Values {
			return url.Values{"name": {"x"}, "role": {"clerk"}, "unit": {string(u)}, "days": {"30"}}
		}),
		"POST /tokens/{id}/revoke": post("/tokens/{token}/revoke", nothing),
	}
	// Routes whose subject is the actor, not the asked unit: their own scope is
	// tested elsewhere, here only who may enter.
	aboutNobody := []string{"GET /inbox", "GET /audit", "GET /audit.csv", "GET /api/v1/tray", "GET /closings", "GET /api/v1/closings", "GET /tray"}
	// Routes for people only.
	people := []string{"GET /password", "POST /password", "POST /logout"}

	table := accessTable(t)
	for pattern, row := range table {
		if row[""] == "" && requests[pattern] == nil {
			t.Fatalf("%s: the matrix does not try it", pattern)
		}
	}
	reaches := func(reach, place string) bool {
		switch reach {
		case "own":
			return place == "own"
		case "subtree":
			return place == "own" || place == "sub" || place == "former sub"
		}
		return reach == "yes"
	}
	refused := func(r reply) bool {
		return r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden
	}
	tried := 0
	patterns := slices.Sorted(maps.Keys(requests))
	persons := map[dossier.Role]*http.Client{}
	for _, role := range dossier.Roles() {
		token, person := h.token(role, home), h.person(role, home)
		persons[role] = person
		for _, pattern := range patterns {
			for place, unit := range places {
				want := reaches(table[pattern][role], place)
				if slices.Contains(aboutNobody, pattern) {
					want = table[pattern][role] != "–"
				}
				forPeople := slices.Contains(people, pattern)
				req := requests[pattern](unit)
				req.Header.Set("Authorization", "Bearer "+token)
				if r := h.do(req); refused(r) != (!want || forPeople) || r.StatusCode >= 500 && r.StatusCode != http.StatusNotImplemented {
					t.Errorf("%s as %s by token on %s: %d, docs/access.md says %q: %.200s", pattern, role, place, r.StatusCode, table[pattern][role], r.body)
				}
				tried++
				if pattern == "POST /logout" || pattern == "POST /password" {
					continue // the session would end, or count wrong passwords; tested by themselves
				}
				if r := h.doWith(person, requests[pattern](unit)); refused(r) == want || r.StatusCode >= 500 && r.StatusCode != http.StatusNotImplemented {
					t.Errorf("%s as %s signed in on %s: %d, docs/access.md says %q: %.200s", pattern, role, place, r.StatusCode, table[pattern][role], r.body)
				}
				tried++
			}
		}
	}

	// Nobody has been there for three hours: what was good is good no more, on any
	// place and whatever the role.
	later.Store(int64(3 * time.Hour))
	expired := map[dossier.Role]string{}
	for _, role := range dossier.Roles() {
		var err error
		if expired[role], _, err = h.ledger.CreateToken(context.Background(), dossier.Token{Role: role, Unit: home, Expires: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range patterns {
		for place, unit := range places {
			req := requests[pattern](unit)
			for _, role := range dossier.Roles() {
				for name, ask := range map[string]func(*http.Request) reply{
					"expired session": func(req *http.Request) reply { return h.doWith(persons[role], req) },
					"expired token": func(req *http.Request) reply {
						req.Header.Set("Authorization", "Bearer "+expired[role])
						return h.do(req)
					},
				} {
					one := req.Clone(context.Background())
					if req.GetBody != nil {
						var err error
						if one.Body, err = req.GetBody(); err != nil {
							t.Fatal(err)
						}
					}
					if r := ask(one); r.StatusCode != http.StatusUnauthorized {
						t.Errorf("%s as %s with an %s on %s: %d: %.200s", pattern, role, name, place, r.StatusCode, r.body)
					}
					tried++
				}
			}
		}
	}
	later.Store(0)
	revoked, id, err := h.ledger.CreateToken(context.Background(), dossier.Token{Role: dossier.Operator, Unit: home})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.ledger.RevokeToken(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	stranger := h.browser()
	u, _ := url.Parse(h.URL)
	stranger.Jar.SetCookies(u, []*http.Cookie{{Name: "sohoa", Value: strings.Repeat("x", 43)}})
	for _, pattern := range patterns {
		for state, secret := range map[string]string{"signed out": "", "revoked": revoked, "invented": "sohoa_" + strings.Repeat("a", 40)} {
			req := requests[pattern](home)
			if secret != "" {
				req.Header.Set("Authorization", "Bearer "+secret)
			}
			if r := h.do(req); r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: %d", pattern, state, r.StatusCode)
			}
			tried++
		}
		if r := h.doWith(stranger, requests[pattern](home)); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with an invented session: %d", pattern, r.StatusCode)
		}
		tried++
	}
	for pattern, row := range table {
		if row[""] != "public" {
			continue
		}
		method, path, _ := strings.Cut(pattern, " ")
		r := h.do(h.request(method, strings.Replace(path, "{file}", "style.css", 1), "", io.NopCloser(strings.NewReader(""))))
		want := http.StatusOK
		switch pattern {
		case "POST /login":
			if want = http.StatusUnauthorized; !strings.Contains(string(r.body), "note bad") {
				t.Errorf("%s: %s", pattern, r.body)
			}
		case "GET /sso", "GET /sso/callback", "POST /sso/logout": // there is none in this house; see TestSingleSignOn
			want = http.StatusNotImplemented
		}
		if r.StatusCode != want {
			t.Errorf("%s: %d, want %d", pattern, r.StatusCode, want)
		}
		tried++
	}
	t.Logf("%d requests tried", tried)
}
