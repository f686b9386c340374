package tally

import (
	"sohoa/dossier"
)

// Target is the rate that an indicator shall reach. A zero Year holds for every
// year; an empty Unit for every unit. A unit's target is its parents' too, until
// one below sets its own.
type Target struct {
	Indicator string           `json:"indicator"` // an indicator's id, or a plan's ("plan.commune")
	Unit      dossier.UnitCode `json:"unit,omitempty"`
	Year      int              `json:"year,omitempty"`
	Percent   Percent          `json:"percent"`
}

// Targets is a list of targets; of two that say the same of the same the later
// one holds, so settings are appended to DefaultTargets.
type Targets []Target

// DefaultTargets are those of the letter's appendix, and the plan of Decision
// 468 for results in force: 30, 20, 15 % in 2021 for province, district and
// commune, 20 points more each year up to 100.
func DefaultTargets() Targets {
	t := Targets{
		{Indicator: "3", Percent: 5000},
		{Indicator: "4.1", Percent: 10000},
		{Indicator: "4.2", Percent: 8000},
		{Indicator: "4.3", Percent: 5000},
		{Indicator: "9", Percent: 10000},
	}
	for _, p := range []struct {
		level dossier.Level
		start Percent
	}{{dossier.Province, 3000}, {dossier.District, 2000}, {dossier.Commune, 1500}} {
		for year, v := 2021, p.start; ; year++ {
			t = append(t, Target{Indicator: string(PlanSeries(p.level)), Year: year, Percent: min(v, 10000)})
			if v >= 10000 {
				break
			}
			v += 2000
		}
	}
	return t
}

// For returns the target of an indicator in a year for the first of units, which
// are the unit itself and those above it, nearest first. A target of the year
// goes before one of every year, a nearer unit's before a farther one's. For a
// plan the last year that is set goes on.
func (t Targets) For(indicator string, year int, units ...dossier.UnitCode) (Percent, bool) {
	if a, ok := aliases[indicator]; ok {
		indicator = a
	}
	for n := 0; n <= len(units); n++ {
		unit := dossier.UnitCode("")
		if n < len(units) {
			if unit = units[n]; unit == "" {
				continue
			}
		}
		if p, ok := t.of(indicator, unit, year); ok {
			return p, true
		}
	}
	return 0, false
}

// about returns the targets of one indicator, so that a table of many units need
// not look through all of them for each.
func (t Targets) about(indicator string) Targets {
	var out Targets
	for _, x := range t {
		if x.Indicator == indicator || aliases[x.Indicator] == indicator {
			out = append(out, x)
		}
	}
	return out
}

func (t Targets) of(indicator string, unit dossier.UnitCode, year int) (p Percent, ok bool) {
	best := -1
	plan := len(indicator) > 5 && indicator[:5] == "plan."
	for _, x := range t {
		id := x.Indicator
		if a, aliased := aliases[id]; aliased {
			id = a
		}
		if id != indicator || x.Unit != unit {
			continue
		}
		holds := x.Year == 0 || x.Year == year || plan && x.Year < year
		if holds && x.Year >= best {
			best, p, ok = x.Year, x.Percent, true
		}
	}
	return p, ok
}

// Targetable reports whether a target can be set for the id: a rate of any
// version, an appendix row that is one, or a level of the plan ("plan.commune").
func Targetable(id string) bool {
	for _, l := range PlanLevels() {
		if Series(id) == PlanSeries(l) {
			return true
		}
	}
	for _, v := range Versions() {
		if i, ok := Find(id, v); ok && !i.Plain {
			return true
		}
	}
	return false
}
