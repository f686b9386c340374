package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

// Reach is how far a role reaches on a route, seen from the actor's own unit.
type Reach int

const (
	ReachNone    Reach = iota // refused
	ReachOwn                  // the actor's own unit only
	ReachSubtree              // the actor's unit and all below it
	ReachAny                  // the route is not about a unit
)

func (r Reach) String() string { return [...]string{"–", "own", "subtree", "yes"}[r] }

// Access says who may use a route; docs/access.md says the same to people, and
// a test holds the two together.
type Access struct {
	Public bool
	Roles  map[dossier.Role]Reach
}

var (
	public = Access{Public: true}
	// sending in and seeing papers: not the admin, who handles accounts, and not
	// the provincial system, which feeds the register
	mayLook = Access{Roles: map[dossier.Role]Reach{dossier.Clerk: ReachOwn, dossier.Operator: ReachSubtree,
		dossier.Manager: ReachSubtree, dossier.Officer: ReachSubtree}}
	// Figures are sums and name nobody: a clerk sees those of the units below, too.
	maySend    = Access{Roles: map[dossier.Role]Reach{dossier.Clerk: ReachOwn, dossier.Operator: ReachSubtree}}
	mayFigures = Access{Roles: map[dossier.Role]Reach{dossier.Clerk: ReachSubtree, dossier.Operator: ReachSubtree,
		dossier.Manager: ReachSubtree, dossier.Officer: ReachSubtree, dossier.Admin: ReachSubtree, dossier.System: ReachSubtree}}
	anyRole = Access{Roles: map[dossier.Role]Reach{dossier.Clerk: ReachAny, dossier.Operator: ReachAny,
		dossier.Manager: ReachAny, dossier.Officer: ReachAny, dossier.Admin: ReachAny, dossier.System: ReachAny}}
	mayReuse    = Access{Roles: map[dossier.Role]Reach{dossier.Clerk: ReachAny, dossier.Operator: ReachAny}}
	mayBackfill = Access{Roles: map[dossier.Role]Reach{dossier.Operator: ReachAny}}
	mayFeed     = Access{Roles: map[dossier.Role]Reach{dossier.System: ReachAny}}
	mayAudit    = Access{Roles: map[dossier.Role]Reach{dossier.Officer: ReachSubtree}}
	mayOrder    = Access{Roles: map[dossier.Role]Reach{dossier.Officer: ReachSubtree}}
	mayClosings = Access{Roles: map[dossier.Role]Reach{dossier.Manager: ReachSubtree, dossier.Officer: ReachSubtree}}
	mayManage   = Access{Roles: map[dossier.Role]Reach{dossier.Admin: ReachSubtree}}
	mayWatch    = Access{Roles: map[dossier.Role]Reach{dossier.Admin: ReachAny, dossier.System: ReachAny}}
)

// Route is one entry of the table of routes.
type Route struct {
	Pattern string // as http.ServeMux reads it: "GET /api/v1/units"
	Access  Access
}

// Actor is who a request comes from.
type Actor struct {
	ID     string // of the token or account, never a person's name
	Role   dossier.Role
	Unit   dossier.UnitCode
	Window bool // signed in by the pages, not by a token
}

type actorKey struct{}

// grant is an actor on a route.
type grant struct {
	Actor
	account    string // id, where a person is signed in
	name       string // for the page's head: personal, never logged
	local      bool   // signed in here and not at the single sign-on
	mustChange bool
	reach      Reach
	units      map[dossier.UnitCode]bool // those within reach; nil where reach is ReachAny
}

func actorOf(ctx context.Context) grant {
	g, _ := ctx.Value(actorKey{}).(grant)
	return g
}

var (
	errSignedOut  = errors.New("no credentials, or they are no longer good")
	errMustChange = errors.New("the password was set by somebody else and has to be changed first")
	errRole       = errors.New("the role may not do this")
	errOutOfScope = errors.New("the unit is outside the actor's scope")
)

// allows reports whether the actor reaches the unit on this route.
func (g grant) allows(u dossier.UnitCode) bool {
	switch g.reach {
	case ReachAny:
		return true
	case ReachOwn, ReachSubtree:
		return g.units[u]
	}
	return false
}

// within answers errOutOfScope unless the actor of ctx reaches the unit. Every
// handler that is about a unit asks it before it reads or writes anything.
func within(ctx context.Context, u dossier.UnitCode) error {
	if !actorOf(ctx).allows(u) {
		return errOutOfScope
	}
	return nil
}

