package ledger

import (
	"context"

	"sohoa/dossier"
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
