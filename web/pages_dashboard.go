package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"html/template"
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
	Name, Rule, Rate, Href, Counts, Target, Gap, MissingHref string
	Met                                                      bool
	Trend                                                    *trend
}

type sign struct{ Text, Class, Title string }

type cellView struct {
	Count, Rate, Href string
	Sign              *sign
}

type rowView struct {
	No, Name, Href, Received, Gap, GapHref string
	Depth                                  int
	Total                                  bool
	Figures                                []cellView

	gap  int64
	rate tally.Rate
}

type dashboardBody struct {
	Crumbs                                []navItem
	Unit                                  dossier.UnitCode
	UnitName, PeriodText, Query, Footnote string
	Periods, Structures, Formulas, Sorts  []option
	Any                                   bool
	Cards                                 []card
	Chart                                 template.HTML
	ChartTitle                            string
	Heads                                 []string
	Rows                                  []rowView
	Notes                                 []string
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
	cells, err := s.Source.Sums(ctx, units, receivedSeries, p)
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
	b := dashboardBody{Unit: q.Unit, UnitName: t.Rows[0].Name, PeriodText: tally.PeriodText(q.Period, l), Query: v.Encode(), Any: t.Rows[0].Received() > 0}
	for i, u := range slices.Backward(st.Ancestors(q.Unit)) {
		if i > 0 && actorOf(ctx).allows(u) {
			x, _ := st.Unit(u)
			b.Crumbs = append(b.Crumbs, navItem{Href: link("/", v, "unit", string(u)), Text: x.Name})
		}
	}
	sort := cmpOr(r.URL.Query().Get("sort"), "tree")
	b.Periods, b.Structures, b.Formulas = periodOptions(in, years, l), structureOptions(tree.units, in.AsOf, l), formulaOptions(q.Version)
	for _, x := range []string{"tree", "gap", "rate"} {
		b.Sorts = append(b.Sorts, option{x, say(l, "sort-"+x), x == sort})
	}
	units := st.Subtree(q.Unit)
	if b.Any {
		if b.Cards, err = s.cards(ctx, t, units, v, l); err != nil {
			return err
		}
		if b.Chart, b.ChartTitle, err = s.monthsChart(ctx, t, units, l); err != nil {
			return err
		}
		b.Heads, b.Rows = rowViews(t, v, sort, l, actorOf(ctx))
		b.Footnote = fmt.Sprintf(say(l, "footnote"), q.Version, q.AsOf.Local(), q.CutOff.Local())
		for _, n := range t.Notes {
			b.Notes = append(b.Notes, string(n.Unit)+": "+n.Text.In(l))
		}
	}
	return s.render(w, r, http.StatusOK, "dashboard", b.UnitName, b)
}

