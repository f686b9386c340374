package web

import (
	"cmp"
	"context"
	"encoding/csv"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
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

// deedQuery reads what a page's address asks of the log: of the units that the
// actor reaches, from the first day to the last, both included.
func deedQuery(who grant, v url.Values) (dossier.DeedQuery, error) {
	q := dossier.DeedQuery{By: strings.TrimSpace(v.Get("by")), Action: dossier.Action(v.Get("action")), Object: strings.TrimSpace(v.Get("object")),
		Units: slices.Sorted(maps.Keys(who.units))}
	q.Before, _ = strconv.ParseInt(v.Get("before"), 10, 64) // nonsense is the beginning
	var err error
	if q.Days.From, err = day("from", v.Get("from")); err != nil {
		return q, err
	}
	if q.Days.To, err = day("through", v.Get("through")); err == nil && q.Days.To != 0 {
		q.Days.To = q.Days.To.AddDays(1)
	}
	return q, err
}

type deedView struct{ At, Who, Unit, Action, Object, Href, From string }

func (s *server) auditPage(w http.ResponseWriter, r *http.Request) error {
	if s.Auditor == nil {
		return problem("not-wired", nil)
	}
	ctx, l, v := r.Context(), lang(r), r.URL.Query()
	q, err := deedQuery(actorOf(ctx), v)
	if err != nil {
		return err
	}
	q.Limit = 100
	list, err := s.Auditor.Deeds(ctx, q)
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	var b struct {
		By, Object, First, Last, Older, CSV string
		Actions                             []option
		Deeds                               []deedView
	}
	b.By, b.Object, b.First, b.Last = q.By, q.Object, v.Get("from"), v.Get("through")
	b.Actions = []option{{"", say(l, "audit-any"), q.Action == ""}}
	for _, a := range dossier.Actions() {
		b.Actions = append(b.Actions, option{string(a), named(l, "act", string(a)), a == q.Action})
	}
	login := s.logins(ctx)
	for _, d := range list {
		x := deedView{At: clock(d.At), Who: login(d.By), Unit: cmp.Or(tree.by[d.Unit].Name, string(d.Unit)), Action: named(l, "act", string(d.Action)), From: d.From}
		x.Object, x.Href = objectOf(d, l)
		b.Deeds = append(b.Deeds, x)
	}
	if len(list) == q.Limit {
		b.Older = link("/audit", v, "before", strconv.FormatInt(list[len(list)-1].Seq, 10))
	}
	if len(list) > 0 {
		b.CSV = link("/audit.csv", v, "before", "")
	}
	return s.render(w, r, http.StatusOK, "audit", say(l, "audit"), b)
}

// objectOf says what a deed was done to, and where that can be seen. The log and its
// CSV have it as it was written; by that it is searched.
func objectOf(d dossier.Deed, l string) (text, href string) {
	isID := len(d.Object) == 36
	switch {
	case d.Action.OfPeople(): // not an officer's to open
		return d.Object, ""
	case d.Action == dossier.ActList && isID:
		return say(l, "restatement"), "/closings/" + d.Object
	case d.Action == dossier.ActList || d.Action == dossier.ActExport:
		if id, side, ok := strings.Cut(d.Object, " "); ok {
			if i, known := tally.Find(id, ""); known {
				return i.ID + " " + i.Name.In(l) + ": " + named(l, "side", side), ""
			}
		}
		return named(l, "object", d.Object), ""
	case d.Action == dossier.ActImport:
		return named(l, "register", d.Object), ""
	case d.Action == dossier.ActClose:
		return periodName(d.Object, l), ""
	case isID:
		return d.Object, "/documents/" + d.Object
	}
	if code, err := dossier.ParseCode(d.Object); err == nil {
		return string(code), "/dossiers/" + string(code)
	}
	return d.Object, ""
}

// logins tells an account's login by its id, and anybody else's id as it is: an
// account that is gone keeps its id.
func (s *server) logins(ctx context.Context) func(by string) string {
	known := map[string]string{}
	return func(by string) string {
		id, ok := strings.CutPrefix(by, "account:")
		if !ok || s.Accounts == nil {
			return by
		}
		if _, ok := known[by]; !ok {
			known[by] = by
			if a, err := s.Accounts.Account(ctx, id); err == nil {
				known[by] = a.Login
			}
		}
		return known[by]
	}
}

// auditCSV answers every entry that the page finds, the latest first, as it stands
// in the log, however many there are.
func (s *server) auditCSV(w http.ResponseWriter, r *http.Request) error {
	if s.Auditor == nil {
		return problem("not-wired", nil)
	}
	ctx := r.Context()
	who := actorOf(ctx)
	q, err := deedQuery(who, r.URL.Query())
	if err != nil {
		return err
	}
	q.Limit = 1000
	if err := s.audit(ctx, dossier.ActExport, who.Unit, "audit"); err != nil {
		return err
	}
	list, err := s.Auditor.Deeds(ctx, q)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", attachment("nhat-ky_"+string(who.Unit)+".csv"))
	out, login := csv.NewWriter(s.steady(w)), s.logins(ctx)
	out.Write([]string{"seq", "at", "by", "login", "role", "unit", "action", "object", "from", "hash"})
	for len(list) > 0 {
		for _, d := range list {
			out.Write([]string{strconv.FormatInt(d.Seq, 10), d.At.In(dossier.Zone).Format(time.RFC3339), d.By, tally.CSVText(login(d.By)), string(d.Role), string(d.Unit),
				string(d.Action), tally.CSVText(d.Object), d.From, d.Hash})
		}
		if out.Flush(); out.Error() != nil || len(list) < q.Limit {
			return nil // at its end, or nobody is left to tell
		}
		q.Before = list[len(list)-1].Seq
		if list, err = s.Auditor.Deeds(ctx, q); err != nil {
			s.Log.Error().Err(err).Str("request", requestID(ctx)).Msg("an export was broken off")
			panic(http.ErrAbortHandler) // what came so far must not pass for the whole
		}
	}
	out.Flush()
	return nil
}