// admit tells who asks and whether the route is for them.
func (s *server) admit(r *http.Request, pattern string, a Access) (grant, error) {
	var g grant
	if a.Public {
		return g, nil
	}
	ctx := r.Context()
	secret, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case bearer:
		t, err := s.Tokens.Token(ctx, strings.TrimSpace(secret))
		if errors.Is(err, dossier.ErrNoToken) {
			return g, errSignedOut
		} else if err != nil {
			return g, err
		}
		// The ledger has looked already; a token that is out of date must not
		// pass because of a clock or a cache on the way.
		now := s.Now()
		if !t.RevokedAt.IsZero() || !t.Expires.IsZero() && !now.Before(t.Expires) {
			return g, errSignedOut
		}
		g.Actor = Actor{ID: "token:" + t.ID, Role: t.Role, Unit: t.Unit}
	default:
		acc, err := s.signedIn(r)
		if err != nil {
			return g, err
		}
		g.Actor = Actor{ID: "account:" + acc.ID, Role: acc.Role, Unit: acc.Unit, Window: true}
		g.account, g.name, g.local, g.mustChange = acc.ID, cmp.Or(acc.Name, acc.Login), acc.Subject == "", acc.MustChange
		if g.mustChange && !strings.HasSuffix(pattern, " /password") && pattern != "POST /logout" {
			return g, errMustChange
		}
	}
	g.reach = a.Roles[g.Role]
	if g.reach == ReachNone {
		return g, errRole
	}
	if g.reach == ReachAny {
		return g, nil
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return g, err
	}
	g.units = tree.within(g.Unit, g.reach)
	return g, nil
}

// trees keeps the tree of units for a few seconds, so that asking for the scope
// of a request costs no query. A unit that is new to the register is reachable
// after at most that time.
type trees struct {
	load func(context.Context) ([]dossier.Unit, error)
	now  func() time.Time

	mu    sync.Mutex
	tree  *unitTree
	until time.Time
}

const treeAge = 3 * time.Second

func (t *trees) get(ctx context.Context) (*unitTree, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tree != nil && t.now().Before(t.until) {
		return t.tree, nil
	}
	units, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	t.tree, t.until = newUnitTree(units), t.now().Add(treeAge)
	return t.tree, nil
}

// unitTree answers who reaches whom. A unit reaches itself and what it succeeded,
// so that the successor of a merged commune has the commune's papers; its subtree
// is also what stands below it, or stood in any time. An account of a unit that
// has ended keeps what the unit had, but not what came after it.
type unitTree struct {
	units []dossier.Unit
	by    map[dossier.UnitCode]dossier.Unit
	below map[dossier.UnitCode][]dossier.UnitCode
	preds map[dossier.UnitCode][]dossier.UnitCode

	mu         sync.Mutex
	reached    map[reachKey]map[dossier.UnitCode]bool
	structures map[dossier.Date]*tally.Structure
}

type reachKey struct {
	unit  dossier.UnitCode
	reach Reach
}

func newUnitTree(units []dossier.Unit) *unitTree {
	t := &unitTree{
		units:      units,
		by:         make(map[dossier.UnitCode]dossier.Unit, len(units)),
		below:      make(map[dossier.UnitCode][]dossier.UnitCode),
		preds:      make(map[dossier.UnitCode][]dossier.UnitCode),
		reached:    make(map[reachKey]map[dossier.UnitCode]bool),
		structures: make(map[dossier.Date]*tally.Structure),
	}
	for _, u := range units {
		t.by[u.Code] = u
		if u.Parent != "" {
			t.below[u.Parent] = append(t.below[u.Parent], u.Code)
		}
		if u.Successor != "" {
			t.preds[u.Successor] = append(t.preds[u.Successor], u.Code)
		}
	}
	return t
}

// within returns the units that root reaches; nobody writes to it.
func (t *unitTree) within(root dossier.UnitCode, reach Reach) map[dossier.UnitCode]bool {
	key := reachKey{root, reach}
	t.mu.Lock()
	defer t.mu.Unlock()
	if set, ok := t.reached[key]; ok {
		return set
	}
	set := map[dossier.UnitCode]bool{root: true}
	for todo := []dossier.UnitCode{root}; len(todo) > 0; {
		u := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		next := t.preds[u]
		if reach == ReachSubtree {
			next = slices.Concat(next, t.below[u])
		}
		for _, c := range next {
			if !set[c] {
				set[c] = true
				todo = append(todo, c)
			}
		}
	}
	t.reached[key] = set
	return set
}

// structure is the tree as of a day.
func (t *unitTree) structure(day dossier.Date) (*tally.Structure, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.structures[day]; ok {
		return s, nil
	}
	s, err := tally.StructureAsOf(t.units, day)
	if err != nil {
		return nil, err
	}
	t.structures[day] = s
	return s, nil
}
