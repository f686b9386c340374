package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

func (s *server) routeDashboard() {
	s.route("GET /{$}", mayFigures, s.dashboard)
	s.route("GET /report.xlsx", mayFigures, s.reportXLSX)
	s.route("GET /report.csv", mayFigures, s.reportCSV)
}

// option is a choice of a select.
type option struct {
	Value, Text string
	On          bool
}

type trend struct{ Text, Class string }

// card is one of the big figures.
type card struct {
	Name, Rule, Rate, Target, Gap string
	Counted, All, Missing         number
	Met                           bool
	Trend                         *trend
}

// number is a number and the list behind it; without an address where the list
// is not the reader's to see.
type number struct{ Text, Href string }

type sign struct{ Text, Class, Title string }

type cellView struct {
	Counted, Rate number
	Sign          *sign
}

type rowView struct {
	No, Name, Href string
	Received, Gap  number
	Depth          int
	Total          bool
	Figures        []cellView
}

type dashboardBody struct {
	Crumbs                               []navItem
	Unit                                 dossier.UnitCode
	UnitName, PeriodText, Footnote       string
	XLSX, CSV, Whole                     string
	Periods, Structures, Formulas, Sorts []option
	Any                                  bool
	Cards, More                          []card
	Worklist                             string
	Chart                                template.HTML
	ChartTitle                           string
	Heads                                []string
	Rows                                 []rowView
	Notes                                []string
}

// shown are the indicators of the first screen, in its order.
var shown = []string{"4.2", "4.1", "4.3"}

// figuresOf reads what a page's address asks.
func figuresOf(v url.Values) FiguresInput {
	return FiguresInput{Unit: v.Get("unit"), From: v.Get("from"), To: v.Get("to"), Period: v.Get("period"),
		Formula: v.Get("formula"), AsOf: v.Get("structure_as_of")}
}

// values is what was asked as an address asks it.
func (in FiguresInput) values() url.Values {
	v := url.Values{}
	for k, x := range map[string]string{"unit": in.Unit, "from": in.From, "to": in.To, "period": in.Period,
		"formula": in.Formula, "structure_as_of": in.AsOf} {
		if x != "" {
			v.Set(k, x)
		}
	}
	return v
}

func link(path string, v url.Values, more ...string) string {
	out := url.Values{}
	for k, x := range v {
		out[k] = x
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] == "" {
			out.Del(more[i])
			continue
		}
		out.Set(more[i], more[i+1])
	}
	if len(out) == 0 {
		return path
	}
	return path + "?" + out.Encode()
}

// yearsCache remembers for a minute which years have dossiers.
type yearsCache struct {
	mu    sync.Mutex
	years []int
	until time.Time
}

// years lists the years in which dossiers were received, the latest first; this
// year where there are none.
func (s *server) dataYears(ctx context.Context) ([]int, error) {
	c := &s.years
	c.mu.Lock()
	defer c.mu.Unlock()
	now := s.Now()
	if now.Before(c.until) {
		return c.years, nil
	}
	var out []int
	this := dossier.DateOf(now).Year()
	for y := this; y > this-10; y-- {
		n, err := s.receivedIn(ctx, nil, yearOf(y))
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out = append(out, y)
		}
	}
	if len(out) == 0 {
		out = []int{this}
	}
	c.years, c.until = out, now.Add(time.Minute)
	return out, nil
}

func yearOf(y int) dossier.Period {
	return dossier.Period{From: dossier.Date(y*10000 + 101), To: dossier.Date((y+1)*10000 + 101)}
}

var receivedSeries = []tally.Series{"received.direct", "received.online", "received.postal"}

func (s *server) receivedIn(ctx context.Context, units []dossier.UnitCode, p dossier.Period) (n int64, err error) {
	cells, err := s.Source.Totals(ctx, units, receivedSeries, p)
	for _, c := range cells {
		n += c.Denominator
	}
	return n, err
}

