package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sohoa/dossier"
)

// Auditor keeps who did what.
type Auditor interface {
	// Audit appends a deed; Seq, At and Hash are the log's own.
	Audit(ctx context.Context, d dossier.Deed) error
	Deeds(ctx context.Context, q dossier.DeedQuery) ([]dossier.Deed, error)
}

// audit notes what the actor of ctx does, before it is answered: what cannot be
// noted is not done. The object is an id or a code, never a name.
func (s *server) audit(ctx context.Context, a dossier.Action, unit dossier.UnitCode, object string) error {
	if s.Auditor == nil {
		return nil
	}
	who := actorOf(ctx)
	again := a == dossier.ActSee || a == dossier.ActFetch
	key := who.ID + " " + string(a) + " " + object
	if again && s.lately.has(key, s.Now()) {
		return nil
	}
	d := dossier.Deed{By: who.ID, Role: who.Role, Unit: unit, Action: a, Object: object}
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		d.From = n.address
	}
	if err := s.Auditor.Audit(ctx, d); err != nil {
		return err
	}
	if again {
		s.lately.add(key, s.Now())
	}
	return nil
}

// lately remembers what was noted in the last minutes, so that a page with fifty
// pictures, or a poll, is one entry.
type lately struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

const latelyIs = 10 * time.Minute

func (l *lately) has(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.seen[key]
	return ok && now.Sub(at) < latelyIs
}

func (l *lately) add(key string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= 50_000 {
		for k, at := range l.seen {
			if now.Sub(at) >= latelyIs {
				delete(l.seen, k)
			}
		}
		if len(l.seen) >= 50_000 {
			clear(l.seen) // then some things are noted twice
		}
	}
	l.seen[key] = now
}

type deedView struct{ At, Who, Unit, Action, Object, Href, From string }

func (s *server) auditPage(w http.ResponseWriter, r *http.Request) error {
	if s.Auditor == nil {
		return problem("not-wired", nil)
	}
	ctx, l, v := r.Context(), lang(r), r.URL.Query()
	who := actorOf(ctx)
	q := dossier.DeedQuery{By: strings.TrimSpace(v.Get("by")), Action: dossier.Action(v.Get("action")), Object: strings.TrimSpace(v.Get("object")), Limit: 100}
	q.Before, _ = strconv.ParseInt(v.Get("before"), 10, 64) // nonsense is the beginning
	for u := range who.units {
		q.Units = append(q.Units, u)
	}
	slices.Sort(q.Units)
	list, err := s.Auditor.Deeds(ctx, q)
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	var b struct {
		By, Object, Older string
		Actions           []option
		Deeds             []deedView
	}
	b.By, b.Object = q.By, q.Object
	b.Actions = []option{{"", say(l, "audit-any"), q.Action == ""}}
	for _, a := range dossier.Actions() {
		b.Actions = append(b.Actions, option{string(a), named(l, "act", string(a)), a == q.Action})
	}
	logins := map[string]string{}
	for _, d := range list {
		x := deedView{At: clock(d.At), Who: d.By, Unit: cmpOr(tree.by[d.Unit].Name, string(d.Unit)), Action: named(l, "act", string(d.Action)), Object: d.Object, From: d.From}
		if id, ok := strings.CutPrefix(d.By, "account:"); ok && s.Accounts != nil {
			if _, known := logins[id]; !known {
				if a, err := s.Accounts.Account(ctx, id); err == nil {
					logins[id] = a.Login
				} else {
					logins[id] = d.By // an account that is gone keeps its id
				}
			}
			x.Who = logins[id]
		}
		if code, err := dossier.ParseCode(d.Object); d.Action.OfPeople() {
			// not an officer's to open
		} else if err == nil {
			x.Href = "/dossiers/" + string(code)
		} else if len(d.Object) == 36 {
			x.Href = "/documents/" + d.Object
		}
		b.Deeds = append(b.Deeds, x)
	}
	if len(list) == q.Limit {
		b.Older = link("/audit", v, "before", strconv.FormatInt(list[len(list)-1].Seq, 10))
	}
	return s.render(w, r, http.StatusOK, "audit", say(l, "audit"), b)
}
