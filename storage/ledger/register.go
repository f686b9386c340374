package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

// What comes back from a batch of the register.
type (
	Outcome = dossier.ImportOutcome
	BadRow  = dossier.BadRow
)

// batch is how many rows go into one transaction.
const batch = 500

var (
	unknownUnit = dossier.Text{
		VI: "Đơn vị không có trong danh mục đơn vị. Hãy nhập danh mục đơn vị trước.",
		EN: "The unit is not in the register of units. Import the units first."}
	unknownProcedure = dossier.Text{
		VI: "Thủ tục không có trong danh mục thủ tục. Hãy nhập danh mục thủ tục trước.",
		EN: "The procedure is not in the register of procedures. Import the procedures first."}
	unknownParent = dossier.Text{
		VI: "Đơn vị cấp trên không có trong danh mục đơn vị.",
		EN: "The parent is not in the register of units."}
	unknownSuccessor = dossier.Text{
		VI: "Đơn vị kế thừa không có trong danh mục đơn vị.",
		EN: "The successor is not in the register of units."}
	implausibleDay = dossier.Text{
		VI: "Ngày không hợp lý. Hãy kiểm tra năm.",
		EN: "The day is not plausible. Check the year."}
	missingKey = dossier.Text{
		VI: "Thiếu giá trị bắt buộc.",
		EN: "A required value is missing."}
)

func badRow(index int, column string, reason dossier.Text) BadRow {
	return BadRow{Index: index, Column: column, Reason: reason}
}

// plausible reports whether the counters can hold the day: four-digit years.
func plausible(d dossier.Date) bool { return d == 0 || d.Year() >= 1800 && d.Year() < 2200 }

// inBatches cuts rows into batches in which no key comes twice, so that of two
// rows for the same thing the later one stands, and adds up the outcomes.
func inBatches[R any, K comparable](rows []R, key func(R) K, do func(first int, rows []R) (Outcome, error)) (Outcome, error) {
	var sum Outcome
	for start := 0; start < len(rows); {
		seen := map[K]bool{}
		end := start
		for end < len(rows) && end-start < batch && !seen[key(rows[end])] {
			seen[key(rows[end])] = true
			end++
		}
		o, err := do(start, rows[start:end])
		if err != nil {
			return sum, err
		}
		sum.New += o.New
		sum.Changed += o.Changed
		sum.Same += o.Same
		for _, b := range o.Bad {
			b.Index += start
			sum.Bad = append(sum.Bad, b)
		}
		start = end
	}
	return sum, nil
}

