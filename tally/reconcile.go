package tally

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sohoa/dossier"
)

// Discrepancy sets the national portal's figure of a unit beside ours.
type Discrepancy struct {
	Unit       dossier.UnitCode
	Name       string
	Indicator  string
	Portal     Rate
	Ours       Rate
	Candidates []Candidate // what may explain the difference, the likeliest first
}

// Same reports whether there is nothing to explain.
func (d Discrepancy) Same() bool { return d.Portal == d.Ours }

// Candidate is another reading of our own dossiers, which comes to the portal's
// figure wholly or on one side.
type Candidate struct {
	Code  string
	Text  dossier.Text
	Rate  Rate
	Match Match
}

// Match says how far a candidate explains the portal's figure.
type Match string

const (
	MatchBoth        Match = "both"
	MatchNumerator   Match = "numerator"
	MatchDenominator Match = "denominator"
	MatchPossible    Match = "possible" // the number of dossiers concerned is large enough
)

// matches ranks them, the best first.
var matches = []Match{MatchBoth, MatchDenominator, MatchNumerator, MatchPossible}

// reading is a way to count that differs from the query in one thing.
type reading struct {
	code  string
	text  dossier.Text
	query Query
	own   bool // the unit alone, without those below it
	// series gives numerator and denominator, where the reading has one for the
	// indicator.
	num, den func(indicator, version string) (Series, bool)
}

// Reconciliation is the portal's figures of a period beside ours, in the
// portal's order.
type Reconciliation struct {
	Query Query
	Rows  []Discrepancy
}

// Reconcile compares the portal's figures with ours for the query's period and
// formula version and looks for readings of our dossiers that explain what
// differs. The query's unit does not matter: the portal's figures name theirs.
func Reconcile(ctx context.Context, src Source, q Query, portal []dossier.PortalFigure) (Reconciliation, error) {
	q, _, err := q.check()
	if err != nil {
		return Reconciliation{}, err
	}
	rows, err := reconcile(ctx, src, q, portal)
	if err != nil {
		return Reconciliation{}, err
	}
	return Reconciliation{q, rows}, nil
}

func reconcile(ctx context.Context, src Source, q Query, portal []dossier.PortalFigure) ([]Discrepancy, error) {
	units, err := src.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the units: %w", err)
	}
	ours, err := countBy(ctx, src, units, reading{query: q, num: seriesOf, den: seriesOf})
	if err != nil {
		return nil, err
	}
	s, err := StructureAsOf(units, q.AsOf)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	out := make([]Discrepancy, len(portal))
	differs := false
	for n, p := range portal {
		i, ok := Find(p.Indicator, q.Version)
		if !ok || i.Plain {
			return nil, fmt.Errorf("%w: the portal's figures name %q, which is no indicator of %s", ErrQuery, p.Indicator, q.Version)
		}
		out[n] = Discrepancy{Unit: p.Unit, Indicator: i.ID, Portal: Rate{p.Numerator, p.Denominator}}
		u, known := s.Unit(p.Unit)
		if !known {
			out[n].Candidates = []Candidate{{Code: "unknown-unit", Match: MatchPossible, Text: dossier.Text{
				VI: "đơn vị không có trong danh mục đơn vị", EN: "the unit is not in the register of units"}}}
			continue
		}
		out[n].Name = u.Name
		out[n].Ours = ours.of(p.Unit, i.ID)
		if out[n].Portal == (Rate{}) && !out[n].Same() {
			out[n].Candidates = []Candidate{{Code: "not-reported", Match: MatchPossible, Text: dossier.Text{
				VI: "Cổng chưa có số liệu của đơn vị này", EN: "the portal has no figure of this unit"}}}
			continue
		}
		differs = differs || !out[n].Same()
	}
	if !differs {
		return out, nil
	}
	settled := make([]bool, len(out)) // nothing of ours to try
	for n := range out {
		settled[n] = len(out[n].Candidates) > 0
	}
	for _, r := range readings(q, units) {
		counted, err := countBy(ctx, src, units, r)
		if err != nil {
			return nil, err
		}
		for n := range out {
			d := &out[n]
			if d.Same() || settled[n] || !counted.has(d.Indicator) {
				continue
			}
			rate := counted.of(d.Unit, d.Indicator)
			if m, ok := explains(d.Ours, rate, d.Portal); ok {
				d.Candidates = append(d.Candidates, Candidate{r.code, r.text, rate, m})
			}
		}
	}
	for n := range out {
		slices.SortStableFunc(out[n].Candidates, func(a, b Candidate) int {
			return cmp.Compare(slices.Index(matches, a.Match), slices.Index(matches, b.Match))
		})
	}
	return out, nil
}

// explains reports whether a rate agrees with the portal's where ours does not.
func explains(ours, rate, portal Rate) (Match, bool) {
	num, den := rate.Numerator == portal.Numerator, rate.Denominator == portal.Denominator
	switch {
	case rate == ours:
		return "", false
	case num && den:
		return MatchBoth, true
	case den && ours.Denominator != portal.Denominator:
		return MatchDenominator, true
	case num && ours.Numerator != portal.Numerator:
		return MatchNumerator, true
	}
	return "", false
}

func seriesOf(indicator, version string) (Series, bool) {
	i, ok := Find(indicator, version)
	return i.Series(), ok
}

func only(indicator string, s Series) func(string, string) (Series, bool) {
	return func(id, _ string) (Series, bool) { return s, indicator == id }
}

