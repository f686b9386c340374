package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sohoa/dossier"
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
		return t.setPlace(ctx, task, place)
	})
	if err != nil {
		return fmt.Errorf("place of a task: %w", err)
	}
	return nil
}

func (t *tx) setPlace(ctx context.Context, task, place string) error {
	return t.later(ctx, `INSERT INTO place (task, place, at) VALUES ($1, $2, $3)
		ON CONFLICT (task) DO UPDATE SET place = excluded.place, at = excluded.at`, task, place, micros(t.l.now()))
}

// A backfill works less at a time while counters are open. That they are stands
// among the places.
const (
	counters     = "counters"
	countersOpen = 15 * time.Minute // after a paper came in
	countersNote = time.Minute      // how often a process says so
)

// CountersOpen reports whether in the last quarter of an hour a paper came in for
// which somebody waits: through any door but that of the backfills.
func (l *Ledger) CountersOpen(ctx context.Context) (bool, error) {
	var at int64
	err := l.read.QueryRowContext(ctx, `SELECT at FROM place WHERE task = $1`, counters).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("are counters open: %w", err)
	}
	return l.now().UnixMicro()-at < countersOpen.Microseconds(), nil
}

// noteDoor notes, with the transaction, that a paper came in for which somebody
// waits, unless this process has said so lately. What is lost with its transaction is
// said again a minute later.
func (t *tx) noteDoor(ctx context.Context, door dossier.Door) error {
	now, said := t.l.now().UnixMicro(), t.l.noted.Load()
	if door == dossier.DoorBackfill || now-said < countersNote.Microseconds() || !t.l.noted.CompareAndSwap(said, now) {
		return nil
	}
	return t.setPlace(ctx, counters, string(door))
}