// ImportUnits enters states of units. A state that overlaps others of the same
// code in time takes their place. A parent or successor may come anywhere in the
// same call, or be in the ledger already. All rows go in, in one transaction.
func (l *Ledger) ImportUnits(ctx context.Context, units []dossier.Unit) (Outcome, error) {
	var out Outcome
	err := l.update(ctx, func(ctx context.Context, t *tx) (err error) {
		out, err = t.importUnits(ctx, units)
		return err
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("import units: %w", err)
	}
	return out, nil
}

func (t *tx) importUnits(ctx context.Context, units []dossier.Unit) (Outcome, error) {
	var out Outcome
	if t.pgx != nil {
		// The tree is small and rarely changes: one importer at a time.
		if _, err := t.Exec(ctx, `LOCK TABLE unit IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return out, err
		}
	}
	have := map[dossier.UnitCode][]dossier.Unit{}
	if err := query(ctx, t, `SELECT code, name, level, parent, valid_from, valid_to, successor FROM unit`, nil, func(r *sql.Rows) error {
		var u dossier.Unit
		err := r.Scan(&u.Code, &u.Name, &u.Level, &u.Parent, &u.ValidFrom, &u.ValidTo, &u.Successor)
		have[u.Code] = append(have[u.Code], u)
		return err
	}); err != nil {
		return out, fmt.Errorf("units: %w", err)
	}
	// A row whose parent is bad is bad too, so look until nothing changes.
	bad := map[int]BadRow{}
	for {
		exist := map[dossier.UnitCode]bool{}
		for c := range have {
			exist[c] = true
		}
		for i, u := range units {
			if _, b := bad[i]; !b {
				exist[u.Code] = true
			}
		}
		n := len(bad)
		for i, u := range units {
			if _, b := bad[i]; b {
				continue
			}
			switch {
			case u.Code == "":
				bad[i] = badRow(i, "code", missingKey)
			case u.Parent != "" && !exist[u.Parent]:
				bad[i] = badRow(i, "parent", unknownParent)
			case u.Successor != "" && !exist[u.Successor]:
				bad[i] = badRow(i, "successor", unknownSuccessor)
			case !plausible(u.ValidFrom):
				bad[i] = badRow(i, "valid_from", implausibleDay)
			case !plausible(u.ValidTo) || u.ValidTo != 0 && u.ValidTo <= u.ValidFrom:
				bad[i] = badRow(i, "valid_to", implausibleDay)
			}
		}
		if len(bad) == n {
			break
		}
	}
	for i, u := range units {
		if b, is := bad[i]; is {
			out.Bad = append(out.Bad, b)
			continue
		}
		u.Name = clean(u.Name)
		if slices.Contains(have[u.Code], u) {
			out.Same++
			continue
		}
		changed := false
		have[u.Code] = slices.DeleteFunc(have[u.Code], func(o dossier.Unit) bool {
			overlap := (o.ValidTo == 0 || u.ValidFrom < o.ValidTo) && (u.ValidTo == 0 || o.ValidFrom < u.ValidTo)
			changed = changed || overlap
			return overlap
		})
		have[u.Code] = append(have[u.Code], u)
		if changed {
			out.Changed++
		} else {
			out.New++
		}
		if _, err := t.Exec(ctx, `DELETE FROM unit WHERE code = $1 AND (valid_to = 0 OR $2 < valid_to) AND ($3 = 0 OR valid_from < $3)`,
			string(u.Code), int64(u.ValidFrom), int64(u.ValidTo)); err != nil {
			return out, fmt.Errorf("unit: %w", err)
		}
		if _, err := t.Exec(ctx, `INSERT INTO unit (code, valid_from, valid_to, name, level, parent, successor) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			string(u.Code), int64(u.ValidFrom), int64(u.ValidTo), u.Name, string(u.Level), string(u.Parent), string(u.Successor)); err != nil {
			return out, fmt.Errorf("unit: %w", err)
		}
	}
	return out, nil
}

// ImportProcedures enters procedures. Where one now returns a document and did
// not before, or the other way round, its dossiers follow before the call
// returns, in transactions of bounded size; should the process die in between,
// importing the same again, or [Ledger.SettleProcedures], goes on.
func (l *Ledger) ImportProcedures(ctx context.Context, procedures []dossier.Procedure) (Outcome, error) {
	out, err := inBatches(procedures, func(p dossier.Procedure) dossier.ProcedureCode { return p.Code },
		func(_ int, rows []dossier.Procedure) (out Outcome, err error) {
			err = l.update(ctx, func(ctx context.Context, t *tx) (err error) {
				out, err = t.importProcedures(ctx, rows)
				return err
			})
			return out, err
		})
	if err == nil {
		err = l.SettleProcedures(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("import procedures: %w", err)
	}
	return out, nil
}

func (t *tx) importProcedures(ctx context.Context, procedures []dossier.Procedure) (Outcome, error) {
	var out Outcome
	var codes []dossier.ProcedureCode
	for _, p := range procedures {
		codes = append(codes, p.Code)
	}
	// The national rows, too: who reads a procedure under its national code keeps
	// that one, and with it its local forms, of which there may be none yet.
	have, err := t.procedures(ctx, withNational(codes), t.forUpdate())
	if err != nil {
		return out, err
	}
	var rows [][]any
	for i, p := range procedures {
		p.Name = clean(p.Name)
		old, known := have[p.Code]
		unsettled := known && old.ReturnsDocument != p.ReturnsDocument
		switch {
		case p.Code == "":
			out.Bad = append(out.Bad, badRow(i, "code", missingKey))
			continue
		case known && old == p:
			out.Same++
			continue
		case known:
			out.Changed++
		default:
			out.New++
			// Dossiers may have been read under the national code until now.
			unsettled = p.Code != p.Code.National()
		}
		rows = append(rows, []any{string(p.Code), p.Name, bit(p.ReturnsDocument), bit(unsettled)})
	}
	slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[0].(string), b[0].(string)) })
	_, err = t.bulk(ctx, `INSERT INTO procedure (code, name, returns_document, unsettled)`,
		`ON CONFLICT (code) DO UPDATE SET name = excluded.name, returns_document = excluded.returns_document,
			unsettled = CASE excluded.unsettled WHEN 0 THEN procedure.unsettled ELSE abs(procedure.unsettled) % 32767 + 1 END`, rows)
	if err != nil {
		return out, fmt.Errorf("procedures: %w", err)
	}
	return out, nil
}

