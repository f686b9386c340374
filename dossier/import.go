package dossier

import "strconv"

// ImportOutcome is what became of a batch of rows of the register. Good rows go
// in, bad ones come back; New + Changed + Same + len(Bad) is the number of rows.
type ImportOutcome struct {
	New     int
	Changed int
	Same    int
	Bad     []BadRow
}

// BadRow is a row of a batch that cannot be taken because of what the register
// already holds (an unknown unit, an unknown procedure …).
type BadRow struct {
	Index  int    // in the batch, from 0
	Column string // pinned name of the column at fault
	Reason Text   // never repeats personal data
}

// PortalFigure is what the national portal states for a unit and an indicator
// in a period; ours are reconciled with it.
type PortalFigure struct {
	Period      string // as ParsePeriod reads it: 2024-08
	Unit        UnitCode
	Indicator   string // 4.1, 4.2, … without a formula version
	Numerator   int64
	Denominator int64
}

// IndicatorValue is a row of the appendix that comes from elsewhere, as it is to
// be printed.
type IndicatorValue struct {
	Row    int    // 1, 2, 6, 8, 10 or 11
	Period string // as ParsePeriod reads it: 2024-08
	Value  string
}

// Error says which row and column, and why. The file's name is left out: people
// give it, and it may be personal data.
func (e *RowError) Error() string {
	at := "row " + strconv.Itoa(e.Row)
	if e.Column != "" {
		at += ", column " + e.Column
	}
	return at + ": " + e.Reason.EN
}
