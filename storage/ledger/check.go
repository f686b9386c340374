package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sohoa/dossier"
)

// checksKept is how many ended passes of a name are kept, with what they found.
const checksKept = 12

const checkColumns = `id, name, deep, started_at, moved_at, ended_at, stage, done, documents, objects, bytes, differences`

func scanCheck(r interface{ Scan(...any) error }) (dossier.Check, error) {
	var c dossier.Check
	var deep, started, moved, ended int64
	err := r.Scan(&c.ID, &c.Name, &deep, &started, &moved, &ended, &c.Stage, &c.Done, &c.Documents, &c.Objects, &c.Bytes, &c.Differences)
	c.Deep, c.StartedAt, c.MovedAt, c.EndedAt = deep != 0, instant(started), instant(moved), instant(ended)
	return c, err
}

// LastCheck is the pass of that name that was begun last; found is false where
// there was none.
func (l *Ledger) LastCheck(ctx context.Context, name dossier.CheckName) (c dossier.Check, found bool, err error) {
	c, err = scanCheck(l.read.QueryRowContext(ctx, `SELECT `+checkColumns+` FROM verification WHERE name = $1 ORDER BY started_at DESC, id DESC LIMIT 1`, string(name)))
	if errors.Is(err, sql.ErrNoRows) {
		return dossier.Check{}, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("last check: %w", err)
	}
	return c, true, nil
}

// LastWholeCheck is the pass that came to its end last, of whatever name; zero
// where none did.
func (l *Ledger) LastWholeCheck(ctx context.Context) (dossier.Check, error) {
	checks, err := l.Checks(ctx)
	var last dossier.Check
	for _, c := range checks {
		if c.EndedAt.After(last.EndedAt) {
			last = c
		}
	}
	return last, err
}

// Checks are the passes that are kept, the newest first: what is under way, and
// when all was checked last.
func (l *Ledger) Checks(ctx context.Context) ([]dossier.Check, error) {
	var out []dossier.Check
	err := query(ctx, l.read, `SELECT `+checkColumns+` FROM verification ORDER BY started_at DESC, id DESC`, nil, func(r *sql.Rows) error {
		c, err := scanCheck(r)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("checks: %w", err)
	}
	return out, nil
}

// SaveCheck enters how far a pass has come, together with what it found since it
// was saved last: c.Differences counts these already. The first save begins the
// pass, and lets go of the oldest of its name.
func (l *Ledger) SaveCheck(ctx context.Context, c dossier.Check, found []dossier.Difference) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, `UPDATE verification SET moved_at = $1, ended_at = $2, stage = $3, done = $4, documents = $5, objects = $6, bytes = $7, differences = $8
			WHERE id = $9`, micros(c.MovedAt), micros(c.EndedAt), c.Stage, c.Done, c.Documents, c.Objects, c.Bytes, c.Differences, c.ID)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := t.beginCheck(ctx, c); err != nil {
				return err
			}
		}
		rows := make([][]any, len(found))
		for i, d := range found {
			rows[i] = []any{c.ID, c.Differences - int64(len(found)) + int64(i) + 1, string(d.Kind), d.Document, d.Key, d.Detail}
		}
		_, err = t.bulk(ctx, `INSERT INTO difference (verification, n, kind, document, object, detail)`, ``, rows)
		return err
	})
	if err != nil {
		return fmt.Errorf("save a check: %w", err)
	}
	return nil
}

func (t *tx) beginCheck(ctx context.Context, c dossier.Check) error {
	if _, err := t.Exec(ctx, `INSERT INTO verification (`+checkColumns+`) VALUES (`+placeholders(1, 12)+`)`, c.ID, string(c.Name), bit(c.Deep),
		micros(c.StartedAt), micros(c.MovedAt), micros(c.EndedAt), c.Stage, c.Done, c.Documents, c.Objects, c.Bytes, c.Differences); err != nil {
		return err
	}
	const old = `(SELECT id FROM verification WHERE name = $1 ORDER BY started_at DESC, id DESC LIMIT 1000000 OFFSET $2)`
	if _, err := t.Exec(ctx, `DELETE FROM difference WHERE verification IN `+old, string(c.Name), checksKept+1); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `DELETE FROM verification WHERE id IN `+old, string(c.Name), checksKept+1)
	return err
}

// EachDifference calls f for what a pass has found, in the order in which it did.
func (l *Ledger) EachDifference(ctx context.Context, check string, f func(dossier.Difference) error) error {
	err := query(ctx, l.read, `SELECT kind, document, object, detail FROM difference WHERE verification = $1 ORDER BY n`, []any{check}, func(r *sql.Rows) error {
		var d dossier.Difference
		if err := r.Scan(&d.Kind, &d.Document, &d.Key, &d.Detail); err != nil {
			return err
		}
		return f(d)
	})
	if err != nil {
		return fmt.Errorf("differences: %w", err)
	}
	return nil
}
