package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"sohoa/dossier"
	"sohoa/tally"
)

// Recount computes every cell anew, from the register's rows and the documents
// in force, and reports where the counters differ: the cell reported is what the
// counters have minus what they should have. Days, months (Day 20240800) and
// years (Day 20240000) are compared each. It reads one state of the database
// and changes nothing.
func (l *Ledger) Recount(ctx context.Context, report func(diff tally.Cell)) error {
	err := l.snapshot(ctx, func(ctx context.Context, q querier) error {
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
		for _, u := range units {
			cells, err := recountUnit(ctx, q, u, procedures)
			if err != nil {
				return err
			}
			have, err := countersOf(ctx, q, u, names)
			if err != nil {
				return err
			}
			for _, c := range tally.Diff(withRollUps(cells), have) {
				report(c)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recount: %w", err)
	}
	return nil
}

// Refill computes every counter anew and writes it, a unit a transaction, during
// which nobody else writes. Migrate calls it when this program counts something
// that the one before it did not; and it is how counters are mended that a
// recount found wrong.
func (l *Ledger) Refill(ctx context.Context) error {
	units, err := countingUnits(ctx, l.read)
	if err != nil {
		return fmt.Errorf("refill the counters: %w", err)
	}
	for _, u := range units {
		err := l.update(ctx, func(ctx context.Context, t *tx) error {
			if t.pgx != nil {
				if _, err := t.Exec(ctx, `LOCK TABLE procedure, dossier, result, document IN SHARE MODE`); err != nil {
					return err
				}
			}
			procedures, err := allProcedures(ctx, t)
			if err != nil {
				return err
			}
			cells, err := recountUnit(ctx, t, u, procedures)
			if err != nil {
				return err
			}
			if _, err := t.Exec(ctx, `DELETE FROM counter WHERE unit = $1`, string(u)); err != nil {
				return err
			}
			return t.add(ctx, cells)
		})
		if err != nil {
			return fmt.Errorf("refill the counters: %w", err)
		}
	}
	return nil
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
	if v, ok := t.returns[e.Procedure]; ok {
		return v
	}
	return t.returns[e.Procedure.National()]
}

// countingUnits lists every unit that has a dossier, a result or a counter.
func countingUnits(ctx context.Context, q querier) ([]dossier.UnitCode, error) {
	var out []dossier.UnitCode
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

// recountUnit computes the cells of a unit's days from its dossiers, results and
// their documents.
func recountUnit(ctx context.Context, q querier, unit dossier.UnitCode, procedures truth) ([]tally.Cell, error) {
	var cells []tally.Cell
	compact := 1 << 16
	take := func(more []tally.Cell) {
		if cells = append(cells, more...); len(cells) > compact {
			cells = tally.Sum(cells)
			compact = max(compact, 2*len(cells))
		}
	}
	at := listPlace{unit: unit, day: -1}
	for {
		var got []*entry
		if err := query(ctx, q, `SELECT `+dossierColumns+` FROM dossier WHERE unit = $1 AND (received_day, code) > ($2, $3)
			ORDER BY received_day, code LIMIT 500`, []any{string(unit), int64(at.day), string(at.code)}, func(r *sql.Rows) error {
			e, err := scanDossier(r)
			got = append(got, e)
			return err
		}); err != nil {
			return nil, err
		}
		if len(got) == 0 {
			break
		}
		codes := make([]dossier.Code, len(got))
		for i, e := range got {
			codes[i] = e.Code
		}
		f, err := facts(ctx, q, codes)
		if err != nil {
			return nil, err
		}
		for _, e := range got {
			e.Facts, e.ReturnsDocument = f[e.Code], procedures.of(e)
			take(e.cells())
		}
		last := got[len(got)-1]
		at.day, at.code = dossier.DateOf(last.ReceivedAt), last.Code
	}
	digitised := map[string]bool{}
	if err := query(ctx, q, `SELECT DISTINCT number_key FROM document WHERE unit = $1 AND number_key <> '' AND counts = 1`, []any{string(unit)}, func(r *sql.Rows) error {
		var k string
		err := r.Scan(&k)
		digitised[k] = true
		return err
	}); err != nil {
		return nil, err
	}
	if err := query(ctx, q, `SELECT `+resultColumns+` FROM result WHERE unit = $1`, []any{string(unit)}, func(r *sql.Rows) error {
		e, err := scanResult(r)
		if err == nil {
			e.digitised = digitised[e.key.number]
			take(e.cells())
		}
		return err
	}); err != nil {
		return nil, err
	}
	return tally.Sum(cells), nil
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
