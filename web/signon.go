package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sohoa/dossier"
)

// SignOn is a province's single sign-on: an OpenID provider says who somebody is
// and, by its claims, which role and which unit they have. It is asked at each
// sign-in; what it takes away is gone with the session, at the latest.
type SignOn struct {
	Name         dossier.Text `yaml:"name"`   // on the button
	Issuer       string       `yaml:"issuer"` // as the provider writes it
	ClientID     string       `yaml:"client_id"`
	SecretFile   string       `yaml:"client_secret_file"`
	ClientSecret string       `yaml:"-"`
	// RedirectURL is where the provider sends people back: our address and
	// /sso/callback.
	RedirectURL string   `yaml:"redirect_url"`
	Scopes      []string `yaml:"scopes"` // beside openid; absent: profile
	// RoleClaim and UnitClaim name claims; a dot goes down into an object
	// (realm_access.roles).
	RoleClaim string       `yaml:"role_claim"` // absent: roles
	UnitClaim string       `yaml:"unit_claim"` // absent: unit
	Roles     []SignOnRole `yaml:"roles"`      // the first that fits; absent: the claim holds our roles
	Units     []SignOnUnit `yaml:"units"`      // for values that are not unit codes of the register

	Transport http.RoundTripper `yaml:"-"` // nil: the usual one
}

// SignOnRole gives whoever has a value among their roles one of ours.
type SignOnRole struct {
	Value string       `yaml:"value"`
	Role  dossier.Role `yaml:"role"`
}

// SignOnUnit gives whoever has a value among their units one of the register.
type SignOnUnit struct {
	Value string           `yaml:"value"`
	Unit  dossier.UnitCode `yaml:"unit"`
}

// Valid says what keeps a single sign-on from working, or nil.
func (o SignOn) Valid() error {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Host == "" || issuer.Scheme != "https" && !(issuer.Scheme == "http" && loopback(issuer.Hostname())) {
		return errors.New("issuer: an https address")
	}
	back, err := url.Parse(o.RedirectURL)
	if err != nil || back.Host == "" || back.Path != "/sso/callback" || back.Scheme != "https" && !(back.Scheme == "http" && loopback(back.Hostname())) {
		return errors.New("redirect_url: our https address with the path /sso/callback")
	}
	if o.ClientID == "" {
		return errors.New("client_id: the name under which the provider knows us")
	}
	for _, r := range o.Roles {
		if _, err := dossier.ParseRole(string(r.Role)); err != nil || r.Value == "" {
			return fmt.Errorf("roles: a value and one of %v", dossier.Roles())
		}
	}
	for _, u := range o.Units {
		if _, err := dossier.ParseUnitCode(string(u.Unit)); err != nil || u.Value == "" {
			return errors.New("units: a value and a unit code")
		}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

const (
	// ssoSkew is how far the provider's clock may be from ours.
	ssoSkew = 2 * time.Minute
	// ssoTime is how long signing in at the provider may take.
	ssoTime = 15 * time.Minute
	// ssoWait is how long the provider may take to answer us.
	ssoWait = 10 * time.Second

	ssoState, ssoNonce, ssoVerifier, ssoNext = "sso-state", "sso-nonce", "sso-verifier", "sso-next"
)

// signOn is the single sign-on with what its provider says of itself, which is
// asked when first needed: while it is away, local accounts still sign in.
type signOn struct {
	SignOn
	now    func() time.Time
	client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider
	end      string // where somebody signs out there
}

func newSignOn(o SignOn, now func() time.Time) *signOn {
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"profile"}
	}
	o.RoleClaim, o.UnitClaim = cmp.Or(o.RoleClaim, "roles"), cmp.Or(o.UnitClaim, "unit")
	return &signOn{SignOn: o, now: now, client: &http.Client{Timeout: ssoWait, Transport: o.Transport}}
}

// context makes the libraries use our client.
func (o *signOn) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, o.client)
}

