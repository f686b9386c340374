package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sohoa/dossier"
	"sohoa/tally"
)

// Why a document has no file any more.
const (
	deletedByOrder = 1
	lostItsSource  = 2 // the document it reuses was deleted by order
	sweptAway      = 3 // it was rejected, and its days are over
)

// paperRow is a document as the ledger has it.
type paperRow struct {
	id         string
	state      dossier.State
	intake     dossier.Intake
	verdict    string // the record or the refusal
	replacedBy string
	amended    string // the slip as it was corrected; empty: never
	revoked    bool
	legal      bool
	deleted    int64
	fault      string
	job        int64
}

const documentColumns = `id, state, intake, verdict, amended, replaced_by, revoked, legal, deleted, fault, job`

func scanDocument(r interface{ Scan(...any) error }) (*paperRow, error) {
	var d paperRow
	var intake string
	var revoked, legal int64
	if err := r.Scan(&d.id, &d.state, &intake, &d.verdict, &d.amended, &d.replacedBy, &revoked, &legal, &d.deleted, &d.fault, &d.job); err != nil {
		return nil, err
	}
	d.revoked, d.legal = revoked != 0, legal != 0
	if err := json.Unmarshal([]byte(intake), &d.intake); err != nil {
		return nil, fmt.Errorf("intake of document %s: %w", d.id, err)
	}
	return &d, nil
}

func (d *paperRow) standing() (dossier.Standing, error) {
	s := dossier.Standing{Intake: d.intake, State: d.state, Fault: d.fault, ReplacedBy: d.replacedBy, Revoked: d.revoked, Legal: d.legal, Deleted: d.deleted == deletedByOrder || d.deleted == lostItsSource, Swept: d.deleted == sweptAway}
	var err error
	if d.amended != "" {
		s.Amended = new(dossier.Slip)
		if err := json.Unmarshal([]byte(d.amended), s.Amended); err != nil {
			return dossier.Standing{}, fmt.Errorf("slip of document %s: %w", d.id, err)
		}
	}
	switch {
	case d.deleted == deletedByOrder:
		s.Tombstone = new(dossier.Tombstone)
		err = json.Unmarshal([]byte(d.verdict), s.Tombstone)
	case d.state == dossier.Stored:
		s.Record = new(dossier.Record)
		err = json.Unmarshal([]byte(d.verdict), s.Record)
	case d.state == dossier.Refused:
		s.Refusal = new(dossier.Refusal)
		err = json.Unmarshal([]byte(d.verdict), s.Refusal)
	}
	if err != nil {
		return dossier.Standing{}, fmt.Errorf("verdict of document %s: %w", d.id, err)
	}
	return s, nil
}

// document returns a document, or dossier.ErrUnknownDocument.
func document(ctx context.Context, q querier, suffix, where string, args ...any) (*paperRow, error) {
	return documentFrom(ctx, q, `document WHERE `+where+suffix, args...)
}

