package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sohoa/dossier"
)

// The bulk queue serves units in turn, so that one unit's hundred thousand files
// do not keep another's single file waiting. River takes jobs in the order of
// their scheduled time; bulk jobs get one from a time of the queue's own (start-
// time fair queueing): a unit's next job comes one tick after its last, but never
// before the job that is being served now. A unit that had nothing queued is
// therefore next, and two that have much alternate.
//
// The queue's time lies in the past, for River waits for jobs of the future.
const (
	tick    = time.Millisecond
	turnLag = 30 * 24 * time.Hour // room for 2.6 billion jobs of one unit
)

// turn gives the bulk job its place.
func (t *tx) turn(ctx context.Context, job int64, priority int, unit dossier.UnitCode) error {
	micro, write := `CAST(ROUND(unixepoch(scheduled_at, 'subsec') * 1000) AS INTEGER) * 1000`, `strftime('%Y-%m-%d %H:%M:%f', $1 / 1000000.0, 'unixepoch')`
	if t.pgx != nil {
		micro, write = `CAST(EXTRACT(EPOCH FROM scheduled_at) * 1000000 AS BIGINT)`, `to_timestamp(CAST($1 AS BIGINT) / 1000000.0)`
	}
	now := time.Now() // River's clock, not the ledger's
	var next int64
	err := t.QueryRowContext(ctx, `SELECT next FROM turn WHERE unit = $1`+t.forUpdate(), string(unit)).Scan(&next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("a unit's turn: %w", err)
	}
	served := now.Add(-turnLag).UnixMicro()
	err = t.QueryRowContext(ctx, `SELECT `+micro+` FROM river_job WHERE state = 'available' AND queue = $1 AND priority = $2 AND id <> $3
		ORDER BY scheduled_at LIMIT 1`, bulkQueue, priority, job).Scan(&served)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("the queue's time: %w", err)
	}
	at := min(max(served, next), now.UnixMicro())
	if _, err := t.Exec(ctx, `UPDATE river_job SET scheduled_at = `+write+` WHERE id = $2`, at, job); err != nil {
		return fmt.Errorf("place a job: %w", err)
	}
	if _, err := t.Exec(ctx, `INSERT INTO turn (unit, next) VALUES ($1, $2) ON CONFLICT (unit) DO UPDATE SET next = excluded.next`,
		string(unit), at+tick.Microseconds()); err != nil {
		return fmt.Errorf("a unit's next turn: %w", err)
	}
	return nil
}

// promote gives retries in the bulk queue, which River schedules by the real
// time and so behind everything, the place of the job that is next; those whose
// pause is over.
func (t *tx) promote(ctx context.Context) error {
	now := `datetime('now', 'subsec')`
	if t.pgx != nil {
		now = `now()`
	}
	_, err := t.Exec(ctx, `UPDATE river_job SET scheduled_at = (SELECT MIN(f.scheduled_at) FROM river_job AS f
			WHERE f.state = 'available' AND f.queue = $1 AND f.priority = river_job.priority)
		WHERE state = 'available' AND queue = $1 AND attempt > 0 AND scheduled_at <= `+now, bulkQueue)
	if err != nil {
		return fmt.Errorf("place retries: %w", err)
	}
	return nil
}