func (s *server) dashboard(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	in := figuresOf(r.URL.Query())
	years, err := s.dataYears(ctx)
	if err != nil {
		return err
	}
	if in.Period == "" && in.From == "" && in.To == "" {
		in.Period = strconv.Itoa(years[0])
	}
	if in.Unit == "" {
		in.Unit = string(actorOf(ctx).Unit)
	}
	t, err := s.report(ctx, in, nil)
	if err != nil {
		return err
	}
	q := t.Query
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	st, err := tree.structure(q.AsOf)
	if err != nil {
		return err
	}
	v := in.values()
	sort := cmp.Or(r.URL.Query().Get("sort"), sorts[0])
	see := s.seeing(ctx, tree, v)
	t = asSeen(t, sort, l)
	b := dashboardBody{Unit: q.Unit, UnitName: t.Rows[0].Name, PeriodText: tally.PeriodText(q.Period, l), XLSX: link("/report.xlsx", v, "sort", sort), CSV: link("/report.csv", v, "sort", sort), Whole: link("/report.xlsx", v, "whole", "true"), Any: t.Rows[0].Received() > 0}
	for i, u := range slices.Backward(st.Ancestors(q.Unit)) {
		if i > 0 && actorOf(ctx).allows(u) {
			x, _ := st.Unit(u)
			b.Crumbs = append(b.Crumbs, navItem{Href: link("/", v, "unit", string(u)), Text: x.Name})
		}
	}
	b.Periods, b.Structures, b.Formulas = periodOptions(in, years, l), structureOptions(tree.units, in.AsOf, l), formulaOptions(q.Version)
	for _, x := range sorts {
		b.Sorts = append(b.Sorts, option{x, say(l, "sort-"+x), x == sort})
	}
	units := st.Subtree(q.Unit)
	if b.Any {
		cards, err := s.cards(ctx, t, units, see, l)
		if err != nil {
			return err
		}
		b.Cards, b.More = cards[:min(len(shown), len(cards))], cards[min(len(shown), len(cards)):]
		if mayLook.Roles[actorOf(ctx).Role] != ReachNone {
			b.Worklist = link("/worklist", v)
		}
		if b.Chart, b.ChartTitle, err = s.monthsChart(ctx, t, units, l); err != nil {
			return err
		}
		b.Heads, b.Rows = rowViews(t, st, v, l, actorOf(ctx), see)
		b.Footnote = fmt.Sprintf(say(l, "footnote"), q.Version, q.AsOf.Local(), q.CutOff.Local())
		for _, n := range t.Notes {
			b.Notes = append(b.Notes, string(n.Unit)+": "+n.Text.In(l))
		}
	}
	return s.render(w, r, http.StatusOK, "dashboard", b.UnitName, b)
}

// cards are the big figures with their direction: against the period of equal
// length before. Those of the table come first.
func (s *server) cards(ctx context.Context, t tally.Table, units []dossier.UnitCode, see seeing, l string) ([]card, error) {
	before := map[tally.Series]tally.Rate{}
	if p, ok := previous(t.Query.Period); ok {
		var series []tally.Series
		for _, i := range t.Indicators {
			series = append(series, i.Series())
		}
		cells, err := s.Source.Totals(ctx, units, series, p)
		if err != nil {
			return nil, err
		}
		for _, c := range cells {
			before[c.Series] = tally.Rate{Numerator: c.Numerator, Denominator: c.Denominator}
		}
	}
	first, more := make([]card, len(shown)), []card{}
	for _, i := range tally.InVersion(t.Query.Version) {
		f, has := t.Rows[0].Figure(i.ID)
		if !has {
			continue
		}
		c := card{Name: i.Name.In(l), Rule: i.Rule.In(l),
			Counted: see.number(f.Numerator, units, t.Query.Unit, i.ID, tally.Counted),
			All:     see.number(f.Denominator, units, t.Query.Unit, i.ID, tally.All),
			Missing: see.number(f.Denominator-f.Numerator, units, t.Query.Unit, i.ID, tally.Missing)}
		p, ok := f.Percent()
		if ok {
			c.Rate = p.Format(l)
		}
		if old, had := before[i.Series()].Percent(); ok && had && p != old {
			c.Trend = &trend{"▲ " + (p - old).Format(l), "up"}
			if p < old {
				c.Trend = &trend{"▼ " + (old - p).Format(l), "down"}
			}
		}
		if f.HasTarget {
			c.Target = f.Target.Short(l)
			if g := f.Gap(); g > 0 {
				c.Gap = grouped(g)
			}
			c.Met, _ = f.Met()
		}
		if at := slices.Index(shown, i.ID); at >= 0 {
			first[at] = c
		} else {
			more = append(more, c)
		}
	}
	return append(first, more...), nil
}

// previous is the period before p: of as many whole months, or of as many days.
func previous(p dossier.Period) (dossier.Period, bool) {
	if p.From == 0 || p.To == 0 {
		return p, false
	}
	if p.From.Day() == 1 && p.To.Day() == 1 {
		n := (p.To.Year()-p.From.Year())*12 + int(p.To.Month()) - int(p.From.Month())
		return dossier.Period{From: dossier.DateOf(p.From.Time().AddDate(0, -n, 0)), To: p.From}, true
	}
	days := int(p.To.Time().Sub(p.From.Time()) / (24 * time.Hour))
	return dossier.Period{From: p.From.AddDays(-days), To: p.From}, true
}

// seeing makes the addresses of lists, for who may see them: a figure is for
// many, the dossiers behind it are not.
type seeing struct {
	look map[dossier.UnitCode]bool // whose dossiers the reader may list
	v    url.Values                // what the page shows
}

