package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

// Tombstone deletes a document by order: it stays in the ledger as deleted and
// counts no more, nor do the documents that reuse its file; the tallies follow
// in the same transaction. The bytes are the archive's affair. Deleting again
// changes nothing; dossier.ErrUnknownDocument where there is none. by is an
// account or a token; reason holds no personal data.
func (l *Ledger) Tombstone(ctx context.Context, id, reason, by string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error { return t.tombstone(ctx, id, reason, by) })
	if err != nil {
		return fmt.Errorf("delete a document: %w", err)
	}
	return nil
}

func (t *tx) tombstone(ctx context.Context, id, reason, by string) error {
	d, err := document(ctx, t, "", `id = $1`, id)
	if err != nil {
		return err
	}
	if d.deleted == deletedByOrder {
		return nil
	}
	// The document, and what was made of its file, and of that.
	docs := []*paperRow{d}
	for i := 0; i < len(docs); i++ {
		if err := query(ctx, t, `SELECT `+documentColumns+` FROM document WHERE reuses = $1 AND reuses <> ''`, []any{docs[i].id}, func(r *sql.Rows) error {
			d, err := scanDocument(r)
			docs = append(docs, d)
			return err
		}); err != nil {
			return err
		}
	}
	var codes []dossier.Code
	var keys []resultKey
	for _, d := range docs {
		if s := d.intake.Slip; s.Kind == dossier.ResultInForce {
			keys = append(keys, resultKey{s.Unit, fold(s.Number)})
		} else {
			codes = append(codes, s.Dossier)
		}
	}
	var dossiers map[dossier.Code]*entry
	var results map[resultKey]*legacy
	if len(codes) > 0 {
		if dossiers, err = t.holdDossiers(ctx, codes); err != nil {
			return err
		}
	}
	if len(keys) > 0 {
		if results, err = t.holdResults(ctx, keys); err != nil {
			return err
		}
	}
	if err := t.event(ctx, id, "deletion", reason, by); err != nil {
		return err
	}
	for _, d := range docs {
		why := lostItsSource
		if d.id == id {
			why = deletedByOrder
		}
		// Its fingerprint goes too: the same bytes may be handed in again.
		if _, err := t.Exec(ctx, `UPDATE document SET deleted = CASE WHEN deleted = 1 THEN 1 ELSE $1 END, counts = 0, same = NULL WHERE id = $2`, int64(why), d.id); err != nil {
			return err
		}
	}
	before, after, err := t.refresh(ctx, dossiers)
	if err != nil {
		return err
	}
	for _, e := range results {
		b, a, err := t.refreshResult(ctx, e)
		if err != nil {
			return err
		}
		before, after = append(before, b...), append(after, a...)
	}
	return t.add(ctx, tally.Diff(before, after))
}

// Reverdict enters another opinion on a stored document's legal value than its
// record states: a signature that was found untrusted later, or trusted. The
// tallies follow in the same transaction; the record, which never changes, stays
// as it is. The same opinion again changes nothing; dossier.ErrUnknownDocument
// where there is no such stored document.
func (l *Ledger) Reverdict(ctx context.Context, id string, legal bool, reason, by string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		d, err := document(ctx, t, "", `id = $1`, id)
		if err != nil {
			return err
		}
		s, err := t.hold(ctx, d.intake.Slip)
		if err != nil {
			return err
		}
		var state dossier.State
		var was int64
		if err := t.QueryRowContext(ctx, `SELECT state, legal FROM document WHERE id = $1`+t.forUpdate(), id).Scan(&state, &was); err != nil {
			return err
		}
		if state != dossier.Stored {
			return dossier.ErrUnknownDocument
		}
		if was == bit(legal) {
			return nil
		}
		if _, err := t.Exec(ctx, `UPDATE document SET legal = $1 WHERE id = $2`, bit(legal), id); err != nil {
			return err
		}
		kind := "signature distrusted"
		if legal {
			kind = "signature trusted"
		}
		if err := t.event(ctx, id, kind, reason, by); err != nil {
			return err
		}
		return t.count(ctx, s)
	})
	if err != nil {
		return fmt.Errorf("reverdict: %w", err)
	}
	return nil
}

// event notes what happened to a document.
func (t *tx) event(ctx context.Context, id, kind, detail, by string) error {
	_, err := t.Exec(ctx, `INSERT INTO event (document, at, type, by_whom, detail) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (document, at, type) DO NOTHING`,
		id, micros(t.l.now()), kind, by, detail)
	return err
}

// Events lists what happened to a document after its verdict, the oldest first.
func (l *Ledger) Events(ctx context.Context, id string) ([]dossier.Event, error) {
	var out []dossier.Event
	err := query(ctx, l.read, `SELECT type, at, by_whom, detail FROM event WHERE document = $1 ORDER BY at`, []any{id}, func(r *sql.Rows) error {
		var e dossier.Event
		var at int64
		err := r.Scan(&e.Type, &at, &e.Agent, &e.Detail)
		e.At = instant(at)
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("events of a document: %w", err)
	}
	return out, nil
}

// Refused lists rejected documents received before a time and not swept yet, the
// oldest first, at most limit: what a janitor takes out of the archive.
func (l *Ledger) Refused(ctx context.Context, before time.Time, limit int) ([]dossier.Standing, error) {
	return l.standings(ctx, `state = 'rejected' AND same IS NOT NULL AND received_at < $1 ORDER BY received_at, id LIMIT $2`, micros(before), limit)
}

// Swept notes that the files of a rejected document are gone from the archive:
// the same bytes may be handed in again and are judged anew. For any other
// document it changes nothing.
func (l *Ledger) Swept(ctx context.Context, id string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, `UPDATE document SET same = NULL WHERE id = $1 AND state = 'rejected' AND same IS NOT NULL`, id)
		if err != nil || n == 0 {
			return err
		}
		return t.event(ctx, id, "sweep", "", "")
	})
	if err != nil {
		return fmt.Errorf("note a document as swept: %w", err)
	}
	return nil
}
