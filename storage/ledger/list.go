package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

// ListQuery asks for the dossiers behind a number.
type ListQuery struct {
	Indicator string // as tally.Find reads it
	Version   string // empty: the default
	Side      tally.Side
	Units     []dossier.UnitCode // the units that have the dossiers; nil: all
	Period    dossier.Period
	Procedure dossier.ProcedureCode // empty: any; the national code finds its local forms too
	Channel   dossier.Channel       // 0: any
	After     Cursor                // where the page before ended
	Limit     int                   // 0: 100; at most 1,000
}

// Cursor is a place in a list, to be handed back. Empty is the beginning.
type Cursor string

// Page is a piece of a list. Where Next is empty the list has ended. A page may
// hold fewer dossiers than asked for though the list goes on.
type Page struct {
	Items []dossier.Dossier
	Next  Cursor
}

// ErrQuery: the question makes no sense; it is the caller's fault.
var ErrQuery = errors.New("ledger: not a question about an indicator")

// place of a dossier in a list: lists are ordered by unit, day and code.
type listPlace struct {
	unit dossier.UnitCode
	day  dossier.Date
	code dossier.Code
}

func (p listPlace) cursor() Cursor {
	return Cursor(base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s\n%d\n%s", p.unit, p.day, p.code)))
}

func (c Cursor) place() (listPlace, error) {
	if c == "" {
		return listPlace{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil {
		return listPlace{}, fmt.Errorf("%w: bad cursor", ErrQuery)
	}
	f := strings.Split(string(b), "\n")
	if len(f) != 3 {
		return listPlace{}, fmt.Errorf("%w: bad cursor", ErrQuery)
	}
	day, err := strconv.Atoi(f[1])
	if err != nil {
		return listPlace{}, fmt.Errorf("%w: bad cursor", ErrQuery)
	}
	return listPlace{dossier.UnitCode(f[0]), dossier.Date(day), dossier.Code(f[2])}, nil
}

// dayColumn says by which day of the dossier the indicator counts, by asking it
// about a dossier whose two days differ.
func dayColumn(i tally.Indicator) (string, error) {
	d := dossier.Dossier{Registered: dossier.Registered{
		Status: dossier.Returned, ReceivedAt: dossier.Date(20240102).Time(), ResolvedAt: dossier.Date(20240203).Time(), SyncedAt: time.Unix(1, 0)}}
	switch i.Day(&d) {
	case 20240102:
		return "received_day", nil
	case 20240203:
		return "resolved_day", nil
	}
	return "", fmt.Errorf("ledger: indicator %s counts by a day that has no index", i.ID)
}

// neededFacts are the columns that hold 0 for no dossier the indicator counts,
// found by asking it about dossiers of every kind: reading a page of those that
// count, the database passes over the others by itself.
func neededFacts(i tally.Indicator) []string {
	at := time.Unix(1, 0)
	statuses := dossier.Statuses()
	unneeded := [len(factColumns)]bool{}
	for facts := range 1 << len(factColumns) {
		for kind := range 1 << 8 {
			bit := func(n int) bool { return kind>>n&1 != 0 }
			d := dossier.Dossier{ReturnsDocument: bit(0), Registered: dossier.Registered{ReceivedAt: at,
				Channel: dossier.Channel(1 + kind>>1&3), Status: statuses[(kind>>3&7)%len(statuses)]}}
			if bit(6) {
				d.SyncedAt, d.ResolvedAt = at, at
			}
			if bit(7) {
				d.PersonalStoreAt = at
			}
			for n, f := range []*int{&d.Components, &d.Reused, &d.PersonalStore, &d.Results, &d.LegalResults} {
				*f = facts >> n & 1
			}
			if !i.On(tally.Counted, &d) {
				continue
			}
			for n := range factColumns {
				unneeded[n] = unneeded[n] || facts>>n&1 == 0
			}
		}
	}
	var out []string
	for n, c := range factColumns {
		if !unneeded[n] {
			out = append(out, c)
		}
	}
	return out
}

var factColumns = [...]string{"components", "reused", "personal", "results", "legal_results"}

// needed is neededFacts, which takes a millisecond, asked once for an indicator.
func (l *Ledger) needed(i tally.Indicator) []string {
	key := i.ID + "@" + i.Version
	found, ok := l.facts.Load(key)
	if !ok {
		found, _ = l.facts.LoadOrStore(key, neededFacts(i))
	}
	return found.([]string)
}

// scanMost bounds how many dossiers one page looks at when the filters by
// procedure or channel, of which the counters know nothing, let few pass.
const scanMost = 20000

// List returns a page of the dossiers behind a number: over all pages they are
// exactly as many as the counters say. It walks the counters and reads only the
// days that have such dossiers, so that a page is as quick for a few dossiers
// among millions as for many.
func (l *Ledger) List(ctx context.Context, q ListQuery) (Page, error) {
	ind, ok := tally.Find(q.Indicator, q.Version)
	if !ok {
		return Page{}, fmt.Errorf("%w: unknown indicator or version", ErrQuery)
	}
	if q.Side != tally.Counted && q.Side != tally.Missing && q.Side != tally.All {
		return Page{}, fmt.Errorf("%w: the side is counted, missing or all", ErrQuery)
	}
	from, err := q.After.place()
	if err != nil {
		return Page{}, err
	}
	column, err := dayColumn(ind)
	if err != nil {
		return Page{}, err
	}
	limit := min(cmp.Or(q.Limit, 100), 1000)
	names, cols, err := l.columns(ctx, []tally.Series{ind.Series()})
	if err != nil || len(names) == 0 {
		return Page{}, err
	}
	side := map[tally.Side]string{
		tally.Counted: fmt.Sprintf("COALESCE(n%d, 0)", cols[0]),
		tally.Missing: fmt.Sprintf("COALESCE(d%d, 0) - COALESCE(n%d, 0)", cols[0], cols[0]),
		tally.All:     fmt.Sprintf("COALESCE(d%d, 0)", cols[0]),
	}[q.Side]

	units := slices.Compact(slices.Sorted(slices.Values(q.Units)))
	if q.Units == nil {
		all, err := l.Units(ctx)
		if err != nil {
			return Page{}, err
		}
		for _, u := range all {
			units = append(units, u.Code)
		}
		units = slices.Compact(units)
	}
	if i, _ := slices.BinarySearch(units, from.unit); i > 0 {
		units = units[i:]
	}
	if len(units) == 0 {
		return Page{}, nil
	}

	w := &listWalk{ind: ind, q: q, column: column, side: side, from: from, at: from, limit: limit, postgres: l.pool != nil, days: mostDays / 4}
	if q.Side == tally.Counted {
		for _, c := range l.needed(ind) {
			w.need += " AND " + c + " > 0"
		}
	}
	err = l.snapshot(ctx, func(ctx context.Context, r querier) error {
		if l.pool != nil {
			// PostgreSQL thinks the ranges are wide and would read all counters.
			var unused [3]string
			if err := r.QueryRowContext(ctx, `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
				set_config('enable_mergejoin', 'off', true)`).Scan(&unused[0], &unused[1], &unused[2]); err != nil {
				return err
			}
		}
		first, last := dossier.Date(10000101), dossier.Date(99990101)
		if q.Period.From != 0 {
			first = q.Period.From
		}
		if q.Period.To != 0 {
			last = q.Period.To.AddDays(-1)
		}
		if first > last {
			return nil
		}
		w.first, w.last = first, last
		text, args := in("unit", 3, units)
		years, err := busyRows(ctx, r, `SELECT unit, period, `+side+` FROM counter
			WHERE `+text+` AND period BETWEEN $1 AND $2 AND `+side+` > 0 ORDER BY unit, period`, append([]any{yearOf(first), yearOf(last)}, args...))
		if err != nil {
			return err
		}
		_, err = w.down(ctx, r, years)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("list: %w", err)
	}
	return w.page, nil
}

// listRange is a unit's counters of a run of periods: years, months or days. Of
// a single day's dossiers, it is those after a code.
type listRange struct {
	unit     dossier.UnitCode
	from, to int64
	after    dossier.Code
}

// listWalk looks for the dossiers of one page: it goes down from years to months
// to days along the counters that are not zero, in the order of the list.
type listWalk struct {
	ind         tally.Indicator
	q           ListQuery
	column      string // of the dossier's day
	side        string // the counter of the side
	need        string // " AND …": what a dossier of the side needs
	first, last dossier.Date
	from        listPlace
	limit       int
	postgres    bool

	page   Page
	at     listPlace // the last dossier that has been looked at
	looked int
	days   int // to ask for at once: as many as have about readMost dossiers
}

// busyRow is a row of the counters that is not zero.
type busyRow struct {
	unit   dossier.UnitCode
	period int64
	count  int64
}

func busyRows(ctx context.Context, r querier, text string, args []any) ([]busyRow, error) {
	var out []busyRow
	err := query(ctx, r, text, args, func(rows *sql.Rows) error {
		var unit string
		var b busyRow
		err := rows.Scan(&unit, &b.period, &b.count)
		b.unit = dossier.UnitCode(unit)
		out = append(out, b)
		return err
	})
	return out, err
}

// down looks through the years, or the months, or the days, as many at once as
// probably fill the page; done says that it is full.
func (w *listWalk) down(ctx context.Context, r querier, rows []busyRow) (done bool, err error) {
	for len(rows) > 0 && !done && err == nil {
		sum := int64(0)
		var next []listRange
		n := 0
		many := most
		if rows[0].period >= 1000000 {
			many = mostDays
		}
		for n < len(rows) && len(next) < many && sum <= int64(w.limit-len(w.page.Items)) {
			f := rows[n]
			n++
			lo, hi := f.period, f.period
			var after dossier.Code
			switch {
			case f.unit == w.from.unit && f.period == int64(w.from.day):
				after = w.from.code
			case f.period < 10000: // a year: its months
				lo, hi = max(lo*100+1, monthOf(w.first)), min(hi*100+12, monthOf(w.last))
				if f.unit == w.from.unit {
					lo = max(lo, monthOf(w.from.day))
				}
			case f.period < 1000000: // a month: its days
				lo, hi = max(lo*100+1, int64(w.first)), min(hi*100+31, int64(w.last))
				if f.unit == w.from.unit {
					lo = max(lo, int64(w.from.day))
				}
			}
			if lo <= hi {
				next = append(next, listRange{f.unit, lo, hi, after})
				sum += f.count
			}
		}
		switch {
		case len(next) == 0:
		case rows[0].period >= 1000000:
			done, err = w.read(ctx, r, next)
		default:
			var found []busyRow
			if found, err = w.within(ctx, r, next); err == nil {
				done, err = w.down(ctx, r, found)
			}
		}
		rows = rows[n:]
	}
	return done, err
}

// most is how many ranges of counters one query asks for, mostDays how many
// days' dossiers, readMost how many dossiers it returns.
const (
	most     = 256
	mostDays = 128
	readMost = 2000
)

// within returns the rows of the ranges that are not zero.
func (w *listWalk) within(ctx context.Context, r querier, ranges []listRange) ([]busyRow, error) {
	values, args := w.table(ranges)
	// CROSS JOIN keeps SQLite from another order of the two.
	return busyRows(ctx, r, `SELECT c.unit, c.period, `+w.side+` FROM `+values+`
		CROSS JOIN counter AS c WHERE c.unit = v.column1 AND c.period BETWEEN v.column2 AND v.column3 AND `+w.side+` > 0
		ORDER BY c.unit, c.period`, args)
}

// table writes the ranges as a table v of four columns and returns them as
// arguments. PostgreSQL plans a list of hundreds of values anew at every call,
// for longer than it runs; arrays it takes as they come.
func (w *listWalk) table(ranges []listRange) (text string, args []any) {
	if w.postgres {
		units, from, to, after := make([]string, len(ranges)), make([]int64, len(ranges)), make([]int64, len(ranges)), make([]string, len(ranges))
		for i, c := range ranges {
			units[i], from[i], to[i], after[i] = string(c.unit), c.from, c.to, string(c.after)
		}
		return `unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[]), CAST($3 AS BIGINT[]), CAST($4 AS TEXT[])) AS v (column1, column2, column3, column4)`,
			[]any{units, from, to, after}
	}
	for _, c := range ranges {
		args = append(args, string(c.unit), c.from, c.to, string(c.after))
	}
	return `(` + valuesText(len(ranges), "TEXT", "BIGINT", "BIGINT", "TEXT") + `) AS v`, args
}

// valuesText is n rows of parameters of those types, with the column names that
// both databases give to VALUES.
func valuesText(n int, types ...string) string {
	rows := 1
	for rows < n {
		rows *= 2
	}
	var b strings.Builder
	b.WriteString("VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for j, t := range types {
			if j > 0 {
				b.WriteByte(',')
			}
			if i < n {
				fmt.Fprintf(&b, "CAST($%d AS %s)", i*len(types)+j+1, t)
			} else {
				b.WriteString("NULL") // fills up to a power of two, for few different texts
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

// read adds the dossiers of the days to the page; done says that it is full.
//
// What has been looked at is left out by a code for every day: one comparison of
// the whole place, (unit, day, code) > (…), PostgreSQL takes for the place where
// to begin in the index, and from there walks over all the units before the day's.
func (w *listWalk) read(ctx context.Context, r querier, days []listRange) (done bool, err error) {
	for len(days) > 0 {
		some := days[:min(len(days), w.days)]
		text, args := w.readText(some)
		n := 0
		if err := query(ctx, r, text, args, func(rows *sql.Rows) error {
			n++
			if done {
				return nil
			}
			e, err := scanDossier(rows)
			if err == nil {
				done = w.look(e)
			}
			return err
		}); err != nil || done {
			return done, err
		}
		looked := len(some) // days of which nothing is left
		if n == readMost {
			looked = slices.IndexFunc(some, func(d listRange) bool { return d.unit == w.at.unit && d.from == int64(w.at.day) })
			if looked < 0 {
				return false, errors.New("ledger: a dossier stands under another day than its own")
			}
			some[looked].after = w.at.code
		}
		days = days[looked:]
		w.days = min(max(1, len(some)*readMost/max(1, n)), mostDays)
	}
	return false, nil
}

// readText asks for the dossiers of the days. Both databases would rather walk all
// dossiers in the order of the list and look each up among the days, as the
// matches seem many and the limit small. CROSS JOIN keeps SQLite from it;
// PostgreSQL, a limit within each day.
func (w *listWalk) readText(days []listRange) (text string, args []any) {
	limit := strconv.Itoa(readMost)
	values, args := w.table(days)
	if w.postgres {
		return `SELECT d.* FROM ` + values + ` CROSS JOIN LATERAL (SELECT ` + dossierColumns + ` FROM dossier
				WHERE unit = v.column1 AND ` + w.column + ` = v.column2 AND code > v.column4` + w.need + ` ORDER BY code LIMIT ` + limit + `) AS d
			ORDER BY d.unit, v.column2, d.code LIMIT ` + limit, args
	}
	return `SELECT ` + dossierColumns + ` FROM ` + values + ` CROSS JOIN dossier
		WHERE unit = v.column1 AND ` + w.column + ` = v.column2 AND code > v.column4` + w.need + ` ORDER BY unit, ` + w.column + `, code LIMIT ` + limit, args
}

// look puts the dossier on the page if it belongs there; done says that the page
// is full and that the dossier was the first too many.
func (w *listWalk) look(e *entry) (done bool) {
	here := listPlace{e.Unit, dossier.DateOf(e.ReceivedAt), e.Code}
	if w.column == "resolved_day" {
		here.day = dossier.DateOf(e.ResolvedAt)
	}
	if e.known && w.ind.On(w.q.Side, &e.Dossier) && w.q.passes(e) {
		if len(w.page.Items) == w.limit {
			w.page.Next = w.at.cursor()
			return true
		}
		w.page.Items = append(w.page.Items, e.Dossier)
	}
	w.at = here
	if w.looked++; w.looked >= scanMost {
		w.page.Next = w.at.cursor()
		return true
	}
	return false
}

func (q ListQuery) passes(e *entry) bool {
	if q.Channel != 0 && e.Channel != q.Channel {
		return false
	}
	return q.Procedure == "" || e.Procedure == q.Procedure ||
		q.Procedure == q.Procedure.National() && e.Procedure.National() == q.Procedure
}