func documentFrom(ctx context.Context, q querier, from string, args ...any) (*paperRow, error) {
	d, err := scanDocument(q.QueryRowContext(ctx, `SELECT `+documentColumns+` FROM `+from, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, dossier.ErrUnknownDocument
	}
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return d, nil
}

// same says in SQL which documents are the same document: the bytes, what they
// belong to, the kind, the paper and what it replaces. One that was revoked, deleted
// or swept may come again.
//
// It is looked for among the few documents of its dossier, where the new one is to
// be entered anyway. Fingerprints are in no order: an index of them has each
// document read, and write, a page that no other needs.
const same = `dossier = $1 AND sha256 = $2 AND kind = $3 AND paper = $4 AND replaces = $5 AND number_key = $6
	AND unit = COALESCE($7, unit) AND revoked = 0 AND deleted = 0`

func sameArgs(s dossier.Slip, digest dossier.Digest) []any {
	var unit any // the number of a result in force is its unit's
	if s.Kind == dossier.ResultInForce {
		unit = string(s.Unit)
	}
	return []any{string(s.Dossier), string(digest), string(s.Kind), string(s.Paper), s.Replaces, numberKey(s), unit}
}

// numberKey is the folded number of a result in force; other papers have none.
func numberKey(s dossier.Slip) string {
	if s.Kind == dossier.ResultInForce {
		return fold(s.Number)
	}
	return ""
}

// fingerprint is the same for what is the same document. The program before this
// one knows documents by it.
func fingerprint(s dossier.Slip, digest dossier.Digest) string {
	parts := []string{string(digest), string(s.Kind), string(s.Dossier), string(s.Paper), s.Replaces}
	if s.Kind == dossier.ResultInForce {
		parts = append(parts, string(s.Unit), fold(s.Number))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Seen answers the first standing of the same bytes for the same dossier, kind
// and paper (and what they replace), where there is one.
func (l *Ledger) Seen(ctx context.Context, slip dossier.Slip, digest dossier.Digest) (dossier.Standing, bool, error) {
	st, err := again(ctx, l.read, `document WHERE `+same+` ORDER BY id LIMIT 1`, sameArgs(slip, digest)...)
	if errors.Is(err, dossier.ErrUnknownDocument) {
		return dossier.Standing{}, false, nil
	}
	return st, err == nil, err
}

func again(ctx context.Context, q querier, from string, args ...any) (dossier.Standing, error) {
	d, err := documentFrom(ctx, q, from, args...)
	if err != nil {
		return dossier.Standing{}, err
	}
	st, err := d.standing()
	st.Again = true
	return st, err
}

// subject is what a document belongs to, locked: a dossier or a result in force.
type subject struct {
	dossier *entry
	result  *legacy
}

func (t *tx) hold(ctx context.Context, s dossier.Slip) (subject, error) {
	if s.Kind == dossier.ResultInForce {
		k := resultKey{s.Unit, fold(s.Number)}
		if k.unit == "" || k.number == "" {
			return subject{}, errors.New("ledger: a result in force without unit or number")
		}
		held, err := t.holdResults(ctx, []resultKey{k})
		return subject{result: held[k]}, err
	}
	if s.Dossier == "" {
		return subject{}, errors.New("ledger: a document without a dossier")
	}
	held, err := t.holdDossiers(ctx, []dossier.Code{s.Dossier})
	return subject{dossier: held[s.Dossier]}, err
}

// count brings what the document belongs to, and the tallies, up to its
// documents.
func (t *tx) count(ctx context.Context, s subject) error {
	var before, after []tally.Cell
	var err error
	if s.result != nil {
		before, after, err = t.refreshResult(ctx, s.result)
	} else {
		before, after, err = t.refresh(ctx, map[dossier.Code]*entry{s.dossier.Code: s.dossier})
	}
	if err != nil {
		return err
	}
	return t.add(ctx, tally.Diff(before, after))
}

// countOneMore is count where all that has changed is that this document counts
// now: what the dossier's others state need not be read again.
func (t *tx) countOneMore(ctx context.Context, e *entry, s dossier.Slip, legal bool) error {
	f := e.Facts
	switch s.Kind {
	case dossier.Component:
		f.Components++
		f.Reused += int(bit(s.Reuses != ""))
		f.PersonalStore += int(bit(s.PersonalStore))
	case dossier.ResultKind:
		f.Results++
		f.LegalResults += int(bit(legal))
	}
	before, after, err := t.state(ctx, e, f)
	if err != nil {
		return err
	}
	return t.add(ctx, tally.Diff(before, after))
}

// Receive records the intake and queues its job, both or neither. When these
// bytes had already been received for the same dossier, kind and paper (and what
// they replace), nothing is written and the first standing is returned with
// Again set.
//
// Errors about the slip: dossier.ErrPaperTaken, ErrUnknownDocument,
// ErrNotReplaceable, ErrUnknownUnit.
func (l *Ledger) Receive(ctx context.Context, in dossier.Intake) (dossier.Standing, error) {
	return l.receive(ctx, in, l.queue.insert)
}

// receive records the intake with the job that insert makes.
func (l *Ledger) receive(ctx context.Context, in dossier.Intake, insert inserter) (dossier.Standing, error) {
	in.Slip = storable(in.Slip)
	var st dossier.Standing
	err := l.updateTogether(ctx, func(ctx context.Context, t *tx) (err error) {
		if st, err = t.receive(ctx, in, insert); err != nil {
			return err
		}
		return t.noteDoor(ctx, in.Slip.Door)
	})
	if err != nil {
		return dossier.Standing{}, fmt.Errorf("receive: %w", err)
	}
	return st, nil
}

func (t *tx) receive(ctx context.Context, in dossier.Intake, insert inserter) (dossier.Standing, error) {
	s := in.Slip
	if s.Kind == dossier.ResultInForce {
		known, err := knownUnits(ctx, t, []dossier.UnitCode{s.Unit})
		if err != nil {
			return dossier.Standing{}, err
		}
		if !known[s.Unit] {
			return dossier.Standing{}, dossier.ErrUnknownUnit
		}
	}
	// Whoever else hands in something for this dossier waits here, so that what
	// is looked up below stays true.
	if _, err := t.hold(ctx, s); err != nil {
		return dossier.Standing{}, err
	}
	// The same document, or else this very intake, which has been revoked or deleted.
	st, err := again(ctx, t, `(SELECT 0 AS place, `+documentColumns+` FROM document WHERE `+same+`
		UNION ALL SELECT 1, `+documentColumns+` FROM document WHERE id = $8) AS found ORDER BY place, id LIMIT 1`, append(sameArgs(s, in.Original.SHA256), in.ID)...)
	if !errors.Is(err, dossier.ErrUnknownDocument) {
		return st, err
	}
	if s.Replaces != "" {
		if err := t.replaceable(ctx, s); err != nil {
			return dossier.Standing{}, err
		}
	}
	if s.Paper != "" {
		var n int
		if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM document WHERE dossier = $1 AND dossier <> '' AND kind = $2 AND paper = $3
			AND state <> 'rejected' AND replaced_by = '' AND revoked = 0 AND deleted = 0 AND id <> $4`,
			string(s.Dossier), string(s.Kind), string(s.Paper), s.Replaces).Scan(&n); err != nil {
			return dossier.Standing{}, fmt.Errorf("look for the paper: %w", err)
		}
		if n > 0 {
			return dossier.Standing{}, dossier.ErrPaperTaken
		}
	}
	if s.Reuses != "" {
		src, err := document(ctx, t, t.forShare(), `id = $1`, s.Reuses)
		if err != nil {
			return dossier.Standing{}, err
		}
		if src.state != dossier.Stored || src.deleted != 0 || src.revoked {
			return dossier.Standing{}, dossier.ErrUnknownDocument
		}
	}
	job, err := insert(ctx, t, intakeJob{ID: in.ID}, s)
	if err != nil {
		return dossier.Standing{}, fmt.Errorf("queue: %w", err)
	}
	if err := t.insertDocument(ctx, t.later, in, dossier.Pending, job); err != nil {
		return dossier.Standing{}, err
	}
	return dossier.Standing{Intake: in, State: dossier.Pending}, nil
}

// replaceable answers ErrUnknownDocument or ErrNotReplaceable unless the
// document to replace is in force, belongs to the same, and is being replaced by
// nobody else.
func (t *tx) replaceable(ctx context.Context, s dossier.Slip) error {
	old, err := document(ctx, t, t.forUpdate(), `id = $1`, s.Replaces)
	if err != nil {
		return err
	}
	o := old.intake.Slip
	switch {
	case old.state != dossier.Stored, old.deleted != 0, old.revoked, old.replacedBy != "",
		o.Kind != s.Kind, o.Dossier != s.Dossier,
		s.Kind == dossier.ResultInForce && (o.Unit != s.Unit || fold(o.Number) != fold(s.Number)):
		return dossier.ErrNotReplaceable
	}
	var n int
	if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM document WHERE replaces = $1 AND replaces <> '' AND state IN ('pending', 'faulted')`,
		s.Replaces).Scan(&n); err != nil {
		return fmt.Errorf("look for other replacements: %w", err)
	}
	if n > 0 {
		return dossier.ErrNotReplaceable
	}
	return nil
}

// storable is the slip as both databases can keep it: PostgreSQL takes no zero
// byte and no invalid UTF-8, whoever typed it.
func storable(s dossier.Slip) dossier.Slip {
	for _, text := range []*string{&s.Number, &s.Procedure, &s.Name, &s.FileName, &s.OwnerID, &s.IssuedBy, &s.SignedBy, &s.Scope, &s.Abstract, &s.By} {
		*text = strings.ReplaceAll(strings.ToValidUTF8(*text, "\uFFFD"), "\x00", "")
	}
	return s
}

// insertDocument enters the document by write, which is now or later.
func (t *tx) insertDocument(ctx context.Context, write func(ctx context.Context, query string, args ...any) error,
	in dossier.Intake, state dossier.State, job int64) error {
	intake, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("write the intake: %w", err)
	}
	s := in.Slip
	// For a day after the schema was changed the program before this one may go on
	// beside it, and looks for fingerprints. A rebuild may meet the same one twice; the
	// first keeps it.
	err = write(ctx, `INSERT INTO document (id, same, state, kind, dossier, unit, number_key, paper, sha256, replaces, reuses,
			replaced_by, deleted, counts, personal, legal, received_at, job, fault, intake, verdict)
		VALUES ($1, CASE WHEN EXISTS (SELECT 1 FROM place WHERE task = 'fingerprints' AND at > $2)
				THEN (SELECT f FROM (SELECT CAST($3 AS TEXT) AS f) AS fingerprint WHERE NOT EXISTS (SELECT 1 FROM document WHERE same = f)) END,
			$4, $5, $6, $7, $8, $9, $10, $11, $12, '', 0, 0, $13, 0, $14, $15, '', $16, '')`,
		in.ID, micros(t.l.now()), fingerprint(s, in.Original.SHA256), string(state), string(s.Kind), string(s.Dossier), string(s.Unit), numberKey(s), string(s.Paper),
		string(in.Original.SHA256), s.Replaces, s.Reuses, bit(s.PersonalStore), micros(in.ReceivedAt), job, string(intake))
	if err != nil {
		return fmt.Errorf("enter the document: %w", err)
	}
	return nil
}

// Settle enters the record: document, dossier, tallies, the document it
// replaces, all or nothing. A record that has been entered already changes
// nothing. A record whose intake the ledger does not have (a rebuild from the
// archive) is entered whole.
func (l *Ledger) Settle(ctx context.Context, rec dossier.Record) error {
	verdict, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("settle: write the record: %w", err)
	}
	in := dossier.Intake{ID: rec.ID, Slip: storable(rec.Slip), Original: rec.Original, ReceivedAt: rec.ReceivedAt}
	err = l.updateTogether(ctx, func(ctx context.Context, t *tx) error {
		subject, d, entered, err := t.open(ctx, in)
		if err != nil {
			return err
		}
		if err := t.endOwn(ctx); err != nil {
			return err
		}
		switch {
		case d.deleted == deletedByOrder, d.state == dossier.Stored:
			return nil
		case d.state == dossier.Refused:
			return fmt.Errorf("document %s: a record for what was rejected", rec.ID)
		}
		replacedBy := d.replacedBy
		if entered { // what replaces it may have been here before it
			if replacedBy, err = t.replacement(ctx, rec.ID); err != nil {
				return err
			}
		}
		if rec.Slip.Reuses != "" && d.deleted == 0 {
			src, err := document(ctx, t, t.forShare(), `id = $1`, rec.Slip.Reuses)
			switch {
			case err == nil && src.deleted != 0:
				d.deleted = lostItsSource
			case err != nil && !errors.Is(err, dossier.ErrUnknownDocument): // in a rebuild the source may come later
				return err
			}
		}
		counts := d.deleted == 0 && replacedBy == ""
		legal := rec.Verdict.LegalValue
		if _, err := t.Exec(ctx, `UPDATE document SET state = 'stored', verdict = $1, fault = '', legal = $2, counts = $3, replaced_by = $4, deleted = $5 WHERE id = $6`,
			string(verdict), bit(legal), bit(counts), replacedBy, d.deleted, rec.ID); err != nil {
			return fmt.Errorf("enter the record: %w", err)
		}
		if rec.Slip.Replaces != "" {
			if err := t.replace(ctx, rec.ID, rec.Slip.Replaces); err != nil {
				return err
			}
			if err := t.noteReplacement(ctx, rec); err != nil {
				return err
			}
		}
		if counts && rec.Slip.Replaces == "" && subject.dossier != nil {
			return t.countOneMore(ctx, subject.dossier, d.intake.Slip, legal)
		}
		return t.count(ctx, subject)
	})
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

// Refuse enters a refusal in the same way. It counts for nothing.
func (l *Ledger) Refuse(ctx context.Context, ref dossier.Refusal) error {
	verdict, err := json.Marshal(ref)
	if err != nil {
		return fmt.Errorf("refuse: write the refusal: %w", err)
	}
	in := dossier.Intake{ID: ref.ID, Slip: storable(ref.Slip), Original: ref.Original, ReceivedAt: ref.ReceivedAt}
	err = l.updateTogether(ctx, func(ctx context.Context, t *tx) error {
		_, d, _, err := t.open(ctx, in)
		if err != nil {
			return err
		}
		if err := t.endOwn(ctx); err != nil {
			return err
		}
		switch {
		case d.deleted == deletedByOrder, d.state == dossier.Refused:
			return nil
		case d.state == dossier.Stored:
			return fmt.Errorf("document %s: a refusal for what is stored", ref.ID)
		}
		if _, err := t.Exec(ctx, `UPDATE document SET state = 'rejected', verdict = $1, fault = '' WHERE id = $2`, string(verdict), ref.ID); err != nil {
			return fmt.Errorf("enter the refusal: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("refuse: %w", err)
	}
	return nil
}

// open locks what the document belongs to and the document, which it enters
// where the ledger does not have it.
func (t *tx) open(ctx context.Context, in dossier.Intake) (s subject, d *paperRow, entered bool, err error) {
	if s, err = t.hold(ctx, in.Slip); err != nil {
		return subject{}, nil, false, err
	}
	d, err = document(ctx, t, t.forUpdate(), `id = $1`, in.ID)
	if entered = errors.Is(err, dossier.ErrUnknownDocument); entered {
		if err := t.insertDocument(ctx, t.now, in, dossier.Pending, 0); err != nil {
			return subject{}, nil, false, err
		}
		d, err = document(ctx, t, "", `id = $1`, in.ID)
	}
	return s, d, entered, err
}

// replace lets the older document count no more.
func (t *tx) replace(ctx context.Context, newer, older string) error {
	_, err := t.Exec(ctx, `UPDATE document SET replaced_by = $1, counts = 0 WHERE id = $2 AND replaced_by = ''`, newer, older)
	if err != nil {
		return fmt.Errorf("replace the document: %w", err)
	}
	return nil
}

// noteReplacement notes what happened to the document that rec replaces, where the
// ledger has it; else its own event, which stands beside its record, says so.
func (t *tx) noteReplacement(ctx context.Context, rec dossier.Record) error {
	old, err := document(ctx, t, "", `id = $1`, rec.Slip.Replaces)
	if errors.Is(err, dossier.ErrUnknownDocument) || err == nil && old.deleted == deletedByOrder {
		return nil
	}
	if err == nil {
		_, err = t.event(ctx, old.id, dossier.Replacement(rec))
	}
	return err
}

// replacement returns the stored document that replaces this one: in a rebuild
// it may have been entered first.
func (t *tx) replacement(ctx context.Context, id string) (string, error) {
	var by string
	err := t.QueryRowContext(ctx, `SELECT COALESCE(MIN(id), '') FROM document WHERE replaces = $1 AND replaces <> '' AND state = 'stored'`, id).Scan(&by)
	if err != nil {
		return "", fmt.Errorf("look for a replacement: %w", err)
	}
	return by, nil
}

// Standing answers where the intake stands, or dossier.ErrUnknownDocument.
func (l *Ledger) Standing(ctx context.Context, id string) (dossier.Standing, error) {
	d, err := document(ctx, l.read, "", `id = $1`, id)
	if err != nil {
		return dossier.Standing{}, err
	}
	return d.standing()
}

// Document is Standing under the name by which readers ask.
func (l *Ledger) Document(ctx context.Context, id string) (dossier.Standing, error) {
	return l.Standing(ctx, id)
}

// Documents returns the documents of a dossier, the oldest first, whatever their
// state.
func (l *Ledger) Documents(ctx context.Context, code dossier.Code) ([]dossier.Standing, error) {
	return l.standings(ctx, `dossier = $1 AND dossier <> '' ORDER BY received_at, id`, string(code))
}

// DocumentsOfResult returns the documents of a result in force.
func (l *Ledger) DocumentsOfResult(ctx context.Context, unit dossier.UnitCode, number string) ([]dossier.Standing, error) {
	return l.standings(ctx, `unit = $1 AND number_key = $2 AND number_key <> '' ORDER BY received_at, id`, string(unit), fold(number))
}

func (l *Ledger) standings(ctx context.Context, where string, args ...any) ([]dossier.Standing, error) {
	var out []dossier.Standing
	err := query(ctx, l.read, `SELECT `+documentColumns+` FROM document WHERE `+where, args, func(r *sql.Rows) error {
		d, err := scanDocument(r)
		if err != nil {
			return err
		}
		st, err := d.standing()
		out = append(out, st)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("documents: %w", err)
	}
	return out, nil
}
