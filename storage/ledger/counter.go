package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sohoa/dossier"
	"sohoa/tally"
)

// slots bounds how many series there may be; a mask of them fits 64 bits.
const slots = 64

// seriesCache remembers which columns a series has; they never change.
type seriesCache struct {
	mu   sync.RWMutex
	slot map[tally.Series]int
}

// unknownSeriesError asks [Ledger.update] to give the series columns and to run
// the transaction again.
type unknownSeriesError []tally.Series

func (e unknownSeriesError) Error() string {
	return fmt.Sprintf("ledger: series without columns: %v", []tally.Series(e))
}

// known returns the slot of a series that has one.
func (c *seriesCache) known(s tally.Series) (int, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n, ok := c.slot[s]
	return n, ok
}

// load reads the series that have columns.
func (c *seriesCache) load(ctx context.Context, q querier) error {
	m := map[tally.Series]int{}
	if err := query(ctx, q, `SELECT name, slot FROM series`, nil, func(r *sql.Rows) error {
		var name tally.Series
		var slot int
		err := r.Scan(&name, &slot)
		m[name] = slot
		return err
	}); err != nil {
		return fmt.Errorf("read the series: %w", err)
	}
	c.mu.Lock()
	c.slot = m
	c.mu.Unlock()
	return nil
}

// addSeries gives columns to series that have none.
func (l *Ledger) addSeries(ctx context.Context, names []tally.Series) error {
	err := l.updateOnce(ctx, func(ctx context.Context, t *tx) error {
		if t.pgx != nil {
			if _, err := t.Exec(ctx, `LOCK TABLE series IN EXCLUSIVE MODE`); err != nil {
				return err
			}
		}
		for _, n := range names {
			if _, err := t.Exec(ctx, `INSERT INTO series (name, slot, filled)
				SELECT $1, COALESCE(MAX(slot) + 1, 0), 0 FROM series
				WHERE NOT EXISTS (SELECT 1 FROM series WHERE name = $2)
				HAVING COALESCE(MAX(slot) + 1, 0) < $3 AND NOT EXISTS (SELECT 1 FROM series WHERE name = $4)`,
				string(n), string(n), slots, string(n)); err != nil {
				return err
			}
		}
		return t.addColumns(ctx)
	})
	if err != nil {
		return fmt.Errorf("add series: %w", err)
	}
	if err := l.series.load(ctx, l.read); err != nil {
		return err
	}
	for _, n := range names {
		if _, ok := l.series.known(n); !ok {
			return fmt.Errorf("ledger: no columns are left for series %q", n)
		}
	}
	return nil
}

