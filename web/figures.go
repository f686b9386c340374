package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"sohoa/dossier"
	"sohoa/tally"
)

// ListQuery asks for the dossiers behind a number: as many over all pages as
// the number says.
type ListQuery struct {
	Indicator tally.Indicator
	Side      tally.Side
	Units     []dossier.UnitCode // those that have the dossiers
	Period    dossier.Period
	Procedure dossier.ProcedureCode // empty: any
	Channel   dossier.Channel       // 0: any
	After     string                // Next of the page before; empty: from the start
	Limit     int
}

// ListPage is a page of a list.
type ListPage struct {
	Items []dossier.Dossier
	Next  string // empty on the last page
}

// ErrCursor: the place to go on from is not one that List gave.
var ErrCursor = errors.New("the cursor is not one of this list")

// Lister lists the dossiers behind a number.
type Lister interface {
	List(ctx context.Context, q ListQuery) (ListPage, error)
}

func (s *server) routeFigures() {
	operation(s, mayFigures, huma.Operation{OperationID: "report", Method: "GET", Path: "/api/v1/report",
		Summary: "The figures of a unit and of those below it", Tags: []string{"figures"},
		Description: "The same JSON as sohoa report --format json. The first row is the asked unit, the others follow in tree order.",
		Errors:      []int{400, 401, 403, 404, 503}}, s.getReport)
	operation(s, mayLook, huma.Operation{OperationID: "list", Method: "GET", Path: "/api/v1/list",
		Summary: "The dossiers behind a figure", Tags: []string{"figures"}, Errors: []int{400, 401, 403, 404, 503}}, s.getList)
}

// FiguresInput chooses figures. The period is half-open: the day `to` is no
// longer in it.
type FiguresInput struct {
	Unit    string `query:"unit" doc:"the unit asked about; the token's own unit where absent"`
	From    string `query:"from" doc:"yyyy-mm-dd, the first day"`
	To      string `query:"to" doc:"yyyy-mm-dd, the first day that is no longer in the period"`
	Period  string `query:"period" doc:"2024, 2024-08 or 2024-Q3, in place of from and to; where all are absent: this year up to today"`
	Formula string `query:"formula" doc:"version of the formulas" example:"766-2022"`
	AsOf    string `query:"structure_as_of" doc:"yyyy-mm-dd: the day whose tree of units is shown; the period's last day where absent"`
}

// query reads what was asked, completed by what the actor is and what day it is.
func (s *server) query(ctx context.Context, in FiguresInput) (tally.Query, *tally.Structure, error) {
	q := tally.Query{Version: cmp.Or(in.Formula, tally.DefaultVersion), Unit: actorOf(ctx).Unit}
	var err error
	if in.Unit != "" {
		if q.Unit, err = dossier.ParseUnitCode(in.Unit); err != nil {
			return q, nil, badValue("unit")
		}
	}
	today := dossier.DateOf(s.Now())
	switch {
	case in.Period != "":
		if q.Period, err = dossier.ParsePeriod(in.Period); err != nil {
			return q, nil, badValue("period")
		}
	case in.From == "" && in.To == "":
		q.Period = dossier.Period{From: dossier.Date(today.Year()*10000 + 101), To: today.AddDays(1)}
	default:
		if q.Period.From, err = day("from", in.From); err != nil {
			return q, nil, err
		}
		if q.Period.To, err = day("to", in.To); err != nil {
			return q, nil, err
		}
		if q.Period.To == 0 {
			q.Period.To = today.AddDays(1)
		}
	}
	if q.AsOf, err = day("structure_as_of", in.AsOf); err != nil {
		return q, nil, err
	}
	if q.AsOf == 0 {
		q.AsOf = q.Period.To.AddDays(-1)
	}
	q.CutOff = min(today, q.Period.To.AddDays(-1))
	tree, err := s.trees.get(ctx)
	if err != nil {
		return q, nil, err
	}
	if _, ok := tree.by[q.Unit]; !ok {
		return q, nil, dossier.ErrUnknownUnit
	}
	st, err := tree.structure(q.AsOf)
	if err != nil {
		return q, nil, problem("bad-value", err).withDetail("structure_as_of")
	}
	// Who answers for the unit on that day is whose figures are shown: a unit
	// that has ended does not open its successor's.
	if err := within(ctx, q.Unit); err != nil {
		return q, nil, err
	}
	if h := st.Holder(q.Unit); h != q.Unit {
		if err := within(ctx, h); err != nil {
			return q, nil, err
		}
	}
	return q, st, nil
}

func (s *server) targets(ctx context.Context) (tally.Targets, error) {
	if s.Targets == nil {
		return tally.DefaultTargets(), nil
	}
	return s.Targets(ctx)
}

type reportInput struct {
	FiguresInput
	Indicators []string `query:"indicators" doc:"ids, separated by commas; all where absent"`
}

func (s *server) getReport(ctx context.Context, in *reportInput) (*huma.StreamResponse, error) {
	t, err := s.report(ctx, in.FiguresInput, in.Indicators)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.JSON(&b); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		hc.SetHeader("Cache-Control", "no-store")
		hc.SetStatus(200)
		_, _ = b.WriteTo(hc.BodyWriter()) // the client may be gone: nobody is left to tell
	}}, nil
}

