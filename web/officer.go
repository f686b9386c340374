package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sohoa/dossier"
	"sohoa/tally"
)

// Orders are what is done to a document that stands, by order. The same order
// again finishes what was broken off, and changes nothing else.
type Orders interface {
	// Delete answers the tombstone that stands.
	Delete(ctx context.Context, id string, o dossier.Order) (dossier.Tombstone, error)
	// Revoke: the paper is no longer valid.
	Revoke(ctx context.Context, id string, o dossier.Order) error
	// Reverdict: its signatures give it legal value after all, or do not.
	Reverdict(ctx context.Context, id string, legal bool, o dossier.Order) error
	// Hold places or lifts a legal hold: what is held nobody deletes.
	Hold(ctx context.Context, id string, on bool, o dossier.Order) error
	// Refile takes a paper that was filed in the wrong dossier in where it belongs,
	// answers where that stands, and revokes it here once that is stored.
	Refile(ctx context.Context, id string, to dossier.Code, door dossier.Door, o dossier.Order) (dossier.Standing, error)
}

// order is an order as a page gives it; its name is the last part of its address
// and the key of its texts.
type order struct {
	name string
	act  dossier.Action
	do   func(ctx context.Context, by Orders, id string, o dossier.Order) error
}

var (
	orderDelete = order{"delete", dossier.ActDelete, func(ctx context.Context, by Orders, id string, o dossier.Order) error {
		_, err := by.Delete(ctx, id, o)
		return err
	}}
	orderRevoke = order{"revoke", dossier.ActRevoke, func(ctx context.Context, by Orders, id string, o dossier.Order) error { return by.Revoke(ctx, id, o) }}
	orderTrust  = order{"trust", dossier.ActReverdict, func(ctx context.Context, by Orders, id string, o dossier.Order) error {
		return by.Reverdict(ctx, id, true, o)
	}}
	orderDoubt = order{"doubt", dossier.ActReverdict, func(ctx context.Context, by Orders, id string, o dossier.Order) error {
		return by.Reverdict(ctx, id, false, o)
	}}
	orderHold = order{"hold", dossier.ActHold, func(ctx context.Context, by Orders, id string, o dossier.Order) error {
		return by.Hold(ctx, id, true, o)
	}}
	orderLift = order{"lift", dossier.ActHold, func(ctx context.Context, by Orders, id string, o dossier.Order) error {
		return by.Hold(ctx, id, false, o)
	}}
)

// refileName is the name of the order that, beside number and reason, takes the
// dossier where the paper belongs.
const refileName = "refile"

// ordersFor names the orders that make sense for a document as it stands.
func ordersFor(st dossier.Standing, held bool) (out []string) {
	switch {
	case st.Tombstone != nil:
		return nil
	case st.Refusal != nil:
		return []string{orderDelete.name}
	case st.Record == nil:
		return nil
	}
	if !st.Deleted {
		if !st.Revoked {
			out = append(out, orderRevoke.name)
			if st.Intake.Slip.Dossier != "" {
				out = append(out, refileName)
			}
		}
		if len(st.Record.Verdict.Signatures) > 0 {
			if st.Legal {
				out = append(out, orderDoubt.name)
			} else {
				out = append(out, orderTrust.name)
			}
		}
	}
	if held {
		return append(out, orderLift.name)
	}
	return append(out, orderHold.name, orderDelete.name)
}

// Closing is a closed period: its figures as they were reported, kept under
// their digest.
type Closing struct {
	ID     string           `json:"id"`
	Period string           `json:"period" example:"2024-08"`
	Unit   dossier.UnitCode `json:"unit,omitempty" doc:"with those below it; absent: every unit"`
	At     time.Time        `json:"at"`
	By     string           `json:"by" doc:"account or token"`
	SHA256 dossier.Digest   `json:"sha256"`
}

