package tally

import (
	"cmp"
	"slices"
	"strings"

	"sohoa/dossier"
)

// counted is every definition once, in the order of its series.
var counted = func() []Indicator {
	var out []Indicator
	for _, f := range formulas {
		i := f.Indicator
		i.series = f.name()
		out = append(out, i)
		out = append(out, i.Reasons()...)
	}
	out = append(out, Counts()...)
	slices.SortFunc(out, func(a, b Indicator) int { return cmp.Compare(a.series, b.series) })
	return out
}()

// Contribution is the one definition of what a dossier counts for: a cell for
// each series whose denominator it is in, sorted. No cell is zero.
func Contribution(d dossier.Dossier) []Cell {
	if !all(&d) { // in no denominator: the usual case of a dossier the register does not know yet
		return nil
	}
	out := make([]Cell, 0, len(counted))
	for n := range counted {
		i := &counted[n]
		if !i.Denominator(&d) {
			continue
		}
		c := Cell{Unit: d.Unit, Series: i.series, Day: i.Day(&d), Denominator: 1}
		if i.Numerator(&d) {
			c.Numerator = 1
		}
		out = append(out, c)
	}
	return out
}

// AlwaysInForce is the day on which a result in force begins of which neither
// the day of issue nor the start of validity is known.
const AlwaysInForce dossier.Date = 19000101

// Plan is what a result in force counts for in the plan of Decision 468: a
// running balance. It adds one on the day it comes into force and takes one
// away on the first day on which it no longer is, so the number on day D is the
// sum of the cells of all days up to D. A revoked one counts for nothing.
func Plan(r dossier.Result, digitised bool) []Cell {
	from := r.ValidFrom
	if from == 0 {
		from = r.IssuedOn
	}
	if from == 0 {
		from = AlwaysInForce
	}
	if r.Revoked || r.ValidTo != 0 && r.ValidTo <= from {
		return nil
	}
	level := r.AuthorityLevel
	if level == dossier.Department { // a department decides for the province
		level = dossier.Province
	}
	c := Cell{Unit: r.Unit, Series: PlanSeries(level), Day: from, Denominator: 1}
	if digitised {
		c.Numerator = 1
	}
	out := []Cell{c}
	if r.ValidTo != 0 {
		c.Day, c.Numerator, c.Denominator = r.ValidTo, -c.Numerator, -c.Denominator
		out = append(out, c)
	}
	return out
}

// PlanSeries names the plan's cells of one level of authority.
func PlanSeries(l dossier.Level) Series { return Series("plan." + string(l)) }

// PlanLevels lists the levels of authority the plan sets targets for.
func PlanLevels() []dossier.Level {
	return []dossier.Level{dossier.Province, dossier.District, dossier.Commune}
}

// AllSeries lists every series there is, sorted: what a ledger has to number.
func AllSeries() []Series {
	var out []Series
	for _, i := range counted {
		out = append(out, i.series)
	}
	for _, l := range PlanLevels() {
		out = append(out, PlanSeries(l))
	}
	slices.Sort(out)
	return out
}

// Name names a series for people: the indicator with its version where that is not
// the default, the plain count, the plan's level.
func (s Series) Name() dossier.Text {
	for _, i := range counted {
		if i.series != s {
			continue
		}
		if i.Plain {
			return i.Name
		}
		version := ""
		if _, in, _ := strings.Cut(string(s), "@"); in != DefaultVersion {
			version = " (" + in + ")"
		}
		return dossier.Text{VI: i.ID + " " + i.Name.VI + version, EN: i.ID + " " + i.Name.EN + version}
	}
	for _, l := range PlanLevels() {
		if PlanSeries(l) == s {
			return dossier.Text{VI: "Kết quả còn hiệu lực, " + lowerFirst(authority(l, "vi")), EN: "Results in force, " + lowerFirst(authority(l, "en"))}
		}
	}
	return dossier.Text{VI: string(s), EN: string(s)}
}

// Plain reports whether a series is a plain count, which has no rate.
func (s Series) Plain() bool {
	return slices.ContainsFunc(counted, func(i Indicator) bool { return i.series == s && i.Plain })
}

// Diff is after − before, aggregated, sorted by unit, series and day, without
// zero cells: what a ledger adds to its counters.
func Diff(before, after []Cell) []Cell {
	cells := make([]Cell, 0, len(before)+len(after))
	// Contributions are sorted: taken in turns, they need no sorting again.
	for len(before) > 0 && len(after) > 0 {
		if CompareCells(before[0], after[0]) < 0 {
			cells = append(cells, negative(before[0]))
			before = before[1:]
		} else {
			cells = append(cells, after[0])
			after = after[1:]
		}
	}
	cells = append(cells, after...)
	for _, c := range before {
		cells = append(cells, negative(c))
	}
	return Sum(cells)
}

func negative(c Cell) Cell {
	c.Numerator, c.Denominator = -c.Numerator, -c.Denominator
	return c
}

// Sum aggregates cells of the same unit, series and day, sorts them and drops
// zeros. It reorders its argument.
func Sum(cells []Cell) []Cell {
	if !slices.IsSortedFunc(cells, CompareCells) {
		slices.SortFunc(cells, CompareCells)
	}
	out := cells[:0]
	for n := 0; n < len(cells); {
		c := cells[n]
		for n++; n < len(cells) && CompareCells(cells[n], c) == 0; n++ {
			c.Numerator += cells[n].Numerator
			c.Denominator += cells[n].Denominator
		}
		if c.Numerator != 0 || c.Denominator != 0 {
			out = append(out, c)
		}
	}
	return out
}

// CompareCells orders by unit, series and day.
func CompareCells(a, b Cell) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Series, b.Series), cmp.Compare(a.Day, b.Day))
}
