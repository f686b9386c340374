package web_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"sohoa/dossier"
	"sohoa/web"
)

// provider is a real OpenID provider (zitadel's certified library, with the
// storage of its example) whose people have roles and units.
type provider struct {
	*httptest.Server
	storage *providerStorage
	down    atomic.Bool
}

type providerStorage struct {
	*storage.Storage
	mu     sync.Mutex
	key    *rsa.PrivateKey // what tokens are signed with, where a test signs itself
	people map[string]*storage.User
	claims map[string]map[string]any // by user id
	thin   bool                      // roles and units at the userinfo endpoint only
	back   string                    // where sign-out may lead
}

func (s *providerStorage) GetUserByID(id string) *storage.User { return s.people[id] }
func (s *providerStorage) GetUserByUsername(name string) *storage.User {
	for _, u := range s.people {
		if u.Username == name {
			return u
		}
	}
	return nil
}
func (s *providerStorage) ExampleClientID() string { return "none" }

func (s *providerStorage) give(u *oidc.UserInfo, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.claims[id] {
		u.AppendClaims(k, v)
	}
}

func (s *providerStorage) SetUserinfoFromRequest(ctx context.Context, u *oidc.UserInfo, t op.IDTokenRequest, scopes []string) error {
	err := s.Storage.SetUserinfoFromRequest(ctx, u, t, scopes)
	if !s.thin {
		s.give(u, t.GetSubject())
	}
	return err
}

func (s *providerStorage) SetUserinfoFromToken(ctx context.Context, u *oidc.UserInfo, token, subject, origin string) error {
	err := s.Storage.SetUserinfoFromToken(ctx, u, token, subject, origin)
	s.give(u, u.Subject)
	return err
}

// client is the example's, and says where it may be left to.
type client struct {
	op.Client
	back string
}

func (c client) PostLogoutRedirectURIs() []string { return []string{c.back} }

func (s *providerStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return client{c, s.back}, err
}

// KeySet adds a key of the test's own, with which it signs what a provider at
// fault, or an impostor, would.
func (s *providerStorage) KeySet(ctx context.Context) ([]op.Key, error) {
	keys, err := s.Storage.KeySet(ctx)
	return append(keys, ownKey{s.key}), err
}

type ownKey struct{ key *rsa.PrivateKey }

func (ownKey) ID() string                         { return "own" }
func (ownKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (ownKey) Use() string                        { return "sig" }
func (k ownKey) Key() any                         { return &k.key.PublicKey }

const ssoClient, ssoSecret = "sohoa", "bí mật của sohoa"

// newProvider starts a provider for the doors at the address back.
func newProvider(t *testing.T, back string) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &providerStorage{key: key, back: back + "/login", people: map[string]*storage.User{}, claims: map[string]map[string]any{}}
	for login, claims := range map[string]map[string]any{
		"lan":  {"roles": []string{"can-bo-mot-cua", "khac"}, "unit": "H51.10"},
		"hoa":  {"roles": []string{"khac", "lanh-dao"}, "unit": []string{"X", "VPUB"}},
		"minh": {"roles": []string{"khac"}, "unit": "H51.10"},
		"nam":  {"roles": []string{"lanh-dao"}, "unit": "H77"},
	} {
		s.people["id-"+login] = &storage.User{ID: "id-" + login, Username: login, Password: "mat khau o tinh", FirstName: "Nguyễn", LastName: strings.ToUpper(login)}
		s.claims["id-"+login] = claims
	}
	s.Storage = storage.NewStorageWithClients(s, map[string]*storage.Client{ssoClient: storage.WebClient(ssoClient, ssoSecret, back+"/sso/callback")})
	p := &provider{storage: s}
	var inner http.Handler
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	inner = exampleop.SetupServer(p.URL, s, slog.New(slog.NewTextHandler(io.Discard, nil)), false)
	return p
}

