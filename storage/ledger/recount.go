package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sohoa/dossier"
	"sohoa/tally"
)

// Miscount is where the ledger's own figures differ from a recount: in a cell of
// the counters, which is then what they have minus what they should have (days,
// months, Day 20240800, and years, Day 20240000, each); or, where it names no
// series, in so many of the unit's dossiers and results, whose rows say something
// else of their documents and procedures than these do.
type Miscount struct {
	tally.Cell
	Dossiers, Results int
}

func (m Miscount) String() string {
	if m.Series == "" {
		return fmt.Sprintf("%d dossiers and %d results differ from their documents and procedures", m.Dossiers, m.Results)
	}
	return fmt.Sprintf("%s %s: the counters differ from the recount by %+d/%+d", m.Series, m.Day, m.Numerator, m.Denominator)
}

// Recount computes every cell anew, from the register's rows and the documents
// in force, and reports where the counters, or what the rows say of their
// documents, differ. It reads one state of the database and changes nothing.
func (l *Ledger) Recount(ctx context.Context, report func(Miscount)) error {
	if err := l.recount(ctx, onlookers{}, report); err != nil {
		return fmt.Errorf("recount: %w", err)
	}
	return nil
}

// Refill puts right whatever Recount reports, and reports it when it has been put
// right. Broken off, it has harmed nothing, and another goes on.
//
// Nobody waits for it. Every writer changes the rows and the counters by the same,
// so how far the counters are from what the rows count for stays as it is while
// others write: it is told from one state of the database and taken off in
// another. And a row is brought up to its documents as by any change to them. So
// that nothing is taken off twice, one does it at a time; others wait for it.
func (l *Ledger) Refill(ctx context.Context, report func(Miscount)) error {
	if err := l.refill(ctx, report); err != nil {
		return fmt.Errorf("refill the counters: %w", err)
	}
	return nil
}

func (l *Ledger) refill(ctx context.Context, report func(Miscount)) error {
	lead, err := l.awaitLead(ctx, "figures")
	if err != nil {
		return err
	}
	defer lead.End()
	return l.recount(ctx, menders{l, lead}, report)
}

// repair is told what a recount finds wrong: dossiers and results whose rows are, at
// most a page of them at a time, and what the rows of a unit's counters lack (a
// month's and a year's included) beside what its dossiers and results, as their
// rows stand, count for.
type repair interface {
	dossiers(ctx context.Context, wrong []dossier.Code) error
	results(ctx context.Context, wrong []resultKey) error
	counters(ctx context.Context, lacking []tally.Cell) error
}

type onlookers struct{}

func (onlookers) dossiers(context.Context, []dossier.Code) error { return nil }
func (onlookers) results(context.Context, []resultKey) error     { return nil }
func (onlookers) counters(context.Context, []tally.Cell) error   { return nil }

// menders write what a recount reads on one state of the database, beside it.
type menders struct {
	*Ledger
	lead *Lead
}

// dossiers brings them up to their procedures and documents, and the counters with
// them.
func (m menders) dossiers(ctx context.Context, codes []dossier.Code) error {
	return m.update(ctx, func(ctx context.Context, t *tx) error {
		if err := t.followProcedures(ctx, codes); err != nil {
			return err
		}
		held, err := t.lockDossiers(ctx, codes)
		if err != nil {
			return err
		}
		before, after, err := t.refresh(ctx, held)
		if err != nil {
			return err
		}
		return t.add(ctx, tally.Diff(before, after))
	})
}