// Closer keeps the figures of periods as they were reported.
type Closer interface {
	// ClosePeriod answers tally.ErrQuery for a period that cannot be closed.
	ClosePeriod(ctx context.Context, period string, unit dossier.UnitCode, by string) (Closing, error)
	// Closings are those of the units, the latest first; of every unit's as one
	// where the empty unit is among them.
	Closings(ctx context.Context, units []dossier.UnitCode) ([]Closing, error)
	// Closed is a closing with its figures; found is false where there is none.
	Closed(ctx context.Context, id string) (c Closing, figures tally.Snapshot, found bool, err error)
}

func (s *server) routeOfficer() {
	operation(s, mayOrder, huma.Operation{OperationID: "deleteDocument", Method: "POST", Path: "/api/v1/documents/{id}/deletion",
		Summary: "Delete a document by order", Tags: []string{"documents"}, Errors: []int{401, 403, 404, 409, 422, 503},
		Description: "Its bytes go, a tombstone stays; it counts no more. The same again finishes what was broken off. Order and reason are kept for good: no personal data."}, s.postDeletion)
	operation(s, mayOrder, huma.Operation{OperationID: "refileDocument", Method: "POST", Path: "/api/v1/documents/{id}/refile", DefaultStatus: 201,
		Summary: "Put a document that was filed in the wrong dossier into the right one", Tags: []string{"documents"}, Errors: []int{400, 401, 403, 404, 409, 422, 503},
		Description: "It is taken in for the right dossier from the archive's own bytes, and revoked in the wrong one. The answer is the document in the right dossier. The same again finishes what was broken off. Order and reason are kept for good: no personal data."}, s.postRefile)
	operation(s, mayOrder, huma.Operation{OperationID: "closePeriod", Method: "POST", Path: "/api/v1/closings", DefaultStatus: 201,
		Summary: "Keep the figures of a period as reported", Tags: []string{"figures"}, Errors: []int{400, 401, 403, 404, 503}}, s.postClosing)
	operation(s, mayClosings, huma.Operation{OperationID: "listClosings", Method: "GET", Path: "/api/v1/closings",
		Summary: "The closed periods", Tags: []string{"figures"}, Errors: []int{401, 403, 503}}, s.getClosings)
	for _, x := range []order{orderDelete, orderRevoke, orderTrust, orderDoubt, orderHold, orderLift} {
		s.route("POST /documents/{id}/"+x.name, mayOrder, s.orderForm(x))
	}
	s.route("POST /documents/{id}/"+refileName, mayOrder, s.refileForm)
	s.route("GET /closings", mayClosings, s.closingsPage)
	s.route("POST /closings", mayOrder, s.closingForm)
	s.route("GET /closings/{id}", mayClosings, s.restatementPage)
}

// ordered is the order of the actor of ctx to do something to a document, once it
// is in the log.
func (s *server) ordered(ctx context.Context, act dossier.Action, id, number, reason string) (dossier.Order, error) {
	if s.Orders == nil {
		return dossier.Order{}, problem("not-wired", nil)
	}
	who := actorOf(ctx)
	o, err := dossier.Order{By: who.ID, Role: who.Role, Number: number, Reason: reason}.Checked()
	if err != nil {
		return o, err
	}
	st, err := s.reach(ctx, id)
	if err != nil {
		return o, err
	}
	return o, s.audit(ctx, act, unitOf(st), id)
}

// order does something to a document by the order of the actor of ctx.
func (s *server) order(ctx context.Context, x order, id, number, reason string) error {
	o, err := s.ordered(ctx, x.act, id, number, reason)
	if err != nil {
		return err
	}
	return x.do(ctx, s.Orders, id, o)
}

// refile puts a document into the dossier where it belongs, by the order of the
// actor of ctx, who has to reach both. A verdict that takes too long is
// dossier.ErrUndecided: the same order again goes on.
func (s *server) refile(ctx context.Context, id, code, number, reason string) (dossier.Standing, error) {
	to, err := dossier.ParseCode(code)
	if err != nil {
		return dossier.Standing{}, dossier.Reject(dossier.WrongDossier, dossier.Text{}, err)
	}
	unit, err := s.Register.ResolveUnit(ctx, to)
	if err != nil {
		return dossier.Standing{}, err
	}
	if err := within(ctx, unit); err != nil {
		return dossier.Standing{}, err
	}
	o, err := s.ordered(ctx, dossier.ActRefile, id, number, reason)
	if err != nil {
		return dossier.Standing{}, err
	}
	door := dossier.DoorAPI
	if actorOf(ctx).Window {
		door = dossier.DoorWeb
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	st, err := s.Orders.Refile(ctx, id, to, door, o)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", dossier.ErrUndecided, err)
	}
	return st, err
}

