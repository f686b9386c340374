package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
)

// People is what an administrator asks of the ledger: accounts and tokens of the
// units that are theirs.
type People interface {
	AccountsOf(ctx context.Context, units []dossier.UnitCode, offset, limit int) ([]dossier.Account, error)
	CreateAccount(ctx context.Context, a dossier.Account) (string, error)
	SetAccountPlace(ctx context.Context, id, name string, role dossier.Role, unit dossier.UnitCode) error
	SetAccountDisabled(ctx context.Context, id string, disabled bool) error
	TokensOf(ctx context.Context, units []dossier.UnitCode, offset, limit int) ([]dossier.Token, error)
	TokenByID(ctx context.Context, id string) (dossier.Token, error)
	CreateToken(ctx context.Context, t dossier.Token) (secret, id string, err error)
	RevokeToken(ctx context.Context, id string) error
}

func (s *server) routePeople() {
	s.route("GET /people", mayManage, s.peoplePage)
	s.route("POST /people", mayManage, s.accountMake)
	s.route("GET /people/{id}", mayManage, s.accountPage)
	s.route("POST /people/{id}", mayManage, s.accountPlace)
	s.route("POST /people/{id}/password", mayManage, s.accountPassword)
	s.route("POST /people/{id}/lock", mayManage, s.accountLock)
	s.route("POST /people/{id}/unlock", mayManage, s.accountUnlock)
	s.route("GET /tokens", mayManage, s.tokensPage)
	s.route("POST /tokens", mayManage, s.tokenMake)
	s.route("POST /tokens/{id}/revoke", mayManage, s.tokenRevoke)
}

// peoplePer is how many accounts or tokens a page lists.
const peoplePer = 100

// pager is where a list of numbered pages goes on.
type pager struct{ Back, Next string }

// managed is what the lists of accounts and of tokens have in common: the units
// they are about, and where in the list we are.
type managed struct {
	Unit    dossier.UnitCode
	Choices []option // of units, for a list to type from
	Roles   []option
	Pager   pager

	units  []dossier.UnitCode
	offset int
}

func (s *server) managed(r *http.Request) (managed, *unitTree, error) {
	ctx, l, v := r.Context(), lang(r), r.URL.Query()
	var m managed
	if s.People == nil || s.Accounts == nil {
		return m, nil, problem("not-wired", nil)
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return m, nil, err
	}
	who := actorOf(ctx)
	m.Unit = who.Unit
	if u := v.Get("unit"); u != "" {
		if m.Unit, err = dossier.ParseUnitCode(u); err != nil {
			return m, nil, badValue("unit")
		}
		if err := within(ctx, m.Unit); err != nil {
			return m, nil, err
		}
	}
	for u := range tree.within(m.Unit, ReachSubtree) {
		if who.allows(u) {
			m.units = append(m.units, u)
		}
	}
	slices.Sort(m.units)
	for _, u := range tree.units {
		if who.allows(u.Code) && u.ValidTo == 0 {
			m.Choices = append(m.Choices, option{Value: string(u.Code), Text: u.Name})
		}
	}
	for _, r := range dossier.Roles() {
		m.Roles = append(m.Roles, option{Value: string(r), Text: say(l, "role-"+string(r))})
	}
	page, err := strconv.Atoi(cmp.Or(v.Get("page"), "1"))
	if err != nil || page < 1 || page > 10_000 {
		return m, nil, badValue("page")
	}
	m.offset = (page - 1) * peoplePer
	return m, tree, nil
}

// turn cuts a list that was asked for one more than a page, and says where it
// goes on.
func turn[T any](m *managed, path string, v url.Values, list []T) []T {
	page := m.offset/peoplePer + 1
	if page > 1 {
		m.Pager.Back = link(path, v, "page", strconv.Itoa(page-1))
	}
	if len(list) > peoplePer {
		m.Pager.Next = link(path, v, "page", strconv.Itoa(page+1))
		list = list[:peoplePer]
	}
	return list
}

type accountView struct {
	ID, Login, Name, Role, Unit, State, Class, LastLogin string
}

func (s *server) accountView(a dossier.Account, tree *unitTree, l string) accountView {
	v := accountView{ID: a.ID, Login: a.Login, Name: a.Name, Role: named(l, "role", string(a.Role)),
		Unit: cmp.Or(tree.by[a.Unit].Name, string(a.Unit)), LastLogin: clock(a.LastLogin)}
	switch {
	case a.Disabled:
		v.State, v.Class = "✘ "+say(l, "account-locked"), "no"
	case a.LockedUntil.After(s.Now()):
		v.State, v.Class = fmt.Sprintf("! "+say(l, "account-waits"), clock(a.LockedUntil)), "warn"
	case a.MustChange:
		v.State, v.Class = "◔ "+say(l, "account-must"), "soft"
	case a.Subject != "":
		v.State, v.Class = "✔ "+say(l, "account-sso"), "ok"
	default:
		v.State, v.Class = "✔ "+say(l, "account-good"), "ok"
	}
	return v
}