func (s *server) seeing(ctx context.Context, tree *unitTree, v url.Values) seeing {
	who := actorOf(ctx)
	see := seeing{v: v}
	if reach := mayLook.Roles[who.Role]; reach != ReachNone {
		see.look = tree.within(who.Unit, reach)
	}
	return see
}

// number is n with the list of that side of the indicator, of the units that make
// up the row of unit.
func (see seeing) number(n int64, units []dossier.UnitCode, unit dossier.UnitCode, indicator string, side tally.Side, more ...string) number {
	x := number{Text: grouped(n)}
	if n > 0 && !slices.ContainsFunc(units, func(u dossier.UnitCode) bool { return !see.look[u] }) {
		x.Href = link("/list", see.v, append([]string{"unit", string(unit), "indicator", indicator, "side", string(side)}, more...)...)
	}
	return x
}

// sorts are the orders of the units; the first is the usual one.
var sorts = []string{"gap", "rate", "tree"}

// asSeen is the table as the page shows it: the asked unit, then the units one
// step below it in the asked order, then what the unit has itself. Its rows are
// of the first screen's columns and add up to the first.
func asSeen(t tally.Table, sort, l string) tally.Table {
	own := t.Rows[0]
	own.Figures, own.Counts = slices.Clone(own.Figures), maps.Clone(own.Counts)
	own.Depth, own.Name = own.Depth+1, fmt.Sprintf(say(l, "own-dossiers"), own.Name)
	minus := func(f *tally.Figure, g tally.Figure) {
		f.Numerator, f.Denominator = f.Numerator-g.Numerator, f.Denominator-g.Denominator
	}
	var rows []tally.TableRow
	for _, r := range t.Rows[1:] {
		if r.Depth != t.Rows[0].Depth+1 {
			continue
		}
		rows = append(rows, r)
		for i := range own.Figures {
			minus(&own.Figures[i], r.Figures[i])
		}
		minus(&own.Plan, r.Plan)
		for k, n := range r.Counts {
			own.Counts[k] -= n
		}
	}
	key := func(r tally.TableRow) tally.Figure { f, _ := r.Figure(shown[0]); return f }
	switch sort {
	case "gap":
		slices.SortStableFunc(rows, func(a, b tally.TableRow) int { return cmp.Compare(key(b).Gap(), key(a).Gap()) })
	case "rate":
		slices.SortStableFunc(rows, func(a, b tally.TableRow) int {
			pa, oka := key(a).Percent()
			pb, okb := key(b).Percent()
			if oka != okb { // those without a rate last
				if oka {
					return -1
				}
				return 1
			}
			return cmp.Compare(pa, pb)
		})
	}
	has := slices.ContainsFunc(own.Figures, func(f tally.Figure) bool { return f.Denominator != 0 })
	for _, n := range own.Counts {
		has = has || n != 0
	}
	if len(rows) > 0 && has {
		for i := range own.Figures { // a target is the whole unit's
			own.Figures[i].HasTarget = false
		}
		rows = append(rows, own)
	}
	t.Rows = append([]tally.TableRow{t.Rows[0]}, rows...)
	return t
}

// rowViews are the rows of a table asSeen, the total last.
func rowViews(t tally.Table, st *tally.Structure, v url.Values, l string, who grant, see seeing) (heads []string, rows []rowView) {
	for _, id := range shown {
		if _, ok := tally.Find(id, t.Query.Version); ok {
			heads = append(heads, say(l, "head-"+id))
		}
	}
	for n, r := range t.Rows {
		x := rowView{No: strconv.Itoa(n), Name: r.Name, Depth: 1, Total: n == 0}
		units, more := st.Subtree(r.Unit), []string{}
		switch {
		case n == 0:
			x.No, x.Name = "", say(l, "total")
		case r.Unit == t.Rows[0].Unit:
			x.No, units, more = "", ownUnits(st, r.Unit), []string{"own", "true"}
		case who.allows(r.Unit):
			x.Href = link("/", v, "unit", string(r.Unit))
		}
		for k, id := range shown {
			f, ok := r.Figure(id)
			if !ok {
				continue
			}
			if k == 0 {
				x.Received = see.number(r.Received(), units, r.Unit, id, tally.All, more...)
				if g := f.Gap(); g > 0 {
					x.Gap = see.number(f.Denominator-f.Numerator, units, r.Unit, id, tally.Missing, more...)
					x.Gap.Text = grouped(g)
				}
			}
			c := cellView{Counted: see.number(f.Numerator, units, r.Unit, id, tally.Counted, more...),
				Rate: see.number(f.Denominator, units, r.Unit, id, tally.All, more...)}
			c.Rate.Text = tally.FormatRate(f.Numerator, f.Denominator, l)
			if met, _ := f.Met(); met {
				c.Sign = &sign{"✓", "ok", say(l, "met")}
			}
			x.Figures = append(x.Figures, c)
		}
		rows = append(rows, x)
	}
	return heads, append(rows[1:], rows[0])
}