type refileInput struct {
	ID   string `path:"id"`
	Body struct {
		Dossier string `json:"dossier" doc:"code of the dossier where it belongs"`
		Order   string `json:"order" doc:"number of the decision, judgment or minutes"`
		Reason  string `json:"reason"`
	}
}

func (s *server) postRefile(ctx context.Context, in *refileInput) (*sendOutput, error) {
	st, err := s.refile(ctx, in.ID, in.Body.Dossier, in.Body.Order, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := &sendOutput{}
	return out, out.verdict(st, http.StatusCreated)
}

// refileForm goes on to the document in the right dossier, whose page also says
// why it was not taken in there.
func (s *server) refileForm(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	st, err := s.refile(r.Context(), r.PathValue("id"), r.PostFormValue("dossier"), r.PostFormValue("order"), r.PostFormValue("reason"))
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/documents/"+st.Intake.ID, http.StatusSeeOther)
	return nil
}

type deletionInput struct {
	ID   string `path:"id"`
	Body struct {
		Order  string `json:"order" doc:"number of the decision, judgment or minutes"`
		Reason string `json:"reason"`
	}
}

type deletionOutput struct{ Body Document }

func (s *server) postDeletion(ctx context.Context, in *deletionInput) (*deletionOutput, error) {
	if err := s.order(ctx, orderDelete, in.ID, in.Body.Order, in.Body.Reason); err != nil {
		return nil, err
	}
	st, err := s.Pipeline.Standing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &deletionOutput{documentOf(st)}, nil
}

func (s *server) orderForm(x order) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := form(w, r); err != nil {
			return err
		}
		id := r.PathValue("id")
		if err := s.order(r.Context(), x, id, r.PostFormValue("order"), r.PostFormValue("reason")); err != nil {
			return err
		}
		http.Redirect(w, r, "/documents/"+id, http.StatusSeeOther)
		return nil
	}
}

// closing closes a period of a unit in the name of the actor of ctx.
func (s *server) closing(ctx context.Context, period, unit string) (Closing, error) {
	var c Closing
	if s.Closer == nil {
		return c, problem("not-wired", nil)
	}
	p, err := dossier.ParsePeriod(period)
	if err != nil {
		return c, badValue("period")
	}
	u, err := dossier.ParseUnitCode(unit)
	if err != nil {
		return c, badValue("unit")
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return c, err
	}
	if _, known := tree.by[u]; !known {
		return c, dossier.ErrUnknownUnit
	}
	if err := within(ctx, u); err != nil {
		return c, err
	}
	if s.Now().Before(p.To.Time()) {
		return c, problem("not-over", nil)
	}
	if err := s.audit(ctx, dossier.ActClose, u, period); err != nil {
		return c, err
	}
	if c, err = s.Closer.ClosePeriod(ctx, period, u, actorOf(ctx).ID); errors.Is(err, tally.ErrQuery) {
		return c, problem("bad-value", err).withDetail("period or unit")
	}
	return c, err
}

type closingInput struct {
	Body struct {
		Period string `json:"period" example:"2024-08" doc:"2024, 2024-08 or 2024-Q3, and over"`
		Unit   string `json:"unit" doc:"with those below it"`
	}
}

type closingOutput struct{ Body Closing }

func (s *server) postClosing(ctx context.Context, in *closingInput) (*closingOutput, error) {
	c, err := s.closing(ctx, in.Body.Period, in.Body.Unit)
	if err != nil {
		return nil, err
	}
	return &closingOutput{c}, nil
}

