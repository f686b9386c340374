package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sohoa/dossier"
	"sohoa/tally"
)

// stepView is a kind of work, and what it would do to the rate.
type stepView struct {
	Indicator, Advice, Lift string
	Dossiers                number
	Enough                  bool // for the target, by itself
}

// taskView is a dossier that can be mended now.
type taskView struct {
	Code                                               dossier.Code
	Unit, Procedure, ReceivedOn, Lacks, Lifts, Station string
}

type worklistBody struct {
	Unit                                      dossier.UnitCode
	UnitName, PeriodText, Back, Formula, Note string
	Periods                                   []option
	Choices                                   []option
	Steps                                     []stepView
	Tasks                                     []taskView
}

const (
	// worklistLook is how many missing dossiers of an indicator are looked at, and
	// worklistShow how many are shown of them.
	worklistLook = 200
	worklistShow = 50
)

// worklist says what lifts a unit's rates fastest: first the kinds of work, by
// what they cost a dossier and how many dossiers they would count; then the
// dossiers with which to begin.
func (s *server) worklist(w http.ResponseWriter, r *http.Request) error {
	ctx, l, v := r.Context(), lang(r), r.URL.Query()
	in := figuresOf(v)
	years, err := s.dataYears(ctx)
	if err != nil {
		return err
	}
	if in.Period == "" && in.From == "" && in.To == "" {
		in.Period = strconv.Itoa(years[0])
	}
	t, err := s.report(ctx, in, shown)
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	st, err := tree.structure(t.Query.AsOf)
	if err != nil {
		return err
	}
	if err := s.audit(ctx, dossier.ActList, t.Query.Unit, "worklist"); err != nil {
		return err
	}
	who, fv := actorOf(ctx), in.values()
	units := slices.DeleteFunc(st.Subtree(t.Query.Unit), func(u dossier.UnitCode) bool { return !who.allows(u) })
	b := worklistBody{Unit: t.Query.Unit, UnitName: t.Rows[0].Name, PeriodText: tally.PeriodText(t.Query.Period, l), Back: link("/", fv),
		Formula: t.Query.Version, Periods: periodOptions(in, years, l)}
	for _, u := range tree.units {
		if who.allows(u.Code) && u.ValidTo == 0 {
			b.Choices = append(b.Choices, option{Value: string(u.Code), Text: u.Name})
		}
	}
	if b.Steps, err = s.steps(ctx, t, units, s.seeing(ctx, tree, fv), l); err != nil {
		return err
	}
	var whole bool
	if b.Tasks, whole, err = s.tasks(ctx, t.Query, units, tree, l); err != nil {
		return err
	}
	if !whole {
		b.Note = sayOf(l, "worklist-part", worklistLook)
	}
	return s.render(w, r, http.StatusOK, "worklist", say(l, "nav-worklist"), b)
}

// steps are the kinds of work, the cheapest first; of equal cost the one that
// counts more dossiers.
func (s *server) steps(ctx context.Context, t tally.Table, units []dossier.UnitCode, see seeing, l string) ([]stepView, error) {
	type step struct {
		lack
		figure tally.Figure
		name   string
		side   tally.Side
	}
	var steps []step
	for n, i := range t.Indicators {
		f := t.Rows[0].Figures[n]
		lacks, err := s.reasons(ctx, i, units, t.Query.Period)
		if err != nil {
			return nil, err
		}
		side := tally.All
		if lacks == nil && len(i.Requires) == 1 {
			lacks, side = []lack{{i.ID, i.Requires[0].Lack, f.Denominator - f.Numerator}}, tally.Missing
		}
		for _, x := range lacks {
			if x.n > 0 && x.why.Effort() > 0 {
				steps = append(steps, step{x, f, i.Name.In(l), side})
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.why.Effort(), b.why.Effort()), cmp.Compare(b.n, a.n))
	})
	var out []stepView
	for _, x := range steps {
		v := stepView{Indicator: x.name, Advice: x.why.Advice().In(l), Dossiers: see.number(x.n, units, t.Query.Unit, x.id, x.side)}
		if p, ok := (tally.Rate{Numerator: x.n, Denominator: x.figure.Denominator}).Percent(); ok {
			v.Lift = "+" + p.Format(l)
		}
		v.Enough = x.figure.Gap() > 0 && x.n >= x.figure.Gap()
		out = append(out, v)
	}
	return out, nil
}

// tasks are dossiers that somebody can mend now, those first that cost least and
// lift most; whole is false where there are more than were looked at.
func (s *server) tasks(ctx context.Context, q tally.Query, units []dossier.UnitCode, tree *unitTree, l string) (out []taskView, whole bool, err error) {
	if s.Lister == nil {
		return nil, true, nil
	}
	type task struct {
		dossier.Dossier
		score int
		lacks []string
		lifts []string
	}
	found := map[dossier.Code]*task{}
	whole = true
	for _, id := range shown {
		i, ok := tally.Find(id, q.Version)
		if !ok || len(i.Requires) < 2 { // what can be mended by an upload
			continue
		}
		page, err := s.Lister.List(ctx, ListQuery{Indicator: i, Side: tally.Missing, Units: units, Period: q.Period, Limit: worklistLook})
		if err != nil {
			return nil, false, err
		}
		whole = whole && page.Next == ""
		for _, d := range page.Items {
			score := i.WorklistScore(&d)
			if score == 0 {
				continue
			}
			x := found[d.Code]
			if x == nil {
				x = &task{Dossier: d}
				found[d.Code] = x
			}
			x.score = max(x.score, score)
			x.lifts = append(x.lifts, i.Name.In(l))
			for _, why := range i.Missing(&d) {
				if text := why.Text().In(l); !slices.Contains(x.lacks, text) {
					x.lacks = append(x.lacks, text)
				}
			}
		}
	}
	var tasks []*task
	for _, x := range found {
		tasks = append(tasks, x)
	}
	slices.SortFunc(tasks, func(a, b *task) int {
		return cmp.Or(cmp.Compare(b.score, a.score), a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.Code, b.Code))
	})
	maySend := maySend.Roles[actorOf(ctx).Role] != ReachNone
	for _, x := range tasks[:min(worklistShow, len(tasks))] {
		v := taskView{Code: x.Code, Unit: cmp.Or(tree.by[x.Unit].Name, string(x.Unit)), Procedure: string(x.Procedure), ReceivedOn: dayOf(x.ReceivedAt),
			Lacks: strings.Join(x.lacks, ", "), Lifts: strings.Join(x.lifts, ", ")}
		if maySend {
			v.Station = "/station?" + url.Values{"code": {string(x.Code)}}.Encode()
		}
		out = append(out, v)
	}
	return out, whole, nil
}
