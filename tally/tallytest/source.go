// Package tallytest has what tests of figures need anywhere: a source of cells
// in memory, and random histories of a province.
package tallytest

import (
	"context"

	"sohoa/dossier"
	"sohoa/tally"
)

// Source is a tally.Source in memory: the simplest that keeps its promises.
type Source struct {
	Register []dossier.Unit
	Cells    []tally.Cell
}

// Units returns the register.
func (s *Source) Units(context.Context) ([]dossier.Unit, error) { return s.Register, nil }

// Sums adds up the cells of the period.
func (s *Source) Sums(_ context.Context, units []dossier.UnitCode, series []tally.Series, period dossier.Period) ([]tally.Cell, error) {
	return s.collect(units, series, period, func(dossier.Date) dossier.Date { return 0 }), nil
}

// Months adds up the cells of each month of the period.
func (s *Source) Months(_ context.Context, units []dossier.UnitCode, series []tally.Series, period dossier.Period) ([]tally.Cell, error) {
	return s.collect(units, series, period, func(d dossier.Date) dossier.Date { return d/100*100 + 1 }), nil
}

func (s *Source) collect(units []dossier.UnitCode, series []tally.Series, period dossier.Period, day func(dossier.Date) dossier.Date) []tally.Cell {
	wanted := map[tally.Series]bool{}
	for _, x := range series {
		wanted[x] = true
	}
	asked := map[dossier.UnitCode]bool{}
	for _, u := range units {
		asked[u] = true
	}
	var out []tally.Cell
	for _, c := range s.Cells {
		if wanted[c.Series] && period.Contains(c.Day) && (units == nil || asked[c.Unit]) {
			c.Day = day(c.Day)
			out = append(out, c)
		}
	}
	return tally.Sum(out)
}
