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
	return s.collect(units, series, period, func(c *tally.Cell) { c.Day = 0 }), nil
}

// Totals adds up the cells of all the units.
func (s *Source) Totals(_ context.Context, units []dossier.UnitCode, series []tally.Series, period dossier.Period) ([]tally.Cell, error) {
	return s.collect(units, series, period, func(c *tally.Cell) { c.Unit, c.Day = "", 0 }), nil
}

// Months adds up the cells of all the units for each month of the period.
func (s *Source) Months(_ context.Context, units []dossier.UnitCode, series []tally.Series, period dossier.Period) ([]tally.Cell, error) {
	return s.collect(units, series, period, func(c *tally.Cell) { c.Unit, c.Day = "", c.Day/100*100+1 }), nil
}

func (s *Source) collect(units []dossier.UnitCode, series []tally.Series, period dossier.Period, join func(*tally.Cell)) []tally.Cell {
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
			join(&c)
			out = append(out, c)
		}
	}
	return tally.Sum(out)
}
