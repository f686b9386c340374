package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/time/rate"

	"sohoa/dossier"
)

// Accounts are the people who may sign in; dossier.ErrNoAccount where there is
// no such one.
type Accounts interface {
	Account(ctx context.Context, id string) (dossier.Account, error)
	AccountByLogin(ctx context.Context, login string) (dossier.Account, error)
	// SetAccountPassword gives an account a password, which ends its sessions.
	SetAccountPassword(ctx context.Context, id, hash string, must bool) error
	// SignOn finds or makes the account of a subject of the single sign-on, with
	// the name, role and unit that it now gives; EndSessionsOf ends its sessions.
	SignOn(ctx context.Context, a dossier.Account) (dossier.Account, error)
	EndSessionsOf(ctx context.Context, subject string) error
	// BeginLogin counts an attempt and reports whether its password may be looked
	// at; at limit attempts in a row the account is locked for a while.
	BeginLogin(ctx context.Context, id string, limit int, lock time.Duration) (allowed bool, err error)
	EndLogin(ctx context.Context, id string) error
}

const (
	loginAttempts = 5
	loginLock     = 15 * time.Minute
	sessionIdle   = 2 * time.Hour // longer than lunch, shorter than a night
	sessionLife   = 12 * time.Hour
	sessionKey    = "account"
	sessionSeen   = "seen"
	sessionEpoch  = "epoch" // of the account: what ends its sessions begins a new one
)

func (s *server) newSessions() *scs.SessionManager {
	m := scs.New()
	m.Store = s.SessionStore
	m.HashTokenInStore = true
	m.Lifetime = sessionLife
	m.Cookie.Name = "sohoa"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = s.SecureCookies
	if s.SecureCookies {
		m.Cookie.Name = "__Host-sohoa"
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { s.fail(w, r, err) }
	return m
}

// signedIn returns who is signed in by the session; errSignedOut for nobody.
func (s *server) signedIn(r *http.Request) (dossier.Account, error) {
	ctx := r.Context()
	if s.sessions == nil {
		return dossier.Account{}, errSignedOut
	}
	if _, err := r.Cookie(s.sessions.Cookie.Name); err != nil {
		return dossier.Account{}, errSignedOut
	}
	id := s.sessions.GetString(ctx, sessionKey)
	if id == "" {
		return dossier.Account{}, errSignedOut
	}
	a, err := s.Accounts.Account(ctx, id)
	// How long somebody has been away is kept here and not by the manager, which
	// would write at each request.
	now, seen := s.Now(), time.Unix(s.sessions.GetInt64(ctx, sessionSeen), 0)
	if now.Sub(seen) > sessionIdle {
		return dossier.Account{}, errSignedOut
	}
	if now.Sub(seen) > sessionIdle/24 {
		s.sessions.Put(ctx, sessionSeen, now.Unix())
	}
	if errors.Is(err, dossier.ErrNoAccount) || err == nil && (a.Disabled || a.Epoch != s.sessions.GetInt64(ctx, sessionEpoch)) {
		return dossier.Account{}, errSignedOut
	}
	return a, err
}

var errLogin = errors.New("the login or the password is wrong, or the account is locked")

// login checks a login and a password. Which of the two is wrong, whether the
// account is locked or is there at all, the answer does not tell, and it takes
// as long in each case.
func (s *server) login(ctx context.Context, login, password string) (dossier.Account, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	if len(login) > 200 || len(password) > 1000 {
		return dossier.Account{}, errLogin
	}
	a, err := s.Accounts.AccountByLogin(ctx, login)
	hash, ok := a.Hash, true
	switch {
	case errors.Is(err, dossier.ErrNoAccount):
		hash, ok = s.nobody, false
	case err != nil:
		return a, err
	case a.Disabled || a.Hash == "" || a.Subject != "":
		hash, ok = s.nobody, false
	default:
		if ok, err = s.Accounts.BeginLogin(ctx, a.ID, loginAttempts, loginLock); err != nil {
			return a, err
		}
	}
	select {
	case s.hashers <- struct{}{}:
		defer func() { <-s.hashers }()
	case <-ctx.Done():
		return a, ctx.Err()
	}
	good, err := checkPassword(hash, password)
	if err != nil {
		return a, err
	}
	if !good || !ok {
		return dossier.Account{}, errLogin
	}
	return a, s.Accounts.EndLogin(ctx, a.ID)
}

// begin starts the session of an account under a new id.
func (s *server) begin(ctx context.Context, a dossier.Account) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, sessionKey, a.ID)
	s.sessions.Put(ctx, sessionEpoch, a.Epoch)
	s.sessions.Put(ctx, sessionSeen, s.Now().Unix())
	return nil
}

// addresses limits how often an address may try to sign in: thirty at once, as an
// office behind one address does in the morning, then one every three seconds.
// It forgets addresses that have been quiet.
type addresses struct {
	mu   sync.Mutex
	seen map[string]*address
	now  func() time.Time
	// behindProxy: the address is the last one the proxy states, which it adds
	// itself; without a proxy anybody could state anything.
	behindProxy bool
}

func (a *addresses) of(r *http.Request) string {
	if list := r.Header.Values("X-Forwarded-For"); a.behindProxy && len(list) > 0 {
		parts := strings.Split(list[len(list)-1], ",")
		return strings.TrimSpace(parts[len(parts)-1])
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

type address struct {
	limit *rate.Limiter
	last  time.Time
}

func (a *addresses) allow(r *http.Request) bool {
	host := a.of(r)
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.seen[host]
	if x == nil {
		if len(a.seen) >= 10_000 {
			for k, v := range a.seen {
				if now.Sub(v.last) > 3*time.Minute {
					delete(a.seen, k)
				}
			}
		}
		x = &address{limit: rate.NewLimiter(rate.Every(3*time.Second), 30)}
		a.seen[host] = x
	}
	x.last = now
	return x.limit.AllowN(now, 1)
}

// localPath returns where to go after signing in: a path of ours, or the start.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}
