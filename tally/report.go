package tally

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"sohoa/dossier"
)

// Query says which figures a report shows.
type Query struct {
	Unit    dossier.UnitCode // its row comes first, those below it follow; empty: all
	Period  dossier.Period   // half-open
	Version string           // of the formulas; empty: DefaultVersion
	// AsOf is the day whose structure is shown; zero: the last day of the period.
	AsOf dossier.Date
	// Indicators are ids, or appendix rows (5, 7); empty: all of the version.
	Indicators []string
	// CutOff is the day up to which the data are known, for the footnote; zero:
	// the last day of the period.
	CutOff dossier.Date
}

// ErrQuery marks what is wrong with the query itself and not with us.
var ErrQuery = errors.New("wrong query")

// lastDay of the period; 0 where it is open.
func lastDay(p dossier.Period) dossier.Date {
	if p.To == 0 {
		return 0
	}
	return p.To.AddDays(-1)
}

// check fills what the query leaves open.
func (q Query) check() (Query, []Indicator, error) {
	if q.Version == "" {
		q.Version = DefaultVersion
	}
	if !slices.Contains(Versions(), q.Version) {
		return q, nil, fmt.Errorf("%w: no formula version %q; there are %v", ErrQuery, q.Version, Versions())
	}
	if q.Period.From != 0 && q.Period.To != 0 && q.Period.From >= q.Period.To {
		return q, nil, fmt.Errorf("%w: the period ends before it begins (from %v, to %v; to does not belong to it)", ErrQuery, q.Period.From, q.Period.To)
	}
	if q.AsOf == 0 {
		if q.AsOf = lastDay(q.Period); q.AsOf == 0 {
			return q, nil, fmt.Errorf("%w: a period without end needs the day of the structure", ErrQuery)
		}
	}
	if q.CutOff == 0 {
		if q.CutOff = lastDay(q.Period); q.CutOff == 0 {
			q.CutOff = q.AsOf
		}
	}
	if len(q.Indicators) == 0 {
		return q, InVersion(q.Version), nil
	}
	var out []Indicator
	for _, id := range q.Indicators {
		i, ok := Find(id, q.Version)
		if !ok {
			return q, nil, fmt.Errorf("%w: no indicator %q in %s", ErrQuery, id, q.Version)
		}
		if !slices.ContainsFunc(out, func(o Indicator) bool { return o.ID == i.ID }) {
			out = append(out, i)
		}
	}
	return q, out, nil
}

// year by which targets are chosen: that of the period's last day.
func (q Query) year() int {
	if d := lastDay(q.Period); d != 0 {
		return d.Year()
	}
	return q.AsOf.Year()
}

// Figure is an indicator's number in a row.
type Figure struct {
	ID string
	Rate
	Target    Percent
	HasTarget bool
}

// Gap is how many dossiers more would have to be counted to reach the target;
// 0 where it is reached, where there is none, and where there is no rate.
func (f Figure) Gap() int64 {
	if !f.HasTarget {
		return 0
	}
	return f.Rate.Gap(f.Target)
}

// Met reports whether the target is reached; ok is false without target or rate.
func (f Figure) Met() (met, ok bool) {
	if !f.HasTarget {
		return false, false
	}
	return f.Meets(f.Target)
}

// TableRow is a unit with all units below it.
type TableRow struct {
	Row
	Figures []Figure         // in the order of the table's indicators
	Counts  map[string]int64 // plain counts by their id
	Plan    Figure           // results in force at the period's end, all levels of authority together
}

// Received is the number of dossiers received, by all channels.
func (r TableRow) Received() int64 {
	return r.Counts["received.direct"] + r.Counts["received.online"] + r.Counts["received.postal"]
}

// Figure returns the figure of that indicator.
func (r TableRow) Figure(id string) (Figure, bool) {
	for _, f := range r.Figures {
		if f.ID == id {
			return f, true
		}
	}
	return Figure{}, false
}

