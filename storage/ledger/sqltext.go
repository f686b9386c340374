package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/text/unicode/norm"
)

// placeholders writes "$from, $from+1, …", n of them.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}

// in writes "column IN ($from, …)" for the values and returns them as
// arguments. It repeats the last value up to a round number, so that there are
// few different texts and the databases can keep their plans.
func in[S ~string](column string, from int, values []S) (string, []any) {
	n := 1
	for n < len(values) {
		n *= 2
	}
	args := make([]any, n)
	for i := range args {
		if len(values) > 0 {
			args[i] = string(values[min(i, len(values)-1)])
		}
	}
	return column + " IN (" + placeholders(from, n) + ")", args
}

// bulk writes rows: head is "INSERT INTO t (…)", tail what follows the values. It
// returns how many rows the database says it touched.
func (t *tx) bulk(ctx context.Context, head, tail string, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if t.pgx != nil {
		text, args, err := columnwise(head, tail, rows)
		if err != nil {
			return 0, err
		}
		return t.Exec(ctx, text, args...)
	}
	// SQLite is in this process: one row at a time, prepared once.
	st, err := t.exec.PrepareContext(ctx, head+" VALUES ("+placeholders(1, len(rows[0]))+") "+tail)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var sum int64
	for _, r := range rows {
		res, err := st.ExecContext(ctx, r...)
		if err != nil {
			return sum, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// columnwise is the statement that gives PostgreSQL the rows as an array for
// every column: one text and one plan for any number of rows, and no thousands
// of parameters. The rows go in as they stand, so that locks are taken in their
// order.
func columnwise(head, tail string, rows [][]any) (text string, args []any, err error) {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString(" SELECT * FROM unnest(")
	for i := range rows[0] {
		if i > 0 {
			b.WriteString(", ")
		}
		var texts []string
		var numbers []pgtype.Int8
		for _, r := range rows {
			switch v := r[i].(type) {
			case string:
				texts = append(texts, v)
			case int64:
				numbers = append(numbers, pgtype.Int8{Int64: v, Valid: true})
			case nil:
				numbers = append(numbers, pgtype.Int8{})
			default:
				return "", nil, fmt.Errorf("ledger: a %T among the values", v)
			}
		}
		b.WriteString("CAST($" + strconv.Itoa(i+1))
		switch len(rows) {
		case len(texts):
			b.WriteString(" AS TEXT[])")
			args = append(args, texts)
		case len(numbers):
			b.WriteString(" AS BIGINT[])")
			args = append(args, numbers)
		default:
			return "", nil, errors.New("ledger: texts and numbers in one column")
		}
	}
	b.WriteString(") ")
	b.WriteString(tail)
	return b.String(), args, nil
}

// query calls scan for every row.
func query(ctx context.Context, q querier, text string, args []any, scan func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// micros is an instant as the database keeps it; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is what micros wrote.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// clean is a text as both databases can keep it: valid, composed, without control
// characters (PostgreSQL refuses a zero byte), without blanks around it.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(norm.NFC.String(s))
}

// fold makes the key by which a symbol-number is found: people write the same
// number in either case, with stray blanks, composed or decomposed.
func fold(number string) string {
	return strings.ToUpper(strings.Join(strings.Fields(clean(number)), " "))
}