type peopleBody struct {
	managed
	Problem  string
	Accounts []accountView
	Fresh    struct{ Login, Name, Role, Unit string } // what was entered, where it has to be mended
}

func (s *server) peoplePage(w http.ResponseWriter, r *http.Request) error {
	return s.renderPeople(w, r, http.StatusOK, peopleBody{})
}

func (s *server) renderPeople(w http.ResponseWriter, r *http.Request, status int, b peopleBody) error {
	m, tree, err := s.managed(r)
	if err != nil {
		return err
	}
	list, err := s.People.AccountsOf(r.Context(), m.units, m.offset, peoplePer+1)
	if err != nil {
		return err
	}
	for _, a := range turn(&m, "/people", r.URL.Query(), list) {
		b.Accounts = append(b.Accounts, s.accountView(a, tree, lang(r)))
	}
	b.managed = m
	for i := range b.Roles {
		b.Roles[i].On = b.Roles[i].Value == b.Fresh.Role
	}
	return s.render(w, r, status, "people", say(lang(r), "people"), b)
}

// place reads a role and a unit that the administrator may give.
func (s *server) place(r *http.Request) (role dossier.Role, unit dossier.UnitCode, key string, err error) {
	if role, err = dossier.ParseRole(r.PostFormValue("role")); err != nil {
		return "", "", "people-role", nil
	}
	if unit, err = dossier.ParseUnitCode(strings.TrimSpace(r.PostFormValue("unit"))); err != nil {
		return "", "", "people-unit", nil
	}
	tree, err := s.trees.get(r.Context())
	if err != nil {
		return "", "", "", err
	}
	if _, known := tree.by[unit]; !known {
		return "", "", "people-unit", nil
	}
	return role, unit, "", within(r.Context(), unit)
}

// grants notes what somebody made or changed, and the role that was given with
// it.
func (s *server) grants(ctx context.Context, a dossier.Action, role dossier.Role, unit dossier.UnitCode, id string) error {
	if err := s.audit(ctx, a, unit, id); err != nil {
		return err
	}
	return s.audit(ctx, dossier.ActGrant(role), unit, id)
}

// firstPassword is one to be read out, typed once, and changed.
func firstPassword() string {
	t := rand.Text() // 80 bits of it
	return t[:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:16]
}

// shownOnce is what an administrator sees one time.
type shownOnce struct{ Title, Help, Secret, Back, BackText string }

func (s *server) accountMake(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	if s.People == nil || s.Accounts == nil {
		return problem("not-wired", nil)
	}
	if err := form(w, r); err != nil {
		return err
	}
	var b peopleBody
	b.Fresh.Login, b.Fresh.Name = r.PostFormValue("login"), r.PostFormValue("name")
	b.Fresh.Role, b.Fresh.Unit = r.PostFormValue("role"), r.PostFormValue("unit")
	again := func(key string) error {
		b.Problem = say(l, key)
		return s.renderPeople(w, r, http.StatusUnprocessableEntity, b)
	}
	a := dossier.Account{MustChange: true}
	var err error
	if a.Login, err = cleanText("login", strings.ToLower(b.Fresh.Login)); err != nil || a.Login == "" || len(a.Login) > 200 || strings.ContainsAny(a.Login, " \t") {
		return again("people-login")
	}
	if a.Name, err = cleanText("name", b.Fresh.Name); err != nil {
		return again("people-name")
	}
	var key string
	if a.Role, a.Unit, key, err = s.place(r); err != nil {
		return err
	} else if key != "" {
		return again(key)
	}
	if _, err := s.Accounts.AccountByLogin(ctx, a.Login); err == nil {
		return again("people-taken")
	} else if !errors.Is(err, dossier.ErrNoAccount) {
		return err
	}
	password := firstPassword()
	if a.Hash, err = HashPassword(a.Login, password); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	a.ID = id.String()
	if err := s.grants(ctx, dossier.ActAccountMake, a.Role, a.Unit, a.ID); err != nil {
		return err
	}
	if _, err := s.People.CreateAccount(ctx, a); errors.Is(err, dossier.ErrLoginTaken) {
		return again("people-taken")
	} else if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "once", say(l, "people"), shownOnce{
		fmt.Sprintf(say(l, "account-made"), a.Login), say(l, "account-made-help"), password, "/people/" + a.ID, a.Login})
}