func (s *server) report(ctx context.Context, in FiguresInput, indicators []string) (tally.Table, error) {
	q, _, err := s.query(ctx, in)
	if err != nil {
		return tally.Table{}, err
	}
	q.Indicators = indicators
	targets, err := s.targets(ctx)
	if err != nil {
		return tally.Table{}, err
	}
	t, err := tally.Report(ctx, s.Source, q, targets)
	if errors.Is(err, tally.ErrQuery) {
		return t, problem("bad-value", err).withDetail("formula, period or indicators")
	}
	return t, err
}

type listInput struct {
	FiguresInput
	Indicator string `query:"indicator" required:"true" doc:"id of the indicator, such as 4.2"`
	Side      string `query:"side" enum:"counted,missing,all" default:"missing"`
	Procedure string `query:"procedure" doc:"only this procedure; the national code finds its local forms too"`
	Own       bool   `query:"own" doc:"only the unit's own dossiers, without those of the units below it"`
	Channel   int    `query:"channel" minimum:"0" maximum:"3" doc:"only this channel: 1 direct, 2 online, 3 postal"`
	After     string `query:"after" doc:"next of the page before"`
	Limit     int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

// WhyBody says what a dossier lacks to be counted.
type WhyBody struct {
	Code tally.Why `json:"code"`
	dossier.Text
}

// ListItem is a dossier in a list.
type ListItem struct {
	Code       dossier.Code          `json:"code"`
	Unit       dossier.UnitCode      `json:"unit"`
	Procedure  dossier.ProcedureCode `json:"procedure"`
	Channel    dossier.Channel       `json:"channel"`
	Status     dossier.Status        `json:"status"`
	ReceivedOn dossier.Date          `json:"received_on,omitzero"`
	ResolvedOn dossier.Date          `json:"resolved_on,omitzero"`
	Missing    []WhyBody             `json:"missing,omitempty"`
}

// ListBody is a page of the list behind a number.
type ListBody struct {
	Formula   string           `json:"formula"`
	Indicator string           `json:"indicator"`
	Side      tally.Side       `json:"side"`
	Unit      dossier.UnitCode `json:"unit"`
	From      dossier.Date     `json:"from,omitzero"`
	To        dossier.Date     `json:"to,omitzero"`
	Total     *int64           `json:"total,omitempty" doc:"over all pages; not said where procedure or channel narrow the list"`
	Items     []ListItem       `json:"items"`
	Next      string           `json:"next,omitempty" doc:"give it as after for the next page"`
}

type listOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         ListBody
}

// list is a list and what it is a list of.
type list struct {
	tally.Query
	indicator tally.Indicator
	side      tally.Side
	total     int64
	units     []dossier.UnitCode
	page      ListPage
}

func (s *server) list(ctx context.Context, in listInput) (list, error) {
	var l list
	if s.Lister == nil {
		return l, problem("not-wired", nil)
	}
	q, st, err := s.query(ctx, in.FiguresInput)
	if err != nil {
		return l, err
	}
	var ok bool
	l.Query, l.side = q, tally.Side(in.Side)
	if l.indicator, ok = tally.Find(in.Indicator, q.Version); !ok {
		return l, badValue("indicator")
	}
	if in.After == "" {
		if err := s.audit(ctx, dossier.ActList, q.Unit, in.Indicator+" "+in.Side); err != nil {
			return l, err
		}
	}
	units := st.Subtree(q.Unit)
	if in.Own {
		units = ownUnits(st, q.Unit)
	}
	if who := actorOf(ctx); who.reach == ReachOwn {
		units = slices.DeleteFunc(units, func(u dossier.UnitCode) bool { return !who.allows(u) })
	}
	cells, err := s.Source.Totals(ctx, units, []tally.Series{l.indicator.Series()}, q.Period)
	if err != nil {
		return l, err
	}
	l.units = units
	for _, c := range cells {
		l.total += l.side.Of(c)
	}
	l.page, err = s.Lister.List(ctx, ListQuery{Indicator: l.indicator, Side: l.side, Units: units, Period: q.Period,
		Procedure: dossier.ProcedureCode(in.Procedure), Channel: dossier.Channel(in.Channel), After: in.After, Limit: in.Limit})
	if errors.Is(err, ErrCursor) {
		return l, badValue("after")
	}
	return l, err
}

func (s *server) getList(ctx context.Context, in *listInput) (*listOutput, error) {
	l, err := s.list(ctx, *in)
	if err != nil {
		return nil, err
	}
	out := &listOutput{CacheControl: "no-store", Body: ListBody{Formula: l.Version, Indicator: l.indicator.ID, Side: l.side,
		Unit: l.Unit, From: l.Period.From, To: l.Period.To, Next: l.page.Next,
		Items: make([]ListItem, 0, len(l.page.Items))}}
	if in.Procedure == "" && in.Channel == 0 {
		out.Body.Total = &l.total
	}
	for _, d := range l.page.Items {
		it := ListItem{Code: d.Code, Unit: d.Unit, Procedure: d.Procedure, Channel: d.Channel, Status: d.Status,
			ReceivedOn: dossier.DateOf(d.ReceivedAt), ResolvedOn: dossier.DateOf(d.ResolvedAt)}
		for _, w := range l.indicator.Missing(&d) {
			it.Missing = append(it.Missing, WhyBody{w, w.Text()})
		}
		out.Body.Items = append(out.Body.Items, it)
	}
	return out, nil
}