func (o *signOn) found(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	p := o.provider
	o.mu.Unlock()
	if p != nil {
		return p, nil
	}
	// Outside the lock: a provider that does not answer must not make a queue.
	p, err := oidc.NewProvider(o.context(ctx), o.Issuer)
	if err != nil {
		return nil, problem("sso-away", err)
	}
	var more struct {
		End string `json:"end_session_endpoint"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, problem("sso-away", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.provider, o.end = p, more.End
	return p, nil
}

func (o *signOn) config(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: p.Endpoint(),
		RedirectURL: o.RedirectURL, Scopes: append([]string{oidc.ScopeOpenID}, o.Scopes...)}
}

// verifier checks signature, issuer, audience and time; a token may have expired
// by as much as two clocks differ.
func (o *signOn) verifier(p *oidc.Provider) *oidc.IDTokenVerifier {
	return p.Verifier(&oidc.Config{ClientID: o.ClientID, Now: func() time.Time { return o.now().Add(-ssoSkew) }})
}

// errSignOn: the provider's answer is not one that signs anybody in. Its text is
// for the log and names nobody.
var errSignOn = errors.New("single sign-on refused")

// ticket is what the provider says of somebody.
type ticket struct {
	subject string
	claims  map[string]any
}

// redeem turns the code of a callback into what the provider says of who came.
func (o *signOn) redeem(ctx context.Context, code, verifier, nonce string) (ticket, error) {
	var t ticket
	p, err := o.found(ctx)
	if err != nil {
		return t, err
	}
	ctx = o.context(ctx)
	token, err := o.config(p).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < 500 {
		return t, fmt.Errorf("%w: the code was not taken: %s", errSignOn, refused.ErrorCode)
	} else if errors.As(err, &refused) {
		return t, problem("sso-away", fmt.Errorf("the token endpoint answers %d", refused.Response.StatusCode))
	} else if err != nil {
		return t, problem("sso-away", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return t, fmt.Errorf("%w: there is no id_token", errSignOn)
	}
	id, err := o.verifier(p).Verify(ctx, raw)
	if err != nil {
		return t, fmt.Errorf("%w: %w", errSignOn, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return t, fmt.Errorf("%w: the nonce is another's", errSignOn)
	}
	if id.IssuedAt.After(o.now().Add(ssoSkew)) {
		return t, fmt.Errorf("%w: the id_token is from the future: the clocks differ", errSignOn)
	}
	if err := id.Claims(&t.claims); err != nil {
		return t, fmt.Errorf("%w: %w", errSignOn, err)
	}
	t.subject = o.subject(id.Subject)
	lacks := func(name string) bool { return values(t.claims, name) == nil }
	if p.UserInfoEndpoint() == "" || !slices.ContainsFunc([]string{o.RoleClaim, o.UnitClaim, "name", "preferred_username"}, lacks) {
		return t, nil
	}
	// Most providers say the rest only here.
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return t, problem("sso-away", errors.New("userinfo cannot be asked"))
	}
	if info.Subject != id.Subject {
		return t, fmt.Errorf("%w: userinfo is about somebody else", errSignOn)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return t, fmt.Errorf("%w: userinfo: %w", errSignOn, err)
	}
	maps.Copy(more, t.claims)
	t.claims = more
	return t, nil
}

// subject is who somebody is there, as we keep it: hashed, for some providers use
// the citizen's number.
func (o *signOn) subject(sub string) string {
	sum := sha256.Sum256([]byte(o.Issuer + "\x00" + sub))
	return hex.EncodeToString(sum[:])
}

// values returns what a claim says, whichever way it says it: a string, a list,
// or an object whose keys are meant; nil where there is no such claim.
func values(claims map[string]any, name string) []string {
	v, ok := claims[name]
	if !ok {
		head, rest, deeper := strings.Cut(name, ".")
		if inner, is := claims[head].(map[string]any); deeper && is {
			return values(inner, rest)
		}
		return nil
	}
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	case map[string]any:
		return slices.Sorted(maps.Keys(v))
	}
	return nil
}

// role is the first of ours that the claims give.
func (o *signOn) role(claims map[string]any) (dossier.Role, bool) {
	have := values(claims, o.RoleClaim)
	for _, r := range o.Roles {
		if slices.Contains(have, r.Value) {
			return r.Role, true
		}
	}
	if len(o.Roles) == 0 {
		for _, v := range have {
			if r, err := dossier.ParseRole(v); err == nil {
				return r, true
			}
		}
	}
	return "", false
}

// unit is the first of the register that the claims give.
func (o *signOn) unit(claims map[string]any, known func(dossier.UnitCode) bool) (dossier.UnitCode, bool) {
	for _, v := range values(claims, o.UnitClaim) {
		u := dossier.UnitCode(v)
		for _, m := range o.Units {
			if m.Value == v {
				u = m.Unit
				break
			}
		}
		if known(u) {
			return u, true
		}
	}
	return "", false
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// account is who came, as an account of ours would be.
func (o *signOn) account(t ticket, known func(dossier.UnitCode) bool) (dossier.Account, error) {
	a := dossier.Account{Subject: t.subject}
	var ok bool
	if a.Role, ok = o.role(t.claims); !ok {
		return a, fmt.Errorf("%w: the claims give no role", errSignOn)
	}
	if a.Unit, ok = o.unit(t.claims, known); !ok {
		return a, fmt.Errorf("%w: the claims give no unit of the register", errSignOn)
	}
	login, err := cleanText("login", strings.ToLower(cmp.Or(first(values(t.claims, "preferred_username")), "sso-"+t.subject[:16])))
	if err != nil || len(login) > 200 {
		login = "sso-" + t.subject[:16]
	}
	a.Login = login
	if a.Name, err = cleanText("name", first(values(t.claims, "name"))); err != nil {
		a.Name = ""
	}
	return a, nil
}

func (s *server) routeSignOn() {
	s.route("GET /sso", public, s.ssoBegin)
	s.route("GET /sso/callback", public, s.ssoCallback)
	s.route("POST /sso/logout", public, s.ssoEnded)
}

// ssoBegin sends somebody to the provider, with what binds its answer to this
// browser: a state, a nonce and the proof that who redeems the code is who asked
// (PKCE), all kept in a session of their own.
func (s *server) ssoBegin(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if s.sso == nil || s.sessions == nil {
		return problem("not-wired", nil)
	}
	next := localPath(r.URL.Query().Get("next"))
	if a, err := s.signedIn(r); err == nil {
		http.Redirect(w, r, homeOr(next, a.Role), http.StatusSeeOther)
		return nil
	} else if !errors.Is(err, errSignedOut) {
		return err
	}
	if !s.addresses.allow(r) {
		return problem("too-many", nil)
	}
	p, err := s.sso.found(ctx)
	if err != nil {
		return err
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.SetDeadline(ctx, time.Now().Add(ssoTime))
	for k, v := range map[string]string{ssoState: state, ssoNonce: nonce, ssoVerifier: verifier, ssoNext: next} {
		s.sessions.Put(ctx, k, v)
	}
	http.Redirect(w, r, s.sso.config(p).AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
	return nil
}

// ssoCallback is where the provider sends people back to.
func (s *server) ssoCallback(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	if s.sso == nil || s.sessions == nil {
		return problem("not-wired", nil)
	}
	state, nonce := s.sessions.PopString(ctx, ssoState), s.sessions.PopString(ctx, ssoNonce)
	verifier, next := s.sessions.PopString(ctx, ssoVerifier), localPath(s.sessions.PopString(ctx, ssoNext))
	refuse := func(key string, err error) error {
		s.Log.Warn().Str("request", requestID(ctx)).Err(err).Msg("a single sign-on failed")
		return s.loginAgain(w, r, next, key)
	}
	if state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(q.Get("state"))) != 1 {
		return refuse("sso-lost", fmt.Errorf("%w: the state is not one we gave to this browser", errSignOn))
	}
	// RFC 9207: an answer that names another provider was meant for somebody else.
	if iss := q.Get("iss"); iss != "" && iss != s.sso.Issuer {
		return refuse("sso-lost", fmt.Errorf("%w: another provider answers", errSignOn))
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return refuse("sso-refused", fmt.Errorf("%w: by the provider", errSignOn))
	}
	t, err := s.sso.redeem(ctx, q.Get("code"), verifier, nonce)
	if errors.Is(err, errSignOn) {
		return refuse("sso-refused", err)
	} else if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	a, err := s.sso.account(t, func(u dossier.UnitCode) bool { _, ok := tree.by[u]; return ok })
	if err != nil {
		return refuse("sso-nobody", err)
	}
	if a, err = s.Accounts.SignOn(ctx, a); err != nil {
		return err
	}
	if a.Disabled {
		return refuse("sso-closed", fmt.Errorf("%w: the account is closed here", errSignOn))
	}
	return s.welcome(w, r, a, next)
}

// ssoEnded is told by the provider, not by a browser, that somebody signed out
// there or was put out (OpenID Connect Back-Channel Logout): their sessions end.
func (s *server) ssoEnded(w http.ResponseWriter, r *http.Request) error {
	if s.sso == nil {
		return problem("not-wired", nil)
	}
	if err := form(w, r); err != nil {
		return err
	}
	p, err := s.sso.found(r.Context())
	if err != nil {
		return err
	}
	t, err := s.sso.verifier(p).VerifyLogout(s.sso.context(r.Context()), r.PostFormValue("logout_token"))
	if err != nil || t.Subject == "" {
		return problem("bad-request", errors.Join(errSignOn, err)).withDetail("logout_token: signed, for us, naming its subject")
	}
	if err := s.Accounts.EndSessionsOf(r.Context(), s.sso.subject(t.Subject)); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ending is where somebody who came from the provider signs out there, too; empty
// where it cannot be said. It names nobody: the provider knows its browser.
func (s *server) ending(ctx context.Context) string {
	if s.sso == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := s.sso.found(ctx); err != nil || s.sso.end == "" {
		return "" // signed out here all the same
	}
	back := strings.TrimSuffix(s.sso.RedirectURL, "/sso/callback") + "/login"
	u, err := url.Parse(s.sso.end)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", s.sso.ClientID)
	q.Set("post_logout_redirect_uri", back)
	u.RawQuery = q.Encode()
	return u.String()
}