// Table is a report: the asked unit first, those below it in tree order. Each
// row is a sum over its own dossiers and those of the rows below it, so the
// first row is the total.
type Table struct {
	Query      Query
	Indicators []Indicator
	Rows       []TableRow
	Notes      []Note
}

// Report makes the table from sums of leaf units. It answers ErrQuery for a
// query nobody can answer and dossier.ErrUnknownUnit for a unit that the
// register does not have.
func Report(ctx context.Context, src Source, q Query, targets Targets) (Table, error) {
	q, indicators, err := q.check()
	if err != nil {
		return Table{}, err
	}
	units, err := src.Units(ctx)
	if err != nil {
		return Table{}, fmt.Errorf("reading the units: %w", err)
	}
	s, err := StructureAsOf(units, q.AsOf)
	if err != nil {
		return Table{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	if q.Unit != "" && s.Holder(q.Unit) == "" {
		return Table{}, dossier.ErrUnknownUnit
	}
	t := Table{Query: q, Indicators: indicators, Notes: s.Notes()}
	if h := s.Holder(q.Unit); q.Unit != "" && h != q.Unit {
		t.Notes = append(t.Notes, Note{q.Unit, dossier.Text{
			VI: fmt.Sprintf("không có trong cơ cấu ngày %s; số liệu nằm ở %s", q.AsOf.Local(), h),
			EN: fmt.Sprintf("is not in the structure of %v; %s answers for it", q.AsOf, h)}})
	}
	g := newGather(s, q.Unit)
	series := map[Series]int{}
	var names []Series
	ask := func(x Series) int {
		if n, ok := series[x]; ok {
			return n
		}
		series[x] = len(names)
		names = append(names, x)
		return len(names) - 1
	}
	columns := make([]int, len(indicators))
	wanted := make([]Targets, len(indicators))
	for n, i := range indicators {
		columns[n] = ask(i.Series())
		wanted[n] = targets.about(i.ID)
	}
	plains := Counts()
	for _, i := range plains {
		ask(i.Series())
	}
	g.width(len(names) + 1)
	cells, err := src.Sums(ctx, g.ask, names, q.Period)
	if err != nil {
		return Table{}, fmt.Errorf("reading the sums: %w", err)
	}
	for _, c := range cells {
		n, ok := series[c.Series]
		if !ok {
			return Table{}, fmt.Errorf("the source answers with series %q, which was not asked for", c.Series)
		}
		if err := g.add(c, n); err != nil {
			return Table{}, err
		}
	}
	var plans []Series
	for _, l := range PlanLevels() {
		plans = append(plans, PlanSeries(l))
	}
	end := q.Period.To
	if end == 0 {
		end = q.AsOf.AddDays(1)
	}
	if cells, err = src.Sums(ctx, g.ask, plans, dossier.Period{To: end}); err != nil {
		return Table{}, fmt.Errorf("reading the plan: %w", err)
	}
	for _, c := range cells {
		if err := g.add(c, len(names)); err != nil {
			return Table{}, err
		}
	}
	g.fold()
	year := q.year()
	for n, r := range g.rows {
		row := TableRow{Row: r, Counts: make(map[string]int64, len(plains)), Plan: Figure{ID: "plan", Rate: g.sums[n][len(names)]}}
		chain := s.Ancestors(r.Unit)
		for k, i := range indicators {
			f := Figure{ID: i.ID, Rate: g.sums[n][columns[k]]}
			if !i.Plain {
				f.Target, f.HasTarget = wanted[k].For(i.ID, year, chain...)
			}
			row.Figures = append(row.Figures, f)
		}
		for _, i := range plains {
			row.Counts[i.ID] = g.sums[n][series[i.Series()]].Denominator
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// gather adds cells of leaf units up to the rows of a tree.
type gather struct {
	s    *Structure
	rows []Row
	at   map[dossier.UnitCode]int
	ask  []dossier.UnitCode // for the source: nil for all
	sums [][]Rate           // by row and column
}

func newGather(s *Structure, unit dossier.UnitCode) *gather {
	g := &gather{s: s, rows: s.Rows(unit)}
	g.at = make(map[dossier.UnitCode]int, len(g.rows))
	for n, r := range g.rows {
		g.at[r.Unit] = n
	}
	if roots := s.Roots(); unit != "" && !(len(roots) == 1 && s.Holder(unit) == roots[0]) {
		g.ask = s.Subtree(unit)
	}
	return g
}

func (g *gather) width(n int) {
	g.sums = make([][]Rate, len(g.rows))
	for i := range g.sums {
		g.sums[i] = make([]Rate, n)
	}
}

func (g *gather) add(c Cell, column int) error {
	n, ok := g.at[g.s.Holder(c.Unit)]
	if !ok || g.s.Holder(c.Unit) == "" {
		return fmt.Errorf("figures of unit %s have no row to stand in", c.Unit)
	}
	g.sums[n][column].Numerator += c.Numerator
	g.sums[n][column].Denominator += c.Denominator
	return nil
}

// fold adds every row to its parent's. Rows come parents first, so from the
// last to the first each is complete when it is added.
func (g *gather) fold() {
	for n := len(g.rows) - 1; n > 0; n-- {
		p := g.at[g.rows[n].Parent]
		for c, r := range g.sums[n] {
			g.sums[p][c].Numerator += r.Numerator
			g.sums[p][c].Denominator += r.Denominator
		}
	}
}

// Breakdown says how many of a unit's missing lack what, by the first thing they
// lack, the most frequent first. The counts add up to what is missing.
type Breakdown struct {
	Indicator Indicator
	Row       Row
	Missing   int64
	Whys      []WhyCount
}

// WhyCount is a reason with its number; List is the id under which Find and the
// lists know its dossiers.
type WhyCount struct {
	Why   Why
	List  string
	Count int64
}

// Reasons makes the breakdown of one indicator for the query's unit with all
// below it, from sums alone, however many dossiers there are.
func Reasons(ctx context.Context, src Source, q Query, indicator string) (Breakdown, error) {
	q.Indicators = []string{indicator}
	i, ok := Find(indicator, q.Version)
	if !ok || i.Plain {
		return Breakdown{}, fmt.Errorf("%w: %q is no rate of that version", ErrQuery, indicator)
	}
	split := i.Reasons()
	for _, r := range split {
		q.Indicators = append(q.Indicators, r.ID)
	}
	t, err := Report(ctx, src, q, nil)
	if err != nil {
		return Breakdown{}, err
	}
	f := t.Rows[0].Figures
	b := Breakdown{Indicator: i, Row: t.Rows[0].Row, Missing: f[0].Denominator - f[0].Numerator}
	if split == nil && b.Missing > 0 {
		b.Whys = []WhyCount{{i.Requires[0].Lack, i.ID, b.Missing}}
	}
	for n, r := range split {
		if c := f[n+1].Denominator; c > 0 {
			b.Whys = append(b.Whys, WhyCount{i.Requires[n].Lack, r.ID, c})
		}
	}
	slices.SortStableFunc(b.Whys, func(x, y WhyCount) int { return cmp.Compare(y.Count, x.Count) })
	return b, nil
}

// Text says it in a sentence: "452 hồ sơ chưa được tính: 310 chưa có tệp kết
// quả, 142 chưa có thành phần".
func (b Breakdown) Text(lang string) string {
	s := count(b.Missing) + dossier.Text{VI: " hồ sơ chưa được tính", EN: " dossiers not counted yet"}.In(lang)
	for n, w := range b.Whys {
		sep := ", "
		if n == 0 {
			sep = ": "
		}
		s += sep + count(w.Count) + " " + w.Why.Text().In(lang)
	}
	return s
}