// cards are the big figures with their direction: against the period of equal
// length before.
func (s *server) cards(ctx context.Context, t tally.Table, units []dossier.UnitCode, v url.Values, l string) ([]card, error) {
	before := map[tally.Series]tally.Rate{}
	if p, ok := previous(t.Query.Period); ok {
		var series []tally.Series
		for _, i := range t.Indicators {
			series = append(series, i.Series())
		}
		cells, err := s.Source.Sums(ctx, units, series, p)
		if err != nil {
			return nil, err
		}
		for _, c := range cells {
			r := before[c.Series]
			before[c.Series] = tally.Rate{Numerator: r.Numerator + c.Numerator, Denominator: r.Denominator + c.Denominator}
		}
	}
	var out []card
	for _, id := range shown {
		i, ok := tally.Find(id, t.Query.Version)
		f, has := t.Rows[0].Figure(id)
		if !ok || !has {
			continue
		}
		c := card{Name: i.Name.In(l), Rule: i.Rule.In(l),
			Href:        link("/list", v, "indicator", id, "side", "counted"),
			MissingHref: link("/list", v, "indicator", id, "side", "missing"),
			Counts:      fmt.Sprintf(say(l, "of"), grouped(f.Numerator), grouped(f.Denominator))}
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
		out = append(out, c)
	}
	return out, nil
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

// rowViews are the units one step below the asked one, what it has itself, and
// the total.
func rowViews(t tally.Table, v url.Values, sort, l string, who grant) ([]string, []rowView) {
	var heads []string
	for _, id := range shown {
		if _, ok := tally.Find(id, t.Query.Version); ok {
			heads = append(heads, say(l, "head-"+id))
		}
	}
	view := func(r tally.TableRow, unit dossier.UnitCode) rowView {
		x := rowView{Name: r.Name, Received: grouped(r.Received()), Depth: 1}
		uv := link("", v, "unit", string(unit))
		uq, _ := url.ParseQuery(strings.TrimPrefix(uv, "?"))
		for n, id := range shown {
			f, ok := r.Figure(id)
			if !ok {
				continue
			}
			c := cellView{Count: grouped(f.Numerator), Rate: tally.FormatRate(f.Numerator, f.Denominator, l)}
			if f.Numerator > 0 && unit != "" {
				c.Href = link("/list", uq, "indicator", id, "side", "counted")
			}
			if met, _ := f.Met(); met {
				c.Sign = &sign{"✓", "ok", say(l, "met")}
			}
			if n == 0 {
				x.gap, x.rate = f.Gap(), f.Rate
				if x.gap > 0 {
					x.Gap, x.GapHref = grouped(x.gap), link("/list", uq, "indicator", id, "side", "missing")
				}
			}
			x.Figures = append(x.Figures, c)
		}
		return x
	}
	total := view(t.Rows[0], t.Rows[0].Unit)
	total.Total, total.Name, total.No = true, say(l, "total"), ""
	var rows []rowView
	own := t.Rows[0]
	own.Figures = slices.Clone(own.Figures)
	counts := map[string]int64{}
	for k, n := range own.Counts {
		counts[k] = n
	}
	for _, r := range t.Rows[1:] {
		if r.Depth != t.Rows[0].Depth+1 {
			continue
		}
		x := view(r, r.Unit)
		if who.allows(r.Unit) {
			x.Href = link("/", v, "unit", string(r.Unit))
		}
		rows = append(rows, x)
		for i := range own.Figures {
			own.Figures[i].Numerator -= r.Figures[i].Numerator
			own.Figures[i].Denominator -= r.Figures[i].Denominator
		}
		for k, n := range r.Counts {
			counts[k] -= n
		}
	}
	own.Counts = counts
	switch sort {
	case "gap":
		slices.SortStableFunc(rows, func(a, b rowView) int { return cmp.Compare(b.gap, a.gap) })
	case "rate":
		slices.SortStableFunc(rows, func(a, b rowView) int {
			pa, oka := a.rate.Percent()
			pb, okb := b.rate.Percent()
			if oka != okb { // those without a rate last
				if oka {
					return -1
				}
				return 1
			}
			return cmp.Compare(pa, pb)
		})
	}
	for i := range rows {
		rows[i].No = strconv.Itoa(i + 1)
	}
	if len(rows) > 0 && slices.ContainsFunc(own.Figures, func(f tally.Figure) bool { return f.Denominator != 0 }) {
		x := view(own, "")
		x.Name, x.Gap, x.gap = fmt.Sprintf(say(l, "own-dossiers"), t.Rows[0].Name), "", 0
		for i := range x.Figures {
			x.Figures[i].Sign = nil
		}
		rows = append(rows, x)
	}
	return heads, append(rows, total)
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

// export answers exactly the figures the page shows.
func (s *server) export(w http.ResponseWriter, r *http.Request, ext, contentType string, write func(tally.Table, *bytes.Buffer) error) error {
	t, err := s.report(r.Context(), figuresOf(r.URL.Query()), nil)
	if err != nil {
		return err
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