// withNational are the codes and their national ones, in the order in which
// everybody locks them.
func withNational(codes []dossier.ProcedureCode) []dossier.ProcedureCode {
	var all []dossier.ProcedureCode
	for _, c := range codes {
		all = append(all, c, c.National())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// procedures reads those of the codes that are registered, with what lock says.
func (t *tx) procedures(ctx context.Context, codes []dossier.ProcedureCode, lock string) (map[dossier.ProcedureCode]dossier.Procedure, error) {
	text, args := in("code", 1, codes)
	have := map[dossier.ProcedureCode]dossier.Procedure{}
	if err := query(ctx, t, `SELECT code, name, returns_document FROM procedure WHERE `+text+` ORDER BY code`+lock, args, func(r *sql.Rows) error {
		var p dossier.Procedure
		var returns int64
		err := r.Scan(&p.Code, &p.Name, &returns)
		p.ReturnsDocument = returns != 0
		have[p.Code] = p
		return err
	}); err != nil {
		return nil, fmt.Errorf("procedures: %w", err)
	}
	return have, nil
}

// resolveProcedures finds the procedures of those codes: a local form that is
// not registered falls back to its national code. What is found stays true until
// the transaction ends.
func (t *tx) resolveProcedures(ctx context.Context, codes []dossier.ProcedureCode) (map[dossier.ProcedureCode]dossier.Procedure, error) {
	have, err := t.procedures(ctx, withNational(codes), t.forShare())
	if err != nil {
		return nil, err
	}
	out := map[dossier.ProcedureCode]dossier.Procedure{}
	var national []dossier.ProcedureCode
	for _, c := range codes {
		if p, ok := have[c]; ok {
			out[c] = p
		} else if p, ok := have[c.National()]; ok {
			out[c] = p
			national = append(national, c)
		}
	}
	if len(national) > 0 && t.pgx != nil {
		// While the lock on the national row was waited for, the local form may have
		// been entered; from now on nobody can.
		late, err := t.procedures(ctx, national, "")
		if err != nil {
			return nil, err
		}
		maps.Copy(out, late)
	}
	return out, nil
}

// SettleProcedures lets the dossiers of procedures that have changed follow
// them. Work calls it when it starts.
//
// A procedure's column unsettled is the number of its last change, negative once
// all dossiers have followed. A number does not come again: several may walk at
// once, and one that saw an earlier change must not call a later one followed.
func (l *Ledger) SettleProcedures(ctx context.Context) error {
	open := map[dossier.ProcedureCode]int64{}
	if err := query(ctx, l.read, `SELECT code, unsettled FROM procedure WHERE unsettled > 0`, nil, func(r *sql.Rows) error {
		var c dossier.ProcedureCode
		var n int64
		err := r.Scan(&c, &n)
		open[c] = n
		return err
	}); err != nil || len(open) == 0 {
		return err
	}
	national := map[dossier.ProcedureCode]bool{}
	for c := range open {
		national[c.National()] = true
	}
	// One walk over all dossiers serves them all; it is rare, and needs no index.
	after := dossier.Code("")
	for {
		var codes []dossier.Code
		if err := query(ctx, l.read, `SELECT code, procedure FROM dossier WHERE code > $1 ORDER BY code LIMIT 10000`, []any{string(after)}, func(r *sql.Rows) error {
			var p dossier.ProcedureCode
			err := r.Scan(&after, &p)
			if p != "" && national[p.National()] {
				codes = append(codes, after)
			}
			return err
		}); err != nil {
			return fmt.Errorf("dossiers of changed procedures: %w", err)
		}
		last := after
		for chunk := range slices.Chunk(codes, batch) {
			if err := l.update(ctx, func(ctx context.Context, t *tx) error { return t.followProcedures(ctx, chunk) }); err != nil {
				return fmt.Errorf("dossiers of changed procedures: %w", err)
			}
		}
		var more bool
		if err := l.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM dossier WHERE code > $1)`, string(last)).Scan(&more); err != nil {
			return fmt.Errorf("dossiers of changed procedures: %w", err)
		}
		if !more {
			break
		}
	}
	// What changed again in the meantime stays open: some dossiers may have been
	// passed before it did.
	return l.update(ctx, func(ctx context.Context, t *tx) error {
		for _, c := range slices.Sorted(maps.Keys(open)) { // in the order in which everybody locks them
			if _, err := t.Exec(ctx, `UPDATE procedure SET unsettled = -unsettled WHERE code = $1 AND unsettled = $2`, string(c), open[c]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) followProcedures(ctx context.Context, codes []dossier.Code) error {
	var procedures []dossier.ProcedureCode
	text, args := in("code", 1, codes)
	if err := query(ctx, t, `SELECT DISTINCT procedure FROM dossier WHERE `+text, args, func(r *sql.Rows) error {
		var p dossier.ProcedureCode
		err := r.Scan(&p)
		procedures = append(procedures, p)
		return err
	}); err != nil {
		return err
	}
	resolved, err := t.resolveProcedures(ctx, procedures)
	if err != nil {
		return err
	}
	held, err := t.lockDossiers(ctx, codes)
	if err != nil {
		return err
	}
	var before, after []tally.Cell
	for _, c := range codes {
		e := held[c]
		p, ok := resolved[e.Procedure]
		if !ok || p.ReturnsDocument == e.ReturnsDocument {
			continue
		}
		before = append(before, e.cells()...)
		e.ReturnsDocument = p.ReturnsDocument
		after = append(after, e.cells()...)
		if _, err := t.Exec(ctx, `UPDATE dossier SET returns_document = $1 WHERE code = $2`, bit(e.ReturnsDocument), string(c)); err != nil {
			return err
		}
	}
	return t.add(ctx, tally.Diff(before, after))
}

// ImportDossiers enters what the register states of dossiers, 500 to a
// transaction, and the tallies follow. The documents of a dossier that the
// register names for the first time begin to count.
func (l *Ledger) ImportDossiers(ctx context.Context, rows []dossier.Registered) (Outcome, error) {
	out, err := inBatches(rows, func(r dossier.Registered) dossier.Code { return r.Code },
		func(_ int, rows []dossier.Registered) (out Outcome, err error) {
			err = l.update(ctx, func(ctx context.Context, t *tx) (err error) {
				out, err = t.importDossiers(ctx, rows)
				return err
			})
			return out, err
		})
	if err != nil {
		return out, fmt.Errorf("import dossiers: %w", err)
	}
	return out, nil
}

func (t *tx) importDossiers(ctx context.Context, rows []dossier.Registered) (Outcome, error) {
	var out Outcome
	units := make([]dossier.UnitCode, 0, len(rows))
	procedures := make([]dossier.ProcedureCode, 0, len(rows))
	for _, r := range rows {
		units = append(units, r.Unit)
		procedures = append(procedures, r.Procedure)
	}
	slices.Sort(units)
	slices.Sort(procedures)
	known, err := knownUnits(ctx, t, slices.Compact(units))
	if err != nil {
		return out, err
	}
	resolved, err := t.resolveProcedures(ctx, slices.Compact(procedures))
	if err != nil {
		return out, err
	}
	type item struct {
		dossier.Registered
		returns bool
	}
	var good []item
	for i, r := range rows {
		p, ok := resolved[r.Procedure]
		switch {
		case r.Code == "":
			out.Bad = append(out.Bad, badRow(i, "code", missingKey))
		case !known[r.Unit]:
			out.Bad = append(out.Bad, badRow(i, "unit", unknownUnit))
		case !ok:
			out.Bad = append(out.Bad, badRow(i, "procedure", unknownProcedure))
		case !plausible(dossier.DateOf(r.ReceivedAt)):
			out.Bad = append(out.Bad, badRow(i, "received_at", implausibleDay))
		case !plausible(dossier.DateOf(r.ResolvedAt)):
			out.Bad = append(out.Bad, badRow(i, "resolved_at", implausibleDay))
		default:
			r.ReceivedAt, r.ResolvedAt = rounded(r.ReceivedAt), rounded(r.ResolvedAt)
			r.SyncedAt, r.PersonalStoreAt = rounded(r.SyncedAt), rounded(r.PersonalStoreAt)
			good = append(good, item{r, p.ReturnsDocument})
		}
	}
	slices.SortFunc(good, func(a, b item) int { return cmp.Compare(a.Code, b.Code) })
	codes := make([]dossier.Code, len(good))
	for i, g := range good {
		codes[i] = g.Code
	}
	held, err := t.lockDossiers(ctx, codes)
	if err != nil {
		return out, err
	}
	// What is not there yet goes in whole. Somebody may have been faster: then it
	// is there now and is locked like the others.
	var fresh [][]any
	var entered []*entry
	for _, g := range good {
		if held[g.Code] == nil {
			e := &entry{Dossier: dossier.Dossier{Registered: g.Registered, ReturnsDocument: g.returns}, known: true}
			entered = append(entered, e)
			fresh = append(fresh, dossierRow(e))
		}
	}
	n, err := t.bulk(ctx, insertDossier, `ON CONFLICT (code) DO NOTHING`, fresh)
	if err != nil {
		return out, fmt.Errorf("enter dossiers: %w", err)
	}
	if int(n) < len(fresh) {
		return out, errRaced
	}
	var before, after []tally.Cell
	for _, e := range entered {
		after = append(after, e.cells()...)
	}
	out.New += len(entered)
	var changed [][]any
	for _, g := range good {
		e := held[g.Code]
		if e == nil {
			continue
		}
		if e.known && e.Registered == g.Registered && e.ReturnsDocument == g.returns {
			out.Same++
			continue
		}
		if e.known {
			out.Changed++
		} else {
			out.New++
		}
		before = append(before, e.cells()...)
		e.Registered, e.ReturnsDocument, e.known = g.Registered, g.returns, true
		after = append(after, e.cells()...)
		changed = append(changed, dossierRow(e))
	}
	if _, err := t.bulk(ctx, insertDossier, updateRegistered, changed); err != nil {
		return out, fmt.Errorf("change dossiers: %w", err)
	}
	return out, t.add(ctx, tally.Diff(before, after))
}

// rounded is an instant as the database gives it back.
func rounded(t time.Time) time.Time { return instant(micros(t)) }

// ImportResults enters results in force, by number and unit, 500 to a
// transaction, and the plan's tallies follow.
func (l *Ledger) ImportResults(ctx context.Context, rows []dossier.Result) (Outcome, error) {
	out, err := inBatches(rows, func(r dossier.Result) resultKey { return resultKey{r.Unit, fold(r.Number)} },
		func(_ int, rows []dossier.Result) (out Outcome, err error) {
			err = l.update(ctx, func(ctx context.Context, t *tx) (err error) {
				out, err = t.importResults(ctx, rows)
				return err
			})
			return out, err
		})
	if err != nil {
		return out, fmt.Errorf("import results: %w", err)
	}
	return out, nil
}

func (t *tx) importResults(ctx context.Context, rows []dossier.Result) (Outcome, error) {
	var out Outcome
	units := make([]dossier.UnitCode, 0, len(rows))
	for _, r := range rows {
		units = append(units, r.Unit)
	}
	slices.Sort(units)
	known, err := knownUnits(ctx, t, slices.Compact(units))
	if err != nil {
		return out, err
	}
	var good []dossier.Result
	var keys []resultKey
	for i, r := range rows {
		key := resultKey{r.Unit, fold(r.Number)}
		r.Number, r.Name = clean(r.Number), clean(r.Name)
		switch {
		case key.number == "":
			out.Bad = append(out.Bad, badRow(i, "number", missingKey))
		case !known[r.Unit]:
			out.Bad = append(out.Bad, badRow(i, "unit", unknownUnit))
		case !plausible(r.IssuedOn):
			out.Bad = append(out.Bad, badRow(i, "issued_on", implausibleDay))
		case !plausible(r.ValidFrom):
			out.Bad = append(out.Bad, badRow(i, "valid_from", implausibleDay))
		case !plausible(r.ValidTo):
			out.Bad = append(out.Bad, badRow(i, "valid_to", implausibleDay))
		default:
			good, keys = append(good, r), append(keys, key)
		}
	}
	if len(good) == 0 {
		return out, nil
	}
	held, err := t.holdResults(ctx, keys)
	if err != nil {
		return out, err
	}
	var before, after []tally.Cell
	var changed [][]any
	for i, r := range good {
		e := held[keys[i]]
		switch {
		case e.known && e.Result == r:
			out.Same++
			continue
		case e.known:
			out.Changed++
		default:
			out.New++
		}
		before = append(before, e.cells()...)
		e.Result, e.known = r, true
		after = append(after, e.cells()...)
		changed = append(changed, resultRow(e))
	}
	slices.SortFunc(changed, func(a, b []any) int {
		return cmp.Or(cmp.Compare(a[0].(string), b[0].(string)), cmp.Compare(a[1].(string), b[1].(string)))
	})
	if _, err := t.bulk(ctx, insertResult, `ON CONFLICT (unit, number_key) DO UPDATE SET known = 1, number = excluded.number,
		authority_level = excluded.authority_level, issued_on = excluded.issued_on, valid_from = excluded.valid_from,
		valid_to = excluded.valid_to, revoked = excluded.revoked, name = excluded.name`, changed); err != nil {
		return out, fmt.Errorf("enter results: %w", err)
	}
	return out, t.add(ctx, tally.Diff(before, after))
}