// sign makes a token of the provider's, or of the key given.
func (p *provider) sign(t *testing.T, key *rsa.PrivateKey, typ string, claims map[string]any) string {
	t.Helper()
	opts := (&jose.SignerOptions{}).WithHeader("kid", "own").WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	j, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ssoHouse is a house with a single sign-on, and a clock that the test turns.
func ssoHouse(t *testing.T) (*house, *provider, *atomic.Int64) {
	t.Helper()
	var ahead atomic.Int64
	o := &web.SignOn{ClientID: ssoClient, ClientSecret: ssoSecret,
		Roles: []web.SignOnRole{{Value: "lanh-dao", Role: dossier.Manager}, {Value: "can-bo-mot-cua", Role: dossier.Clerk}},
		Units: []web.SignOnUnit{{Value: "VPUB", Unit: "H51"}}}
	h := newHouse(t, setup{idle: true, options: func(w *web.Options) {
		w.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		w.SignOn = o
	}})
	p := newProvider(t, h.URL)
	o.Issuer, o.RedirectURL = p.URL, h.URL+"/sso/callback"
	if err := o.Valid(); err != nil {
		t.Fatal(err)
	}
	h.again(nil)
	return h, p, &ahead
}

// again makes the doors anew, as after a restart.
func (h *house) again(change func(*web.Options)) {
	h.t.Helper()
	h.options.Registry = nil
	if change != nil {
		change(&h.options)
	}
	h.handler = web.New(h.options)
	h.Config.Handler = h.handler
}

// goTo follows redirects by hand, from one site to the other and back, up to the
// page of the given path; it returns the answers on the way.
func (h *house) goTo(c *http.Client, method, address string, form url.Values) (way []reply) {
	h.t.Helper()
	for range 10 {
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		req, err := http.NewRequest(method, address, body)
		if err != nil {
			h.t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r := h.doWith(c, req)
		way = append(way, r)
		next, err := r.Location()
		if err != nil {
			return way
		}
		method, form, address = "GET", nil, next.String()
	}
	h.t.Fatal("the way does not end")
	return nil
}

func last(way []reply) reply { return way[len(way)-1] }

// signOn signs somebody in at the provider; the last answer of the way back.
func (h *house) signOn(c *http.Client, p *provider, login string) []reply {
	h.t.Helper()
	there := h.goTo(c, "GET", h.URL+"/sso?next="+url.QueryEscape("/dossiers/"+code("H51.10", 1)), nil)
	return h.signOnFrom(c, p, last(there), login)
}

func (h *house) signOnFrom(c *http.Client, p *provider, form reply, login string) []reply {
	h.t.Helper()
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindSubmatch(form.body)
	if id == nil {
		h.t.Fatalf("not the provider's page: %d %s", form.StatusCode, form.body)
	}
	return h.goTo(c, "POST", p.URL+"/login/username", url.Values{"id": {string(id[1])}, "username": {login}, "password": {"mat khau o tinh"}})
}

func TestSingleSignOn(t *testing.T) {
	h, p, _ := ssoHouse(t)
	ctx := context.Background()
	// A local account of the same login is somebody else.
	h.account("lan", dossier.Admin, "H51", false)
	if r := h.visit(h.browser(), "/login"); !strings.Contains(string(r.body), `href="/sso"`) {
		t.Fatalf("%s", r.body)
	}

	c := h.browser()
	there := h.goTo(c, "GET", h.URL+"/sso?next="+url.QueryEscape("/dossiers/"+code("H51.10", 1)), nil)
	asked, err := there[0].Location()
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"response_type": "code", "client_id": ssoClient, "redirect_uri": h.URL + "/sso/callback", "scope": "openid profile", "code_challenge_method": "S256"} {
		if got := asked.Query().Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	for _, k := range []string{"state", "nonce", "code_challenge"} {
		if len(asked.Query().Get(k)) < 20 {
			t.Errorf("%s: %q", k, asked.Query().Get(k))
		}
	}
	u, _ := url.Parse(h.URL)
	anonymous := c.Jar.Cookies(u)
	way := h.signOnFrom(c, p, last(there), "lan")
	r := last(way)
	if r.StatusCode != http.StatusOK || r.Request.URL.Path != "/dossiers/"+code("H51.10", 1) || !strings.Contains(string(r.body), "Nguyễn LAN") || strings.Contains(string(r.body), `href="/password"`) {
		t.Fatalf("%d %s %s", r.StatusCode, r.Request.URL.Path, r.body)
	}
	// Signed in under a new id: the one that went to the provider opens nothing.
	stranger := h.browser()
	stranger.Jar.SetCookies(u, anonymous)
	if r := h.visit(stranger, "/station"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the old session: %d", r.StatusCode)
	}
	// Role and unit are those of the claims.
	deeds, err := h.ledger.Deeds(ctx, dossier.DeedQuery{Action: dossier.ActSignIn})
	if err != nil || len(deeds) != 1 || deeds[0].Role != dossier.Clerk || deeds[0].Unit != "H51.10" {
		t.Fatalf("%+v, %v", deeds, err)
	}
	if r := h.visit(c, "/dossiers/"+code("H51.11", 1)); r.StatusCode != http.StatusForbidden {
		t.Errorf("a sister's dossier: %d", r.StatusCode)
	}
	if r := h.visit(c, "/password"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a password that is not ours: %d", r.StatusCode)
	}
	// Who is signed in is not sent there again.
	if r := h.visit(c, "/sso"); r.Header.Get("Location") != "/station" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	// Nor can anybody sign in to such an account by password.
	accounts, err := h.ledger.Accounts(ctx)
	if err != nil || len(accounts) != 2 {
		t.Fatal(accounts, err)
	}
	for _, a := range accounts {
		if a.Subject == "" {
			continue
		}
		hash, err := web.HashPassword(a.Login, password)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.ledger.SetAccountPassword(ctx, a.ID, hash, false); err != nil {
			t.Fatal(err)
		}
		if r := h.post(h.browser(), "/login", url.Values{"login": {a.Login}, "password": {password}}); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("by password: %d", r.StatusCode)
		}
	}

	// A leader, by a value that the settings map, among several.
	c = h.browser()
	if r := last(h.signOn(c, p, "hoa")); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// Moved there, moved here, with the next sign-in; and an account closed here
	// stays closed.
	p.storage.mu.Lock()
	p.storage.claims["id-hoa"] = map[string]any{"roles": "lanh-dao", "unit": "H51.11"}
	p.storage.mu.Unlock()
	c = h.browser()
	if r := last(h.signOn(c, p, "hoa")); r.StatusCode != http.StatusForbidden {
		t.Errorf("another unit's dossier: %d", r.StatusCode)
	}
	if list, err := h.ledger.Accounts(ctx); err != nil || len(list) != 3 {
		t.Errorf("%d accounts, %v", len(list), err)
	}
	hoa, err := h.ledger.AccountByLogin(ctx, "hoa")
	if err != nil || hoa.Unit != "H51.11" || hoa.Role != dossier.Manager {
		t.Fatal(hoa, err)
	}
	if err := h.ledger.SetAccountDisabled(ctx, hoa.ID, true); err != nil {
		t.Fatal(err)
	}
	if r := last(h.signOn(h.browser(), p, "hoa")); r.StatusCode != http.StatusUnauthorized || !strings.Contains(string(r.body), "đã bị khóa") {
		t.Errorf("closed: %d %s", r.StatusCode, r.body)
	}
	// Who has no role, or no unit of the register, does not get in.
	for _, login := range []string{"minh", "nam"} {
		if r := last(h.signOn(h.browser(), p, login)); r.StatusCode != http.StatusUnauthorized || !strings.Contains(string(r.body), "chưa được giao") {
			t.Errorf("%s: %d", login, r.StatusCode)
		}
	}
	for _, secret := range []string{"Nguyễn", "id-lan", "nonce=", ssoSecret} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// What does not come from this browser's own sign-in signs nobody in.
func TestSingleSignOnRefused(t *testing.T) {
	h, p, ahead := ssoHouse(t)
	refused := func(name string, r reply, text string) {
		t.Helper()
		if r.StatusCode != http.StatusUnauthorized || !strings.Contains(string(r.body), text) {
			t.Errorf("%s: %d %.2000s", name, r.StatusCode, r.body)
		}
	}
	// callback is the address with which the provider sends lan back to c.
	callback := func(c *http.Client, change func(url.Values)) string {
		t.Helper()
		form := last(h.goTo(c, "GET", h.URL+"/sso", nil))
		id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindSubmatch(form.body)
		req, err := http.NewRequest("POST", p.URL+"/login/username", strings.NewReader(url.Values{"id": {string(id[1])}, "username": {"lan"}, "password": {"mat khau o tinh"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r := h.doWith(c, req)
		for {
			next, err := r.Location()
			if err != nil {
				t.Fatal(err)
			}
			if next.Path == "/sso/callback" {
				q := next.Query()
				if change != nil {
					change(q)
				}
				return "/sso/callback?" + q.Encode()
			}
			if req, err = http.NewRequest("GET", next.String(), nil); err != nil {
				t.Fatal(err)
			}
			r = h.doWith(c, req)
		}
	}
	c := h.browser()
	refused("another browser", h.visit(h.browser(), callback(c, nil)), "không phải của trình duyệt này")
	refused("another state", h.visit(c, callback(c, func(q url.Values) { q.Set("state", strings.Repeat("A", 26)) })), "không phải của trình duyệt này")
	refused("no state", h.visit(c, "/sso/callback?code=x"), "không phải của trình duyệt này")
	refused("another code", h.visit(c, callback(c, func(q url.Values) { q.Set("code", "x") })), "không xác nhận được")
	refused("another provider", h.visit(c, callback(c, func(q url.Values) { q.Set("iss", "https://evil.example") })), "không phải của trình duyệt này")
	refused("not wanted there", h.visit(c, callback(c, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") })), "không xác nhận được")

	// A code is good once, and only with the state it belongs to.
	back := callback(c, nil)
	if r := h.visit(c, back); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d", r.StatusCode)
	}
	refused("twice", h.visit(c, back), "không phải của trình duyệt này")

	// A sister's code does not pass under this browser's state: PKCE.
	theirs, mine := h.browser(), h.browser()
	stolen, err := url.Parse(callback(theirs, nil))
	if err != nil {
		t.Fatal(err)
	}
	refused("a stolen code", h.visit(mine, callback(mine, func(q url.Values) { q.Set("code", stolen.Query().Get("code")) })), "không xác nhận được")

	// Clocks may differ by two minutes, not by more.
	for skew, good := range map[time.Duration]bool{-time.Minute: true, time.Minute: true, -10 * time.Minute: false, 2 * time.Hour: false} {
		c := h.browser()
		ahead.Store(int64(skew))
		r := h.visit(c, callback(c, nil))
		if good != (r.StatusCode == http.StatusSeeOther) {
			t.Errorf("our clock is %v ahead: %d", skew, r.StatusCode)
		}
	}
	ahead.Store(0)

	// While the provider is away, it is said, and local accounts sign in.
	h.again(nil)
	p.down.Store(true)
	if r := h.visit(h.browser(), "/sso"); r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "một lần tạm thời không trả lời") {
		t.Errorf("away: %d %v", r.StatusCode, r.Header)
	}
	h.account("tai.cho", dossier.Clerk, "H51.10", false)
	if r := h.post(h.browser(), "/login", url.Values{"login": {"tai.cho"}, "password": {password}}); r.StatusCode != http.StatusSeeOther {
		t.Errorf("a local account: %d", r.StatusCode)
	}
	p.down.Store(false)
	if r := h.visit(h.browser(), "/sso"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("back again: %d", r.StatusCode)
	}
}

// Tokens that are not the provider's, not for us, or not of this sign-in.
func TestSingleSignOnTokens(t *testing.T) {
	h, p, _ := ssoHouse(t)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := func(nonce string) map[string]any {
		return map[string]any{"iss": p.URL, "sub": "id-lan", "aud": ssoClient, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": nonce,
			"roles": "can-bo-mot-cua", "unit": "H51.10"}
	}
	with := func(k string, v any) func(string) map[string]any {
		return func(nonce string) map[string]any { m := good(nonce); m[k] = v; return m }
	}
	for _, c := range []struct {
		name   string
		claims func(string) map[string]any
		key    *rsa.PrivateKey
		good   bool
	}{
		{"as it should be", good, p.storage.key, true},
		{"a minute past its time", with("exp", now.Add(-time.Minute).Unix()), p.storage.key, true},
		{"an hour past its time", with("exp", now.Add(-time.Hour).Unix()), p.storage.key, false},
		{"from the future", with("iat", now.Add(time.Hour).Unix()), p.storage.key, false},
		{"for somebody else", with("aud", "other"), p.storage.key, false},
		{"of another provider", with("iss", "https://evil.example"), p.storage.key, false},
		{"of another sign-in", with("nonce", "x"), p.storage.key, false},
		{"signed by nobody we know", good, foreign, false},
	} {
		// Between us and the provider stands somebody who exchanges the tokens.
		var nonce string
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch r.URL.Path {
			case "/.well-known/openid-configuration":
				fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%s/auth","token_endpoint":"http://%v/token","jwks_uri":"%s/keys","id_token_signing_alg_values_supported":["RS256"]}`, p.URL, p.URL, r.Context().Value(http.LocalAddrContextKey), p.URL)
			case "/token":
				fmt.Fprintf(w, `{"access_token":"x","token_type":"Bearer","id_token":%q}`, p.sign(t, c.key, "JWT", c.claims(nonce)))
			}
		}))
		way := &http.Transport{Proxy: nil}
		h.again(func(o *web.Options) {
			s := *o.SignOn
			s.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/.well-known/openid-configuration" {
					r = r.Clone(r.Context())
					r.URL.Host = strings.TrimPrefix(front.URL, "http://")
				}
				return way.RoundTrip(r)
			})
			o.SignOn = &s
		})
		b := h.browser()
		r := h.visit(b, "/sso")
		asked, err := r.Location()
		if err != nil {
			t.Fatal(err, string(r.body))
		}
		nonce = asked.Query().Get("nonce")
		r = h.visit(b, "/sso/callback?"+url.Values{"code": {"x"}, "state": {asked.Query().Get("state")}}.Encode())
		if (r.StatusCode == http.StatusSeeOther) != c.good {
			t.Errorf("%s: %d", c.name, r.StatusCode)
		}
		front.Close()
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Roles that only the userinfo endpoint says.
func TestSingleSignOnUserInfo(t *testing.T) {
	h, p, _ := ssoHouse(t)
	p.storage.thin = true
	if r := last(h.signOn(h.browser(), p, "lan")); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// Signing out here leads to signing out there; signing out there ends it here.
func TestSingleSignOut(t *testing.T) {
	h, p, _ := ssoHouse(t)
	c := h.browser()
	h.signOn(c, p, "lan")
	r := h.post(c, "/logout", nil)
	_, end, ok := strings.Cut(r.Header.Get("Refresh"), "url=")
	if r.StatusCode != http.StatusOK || !ok || strings.Contains(end, "id_token") || !strings.Contains(string(r.body), "Đã thoát") {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	if r := last(h.goTo(c, "GET", end, nil)); r.StatusCode != http.StatusOK || r.Request.URL.String() != h.URL+"/login" {
		t.Errorf("%d %s", r.StatusCode, r.Request.URL)
	}
	if r := h.visit(c, "/station"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("signed out: %d", r.StatusCode)
	}

	// The provider says that lan has gone: both of lan's sessions end, not hoa's.
	one, two, other := h.browser(), h.browser(), h.browser()
	h.signOn(one, p, "lan")
	h.signOn(two, p, "lan")
	h.signOn(other, p, "hoa")
	tell := func(key *rsa.PrivateKey, change func(map[string]any)) reply {
		claims := map[string]any{"iss": p.URL, "aud": ssoClient, "sub": "id-lan", "jti": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		if change != nil {
			change(claims)
		}
		return h.do(h.request("POST", "/sso/logout", "", strings.NewReader(url.Values{"logout_token": {p.sign(t, key, "logout+jwt", claims)}}.Encode()), "Content-Type", "application/x-www-form-urlencoded"))
	}
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]reply{
		"a stranger's":      tell(foreign, nil),
		"for somebody else": tell(p.storage.key, func(m map[string]any) { m["aud"] = "other" }),
		"an id_token":       tell(p.storage.key, func(m map[string]any) { delete(m, "events") }),
		"of nobody":         tell(p.storage.key, func(m map[string]any) { delete(m, "sub"); m["sid"] = "x" }),
	} {
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	if r := h.visit(one, "/station"); r.StatusCode != http.StatusOK {
		t.Fatalf("still signed in: %d", r.StatusCode)
	}
	if r := tell(p.storage.key, nil); r.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for name, c := range map[string]*http.Client{"one": one, "two": two} {
		if r := h.visit(c, "/station"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if r := h.visit(other, "/list?period=2024"); r.StatusCode != http.StatusOK {
		t.Errorf("hoa: %d", r.StatusCode)
	}
}

// The whole way in a real browser, there and back, in and out.
func TestBrowserSingleSignOn(t *testing.T) {
	h, _, _ := ssoHouse(t)
	b := newBrowser(t, h)
	b.expected = []string{"favicon.ico"} // the provider's own
	b.open("/login")
	b.has("Đăng nhập một lần của tỉnh")
	b.picture("login-sso")
	b.run(chromedp.Click("a.button.main"), chromedp.WaitVisible("input[name=username]"),
		chromedp.SendKeys("input[name=username]", "lan"), chromedp.SendKeys("input[name=password]", "mat khau o tinh"), chromedp.Submit("form"))
	b.has("Trạm số hóa")
	b.has("Nguyễn LAN")
	b.run(chromedp.Click("header .who button"))
	b.has("Đăng nhập một lần của tỉnh")
	if at := get(b, chromedp.Location()); !strings.HasPrefix(at, h.URL+"/login") {
		t.Errorf("ends at %s", at)
	}
}

func TestSignOnValid(t *testing.T) {
	good := web.SignOn{Issuer: "https://sso.example/realms/tinh", ClientID: "sohoa", RedirectURL: "https://sohoa.example/sso/callback"}
	if err := good.Valid(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*web.SignOn){
		"plain http":     func(o *web.SignOn) { o.Issuer = "http://sso.example" },
		"no issuer":      func(o *web.SignOn) { o.Issuer = "" },
		"no client":      func(o *web.SignOn) { o.ClientID = "" },
		"elsewhere":      func(o *web.SignOn) { o.RedirectURL = "https://sohoa.example/" },
		"back in plain":  func(o *web.SignOn) { o.RedirectURL = "http://sohoa.example/sso/callback" },
		"no such role":   func(o *web.SignOn) { o.Roles = []web.SignOnRole{{Value: "x", Role: "king"}} },
		"no unit's code": func(o *web.SignOn) { o.Units = []web.SignOnUnit{{Value: "x", Unit: "không"}} },
	} {
		o := good
		if change(&o); o.Valid() == nil {
			t.Errorf("%s passes", name)
		}
	}
}