// theAccount is the account a route is about, where it is the administrator's to
// see.
func (s *server) theAccount(r *http.Request) (dossier.Account, error) {
	if s.People == nil || s.Accounts == nil {
		return dossier.Account{}, problem("not-wired", nil)
	}
	a, err := s.Accounts.Account(r.Context(), r.PathValue("id"))
	if errors.Is(err, dossier.ErrNoAccount) {
		return a, problem("unknown-account", nil)
	} else if err != nil {
		return a, err
	}
	return a, within(r.Context(), a.Unit)
}

// another is theAccount where it is not the administrator's own: nobody locks
// oneself out, or gives oneself a role.
func (s *server) another(w http.ResponseWriter, r *http.Request) (dossier.Account, error) {
	if err := form(w, r); err != nil {
		return dossier.Account{}, err
	}
	a, err := s.theAccount(r)
	if err == nil && a.ID == actorOf(r.Context()).account {
		err = problem("yourself", nil)
	}
	return a, err
}

type accountBody struct {
	managed
	Account                     accountView
	Self, Local, Closed, Waits  bool
	UnitCode                    dossier.UnitCode
	Problem, CreatedAt, AuditOf string
}

func (s *server) accountPage(w http.ResponseWriter, r *http.Request) error {
	a, err := s.theAccount(r)
	if err != nil {
		return err
	}
	return s.renderAccount(w, r, http.StatusOK, a, "")
}

func (s *server) renderAccount(w http.ResponseWriter, r *http.Request, status int, a dossier.Account, problem string) error {
	m, tree, err := s.managed(r)
	if err != nil {
		return err
	}
	for i := range m.Roles {
		m.Roles[i].On = m.Roles[i].Value == string(a.Role)
	}
	return s.render(w, r, status, "account", a.Login, accountBody{managed: m, Account: s.accountView(a, tree, lang(r)),
		Self: a.ID == actorOf(r.Context()).account, Local: a.Subject == "", Closed: a.Disabled, Waits: a.LockedUntil.After(s.Now()),
		UnitCode: a.Unit, Problem: problem, CreatedAt: clock(a.CreatedAt)})
}

func (s *server) accountPlace(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	a, err := s.another(w, r)
	if err != nil {
		return err
	}
	if a.Subject != "" {
		return problem("of-sign-on", nil)
	}
	name, err := cleanText("name", r.PostFormValue("name"))
	if err != nil {
		return s.renderAccount(w, r, http.StatusUnprocessableEntity, a, say(l, "people-name"))
	}
	role, unit, key, err := s.place(r)
	if err != nil {
		return err
	} else if key != "" {
		return s.renderAccount(w, r, http.StatusUnprocessableEntity, a, say(l, key))
	}
	if err := s.grants(ctx, dossier.ActAccountChange, role, unit, a.ID); err != nil {
		return err
	}
	if err := s.People.SetAccountPlace(ctx, a.ID, name, role, unit); err != nil {
		return err
	}
	http.Redirect(w, r, "/people/"+a.ID, http.StatusSeeOther)
	return nil
}

func (s *server) accountPassword(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	a, err := s.another(w, r)
	if err != nil {
		return err
	}
	if a.Subject != "" {
		return problem("of-sign-on", nil)
	}
	password := firstPassword()
	hash, err := HashPassword(a.Login, password)
	if err != nil {
		return err
	}
	if err := s.audit(ctx, dossier.ActAccountPassword, a.Unit, a.ID); err != nil {
		return err
	}
	if err := s.Accounts.SetAccountPassword(ctx, a.ID, hash, true); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "once", say(l, "people"), shownOnce{
		fmt.Sprintf(say(l, "account-password-new"), a.Login), say(l, "account-made-help"), password, "/people/" + a.ID, a.Login})
}

func (s *server) accountLock(w http.ResponseWriter, r *http.Request) error {
	return s.setLocked(w, r, dossier.ActAccountLock, true)
}

func (s *server) accountUnlock(w http.ResponseWriter, r *http.Request) error {
	return s.setLocked(w, r, dossier.ActAccountUnlock, false)
}

func (s *server) setLocked(w http.ResponseWriter, r *http.Request, act dossier.Action, locked bool) error {
	a, err := s.another(w, r)
	if err != nil {
		return err
	}
	if err := s.audit(r.Context(), act, a.Unit, a.ID); err != nil {
		return err
	}
	if err := s.People.SetAccountDisabled(r.Context(), a.ID, locked); err != nil {
		return err
	}
	http.Redirect(w, r, "/people/"+a.ID, http.StatusSeeOther)
	return nil
}