// addColumns gives the counter table the columns of every series.
func (t *tx) addColumns(ctx context.Context) error {
	var last int
	if err := t.QueryRowContext(ctx, `SELECT COALESCE(MAX(slot), -1) FROM series`).Scan(&last); err != nil {
		return err
	}
	rows, err := t.QueryContext(ctx, `SELECT * FROM counter LIMIT 0`)
	if err != nil {
		return err
	}
	have, err := rows.Columns()
	if err := errors.Join(err, rows.Close()); err != nil {
		return err
	}
	for s := range last + 1 {
		for _, c := range [2]string{"n", "d"} {
			if name := c + strconv.Itoa(s); !slices.Contains(have, name) {
				if _, err := t.Exec(ctx, `ALTER TABLE counter ADD COLUMN `+name+` INTEGER`); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// migrateSeries gives columns to what this program counts and the one before it
// did not, and fills them from the dossiers that are there. Should it be broken
// off, it is done again: the columns are noted as filled only afterwards.
func (l *Ledger) migrateSeries(ctx context.Context) error {
	if err := l.addSeries(ctx, tally.AllSeries()); err != nil {
		return err
	}
	var unfilled int
	if err := l.write.QueryRowContext(ctx, `SELECT COUNT(*) FROM series WHERE filled = 0`).Scan(&unfilled); err != nil {
		return fmt.Errorf("read the series: %w", err)
	}
	if unfilled == 0 {
		return nil
	}
	l.log.Info().Int("series", unfilled).Msg("counting what was not counted before")
	if err := l.Refill(ctx, func(Miscount) {}); err != nil {
		return err
	}
	if err := l.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE series SET filled = 1 WHERE filled = 0`)
		return err
	}); err != nil {
		return fmt.Errorf("note the series as filled: %w", err)
	}
	return nil
}

// months and years are the periods that hold a day, as the counter table writes
// them: 20240830 → 202408 → 2024.
func monthOf(day dossier.Date) int64 { return int64(day) / 100 }
func yearOf(day dossier.Date) int64  { return int64(day) / 10000 }

// add has the cells, of days, put into the counters when the transaction ends.
func (t *tx) add(_ context.Context, cells []tally.Cell) error {
	t.cells = append(t.cells, cells...)
	return t.l.series.have(cells)
}

// addRows has each cell put into its own row of the counters, whatever that of its
// month and year: those have Days of their own, 20240800 and 20240000.
func (t *tx) addRows(cells []tally.Cell) error {
	t.rows = append(t.rows, cells...)
	return t.l.series.have(cells)
}

// have is an unknownSeriesError where a cell's series has no columns.
func (c *seriesCache) have(cells []tally.Cell) error {
	var unknown unknownSeriesError
	for _, x := range cells {
		if _, ok := c.known(x.Series); !ok && !slices.Contains(unknown, x.Series) {
			unknown = append(unknown, x.Series)
		}
	}
	if unknown != nil {
		return unknown
	}
	return nil
}

// counterRows is what the transaction adds to the counters: for every day the
// day's row, the month's and the year's, in the order of their keys, which is the
// order in which every writer takes them. It happens last, so that the rows that
// everybody wants are locked for no longer than the commit takes.
func (t *tx) counterRows() (head, tail string, rows [][]any) {
	type key struct {
		unit   dossier.UnitCode
		period int64
	}
	type row [2 * slots]int64 // n0, d0, n1, d1, …
	sums := map[key]*row{}
	put := func(c tally.Cell, periods ...int64) {
		slot, _ := t.l.series.known(c.Series)
		for _, p := range periods {
			r := sums[key{c.Unit, p}]
			if r == nil {
				r = new(row)
				sums[key{c.Unit, p}] = r
			}
			r[2*slot] += c.Numerator
			r[2*slot+1] += c.Denominator
		}
	}
	for _, c := range t.cells {
		put(c, int64(c.Day), monthOf(c.Day), yearOf(c.Day))
	}
	for _, c := range t.rows {
		period := int64(c.Day)
		for period%100 == 0 { // a month or a year
			period /= 100
		}
		put(c, period)
	}
	var used row
	keys := make([]key, 0, len(sums))
	for k, r := range sums {
		if *r == (row{}) {
			continue
		}
		keys = append(keys, k)
		for i, v := range r {
			if v != 0 {
				used[i] = 1
			}
		}
	}
	if len(keys) == 0 {
		return "", "", nil
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.period, b.period))
	})
	var columns []int
	for i, v := range used {
		if v != 0 {
			columns = append(columns, i)
		}
	}
	for _, k := range keys {
		v := make([]any, 0, 2+len(columns))
		v = append(v, string(k.unit), k.period)
		for _, c := range columns {
			v = append(v, none(sums[k][c]))
		}
		rows = append(rows, v)
	}
	head, tail = upsertText(columns)
	return head, tail, rows
}

// none is NULL for zero: a column that never counted takes no room.
func none(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// upsertText is the statement that adds to the columns, which are numbered as in
// a row: n0, d0, n1, d1, ….
func upsertText(columns []int) (head, tail string) {
	var h, u strings.Builder
	h.WriteString("INSERT INTO counter (unit, period")
	u.WriteString("ON CONFLICT (unit, period) DO UPDATE SET ")
	for i, n := range columns {
		c := "nd"[n%2:n%2+1] + strconv.Itoa(n/2)
		h.WriteString(", " + c)
		if i > 0 {
			u.WriteString(", ")
		}
		u.WriteString(c + " = COALESCE(counter." + c + ", 0) + COALESCE(excluded." + c + ", 0)")
	}
	h.WriteString(")")
	return h.String(), u.String()
}

// span is a run of rows of the counter table, both ends included, that is added
// or taken away.
type span struct {
	from, to int64
	sign     int64
}

// tile cuts a period into few runs of years, months and days: what lacks little
// of a month or a year is the whole less the rest, so that the first eight months
// but for two days are a year less four months less two days. Without years, it
// makes do with months and days of the same month, as a table by month needs it.
func tile(p dossier.Period, years bool) []span {
	const firstYear, lastYear = 1000, 9999 // of four digits, so that no year is a month
	from, to := p.From, p.To               // half-open
	if from == 0 {
		from = firstYear*10000 + 101
	}
	if to == 0 {
		to = lastYear*10000 + 101
	}
	if from >= to {
		return nil
	}
	var out []span
	run := func(from, to, sign int64) { // [from, to)
		if from < to {
			out = append(out, span{from, to - 1, sign})
		}
	}
	// A month is y*12+m-1 here, so that a run of them can be counted.
	month := func(d dossier.Date) int64 { return int64(d.Year())*12 + int64(d.Month()) - 1 }
	name := func(m int64) int64 { return m/12*100 + m%12 + 1 }
	first := func(m int64) int64 { return name(m)*100 + 1 }
	end := func(m int64) int64 { return name(m)*100 + 32 } // no month has such a day, nor a day above it
	length := func(m int64) int64 { return int64(dossier.Date(first(m + 1)).AddDays(-1).Day()) }

	// Days of months that are not whole; months [a, b) remain.
	a, b := month(from), month(to)
	switch head, tail := int64(from.Day())-1, int64(to.Day())-1; {
	case a == b && 2*(tail-head) <= length(a): // days within a month
		run(int64(from), int64(to), 1)
		b = a
	case a == b:
		run(first(a), int64(from), -1)
		run(int64(to), end(a), -1)
		b++
	default:
		if head > 0 && 2*head >= length(a) {
			run(int64(from), end(a), 1)
			a++
		} else {
			run(first(a), int64(from), -1)
		}
		if 2*tail <= length(b) {
			run(first(b), int64(to), 1)
		} else {
			run(int64(to), end(b), -1)
			b++
		}
	}
	if a == b {
		return out
	}
	months := func(a, b, sign int64) { // [a, b) of one year
		if a < b {
			out = append(out, span{name(a), name(b - 1), sign})
		}
	}
	if !years {
		months(a, b, 1)
		return out
	}
	// Months of years that are not whole; years [ya, yb) remain.
	ya, yb := a/12, b/12
	switch head, tail := a%12, b%12; {
	case ya == yb && tail-head <= 6:
		months(a, b, 1)
		yb = ya
	case ya == yb:
		months(ya*12, a, -1)
		months(b, (ya+1)*12, -1)
		yb++
	default:
		if head >= 6 {
			months(a, (ya+1)*12, 1)
			ya++
		} else {
			months(ya*12, a, -1)
		}
		if tail <= 6 {
			months(yb*12, b, 1)
		} else {
			months(b, (yb+1)*12, -1)
			yb++
		}
	}
	run(ya, yb, 1)
	return out
}

// Units returns every unit of all times, by code and first day. A code that
// changed its name, parent or level stands there once a state.
func (l *Ledger) Units(ctx context.Context) ([]dossier.Unit, error) {
	var out []dossier.Unit
	if err := query(ctx, l.read, `SELECT code, name, level, parent, valid_from, valid_to, successor FROM unit ORDER BY code, valid_from`, nil,
		func(r *sql.Rows) error {
			var u dossier.Unit
			err := r.Scan(&u.Code, &u.Name, &u.Level, &u.Parent, &u.ValidFrom, &u.ValidTo, &u.Successor)
			out = append(out, u)
			return err
		}); err != nil {
		return nil, fmt.Errorf("units: %w", err)
	}
	return out, nil
}

// Sums implements [tally.Source].
func (l *Ledger) Sums(ctx context.Context, units []dossier.UnitCode, series []tally.Series, period dossier.Period) ([]tally.Cell, error) {
	return l.sums(ctx, units, series, tile(period, true), "unit", "0", " GROUP BY unit")
}

// Totals implements [tally.Source].
func (l *Ledger) Totals(ctx context.Context, units []dossier.UnitCode, series []tally.Series, period dossier.Period) ([]tally.Cell, error) {
	return l.sums(ctx, units, series, tile(period, true), "''", "0", "")
}

// Months implements [tally.Source].
func (l *Ledger) Months(ctx context.Context, units []dossier.UnitCode, series []tally.Series, period dossier.Period) ([]tally.Cell, error) {
	return l.sums(ctx, units, series, tile(period, false), "''", "CASE WHEN period > 999999 THEN period / 100 ELSE period END", " GROUP BY 3")
}

// columns returns the slots of those of the series that have ever counted.
func (l *Ledger) columns(ctx context.Context, series []tally.Series) ([]tally.Series, []int, error) {
	for try := 0; ; try++ {
		var names []tally.Series
		var cols []int
		for _, s := range series {
			if c, ok := l.series.known(s); ok && !slices.Contains(names, s) {
				names, cols = append(names, s), append(cols, c)
			}
		}
		if try > 0 || len(names) == len(series) {
			return names, cols, nil
		}
		if err := l.series.load(ctx, l.read); err != nil {
			return nil, nil, err
		}
	}
}

// sums adds up the runs of rows, a cell a series, unit and month of each group;
// a month is 0 where the group is of no month.
func (l *Ledger) sums(ctx context.Context, units []dossier.UnitCode, series []tally.Series, spans []span, unit, month, group string) ([]tally.Cell, error) {
	names, cols, err := l.columns(ctx, series)
	if err != nil || len(cols) == 0 || len(spans) == 0 {
		return nil, err
	}
	if units == nil {
		if err := query(ctx, l.read, `SELECT DISTINCT code FROM unit`, nil, func(r *sql.Rows) error {
			var u dossier.UnitCode
			err := r.Scan(&u)
			units = append(units, u)
			return err
		}); err != nil {
			return nil, fmt.Errorf("units: %w", err)
		}
	}
	if len(units) == 0 {
		return nil, nil
	}
	// Each run of rows is a select of its own, in the order of the key: an OR
	// would make the databases read more of it than the runs, or sort.
	var text strings.Builder
	var args []any
	unitsIn, unitArgs := in("unit", 1+2*len(spans), units)
	for i, s := range spans {
		if i > 0 {
			text.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&text, "SELECT %s, %d, %s", unit, s.sign, month)
		for _, c := range cols {
			fmt.Fprintf(&text, ", COALESCE(SUM(n%d), 0), COALESCE(SUM(d%d), 0)", c, c)
		}
		fmt.Fprintf(&text, " FROM counter WHERE %s AND period BETWEEN $%d AND $%d%s", unitsIn, len(args)+1, len(args)+2, group)
		args = append(args, s.from, s.to)
	}
	args = append(args, unitArgs...)

	type key struct {
		unit  dossier.UnitCode
		month int64
	}
	sums := map[key][]int64{}
	var order []key
	values := make([]int64, 2*len(cols))
	var k key
	var sign int64
	dest := []any{&k.unit, &sign, &k.month}
	for i := range values {
		dest = append(dest, &values[i])
	}
	err = query(ctx, l.read, text.String(), args, func(r *sql.Rows) error {
		if err := r.Scan(dest...); err != nil {
			return err
		}
		sum := sums[k]
		if sum == nil {
			sum = make([]int64, len(values))
			sums[k] = sum
			order = append(order, k)
		}
		for i, v := range values {
			sum[i] += sign * v
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sum the counters: %w", err)
	}
	var out []tally.Cell
	for _, k := range order {
		for i, s := range names {
			if n, d := sums[k][2*i], sums[k][2*i+1]; n != 0 || d != 0 {
				c := tally.Cell{Unit: k.unit, Series: s, Numerator: n, Denominator: d}
				if k.month != 0 {
					c.Day = dossier.Date(k.month*100 + 1)
				}
				out = append(out, c)
			}
		}
	}
	return out, nil
}
