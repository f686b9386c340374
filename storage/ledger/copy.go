package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sohoa/dossier"
)

// ErrNotEmpty: a ledger can be copied only into one in which nothing happened yet.
var ErrNotEmpty = errors.New("ledger: the target is not empty")

// leftBehind reports whether a table is of the place and not of the province: the
// engines' own, jobs (made anew for what is pending), whose turn it is, and the
// sessions of people, who sign in again.
func leftBehind(table string) bool {
	return table == "turn" || table == "web_session" ||
		strings.HasPrefix(table, "river_") || strings.HasPrefix(table, "goose_") || strings.HasPrefix(table, "sqlite_")
}

// seeded are the tables in which migrating alone leaves rows.
var seeded = []string{"series", "audit_head"}

// CopyTo brings everything this ledger knows into another one that is migrated
// and empty, of either engine: registers, documents, tallies, closings, accounts,
// tokens, the audit log with its hashes. Both are brought to the same schema
// before. It is one transaction: broken off, nothing has happened. It copies one
// state of this ledger; what is written to it afterwards is not in it, so that
// nobody should work here meanwhile. It returns how many rows each table had.
func (l *Ledger) CopyTo(ctx context.Context, to *Ledger) (map[string]int64, error) {
	counts := map[string]int64{}
	err := l.snapshot(ctx, func(ctx context.Context, from querier) error {
		return to.updateOnce(ctx, func(ctx context.Context, t *tx) error {
			tables, err := t.tables(ctx)
			if err != nil {
				return err
			}
			for _, table := range seeded {
				if _, err := t.Exec(ctx, `DELETE FROM `+table); err != nil {
					return err
				}
			}
			for _, table := range tables {
				var n int
				if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM `+table+` LIMIT 1) AS one`).Scan(&n); err != nil {
					return err
				}
				if n > 0 {
					return fmt.Errorf("%w: table %s", ErrNotEmpty, table)
				}
			}
			// The series first: they say which columns the counters have.
			tables = slices.Insert(slices.DeleteFunc(tables, func(s string) bool { return s == "series" }), 0, "series")
			for i, table := range tables {
				if counts[table], err = t.copyTable(ctx, from, table); err != nil {
					return fmt.Errorf("table %s: %w", table, err)
				}
				if i == 0 {
					if err := t.addColumns(ctx); err != nil {
						return err
					}
				}
			}
			return t.queuePending(ctx)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("copy the ledger: %w", err)
	}
	return counts, to.series.load(ctx, to.read)
}

// tables lists what there is to copy.
func (t *tx) tables(ctx context.Context) ([]string, error) {
	text := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if t.pgx != nil {
		text = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`
	}
	var out []string
	err := query(ctx, t, text, nil, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		if !leftBehind(name) {
			out = append(out, name)
		}
		return err
	})
	slices.Sort(out)
	return out, err
}

// columns lists a table's columns that are not computed from others.
func (t *tx) columns(ctx context.Context, table string) ([]string, error) {
	text := `SELECT name FROM pragma_table_xinfo($1) WHERE hidden = 0 ORDER BY cid`
	if t.pgx != nil {
		text = `SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1
			AND is_generated = 'NEVER' ORDER BY ordinal_position`
	}
	var out []string
	err := query(ctx, t, text, []any{table}, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		out = append(out, name)
		return err
	})
	return out, err
}

// copyTable streams a table's rows from another database.
func (t *tx) copyTable(ctx context.Context, from querier, table string) (int64, error) {
	have, err := from.QueryContext(ctx, `SELECT * FROM `+table+` LIMIT 0`)
	if err != nil {
		return 0, err
	}
	there, err := have.Columns()
	if err := errors.Join(err, have.Close()); err != nil {
		return 0, err
	}
	columns, err := t.columns(ctx, table)
	if err != nil {
		return 0, err
	}
	// A ledger that once counted more series than this one has more columns; what
	// this one has more is empty.
	columns = slices.DeleteFunc(columns, func(c string) bool { return !slices.Contains(there, c) })
	rows, err := from.QueryContext(ctx, `SELECT `+strings.Join(columns, ", ")+` FROM `+table)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	next := &rowSource{rows: rows, values: make([]any, len(columns))}
	if t.pgx != nil {
		n, err := t.pgx.CopyFrom(ctx, pgx.Identifier{table}, columns, next)
		return n, errors.Join(err, rows.Err())
	}
	var n int64
	head := `INSERT INTO ` + table + ` (` + strings.Join(columns, ", ") + `)`
	for {
		var some [][]any
		for len(some) < batch && next.Next() {
			v, err := next.Values()
			if err != nil {
				return n, err
			}
			some = append(some, slices.Clone(v))
		}
		if len(some) == 0 {
			return n, rows.Err()
		}
		k, err := t.bulk(ctx, head, "", some)
		if err != nil {
			return n, err
		}
		n += k
	}
}

// rowSource reads rows as COPY wants them.
type rowSource struct {
	rows   *sql.Rows
	values []any
}

func (s *rowSource) Next() bool { return s.rows.Next() }
func (s *rowSource) Err() error { return s.rows.Err() }

func (s *rowSource) Values() ([]any, error) {
	dest := make([]any, len(s.values))
	for i := range dest {
		dest[i] = &s.values[i]
	}
	return s.values, s.rows.Scan(dest...)
}

// queuePending gives every pending document a job of this queue.
func (t *tx) queuePending(ctx context.Context) error {
	type waiting struct {
		id   string
		slip dossier.Slip
	}
	var all []waiting
	if err := query(ctx, t, `SELECT `+documentColumns+` FROM document WHERE state = 'pending' AND state IN ('pending', 'faulted') ORDER BY received_at, id`, nil,
		func(r *sql.Rows) error {
			d, err := scanDocument(r)
			if err == nil {
				all = append(all, waiting{d.id, d.intake.Slip})
			}
			return err
		}); err != nil {
		return err
	}
	for _, w := range all {
		job, err := t.l.queue.insert(ctx, t, intakeJob{ID: w.id, Again: true}, w.slip)
		if err != nil {
			return fmt.Errorf("queue: %w", err)
		}
		if _, err := t.Exec(ctx, `UPDATE document SET job = $1 WHERE id = $2`, job, w.id); err != nil {
			return err
		}
	}
	return nil
}
