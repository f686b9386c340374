package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sohoa/dossier"
)

// runsKept is how long a run that has ended, or fell silent, is still told of.
const runsKept = 7 * 24 * time.Hour

// SaveRun enters how far a run is, and that it was seen now; its first word
// begins it, and lets go of those long past.
func (l *Ledger) SaveRun(ctx context.Context, r dossier.Run) error {
	now := l.now()
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, `UPDATE run SET seen_at = $1, ended_at = $2, slots = $3, done = $4, total = $5, failed = $6, waiting = $7 WHERE id = $8`,
			micros(now), micros(r.EndedAt), r.Slots, r.Done, r.Total, r.Failed, r.Waiting, r.ID)
		if err != nil || n > 0 {
			return err
		}
		if _, err := t.Exec(ctx, `DELETE FROM run WHERE seen_at < $1`, micros(now.Add(-runsKept))); err != nil {
			return err
		}
		_, err = t.Exec(ctx, `INSERT INTO run (id, kind, host, started_at, seen_at, ended_at, slots, done, total, failed, waiting) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)`,
			r.ID, string(r.Kind), r.Host, micros(r.StartedAt), micros(now), micros(r.EndedAt), r.Slots, r.Done, r.Total, r.Failed, r.Waiting)
		return err
	})
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// Runs are those of the last days, the newest first.
func (l *Ledger) Runs(ctx context.Context) ([]dossier.Run, error) {
	var out []dossier.Run
	err := query(ctx, l.read, `SELECT id, kind, host, started_at, seen_at, ended_at, slots, done, total, failed, waiting FROM run WHERE seen_at >= $1 ORDER BY started_at DESC, id DESC LIMIT 200`,
		[]any{micros(l.now().Add(-runsKept))}, func(rows *sql.Rows) error {
			var r dossier.Run
			var started, seen, ended int64
			err := rows.Scan(&r.ID, &r.Kind, &r.Host, &started, &seen, &ended, &r.Slots, &r.Done, &r.Total, &r.Failed, &r.Waiting)
			r.StartedAt, r.SeenAt, r.EndedAt = instant(started), instant(seen), instant(ended)
			out = append(out, r)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	return out, nil
}
