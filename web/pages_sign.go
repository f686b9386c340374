package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"sohoa/dossier"
)

func (s *server) routeSign() {
	s.route("GET /login", public, s.loginPage)
	s.route("POST /login", public, s.loginDo)
	s.route("POST /logout", anyRole, s.logout)
	s.route("GET /password", anyRole, s.passwordPage)
	s.route("POST /password", anyRole, s.passwordDo)
}

type loginBody struct{ Next, Problem, SignOn, SignOnName string }

func (s *server) loginPage(w http.ResponseWriter, r *http.Request) error {
	if s.sessions == nil {
		return problem("not-wired", nil)
	}
	return s.renderLogin(w, r, http.StatusOK, localPath(r.URL.Query().Get("next")), "")
}

func (s *server) renderLogin(w http.ResponseWriter, r *http.Request, status int, next, problem string) error {
	l := lang(r)
	b := loginBody{Next: next, Problem: problem}
	if s.sso != nil {
		b.SignOn = link("/sso", nil, "next", strings.TrimSuffix(next, "/"))
		b.SignOnName = cmp.Or(s.sso.Name.In(l), say(l, "sso"))
	}
	return s.render(w, r, status, "login", say(l, "sign-in"), b)
}

// loginAgain answers a sign-in that failed; key says why.
func (s *server) loginAgain(w http.ResponseWriter, r *http.Request, next, key string) error {
	return s.renderLogin(w, r, http.StatusUnauthorized, next, say(lang(r), key))
}

// form reads a small form; anything bigger is nobody's password.
func form(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 256<<10)
	if err := r.ParseForm(); err != nil {
		return problem("bad-request", nil)
	}
	return nil
}

func (s *server) loginDo(w http.ResponseWriter, r *http.Request) error {
	if s.sessions == nil {
		return problem("not-wired", nil)
	}
	if err := form(w, r); err != nil {
		return err
	}
	next := localPath(r.PostFormValue("next"))
	if !s.addresses.allow(r) {
		return problem("too-many", nil)
	}
	a, err := s.login(r.Context(), r.PostFormValue("login"), r.PostFormValue("password"))
	if errors.Is(err, errLogin) {
		s.Log.Warn().Str("request", requestID(r.Context())).Msg("a sign-in failed")
		return s.loginAgain(w, r, next, "login-wrong")
	} else if err != nil {
		return err
	}
	return s.welcome(w, r, a, next)
}

// welcome begins the session of who has shown who they are.
func (s *server) welcome(w http.ResponseWriter, r *http.Request, a dossier.Account, next string) error {
	who := grant{Actor: Actor{ID: "account:" + a.ID, Role: a.Role, Unit: a.Unit}}
	if err := s.audit(context.WithValue(r.Context(), actorKey{}, who), dossier.ActSignIn, a.Unit, ""); err != nil {
		return err
	}
	if err := s.begin(r.Context(), a); err != nil {
		return err
	}
	if a.MustChange {
		next = "/password"
	}
	http.Redirect(w, r, homeOr(next, a.Role), http.StatusSeeOther)
	return nil
}

// homeOr is where somebody wanted to go, or the first page of their role.
func homeOr(next string, role dossier.Role) string {
	if next == "/" {
		return home(role)
	}
	return next
}

func (s *server) logout(w http.ResponseWriter, r *http.Request) error {
	if s.sessions == nil || !actorOf(r.Context()).Window {
		return problem("not-allowed", nil)
	}
	if err := s.audit(r.Context(), dossier.ActSignOut, actorOf(r.Context()).Unit, ""); err != nil {
		return err
	}
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	if !actorOf(r.Context()).local {
		if end := s.ending(r.Context()); end != "" {
			// Not a redirect, which our policy for forms would stop at the border.
			w.Header().Set("Refresh", "1; url="+end)
			r = r.WithContext(context.WithValue(r.Context(), actorKey{}, grant{}))
			return s.render(w, r, http.StatusOK, "signed-out", say(lang(r), "signed-out"), end)
		}
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

type passwordBody struct {
	Must    bool
	Problem string
}

func (s *server) passwordPage(w http.ResponseWriter, r *http.Request) error {
	who := actorOf(r.Context())
	if !who.Window || !who.local {
		return problem("not-allowed", nil)
	}
	return s.render(w, r, http.StatusOK, "password", say(lang(r), "password-change"), passwordBody{Must: who.mustChange})
}

func (s *server) passwordDo(w http.ResponseWriter, r *http.Request) error {
	ctx, who := r.Context(), actorOf(r.Context())
	if !who.Window || !who.local {
		return problem("not-allowed", nil)
	}
	if err := form(w, r); err != nil {
		return err
	}
	again := func(key string) error {
		return s.render(w, r, http.StatusUnprocessableEntity, "password", say(lang(r), "password-change"),
			passwordBody{who.mustChange, say(lang(r), key)})
	}
	if !s.addresses.allow(r) {
		return problem("too-many", nil)
	}
	a, err := s.Accounts.Account(ctx, who.account)
	if err != nil {
		return err
	}
	old, fresh := r.PostFormValue("old"), r.PostFormValue("new")
	// The old password counts as an attempt: a window left open must not be a
	// place to guess at it.
	if _, err := s.login(ctx, a.Login, old); errors.Is(err, errLogin) {
		return again("password-wrong")
	} else if err != nil {
		return err
	}
	if fresh != r.PostFormValue("again") {
		return again("password-differs")
	}
	if fresh == old {
		return again("password-same")
	}
	if a.Hash, err = HashPassword(a.Login, fresh); errors.Is(err, ErrWeakPassword) {
		return again("password-weak")
	} else if err != nil {
		return err
	}
	if err := s.audit(ctx, dossier.ActPassword, who.Unit, ""); err != nil {
		return err
	}
	if err := s.Accounts.SetAccountPassword(ctx, a.ID, a.Hash, false); err != nil {
		return err
	}
	// Every session of the old password has ended with it; this one goes on.
	if a, err = s.Accounts.Account(ctx, a.ID); err != nil {
		return err
	}
	if err := s.begin(ctx, a); err != nil {
		return err
	}
	http.Redirect(w, r, home(who.Role), http.StatusSeeOther)
	return nil
}
