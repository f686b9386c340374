package ledger

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"sohoa/dossier"
	"sohoa/tally"
)

// DocumentsAfter lists documents in the order of their ids, from behind that of
// after; 500 where limit is zero. Fewer than asked for are the last.
func (l *Ledger) DocumentsAfter(ctx context.Context, after string, limit int) ([]dossier.Standing, error) {
	return l.standings(ctx, `id > $1 ORDER BY id LIMIT $2`, after, cmp.Or(limit, 500))
}

// Standings answers where documents stand; those that are unknown are left out.
func (l *Ledger) Standings(ctx context.Context, ids []string) (map[string]dossier.Standing, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where, args := in("id", 1, ids)
	list, err := l.standings(ctx, where, args...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]dossier.Standing, len(list))
	for _, st := range list {
		out[st.Intake.ID] = st
	}
	return out, nil
}

// CountDocuments says how many documents the ledger has, in whatever state.
func (l *Ledger) CountDocuments(ctx context.Context) (n int64, err error) {
	if err = l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM document`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the documents: %w", err)
	}
	return n, nil
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
