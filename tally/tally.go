// Package tally holds the figures: what counts for which indicator, on which
// day, for which unit, and how the counts of leaf units become tables.
//
// There is one definition of what a dossier counts for: Contribution. A change
// adds Contribution(after) − Contribution(before) in the transaction that makes
// it; a recount is the sum over all dossiers.
package tally

import (
	"context"

	"sohoa/dossier"
)

// Series names a counted quantity: an indicator in one version of its formula
// ("4.2@766-2022"), a plain count that stands in a column of the manager's
// table ("received.online"), or the plan for results in force ("plan.commune").
type Series string

// Cell is a count: Numerator of Denominator, of one series, for one unit (the
// one that has the dossier, not its parents), on one local day. A plain count
// has the same number in both, so that all of it is counted and none missing.
type Cell struct {
	Unit        dossier.UnitCode
	Series      Series
	Day         dossier.Date
	Numerator   int64
	Denominator int64
}

// Side is which of an indicator's dossiers a list shows.
type Side string

const (
	Counted Side = "counted" // in the numerator
	Missing Side = "missing" // in the denominator, not in the numerator
	All     Side = "all"     // in the denominator
)

// Of returns how many of a cell's dossiers are on the side.
func (s Side) Of(c Cell) int64 {
	switch s {
	case Counted:
		return c.Numerator
	case Missing:
		return c.Denominator - c.Numerator
	}
	return c.Denominator
}

// Source is what tables are made from; the ledger has it.
type Source interface {
	// Units returns every unit of all times.
	Units(ctx context.Context) ([]dossier.Unit, error)
	// Sums returns one cell a unit and series (Day zero), summed over the
	// period, for the given units, or for all where units is nil. What sums to
	// zero may be left out. The order is free.
	Sums(ctx context.Context, units []dossier.UnitCode, series []Series, period dossier.Period) ([]Cell, error)
	// Months returns one cell a unit, series and month (Day is the month's first).
	Months(ctx context.Context, units []dossier.UnitCode, series []Series, period dossier.Period) ([]Cell, error)
}
