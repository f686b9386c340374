// Package tally holds the figures: what counts for which indicator, on which
// day, for which unit, and how the counts of leaf units become tables.
//
// There is one definition of what a dossier counts for: Contribution, which asks
// the list of indicators. A change adds Contribution(after) − Contribution(before)
// in the transaction that makes it; a recount is the sum over all dossiers. An
// indicator is a denominator and a list of requirements; a dossier that fails one
// is missing, and the requirement says why. So numbers, lists and reasons cannot
// differ.
//
// How the definitions are read where they leave room:
//
//   - What is withdrawn, rejected or cancelled, and what has no reception date,
//     counts nowhere, in no version.
//   - 766-2022 counts everything on the day of reception. In 766-2026 only 4.1
//     counts on the day of resolution, and a dossier without that day is not in it;
//     "the same" of the others is the whole wording, the day included.
//   - A component or a result counts by its stored file. 4.1 asks for legal value,
//     4.2 for any result file, and only where the procedure returns a document.
//   - A target is reached when the exact rate reaches it, not when the rounded one
//     does: 79,996 % is shown as 80,00 and is one dossier or more short.
//   - A result in force counts from the first day of its validity (else its day of
//     issue, else always) to the day before it ends; revoked, it never counts.
//   - A unit that has ended is answered for by its successor, else its parent; one
//     that has not begun, by the nearest unit above all that it will succeed. See
//     Structure.
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
	// Totals returns one cell a series, for all the units together: no Unit, Day zero.
	Totals(ctx context.Context, units []dossier.UnitCode, series []Series, period dossier.Period) ([]Cell, error)
	// Months returns one cell a series and month (Day is the month's first), for all
	// the units together.
	Months(ctx context.Context, units []dossier.UnitCode, series []Series, period dossier.Period) ([]Cell, error)
}
