package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

// Delete enters a tombstone: the document stays in the ledger as deleted and
// counts no more, nor do the documents that reuse its file; the tallies follow
// in the same transaction, and what was personal of it is gone. The bytes are
// the archive's affair. One that has been entered already changes nothing; a
// document that the ledger does not have (a rebuild from the archive) is entered
// as deleted.
func (l *Ledger) Delete(ctx context.Context, stone dossier.Tombstone) error {
	verdict, err := json.Marshal(stone)
	if err != nil {
		return fmt.Errorf("delete a document: write the tombstone: %w", err)
	}
	err = l.update(ctx, func(ctx context.Context, t *tx) error {
		return t.bury(ctx, stone, string(verdict))
	})
	if err != nil {
		return fmt.Errorf("delete a document: %w", err)
	}
	return nil
}

func (t *tx) bury(ctx context.Context, stone dossier.Tombstone, verdict string) error {
	in := dossier.Intake{ID: stone.ID, Slip: storable(stone.Slip), Original: stone.Original, ReceivedAt: stone.ReceivedAt}
	intake, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("write the intake: %w", err)
	}
	docs, err := t.withReusers(ctx, in)
	if err != nil {
		return err
	}
	var codes []dossier.Code
	var keys []resultKey
	for _, d := range docs {
		if s := d.Slip; s.Kind == dossier.ResultInForce {
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
	d, err := document(ctx, t, t.forUpdate(), `id = $1`, stone.ID)
	switch {
	case errors.Is(err, dossier.ErrUnknownDocument):
		if err := t.insertDocument(ctx, t.now, in, stone.State, 0); err != nil {
			return err
		}
		if in.Slip.Replaces != "" && stone.State == dossier.Stored {
			if err := t.replace(ctx, stone.ID, in.Slip.Replaces); err != nil {
				return err
			}
		}
	case err != nil:
		return err
	case d.deleted == deletedByOrder:
		return nil
	}
	if _, err := t.event(ctx, stone.ID, stone.Deletion()); err != nil {
		return err
	}
	// Its fingerprint goes too: the same bytes may be handed in again.
	if _, err := t.Exec(ctx, `UPDATE document SET deleted = $1, state = $2, counts = 0, same = NULL, fault = '', intake = $3, verdict = $4, amended = '' WHERE id = $5`,
		int64(deletedByOrder), string(stone.State), string(intake), verdict, stone.ID); err != nil {
		return err
	}
	for _, d := range docs[1:] {
		if _, err := t.Exec(ctx, `UPDATE document SET deleted = CASE WHEN deleted = 0 THEN $1 ELSE deleted END, counts = 0, same = NULL WHERE id = $2`,
			int64(lostItsSource), d.ID); err != nil {
			return err
		}
	}
	// All of them are locked now, and who takes a file from one sees what became of
	// it. Who did before that is to be deleted, too.
	if now, err := t.withReusers(ctx, in); err != nil || len(now) != len(docs) {
		return cmp.Or(err, errRaced)
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

// withReusers are the document, and what was made of its file, and of that.
func (t *tx) withReusers(ctx context.Context, in dossier.Intake) ([]dossier.Intake, error) {
	docs := []dossier.Intake{in}
	for i := 0; i < len(docs); i++ {
		if err := query(ctx, t, `SELECT `+documentColumns+` FROM document WHERE reuses = $1 AND reuses <> ''`, []any{docs[i].ID}, func(r *sql.Rows) error {
			d, err := scanDocument(r)
			if err == nil {
				docs = append(docs, d.intake)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

// Refused lists rejected documents received before a time and not swept yet, in
// the order of their ids, which is that of time, from behind after, at most
// limit: what a janitor takes out of the archive.
func (l *Ledger) Refused(ctx context.Context, before time.Time, after string, limit int) ([]dossier.Standing, error) {
	return l.standings(ctx, `state = 'rejected' AND deleted = 0 AND received_at < $1 AND id > $2 ORDER BY id LIMIT $3`, micros(before), after, limit)
}

// Swept notes that the files of a rejected document are gone from the archive:
// the same bytes may be handed in again and are judged anew, and nothing personal
// of it is kept. For any other document it changes nothing.
func (l *Ledger) Swept(ctx context.Context, id string) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		d, err := document(ctx, t, t.forUpdate(), `id = $1`, id)
		if errors.Is(err, dossier.ErrUnknownDocument) || err == nil && (d.state != dossier.Refused || d.deleted != 0) {
			return nil
		}
		if err != nil {
			return err
		}
		st, err := d.standing()
		if err != nil {
			return err
		}
		st.Intake.Slip, st.Refusal.Slip = st.Intake.Slip.Bare(), st.Refusal.Slip.Bare()
		intake, err := json.Marshal(st.Intake)
		if err != nil {
			return err
		}
		verdict, err := json.Marshal(st.Refusal)
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `UPDATE document SET same = NULL, deleted = $1, intake = $2, verdict = $3 WHERE id = $4`,
			int64(sweptAway), string(intake), string(verdict), id); err != nil {
			return err
		}
		_, err = t.event(ctx, id, dossier.Event{Type: dossier.EventSweep, At: t.l.now()})
		return err
	})
	if err != nil {
		return fmt.Errorf("note a document as swept: %w", err)
	}
	return nil
}

// Reused tells which of the documents others take their file from, whatever
// became of those.
func (l *Ledger) Reused(ctx context.Context, ids []string) (map[string]bool, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where, args := in("reuses", 1, ids)
	out := map[string]bool{}
	err := query(ctx, l.read, `SELECT DISTINCT reuses FROM document WHERE `+where+` AND reuses <> ''`, args, func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		out[id] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reused documents: %w", err)
	}
	return out, nil
}