// readings lists what portals and provinces are known to do otherwise.
func readings(q Query, units []dossier.Unit) []reading {
	var out []reading
	same := func(code, vi, en string, change func(*reading)) {
		r := reading{code: code, text: dossier.Text{VI: vi, EN: en}, query: q, num: seriesOf, den: seriesOf}
		change(&r)
		out = append(out, r)
	}
	for _, v := range Versions() {
		if v != q.Version {
			same("formula", "đúng theo công thức "+v, "by the formula "+v, func(r *reading) { r.query.Version = v })
		}
	}
	same("own-only", "chỉ tính riêng đơn vị, không gồm đơn vị trực thuộc", "the unit alone, without those below it", func(r *reading) { r.own = true })
	for _, day := range reforms(units) {
		if _, err := StructureAsOf(units, day); err == nil && day != q.AsOf { // before the first unit there is none
			same("structure", "theo cơ cấu đơn vị ngày "+day.Local(), "by the structure of "+day.String(), func(r *reading) { r.query.AsOf = day })
		}
	}
	if f := q.Period.From; f != 0 {
		same("first-day", "bỏ ngày đầu kỳ", "without the first day of the period", func(r *reading) { r.query.Period.From = f.AddDays(1) })
		same("day-before", "tính cả ngày trước kỳ", "with the day before the period", func(r *reading) { r.query.Period.From = f.AddDays(-1) })
	}
	if t := q.Period.To; t != 0 {
		same("last-day", "bỏ ngày cuối kỳ", "without the last day of the period", func(r *reading) { r.query.Period.To = t.AddDays(-1) })
		same("day-after", "tính cả ngày sau kỳ", "with the day after the period", func(r *reading) { r.query.Period.To = t.AddDays(1) })
	}
	// The portal knows only what was synchronised to it.
	digitised, _ := Find("4.2", V2026)
	same("synced-only", "chỉ tính hồ sơ đã đồng bộ lên Cổng", "only dossiers synchronised to the portal", func(r *reading) {
		r.num, r.den = only("4.2", digitised.Series()), only("4.2", "synced")
	})
	same("components-only", "tính cả hồ sơ có thành phần mà chưa có tệp kết quả", "counting dossiers with components and no result file", func(r *reading) {
		r.num = only("4.2", "components")
	})
	same("by-resolution", "mẫu số theo ngày giải quyết", "the denominator by the day of resolution", func(r *reading) {
		r.num, r.den = only("9", "9@"+V2022), only("9", "resolved")
	})
	return slices.DeleteFunc(out, func(r reading) bool {
		p := r.query.Period
		return p.From != 0 && p.To != 0 && p.From >= p.To
	})
}

// reforms lists the days on which units began or ended and the days before, the
// latest first, at most four.
func reforms(units []dossier.Unit) []dossier.Date {
	var out []dossier.Date
	for _, u := range units {
		for _, d := range []dossier.Date{u.ValidFrom, u.ValidTo} {
			if d != 0 && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	slices.SortFunc(out, func(a, b dossier.Date) int { return cmp.Compare(b, a) })
	var days []dossier.Date
	for _, d := range out[:min(2, len(out))] {
		days = append(days, d, d.AddDays(-1))
	}
	return days
}

// figures are every unit's rates by one reading.
type figures struct {
	s     *Structure
	own   bool
	ids   map[string]bool
	total map[dossier.UnitCode]map[string]Rate
	alone map[dossier.UnitCode]map[string]Rate
}

func (f figures) has(id string) bool { return f.ids[id] }

func (f figures) of(unit dossier.UnitCode, id string) Rate {
	if f.own {
		return f.alone[unit][id]
	}
	return f.total[f.s.Holder(unit)][id]
}

// countBy counts all indicators by a reading, for every unit.
func countBy(ctx context.Context, src Source, units []dossier.Unit, r reading) (figures, error) {
	s, err := StructureAsOf(units, r.query.AsOf)
	if err != nil {
		return figures{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	f := figures{s: s, own: r.own, ids: map[string]bool{}, total: map[dossier.UnitCode]map[string]Rate{}, alone: map[dossier.UnitCode]map[string]Rate{}}
	type use struct {
		id       string
		num, den bool
	}
	uses := map[Series][]use{}
	var names []Series
	ask := func(s Series, u use) {
		if _, ok := uses[s]; !ok {
			names = append(names, s)
		}
		uses[s] = append(uses[s], u)
	}
	for _, i := range InVersion(r.query.Version) {
		num, ok1 := r.num(i.ID, r.query.Version)
		den, ok2 := r.den(i.ID, r.query.Version)
		if ok1 && ok2 {
			f.ids[i.ID] = true
			ask(num, use{id: i.ID, num: true})
			ask(den, use{id: i.ID, den: true})
		}
	}
	cells, err := src.Sums(ctx, nil, names, r.query.Period)
	if err != nil {
		return figures{}, fmt.Errorf("reading the sums: %w", err)
	}
	add := func(m map[dossier.UnitCode]map[string]Rate, unit dossier.UnitCode, u use, c Cell) {
		if m[unit] == nil {
			m[unit] = map[string]Rate{}
		}
		x := m[unit][u.id]
		if u.num {
			x.Numerator += c.Numerator
		}
		if u.den {
			x.Denominator += c.Denominator
		}
		m[unit][u.id] = x
	}
	for _, c := range cells {
		for _, u := range uses[c.Series] {
			add(f.alone, c.Unit, u, c)
			for _, up := range s.Ancestors(c.Unit) {
				add(f.total, up, u, c)
			}
		}
	}
	return f, nil
}