// ownUnits are those whose dossiers are the unit's itself and of none below it.
func ownUnits(st *tally.Structure, unit dossier.UnitCode) []dossier.UnitCode {
	below := map[dossier.UnitCode]bool{}
	for _, r := range st.Rows(unit) {
		if r.Depth == 1 {
			for _, u := range st.Subtree(r.Unit) {
				below[u] = true
			}
		}
	}
	return slices.DeleteFunc(st.Subtree(unit), func(u dossier.UnitCode) bool { return below[u] })
}

func periodOptions(in FiguresInput, years []int, l string) []option {
	var out []option
	add := func(v, text string) { out = append(out, option{v, text, v == in.Period}) }
	if in.Period == "" {
		out = append(out, option{"", say(l, "period-chosen"), true})
	}
	year := years[0]
	if p, err := dossier.ParsePeriod(in.Period); err == nil {
		year = p.From.Year()
	}
	for _, y := range years {
		add(strconv.Itoa(y), fmt.Sprintf(say(l, "year"), y))
	}
	if !slices.Contains(years, year) {
		add(strconv.Itoa(year), fmt.Sprintf(say(l, "year"), year))
	}
	for _, o := range partsOf(year, l) {
		add(o.Value, o.Text)
	}
	return out
}

// partsOf are the quarters and months of a year.
func partsOf(year int, l string) (out []option) {
	for n := 1; n <= 4; n++ {
		out = append(out, option{Value: fmt.Sprintf("%d-Q%d", year, n), Text: fmt.Sprintf(say(l, "quarter"), n, year)})
	}
	for n := 1; n <= 12; n++ {
		out = append(out, option{Value: fmt.Sprintf("%d-%02d", year, n), Text: fmt.Sprintf(say(l, "month"), n, year)})
	}
	return out
}

// structureOptions are the end of the period and the days around each change of
// the tree.
func structureOptions(units []dossier.Unit, asOf, l string) []option {
	out := []option{{"", say(l, "structure-end"), asOf == ""}}
	var changes []dossier.Date
	for _, u := range units {
		for _, d := range []dossier.Date{u.ValidFrom, u.ValidTo} {
			if d != 0 {
				changes = append(changes, d)
			}
		}
	}
	slices.Sort(changes)
	changes = slices.Compact(changes)
	slices.Reverse(changes)
	found := asOf == ""
	add := func(v, text string) {
		found = found || v == asOf
		out = append(out, option{v, text, v == asOf})
	}
	for _, d := range changes[:min(4, len(changes))] {
		add(d.String(), fmt.Sprintf(say(l, "structure-from"), d.Local()))
		add(d.AddDays(-1).String(), fmt.Sprintf(say(l, "structure-to"), d.AddDays(-1).Local()))
	}
	if d, err := dossier.ParseDate(asOf); err == nil && !found {
		add(asOf, fmt.Sprintf(say(l, "structure-on"), d.Local()))
	}
	return out
}

func formulaOptions(version string) []option {
	var out []option
	for _, v := range tally.Versions() {
		out = append(out, option{v, v, v == version})
	}
	return out
}

func (s *server) reportXLSX(w http.ResponseWriter, r *http.Request) error {
	return s.export(w, r, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		func(t tally.Table, b *bytes.Buffer) error { return t.XLSX(b, tally.Heading{}) })
}

func (s *server) reportCSV(w http.ResponseWriter, r *http.Request) error {
	return s.export(w, r, "csv", "text/csv; charset=utf-8", func(t tally.Table, b *bytes.Buffer) error { return t.CSV(b) })
}

// export answers what the page shows: the same units in the same order, under the
// same formula and structure. With whole=true all units below, in tree order.
func (s *server) export(w http.ResponseWriter, r *http.Request, ext, contentType string, write func(tally.Table, *bytes.Buffer) error) error {
	v := r.URL.Query()
	in := figuresOf(v)
	var indicators []string
	if v.Get("whole") == "" {
		indicators = shown
	}
	t, err := s.report(r.Context(), in, indicators)
	if err != nil {
		return err
	}
	if indicators != nil {
		t = asSeen(t, cmp.Or(v.Get("sort"), sorts[0]), lang(r))
	}
	var b bytes.Buffer
	if err := write(t, &b); err != nil {
		return err
	}
	if err := s.audit(r.Context(), dossier.ActExport, t.Query.Unit, ext); err != nil {
		return err
	}
	p := t.Query.Period
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", attachment(fmt.Sprintf("so-hoa_%s_%v_%v.%s", t.Query.Unit, p.From, p.To.AddDays(-1), ext)))
	_, _ = b.WriteTo(w) // the client may be gone: nobody is left to tell
	return nil
}