// closings are those the actor of ctx may see: whoever reaches a root of the tree
// sees those of every unit as one, too.
func (s *server) closings(ctx context.Context) ([]Closing, error) {
	if s.Closer == nil {
		return nil, problem("not-wired", nil)
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return nil, err
	}
	units := []dossier.UnitCode{}
	for u := range actorOf(ctx).units {
		units = append(units, u)
		if tree.by[u].Parent == "" {
			units = append(units, "")
		}
	}
	slices.Sort(units)
	return s.Closer.Closings(ctx, slices.Compact(units))
}

type closingsOutput struct {
	Body struct {
		Items []Closing `json:"items"`
	}
}

func (s *server) getClosings(ctx context.Context, _ *struct{}) (*closingsOutput, error) {
	list, err := s.closings(ctx)
	out := &closingsOutput{}
	out.Body.Items = append([]Closing{}, list...)
	return out, err
}

type closingView struct{ ID, Period, Unit, At, SHA256, Href string }

func (s *server) closingsPage(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	list, err := s.closings(ctx)
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	years, err := s.dataYears(ctx)
	if err != nil {
		return err
	}
	var b struct {
		MayClose bool
		Unit     dossier.UnitCode
		Periods  []option
		Choices  []option
		Closings []closingView
	}
	who := actorOf(ctx)
	b.MayClose, b.Unit = mayOrder.Roles[who.Role] != ReachNone, who.Unit
	for _, y := range years {
		for _, o := range append([]option{{Value: strconv.Itoa(y), Text: fmt.Sprintf(say(l, "year"), y)}}, partsOf(y, l)...) {
			if p, err := dossier.ParsePeriod(o.Value); err == nil && !s.Now().Before(p.To.Time()) {
				b.Periods = append(b.Periods, o)
			}
		}
	}
	for _, u := range tree.units {
		if who.allows(u.Code) {
			b.Choices = append(b.Choices, option{Value: string(u.Code), Text: u.Name})
		}
	}
	for _, c := range list {
		v := closingView{ID: c.ID, Period: periodName(c.Period, l), Unit: closedUnit(c, tree, l), At: clock(c.At), SHA256: string(c.SHA256)}
		if c.Unit != "" {
			v.Href = link("/", nil, "unit", string(c.Unit), "period", c.Period)
		}
		b.Closings = append(b.Closings, v)
	}
	return s.render(w, r, http.StatusOK, "closings", say(l, "closings"), b)
}

func closedUnit(c Closing, tree *unitTree, l string) string {
	return cmp.Or(tree.by[c.Unit].Name, cmp.Or(string(c.Unit), say(l, "every-unit")))
}

// restatedView is a figure as it was reported and as it is now.
type restatedView struct {
	Name, Was, WasRate, Now, NowRate, Href string
	On                                     bool
}

