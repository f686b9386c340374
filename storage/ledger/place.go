package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Place answers how far a long task has come, in its own words; empty where it
// is not under way.
func (l *Ledger) Place(ctx context.Context, task string) (string, error) {
	var place string
	err := l.read.QueryRowContext(ctx, `SELECT place FROM place WHERE task = $1`, task).Scan(&place)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("place of a task: %w", err)
	}
	return place, nil
}

// SetPlace notes how far a long task has come; empty, that it is done.
func (l *Ledger) SetPlace(ctx context.Context, task, place string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) (err error) {
		if place == "" {
			_, err = t.Exec(ctx, `DELETE FROM place WHERE task = $1`, task)
			return err
		}
		_, err = t.Exec(ctx, `INSERT INTO place (task, place, at) VALUES ($1, $2, $3)
			ON CONFLICT (task) DO UPDATE SET place = excluded.place, at = excluded.at`, task, place, micros(t.l.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("place of a task: %w", err)
	}
	return nil
}