func (m menders) results(ctx context.Context, keys []resultKey) error {
	return m.update(ctx, func(ctx context.Context, t *tx) error {
		held, err := t.holdResults(ctx, keys)
		if err != nil {
			return err
		}
		for _, e := range held {
			before, after, err := t.refreshResult(ctx, e)
			if err != nil {
				return err
			}
			if err := t.add(ctx, tally.Diff(before, after)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m menders) counters(ctx context.Context, lacking []tally.Cell) error {
	if !m.lead.Held(ctx) {
		return errors.New("the connection broke: another may be at it")
	}
	return m.update(ctx, func(_ context.Context, t *tx) error { return t.addRows(lacking) })
}

func seriesNames(ctx context.Context, q querier) (map[int]tally.Series, error) {
	names := map[int]tally.Series{}
	err := query(ctx, q, `SELECT name, slot FROM series`, nil, func(r *sql.Rows) error {
		var name tally.Series
		var slot int
		err := r.Scan(&name, &slot)
		names[slot] = name
		return err
	})
	return names, err
}

// truth is what the procedures say; where a change is still being followed, the
// dossiers' own state is as good.
type truth struct {
	returns map[dossier.ProcedureCode]bool
	open    map[dossier.ProcedureCode]bool
}

func allProcedures(ctx context.Context, q querier) (truth, error) {
	t := truth{map[dossier.ProcedureCode]bool{}, map[dossier.ProcedureCode]bool{}}
	err := query(ctx, q, `SELECT code, returns_document, unsettled FROM procedure`, nil, func(r *sql.Rows) error {
		var c dossier.ProcedureCode
		var returns, unsettled int64
		err := r.Scan(&c, &returns, &unsettled)
		t.returns[c] = returns != 0
		if unsettled > 0 {
			t.open[c.National()] = true
		}
		return err
	})
	return t, err
}

func (t truth) of(e *entry) bool {
	if t.open[e.Procedure.National()] {
		return e.ReturnsDocument
	}
	for _, p := range [2]dossier.ProcedureCode{e.Procedure, e.Procedure.National()} {
		if v, ok := t.returns[p]; ok {
			return v
		}
	}
	return e.ReturnsDocument // nobody says otherwise
}

// countingUnits lists every unit that has a dossier, a result or a counter, and the
// empty one, whose the dossiers are that the register does not know.
func countingUnits(ctx context.Context, q querier) ([]dossier.UnitCode, error) {
	out := []dossier.UnitCode{""}
	for _, table := range []string{"dossier", "result", "counter"} {
		// One step down the index a unit: a DISTINCT would read all of it.
		last := dossier.UnitCode("")
		for {
			var next sql.Null[dossier.UnitCode]
			if err := q.QueryRowContext(ctx, `SELECT MIN(unit) FROM `+table+` WHERE unit > $1`, string(last)).Scan(&next); err != nil {
				return nil, err
			}
			if !next.Valid {
				break
			}
			last = next.V
			out = append(out, last)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// withRollUps adds to the cells of days those of their months and years.
func withRollUps(days []tally.Cell) []tally.Cell {
	cells := slices.Clone(days)
	for _, c := range days {
		month, year := c, c
		month.Day = dossier.Date(monthOf(c.Day) * 100)
		year.Day = dossier.Date(yearOf(c.Day) * 10000)
		cells = append(cells, month, year)
	}
	return tally.Sum(cells)
}

// cellSum adds up cells in little memory.
type cellSum struct {
	cells   []tally.Cell
	compact int
}

func (s *cellSum) add(more []tally.Cell) {
	if s.cells = append(s.cells, more...); len(s.cells) > max(s.compact, 1<<16) {
		s.cells = tally.Sum(s.cells)
		s.compact = 2 * len(s.cells)
	}
}

// recount counts every unit anew on one state of the database, so that none of its
// dossiers is passed over, whatever unit it moves to meanwhile.
func (l *Ledger) recount(ctx context.Context, w repair, report func(Miscount)) error {
	return l.snapshot(ctx, func(ctx context.Context, q querier) error {
		names, err := seriesNames(ctx, q)
		if err != nil {
			return err
		}
		procedures, err := allProcedures(ctx, q)
		if err != nil {
			return err
		}
		units, err := countingUnits(ctx, q)
		if err != nil {
			return err
		}
		r := recount{q, names, procedures, w}
		for _, u := range units {
			found, err := r.unit(ctx, u)
			if err != nil {
				return err
			}
			for _, m := range found {
				report(m)
			}
		}
		return nil
	})
}

type recount struct {
	q          querier
	names      map[int]tally.Series
	procedures truth
	repair     repair
}

// unit answers what is wrong of a unit, of which its repair has been told.
func (r *recount) unit(ctx context.Context, unit dossier.UnitCode) (found []Miscount, err error) {
	// due is what the unit should count; off is what those rows that are wrong
	// count for beyond what they should.
	var due, off cellSum
	rows := Miscount{Cell: tally.Cell{Unit: unit}}
	if rows.Dossiers, err = r.dossiers(ctx, unit, &due, &off); err != nil {
		return nil, err
	}
	if rows.Results, err = r.results(ctx, unit, &due, &off); err != nil {
		return nil, err
	}
	have, err := countersOf(ctx, r.q, unit, r.names)
	if err != nil {
		return nil, err
	}
	if rows.Dossiers > 0 || rows.Results > 0 {
		found = append(found, rows)
	}
	for _, c := range tally.Diff(withRollUps(due.cells), have) {
		found = append(found, Miscount{Cell: c})
	}
	if lacking := tally.Diff(have, withRollUps(append(due.cells, off.cells...))); len(lacking) > 0 {
		return found, r.repair.counters(ctx, lacking)
	}
	return found, nil
}

// dossiers adds up what the unit's dossiers should count, and returns how many
// are wrong.
func (r *recount) dossiers(ctx context.Context, unit dossier.UnitCode, due, off *cellSum) (wrong int, err error) {
	at := listPlace{unit: unit, day: -1}
	for {
		var got []*entry
		if err := query(ctx, r.q, `SELECT `+dossierColumns+` FROM dossier WHERE unit = $1 AND (received_day, code) > ($2, $3)
			ORDER BY received_day, code LIMIT 500`, []any{string(unit), int64(at.day), string(at.code)}, func(rows *sql.Rows) error {
			e, err := scanDossier(rows)
			got = append(got, e)
			return err
		}); err != nil || len(got) == 0 {
			return wrong, err
		}
		codes := make([]dossier.Code, len(got))
		for i, e := range got {
			codes[i] = e.Code
		}
		f, err := facts(ctx, r.q, codes)
		if err != nil {
			return wrong, err
		}
		var differ []dossier.Code
		for _, e := range got {
			own := *e
			e.Facts, e.ReturnsDocument = f[e.Code], r.procedures.of(e)
			due.add(e.cells())
			if e.Facts != own.Facts || e.ReturnsDocument != own.ReturnsDocument {
				differ = append(differ, e.Code)
				off.add(tally.Diff(e.cells(), own.cells()))
			}
		}
		if len(differ) > 0 {
			wrong += len(differ)
			if err := r.repair.dossiers(ctx, differ); err != nil {
				return wrong, err
			}
		}
		last := got[len(got)-1]
		at.day, at.code = dossier.DateOf(last.ReceivedAt), last.Code
	}
}

// results does the same with the unit's results in force.
func (r *recount) results(ctx context.Context, unit dossier.UnitCode, due, off *cellSum) (wrong int, err error) {
	after := ""
	for {
		var got []*legacy
		if err := query(ctx, r.q, `SELECT `+resultColumns+` FROM result WHERE unit = $1 AND number_key > $2 ORDER BY number_key LIMIT 500`,
			[]any{string(unit), after}, func(rows *sql.Rows) error {
				e, err := scanResult(rows)
				got = append(got, e)
				return err
			}); err != nil || len(got) == 0 {
			return wrong, err
		}
		numbers := make([]string, len(got))
		for i, e := range got {
			numbers[i] = e.key.number
		}
		have, err := digitised(ctx, r.q, unit, numbers)
		if err != nil {
			return wrong, err
		}
		var differ []resultKey
		for _, e := range got {
			own := *e
			e.digitised = have[e.key.number]
			due.add(e.cells())
			if e.digitised != own.digitised {
				differ = append(differ, e.key)
				off.add(tally.Diff(e.cells(), own.cells()))
			}
		}
		if len(differ) > 0 {
			wrong += len(differ)
			if err := r.repair.results(ctx, differ); err != nil {
				return wrong, err
			}
		}
		after = numbers[len(numbers)-1]
	}
}

// countersOf reads a unit's counters as cells.
func countersOf(ctx context.Context, q querier, unit dossier.UnitCode, names map[int]tally.Series) ([]tally.Cell, error) {
	text := `SELECT period`
	order := slices.Sorted(maps.Keys(names))
	for _, s := range order {
		text += fmt.Sprintf(", COALESCE(n%d, 0), COALESCE(d%d, 0)", s, s)
	}
	var period int64
	values := make([]int64, 2*len(order))
	dest := []any{&period}
	for i := range values {
		dest = append(dest, &values[i])
	}
	var out []tally.Cell
	err := query(ctx, q, text+` FROM counter WHERE unit = $1`, []any{string(unit)}, func(r *sql.Rows) error {
		if err := r.Scan(dest...); err != nil {
			return err
		}
		day := period
		for day < 1000000 { // a year or a month
			day *= 100
		}
		for i, s := range order {
			if n, d := values[2*i], values[2*i+1]; n != 0 || d != 0 {
				out = append(out, tally.Cell{Unit: unit, Series: names[s], Day: dossier.Date(day), Numerator: n, Denominator: d})
			}
		}
		return nil
	})
	return out, err
}