// restatementPage says what became of a closed period's figures: each that is no
// longer what was reported and, of one of them, in which units.
func (s *server) restatementPage(w http.ResponseWriter, r *http.Request) error {
	if s.Closer == nil {
		return problem("not-wired", nil)
	}
	ctx, l := r.Context(), lang(r)
	c, was, found, err := s.Closer.Closed(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if !found {
		return problem("not-found", nil)
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	if c.Unit != "" {
		err = within(ctx, c.Unit)
	} else if tree.by[actorOf(ctx).Unit].Parent != "" { // of every unit as one
		err = errOutOfScope
	}
	if err != nil {
		return err
	}
	now, err := tally.Restate(ctx, was, s.Source)
	if err != nil {
		return err
	}
	var b struct {
		Period, Unit, At, Chosen, Name string
		Totals, Units                  []restatedView
		Named, Listed, More            bool   // the dossiers are asked for; were kept; are more than are shown
		Changes                        string // how many dossiers
		Dossiers                       []changeView
	}
	b.Period, b.Unit, b.At = periodName(c.Period, l), closedUnit(c, tree, l), clock(c.At)
	listed := map[tally.Series]tally.Indicator{} // those whose dossiers a list shows
	for _, i := range append(tally.Indicators(), tally.Counts()...) {
		if _, ok := listed[i.Series()]; !ok {
			listed[i.Series()] = i
		}
	}
	view := func(name string, x tally.Restated) restatedView {
		v := restatedView{Name: name, Was: grouped(x.Was.Numerator), Now: grouped(x.Now.Numerator)}
		if !x.Series.Plain() {
			v.WasRate, v.NowRate = tally.FormatRate(x.Was.Numerator, x.Was.Denominator, l), tally.FormatRate(x.Now.Numerator, x.Now.Denominator, l)
		}
		return v
	}
	changed := map[tally.Series]tally.Restated{} // in a unit at least, though perhaps not in all
	for _, f := range now.Figures {
		changed[f.Series] = f
	}
	totals := map[tally.Series]tally.Restated{}
	for _, x := range now.Totals() {
		totals[x.Series] = x
	}
	chosen := tally.Series(r.URL.Query().Get("series"))
	for _, x := range tally.AllSeries() {
		if _, moved := changed[x]; !moved {
			continue
		}
		if chosen == "" {
			chosen = x
		}
		v := view(x.Name().In(l), totals[x])
		if _, moved := totals[x]; !moved { // it only went from one unit to another
			v = restatedView{Name: v.Name, Was: say(l, "restated-same"), Now: say(l, "restated-same")}
		}
		if v.On = x == chosen; v.On {
			b.Chosen = v.Name
		}
		v.Href = link("/closings/"+c.ID, nil, "series", string(x))
		b.Totals = append(b.Totals, v)
	}
	for _, f := range now.Figures {
		if f.Series != chosen {
			continue
		}
		v := view(cmp.Or(now.Names[f.Unit], string(f.Unit)), f)
		if i, ok := listed[f.Series]; ok && actorOf(ctx).allows(f.Unit) {
			v.Href = link("/list", nil, "unit", string(f.Unit), "period", c.Period, "formula", i.Version, "indicator", i.ID, "side", string(tally.All), "own", "true")
		}
		b.Units = append(b.Units, v)
	}
	switch byName := r.URL.Query().Get("dossiers") == "true"; {
	case s.Behind == nil:
	case !byName: // asked for by itself, since it reads every dossier of the period
		b.Name = link("/closings/"+c.ID, r.URL.Query(), "dossiers", "true")
	default:
		deadlines(w, closeTime)
		if err := s.audit(ctx, dossier.ActList, cmp.Or(c.Unit, actorOf(ctx).Unit), c.ID); err != nil {
			return err
		}
		if err := now.AddDossiers(ctx, s.Behind); err != nil {
			return err
		}
		b.Named, b.Listed, b.Changes, b.More = true, now.Listed, grouped(int64(len(now.Dossiers))), len(now.Dossiers) > maxChanges
		for _, d := range now.Dossiers[:min(len(now.Dossiers), maxChanges)] {
			v := changeView{Code: string(d.Code), Change: d.Change().In(l)}
			if actorOf(ctx).allows(cmp.Or(d.NowUnit, d.WasUnit)) {
				v.Href = "/dossiers/" + v.Code
			}
			b.Dossiers = append(b.Dossiers, v)
		}
	}
	return s.render(w, r, http.StatusOK, "restatement", say(l, "restatement"), b)
}

// changeView is a dossier that counts otherwise than when its period was closed.
type changeView struct{ Code, Change, Href string }

// maxChanges is how many changed dossiers a page names; the command names all.
const maxChanges = 1000

// periodName is what people call a period: "Tháng 8/2024".
func periodName(period, l string) string {
	p, err := dossier.ParsePeriod(period)
	if err != nil {
		return period
	}
	for _, o := range partsOf(p.From.Year(), l) {
		if o.Value == period {
			return o.Text
		}
	}
	return fmt.Sprintf(say(l, "year"), p.From.Year())
}

func (s *server) closingForm(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	deadlines(w, closeTime)
	if _, err := s.closing(r.Context(), r.PostFormValue("period"), r.PostFormValue("unit")); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	http.Redirect(w, r, "/closings", http.StatusSeeOther)
	return nil
}

// closeTime is how long closing a period may take: it reads every dossier of it.
const closeTime = 10 * time.Minute