type tokenView struct {
	ID, Name, Role, Unit, CreatedAt, Expires, State, Class string
	InForce                                                bool
}

type tokensBody struct {
	managed
	Problem string
	Tokens  []tokenView
	Days    []option
	Fresh   struct{ Name, Role, Unit string }
}

// tokenDays are the lives a token may be given on the page.
var tokenDays = []int{30, 90, 365, 730}

func (s *server) tokensPage(w http.ResponseWriter, r *http.Request) error {
	return s.renderTokens(w, r, http.StatusOK, tokensBody{})
}

func (s *server) renderTokens(w http.ResponseWriter, r *http.Request, status int, b tokensBody) error {
	l := lang(r)
	m, tree, err := s.managed(r)
	if err != nil {
		return err
	}
	list, err := s.People.TokensOf(r.Context(), m.units, m.offset, peoplePer+1)
	if err != nil {
		return err
	}
	for _, t := range turn(&m, "/tokens", r.URL.Query(), list) {
		v := tokenView{ID: t.ID, Name: t.Name, Role: named(l, "role", string(t.Role)), Unit: cmp.Or(tree.by[t.Unit].Name, string(t.Unit)),
			CreatedAt: clock(t.CreatedAt), Expires: cmp.Or(dayOf(t.Expires), say(l, "token-never"))}
		switch {
		case !t.RevokedAt.IsZero():
			v.State, v.Class = "✘ "+say(l, "token-revoked"), "no"
		case !t.Expires.IsZero() && !s.Now().Before(t.Expires):
			v.State, v.Class = "– "+say(l, "token-expired"), "soft"
		default:
			v.State, v.Class, v.InForce = "✔ "+say(l, "token-good"), "ok", true
		}
		b.Tokens = append(b.Tokens, v)
	}
	b.managed = m
	for i := range b.Roles {
		b.Roles[i].On = b.Roles[i].Value == b.Fresh.Role
	}
	for _, d := range tokenDays {
		b.Days = append(b.Days, option{strconv.Itoa(d), sayOf(l, "days", int64(d)), d == 365})
	}
	return s.render(w, r, status, "tokens", say(l, "tokens"), b)
}

func (s *server) tokenMake(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	if s.People == nil || s.Accounts == nil {
		return problem("not-wired", nil)
	}
	if err := form(w, r); err != nil {
		return err
	}
	var b tokensBody
	b.Fresh.Name, b.Fresh.Role, b.Fresh.Unit = r.PostFormValue("name"), r.PostFormValue("role"), r.PostFormValue("unit")
	again := func(key string) error {
		b.Problem = say(l, key)
		return s.renderTokens(w, r, http.StatusUnprocessableEntity, b)
	}
	name, err := cleanText("name", b.Fresh.Name)
	if err != nil || name == "" {
		return again("token-name")
	}
	role, unit, key, err := s.place(r)
	if err != nil {
		return err
	} else if key != "" {
		return again(key)
	}
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil || !slices.Contains(tokenDays, days) {
		return badValue("days")
	}
	secret, id, err := s.People.CreateToken(ctx, dossier.Token{Name: name, Role: role, Unit: unit, Expires: s.Now().Add(time.Duration(days) * 24 * time.Hour)})
	if err != nil {
		return err
	}
	// Its id is the ledger's. A token that cannot be noted is never shown, and
	// without its secret it is nothing.
	if err := s.grants(ctx, dossier.ActTokenMake, role, unit, id); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "once", say(l, "tokens"), shownOnce{
		fmt.Sprintf(say(l, "token-made"), name), say(l, "token-made-help"), secret, "/tokens", say(l, "tokens")})
}

func (s *server) tokenRevoke(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if s.People == nil {
		return problem("not-wired", nil)
	}
	t, err := s.People.TokenByID(ctx, r.PathValue("id"))
	if errors.Is(err, dossier.ErrNoToken) {
		return problem("unknown-token", nil)
	} else if err != nil {
		return err
	}
	if err := within(ctx, t.Unit); err != nil {
		return err
	}
	if err := s.audit(ctx, dossier.ActTokenRevoke, t.Unit, t.ID); err != nil {
		return err
	}
	if err := s.People.RevokeToken(ctx, t.ID); err != nil {
		return err
	}
	http.Redirect(w, r, "/tokens", http.StatusSeeOther)
	return nil
}
