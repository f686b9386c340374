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

	var page Page
	looked := 0
	err = l.snapshot(ctx, func(ctx context.Context, r querier) error {
		// First the months that have any, then their days, then the dossiers.
		months, err := busyMonths(ctx, r, side, units, q.Period, from)
		if err != nil {
			return err
		}
		for _, m := range months {
			days, err := busyDays(ctx, r, side, m, q.Period, from)
			if err != nil {
				return err
			}
			for len(days) > 0 {
				// As many days as probably fill the page.
				n, sum := 0, int64(0)
				for n < len(days) && sum < int64(limit+1-len(page.Items)) {
					sum += days[n].count
					n++
				}
				done, err := l.pageDays(ctx, r, ind, q, column, m.unit, days[:n], from, limit, &page, &looked)
				if err != nil || done {
					return err
				}
				days = days[n:]
			}
		}
		return nil
	})
	if err != nil {
		return Page{}, fmt.Errorf("list: %w", err)
	}
	return page, nil
}

type busyMonth struct {
	unit  dossier.UnitCode
	month int64
}

type busyDay struct {
	day   dossier.Date
	count int64
}

// busyMonths lists the months in which the units have dossiers on the side.
func busyMonths(ctx context.Context, r querier, side string, units []dossier.UnitCode, p dossier.Period, from listPlace) ([]busyMonth, error) {
	first, last := int64(100000), int64(999999)
	if p.From != 0 {
		first = monthOf(p.From)
	}
	if p.To != 0 {
		last = monthOf(p.To)
	}
	text, args := in("unit", 3, units)
	var out []busyMonth
	err := query(ctx, r, `SELECT unit, period FROM counter WHERE `+text+` AND period BETWEEN $1 AND $2 AND `+side+` > 0 ORDER BY unit, period`,
		append([]any{first, last}, args...), func(rows *sql.Rows) error {
			var m busyMonth
			err := rows.Scan(&m.unit, &m.month)
			if m.unit > from.unit || m.unit == from.unit && m.month >= monthOf(from.day) {
				out = append(out, m)
			}
			return err
		})
	return out, err
}

func busyDays(ctx context.Context, r querier, side string, m busyMonth, p dossier.Period, from listPlace) ([]busyDay, error) {
	first, last := m.month*100+1, m.month*100+31
	first = max(first, int64(p.From))
	if p.To != 0 {
		last = min(last, int64(p.To)-1)
	}
	if m.unit == from.unit {
		first = max(first, int64(from.day))
	}
	var out []busyDay
	err := query(ctx, r, `SELECT period, `+side+` FROM counter WHERE unit = $1 AND period BETWEEN $2 AND $3 AND `+side+` > 0 ORDER BY period`,
		[]any{string(m.unit), first, last}, func(rows *sql.Rows) error {
			var d busyDay
			err := rows.Scan(&d.day, &d.count)
			out = append(out, d)
			return err
		})
	return out, err
}

// pageDays adds the dossiers of some days of a unit to the page; done says that
// the page is full.
func (l *Ledger) pageDays(ctx context.Context, r querier, ind tally.Indicator, q ListQuery, column string, unit dossier.UnitCode,
	days []busyDay, from listPlace, limit int, page *Page, looked *int) (done bool, err error) {
	at := listPlace{unit: unit, day: days[0].day}
	if unit == from.unit && days[0].day == from.day {
		at.code = from.code
	}
	values := make([]string, len(days))
	for i, d := range days {
		values[i] = strconv.Itoa(int(d.day))
	}
	for {
		// The days are numbers, not what somebody typed.
		const chunk = 500
		var got []*entry
		if err := query(ctx, r, `SELECT `+dossierColumns+` FROM dossier
			WHERE unit = $1 AND `+column+` IN (`+strings.Join(values, ",")+`) AND (`+column+` > $2 OR `+column+` = $2 AND code > $3)
			ORDER BY `+column+`, code LIMIT $4`, []any{string(unit), int64(at.day), string(at.code), chunk}, func(rows *sql.Rows) error {
			e, err := scanDossier(rows)
			got = append(got, e)
			return err
		}); err != nil {
			return false, err
		}
		for _, e := range got {
			*looked++
			here := listPlace{unit, ind.Day(&e.Dossier), e.Code}
			if e.known && ind.On(q.Side, &e.Dossier) && q.passes(e) {
				if len(page.Items) == limit {
					page.Next = at.cursor()
					return true, nil
				}
				page.Items = append(page.Items, e.Dossier)
			} else if *looked > scanMost {
				page.Next = here.cursor()
				return true, nil
			}
			at = here
		}
		if len(got) < chunk {
			return false, nil
		}
	}
}

func (q ListQuery) passes(e *entry) bool {
	if q.Channel != 0 && e.Channel != q.Channel {
		return false
	}
	return q.Procedure == "" || e.Procedure == q.Procedure ||
		q.Procedure == q.Procedure.National() && e.Procedure.National() == q.Procedure
}
