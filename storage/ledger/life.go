package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"sohoa/dossier"
)

// Happen enters what happened to a stored document after its record was
// written: it was replaced or revoked, its signatures were judged anew. The
// tallies follow in the same transaction; the record, which never changes, stays
// as it is. An event that has been entered already changes nothing, and one that
// a later of its type has overtaken is only noted, so that a rebuild may meet
// them in any order. dossier.ErrUnknownDocument where there is no such document.
func (l *Ledger) Happen(ctx context.Context, id string, e dossier.Event) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		d, err := document(ctx, t, "", `id = $1`, id)
		if err != nil {
			return err
		}
		s, err := t.hold(ctx, d.intake.Slip)
		if err != nil {
			return err
		}
		if d, err = document(ctx, t, t.forUpdate(), `id = $1`, id); err != nil {
			return err
		}
		if d.state != dossier.Stored {
			return dossier.ErrUnknownDocument
		}
		news, err := t.event(ctx, id, e)
		if err != nil || !news || d.deleted == deletedByOrder {
			return err
		}
		switch e.Type {
		case dossier.EventReplacement:
			err = t.replace(ctx, e.Detail, id)
		case dossier.EventRevocation:
			// Its fingerprint goes: the same paper may be handed in again.
			_, err = t.Exec(ctx, `UPDATE document SET revoked = 1, counts = 0, same = NULL WHERE id = $1`, id)
		case dossier.EventSignature:
			_, err = t.Exec(ctx, `UPDATE document SET legal = $1 WHERE id = $2`, bit(e.Outcome == dossier.OutcomeTrusted), id)
		case dossier.EventAmendment:
			return t.amend(ctx, id, e)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return t.count(ctx, s)
	})
	if err != nil {
		return fmt.Errorf("what happened to a document: %w", err)
	}
	return nil
}

// amend enters the corrected slip. What a document counts for does not hang on it.
func (t *tx) amend(ctx context.Context, id string, e dossier.Event) error {
	if e.Slip == nil {
		return errors.New("an amendment without its slip")
	}
	b, err := json.Marshal(storable(*e.Slip))
	if err == nil {
		_, err = t.Exec(ctx, `UPDATE document SET amended = $1 WHERE id = $2`, string(b), id)
	}
	return err
}

// event notes what happened to a document, and reports whether it is new and the
// latest of its type.
func (t *tx) event(ctx context.Context, id string, e dossier.Event) (news bool, err error) {
	n, err := t.Exec(ctx, `INSERT INTO event (document, at, type, by_whom, detail, role, tool, outcome, order_number, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (document, at, type) DO NOTHING`,
		id, micros(e.At), e.Type, e.Agent, e.Detail, string(e.Role), e.Tool, e.Outcome, e.Order, e.Reason)
	if err != nil || n == 0 {
		return false, err
	}
	err = t.QueryRowContext(ctx, `SELECT COUNT(*) FROM event WHERE document = $1 AND type = $2 AND at > $3`, id, e.Type, micros(e.At)).Scan(&n)
	return n == 0, err
}

// Events lists what happened to a document after its verdict, the oldest first.
func (l *Ledger) Events(ctx context.Context, id string) ([]dossier.Event, error) {
	of, err := l.EventsOf(ctx, []string{id})
	return of[id], err
}

// EventsOf lists what happened to documents after their verdicts, the oldest
// first.
func (l *Ledger) EventsOf(ctx context.Context, ids []string) (map[string][]dossier.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out := map[string][]dossier.Event{}
	where, args := in("document", 1, ids)
	err := query(ctx, l.read, `SELECT document, type, at, by_whom, detail, role, tool, outcome, order_number, reason FROM event WHERE `+where+` ORDER BY document, at, type`, args, func(r *sql.Rows) error {
		var id string
		var e dossier.Event
		var at int64
		err := r.Scan(&id, &e.Type, &at, &e.Agent, &e.Detail, &e.Role, &e.Tool, &e.Outcome, &e.Order, &e.Reason)
		e.At = instant(at)
		out[id] = append(out[id], e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("events of documents: %w", err)
	}
	return out, nil
}
