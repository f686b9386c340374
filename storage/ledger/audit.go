package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"sohoa/dossier"
)

// Audit appends a deed to the audit log. Seq, At and Hash are the log's.
func (l *Ledger) Audit(ctx context.Context, d dossier.Deed) error {
	err := l.update(ctx, func(ctx context.Context, t *tx) error {
		var seq int64
		var prev string
		if err := t.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head WHERE one = 1`+t.forUpdate()).Scan(&seq, &prev); err != nil {
			return err
		}
		d.Seq, d.At = seq+1, l.now()
		d.Hash = deedHash(prev, d)
		if _, err := t.Exec(ctx, `INSERT INTO audit (seq, at, actor, role, unit, action, object, source, hash) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`,
			d.Seq, micros(d.At), d.By, string(d.Role), string(d.Unit), string(d.Action), d.Object, d.From, d.Hash); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `UPDATE audit_head SET seq = $1, hash = $2 WHERE one = 1`, d.Seq, d.Hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// deedHash covers every field, each with its length, so that no two entries
// can be written alike.
func deedHash(prev string, d dossier.Deed) string {
	h := sha256.New()
	for _, f := range []string{prev, fmt.Sprint(d.Seq), fmt.Sprint(micros(d.At)), d.By, string(d.Role), string(d.Unit), string(d.Action), d.Object, d.From} {
		fmt.Fprintf(h, "%d:%s,", len(f), f)
	}
	return hex.EncodeToString(h.Sum(nil))
}

const deedColumns = `seq, at, actor, role, unit, action, object, source, hash`

func scanDeed(r *sql.Rows) (d dossier.Deed, err error) {
	var at int64
	err = r.Scan(&d.Seq, &at, &d.By, &d.Role, &d.Unit, &d.Action, &d.Object, &d.From, &d.Hash)
	d.At = instant(at)
	return d, err
}

// Deeds returns entries of the audit log, the latest first.
func (l *Ledger) Deeds(ctx context.Context, q dossier.DeedQuery) ([]dossier.Deed, error) {
	if q.Units != nil && len(q.Units) == 0 {
		return nil, nil
	}
	// Neither database looks in an index for a pair that comes out of a query.
	var before int64
	if q.Before > 0 {
		if err := l.read.QueryRowContext(ctx, `SELECT at FROM audit WHERE seq = $1`, q.Before).Scan(&before); errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
	}
	var out []dossier.Deed
	text, args := deedsText(q, before)
	err := query(ctx, l.read, text, args, func(r *sql.Rows) error {
		d, err := scanDeed(r)
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return out, nil
}

// mergedUnits is of how many units the latest entries are found unit by unit and
// then merged. Of more, hence of much of the log, the latest of all are looked
// through.
const mergedUnits = 64

// deedsText asks for the entries; before is the instant of the entry q.Before.
func deedsText(q dossier.DeedQuery, before int64) (text string, args []any) {
	args = []any{cmp.Or(q.Limit, 100)}
	where := []string{"at >= $2"}
	args = append(args, micros(q.Days.From.Time()))
	add := func(cond string, v any) {
		args = append(args, v)
		where = append(where, fmt.Sprintf(cond, len(args)))
	}
	if q.By != "" {
		add("actor = $%d", q.By)
	}
	if q.Action != "" {
		add("action = $%d", string(q.Action))
	}
	if q.Object != "" {
		add("object = $%d", q.Object)
	}
	if q.Days.To != 0 {
		add("at < $%d", micros(q.Days.To.Time()))
	}
	if q.Before > 0 {
		args = append(args, before, q.Before)
		where = append(where, fmt.Sprintf("(at, seq) < ($%d, $%d)", len(args)-1, len(args)))
	}
	const latest = ` ORDER BY at DESC, seq DESC LIMIT $1`
	ask := func(unit string) string {
		return `SELECT ` + deedColumns + ` FROM audit WHERE ` + strings.Join(append(where, unit), ` AND `) + latest
	}
	switch {
	case q.Units == nil:
		return ask("1 = 1"), args
	case len(q.Units) > mergedUnits || q.By != "" || q.Action != "" || q.Object != "":
		// An expression, so that no database takes the index of units, of which it
		// would have to sort all it finds.
		text, more := in("unit || ''", len(args)+1, q.Units)
		return ask(text), append(args, more...)
	}
	var each []string
	for _, u := range q.Units {
		args = append(args, string(u))
		each = append(each, fmt.Sprintf(`SELECT * FROM (%s) AS u%d`, ask(fmt.Sprintf("unit = $%d", len(args))), len(args)))
	}
	return strings.Join(each, ` UNION ALL `) + latest, args
}

// ErrAudit: the audit log is not as it was written.
var ErrAudit = errors.New("the audit log has been tampered with")

// CheckAudit walks the audit log and answers its length and last hash, or
// ErrAudit and the first entry that is wrong. Somebody who can write to the
// database can rewrite the whole chain: keep the hash elsewhere from time to
// time.
func (l *Ledger) CheckAudit(ctx context.Context) (n int64, head string, err error) {
	err = l.snapshot(ctx, func(ctx context.Context, q querier) error {
		var want int64
		var wantHash string
		if err := q.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head WHERE one = 1`).Scan(&want, &wantHash); err != nil {
			return err
		}
		if err := query(ctx, q, `SELECT `+deedColumns+` FROM audit ORDER BY seq`, nil, func(r *sql.Rows) error {
			d, err := scanDeed(r)
			if err != nil {
				return err
			}
			if d.Seq != n+1 || d.Hash != deedHash(head, d) {
				return fmt.Errorf("%w: at entry %d", ErrAudit, n+1)
			}
			n, head = d.Seq, d.Hash
			return nil
		}); err != nil {
			return err
		}
		if n != want || head != wantHash {
			return fmt.Errorf("%w: it ends at entry %d, and should at %d", ErrAudit, n, want)
		}
		return nil
	})
	return n, head, err
}
