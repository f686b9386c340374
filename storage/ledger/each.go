package ledger

import (
	"context"
	"iter"

	"sohoa/dossier"
	"sohoa/tally"
)

// EachDocument calls f for every document in the order of their ids, a page of
// them at a time, so that no long transaction stands in anybody's way. Documents
// that come in meanwhile may or may not be seen.
func (l *Ledger) EachDocument(ctx context.Context, f func(dossier.Standing) error) error {
	const page = 500
	for after := ""; ; {
		list, err := l.standings(ctx, `id > $1 ORDER BY id LIMIT $2`, after, page)
		if err != nil {
			return err
		}
		for _, st := range list {
			if err := f(st); err != nil {
				return err
			}
		}
		if len(list) < page {
			return nil
		}
		after = list[page-1].Intake.ID
	}
}

// Behind yields the dossiers in the indicator's denominator in the period, each
// once, of the given units, or of all where units is nil.
func (l *Ledger) Behind(ctx context.Context, i tally.Indicator, units []dossier.UnitCode, p dossier.Period) iter.Seq2[dossier.Dossier, error] {
	return func(yield func(dossier.Dossier, error) bool) {
		q := ListQuery{Indicator: i.ID, Version: i.Version, Side: tally.All, Units: units, Period: p, Limit: 1000}
		for {
			page, err := l.List(ctx, q)
			if err != nil {
				yield(dossier.Dossier{}, err)
				return
			}
			for _, d := range page.Items {
				if !yield(d, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.After = page.Next
		}
	}
}
