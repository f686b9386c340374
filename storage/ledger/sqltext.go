package ledger

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
	"unicode"

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

// bulk writes rows: head is "INSERT INTO t (…) VALUES", tail what follows the
// values. It returns how many rows the database says it touched.
func (t *tx) bulk(ctx context.Context, head, tail string, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	width := len(rows[0])
	if t.pgx == nil && len(rows) > 1 {
		// SQLite is in this process: one row at a time, prepared once.
		st, err := t.exec.PrepareContext(ctx, head+" ("+placeholders(1, width)+") "+tail)
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
	var sum int64
	for len(rows) > 0 {
		// A few rows, as a document's tallies are, in one go; more in chunks of powers
		// of two, for few different texts, below the limit of 65,535 parameters.
		n := len(rows)
		if n > 8 {
			for n = 8; n*2 <= len(rows) && n*2*width < 32768 && n < 512; {
				n *= 2
			}
		}
		var b strings.Builder
		args := make([]any, 0, n*width)
		b.WriteString(head)
		for i, r := range rows[:n] {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(" (")
			b.WriteString(placeholders(1+i*width, width))
			b.WriteByte(')')
			args = append(args, r...)
		}
		b.WriteByte(' ')
		b.WriteString(tail)
		k, err := t.Exec(ctx, b.String(), args...)
		if err != nil {
			return sum, err
		}
		sum += k
		rows = rows[n:]
	}
	return sum, nil
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
