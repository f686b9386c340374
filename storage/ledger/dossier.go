package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sohoa/dossier"
	"sohoa/tally"
)

// entry is a dossier as the ledger has it; one that is not known counts for
// nothing, whatever documents it has.
type entry struct {
	dossier.Dossier
	known bool
}

// cells is what the dossier counts for.
func (e *entry) cells() []tally.Cell {
	if e == nil || !e.known {
		return nil
	}
	return tally.Contribution(e.Dossier)
}

const dossierColumns = `code, known, unit, procedure, channel, status, received_at, resolved_at, synced_at, personal_at,
	returns_document, components, reused, personal, results, legal_results`

// scanDossier reads into plain types: for others, database/sql writes every
// number as text and reads it again.
func scanDossier(r interface{ Scan(...any) error }) (*entry, error) {
	var code, unit, procedure, status string
	var known, channel, received, resolved, synced, personal, returns int64
	var components, reused, personalStore, results, legal int64
	err := r.Scan(&code, &known, &unit, &procedure, &channel, &status, &received, &resolved, &synced, &personal,
		&returns, &components, &reused, &personalStore, &results, &legal)
	return &entry{known: known != 0, Dossier: dossier.Dossier{
		Registered: dossier.Registered{Code: dossier.Code(code), Unit: dossier.UnitCode(unit), Procedure: dossier.ProcedureCode(procedure),
			Channel: dossier.Channel(channel), Status: dossier.Status(status), ReceivedAt: instant(received), ResolvedAt: instant(resolved),
			SyncedAt: instant(synced), PersonalStoreAt: instant(personal)},
		ReturnsDocument: returns != 0,
		Facts: dossier.Facts{Components: int(components), Reused: int(reused), PersonalStore: int(personalStore),
			Results: int(results), LegalResults: int(legal)}}}, err
}

// lockDossiers returns the dossiers of those codes, locked in the order of their
// codes; missing ones are not in the map.
func (t *tx) lockDossiers(ctx context.Context, codes []dossier.Code) (map[dossier.Code]*entry, error) {
	text, args := in("code", 1, codes)
	out := make(map[dossier.Code]*entry, len(codes))
	err := query(ctx, t, `SELECT `+dossierColumns+` FROM dossier WHERE `+text+` ORDER BY code`+t.forUpdate(), args, func(r *sql.Rows) error {
		e, err := scanDossier(r)
		out[e.Code] = e
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lock dossiers: %w", err)
	}
	return out, nil
}

// holdDossiers locks the dossiers, entering as unknown those that are missing,
// so that there is something to lock.
func (t *tx) holdDossiers(ctx context.Context, codes []dossier.Code) (map[dossier.Code]*entry, error) {
	codes = slices.Compact(slices.Sorted(slices.Values(codes)))
	if len(codes) == 1 {
		// Nearly always the register has it. Of several, entering the unknown ones
		// must come first: locks are taken in one order by everybody.
		if held, err := t.lockDossiers(ctx, codes); err != nil || len(held) == 1 {
			return held, err
		}
	}
	var rows [][]any
	for _, c := range codes {
		rows = append(rows, dossierRow(&entry{Dossier: dossier.Dossier{Registered: dossier.Registered{Code: c}}}))
	}
	if _, err := t.bulk(ctx, insertDossier, `ON CONFLICT (code) DO NOTHING`, rows); err != nil {
		return nil, fmt.Errorf("enter unknown dossiers: %w", err)
	}
	return t.lockDossiers(ctx, codes)
}

const insertDossier = `INSERT INTO dossier (` + dossierColumns + `, received_day, resolved_day)`

// updateRegistered follows insertDossier to write what the register states,
// leaving alone what the documents state.
const updateRegistered = `ON CONFLICT (code) DO UPDATE SET known = excluded.known, unit = excluded.unit, procedure = excluded.procedure,
	channel = excluded.channel, status = excluded.status, received_at = excluded.received_at, resolved_at = excluded.resolved_at,
	synced_at = excluded.synced_at, personal_at = excluded.personal_at, returns_document = excluded.returns_document,
	received_day = excluded.received_day, resolved_day = excluded.resolved_day`

func dossierRow(e *entry) []any {
	return []any{string(e.Code), bit(e.known), string(e.Unit), string(e.Procedure), int64(e.Channel), string(e.Status),
		micros(e.ReceivedAt), micros(e.ResolvedAt), micros(e.SyncedAt), micros(e.PersonalStoreAt), bit(e.ReturnsDocument),
		int64(e.Components), int64(e.Reused), int64(e.PersonalStore), int64(e.Results), int64(e.LegalResults),
		int64(dossier.DateOf(e.ReceivedAt)), int64(dossier.DateOf(e.ResolvedAt))}
}

// facts computes what the documents in force state for the dossiers.
func facts(ctx context.Context, q querier, codes []dossier.Code) (map[dossier.Code]dossier.Facts, error) {
	text, args := in("dossier", 1, codes)
	out := make(map[dossier.Code]dossier.Facts, len(codes))
	err := query(ctx, q, `SELECT dossier, kind, COUNT(*), SUM(CASE WHEN reuses <> '' THEN 1 ELSE 0 END), SUM(personal), SUM(legal)
		FROM document WHERE `+text+` AND dossier <> '' AND counts = 1 GROUP BY dossier, kind`, args, func(r *sql.Rows) error {
		var code dossier.Code
		var kind dossier.Kind
		var n, reused, personal, legal int
		if err := r.Scan(&code, &kind, &n, &reused, &personal, &legal); err != nil {
			return err
		}
		f := out[code]
		switch kind {
		case dossier.Component:
			f.Components, f.Reused, f.PersonalStore = n, reused, personal
		case dossier.ResultKind:
			f.Results, f.LegalResults = n, legal
		}
		out[code] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("facts of dossiers: %w", err)
	}
	return out, nil
}

// refresh brings the dossiers' facts up to their documents and returns what they
// counted for before and after. The dossiers are locked, and not read again.
func (t *tx) refresh(ctx context.Context, held map[dossier.Code]*entry) (before, after []tally.Cell, err error) {
	codes := make([]dossier.Code, 0, len(held))
	for c := range held {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	now, err := facts(ctx, t, codes)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range codes {
		b, a, err := t.state(ctx, held[c], now[c])
		if err != nil {
			return nil, nil, err
		}
		before, after = append(before, b...), append(after, a...)
	}
	return before, after, nil
}

// state enters what its documents state of a dossier that is locked, and returns
// what it counted for before and after.
func (t *tx) state(ctx context.Context, e *entry, now dossier.Facts) (before, after []tally.Cell, err error) {
	if e.Facts == now {
		return nil, nil, nil
	}
	before = e.cells()
	e.Facts = now
	if err := t.later(ctx, `UPDATE dossier SET components = $1, reused = $2, personal = $3, results = $4, legal_results = $5 WHERE code = $6`,
		e.Components, e.Reused, e.PersonalStore, e.Results, e.LegalResults, string(e.Code)); err != nil {
		return nil, nil, fmt.Errorf("facts of a dossier: %w", err)
	}
	return before, e.cells(), nil
}

// Dossier returns the dossier and whether the register knows it. One that
// nobody ever named is not known and empty but for its code.
func (l *Ledger) Dossier(ctx context.Context, code dossier.Code) (d dossier.Dossier, known bool, err error) {
	e, err := scanDossier(l.read.QueryRowContext(ctx, `SELECT `+dossierColumns+` FROM dossier WHERE code = $1`, string(code)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return dossier.Dossier{Registered: dossier.Registered{Code: code}}, false, nil
	case err != nil:
		return dossier.Dossier{}, false, fmt.Errorf("dossier: %w", err)
	}
	return e.Dossier, e.known, nil
}

// KnownUnit reports whether the register of units has, or ever had, the unit.
func (l *Ledger) KnownUnit(ctx context.Context, unit dossier.UnitCode) (bool, error) {
	known, err := knownUnits(ctx, l.read, []dossier.UnitCode{unit})
	return known[unit], err
}

func knownUnits(ctx context.Context, q querier, units []dossier.UnitCode) (map[dossier.UnitCode]bool, error) {
	text, args := in("code", 1, units)
	out := make(map[dossier.UnitCode]bool, len(units))
	err := query(ctx, q, `SELECT DISTINCT code FROM unit WHERE `+text, args, func(r *sql.Rows) error {
		var u dossier.UnitCode
		err := r.Scan(&u)
		out[u] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("known units: %w", err)
	}
	return out, nil
}

// ResolveUnit answers whose dossier this is: the register's unit where the
// register knows the dossier, else the first unit its code may mean that is in
// the register of units; dossier.ErrUnknownUnit where none is.
func (l *Ledger) ResolveUnit(ctx context.Context, code dossier.Code) (dossier.UnitCode, error) {
	unit, _, err := l.Resolve(ctx, code)
	return unit, err
}

// Resolve answers whose dossier this is, as ResolveUnit does, and its procedure
// where the register knows the dossier.
func (l *Ledger) Resolve(ctx context.Context, code dossier.Code) (dossier.UnitCode, dossier.ProcedureCode, error) {
	d, known, err := l.Dossier(ctx, code)
	if err != nil {
		return "", "", err
	}
	if known {
		return d.Unit, d.Procedure, nil
	}
	may := code.Units()
	exist, err := knownUnits(ctx, l.read, may)
	if err != nil {
		return "", "", err
	}
	for _, u := range may {
		if exist[u] {
			return u, "", nil
		}
	}
	return "", "", dossier.ErrUnknownUnit
}

// resultKey names a result in force.
type resultKey struct {
	unit   dossier.UnitCode
	number string // folded
}

func compareResultKeys(a, b resultKey) int {
	return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.number, b.number))
}

// legacy is a result in force as the ledger has it.
type legacy struct {
	dossier.Result
	key       resultKey
	known     bool
	digitised bool
}

func (e *legacy) cells() []tally.Cell {
	if e == nil || !e.known {
		return nil
	}
	return tally.Plan(e.Result, e.digitised)
}

const resultColumns = `unit, number_key, known, number, authority_level, issued_on, valid_from, valid_to, revoked, name, digitised`

const insertResult = `INSERT INTO result (` + resultColumns + `)`

func resultRow(e *legacy) []any {
	return []any{string(e.key.unit), e.key.number, bit(e.known), e.Number, string(e.AuthorityLevel), int64(e.IssuedOn),
		int64(e.ValidFrom), int64(e.ValidTo), bit(e.Revoked), e.Name, bit(e.digitised)}
}

func scanResult(r interface{ Scan(...any) error }) (*legacy, error) {
	var e legacy
	var known, revoked, digitised int64
	err := r.Scan(&e.key.unit, &e.key.number, &known, &e.Number, &e.AuthorityLevel, &e.IssuedOn, &e.ValidFrom, &e.ValidTo, &revoked, &e.Name, &digitised)
	e.Unit, e.known, e.Revoked, e.digitised = e.key.unit, known != 0, revoked != 0, digitised != 0
	return &e, err
}

// holdResults locks the results, entering as unknown those that are missing.
func (t *tx) holdResults(ctx context.Context, keys []resultKey) (map[resultKey]*legacy, error) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareResultKeys)
	keys = slices.Compact(keys)
	var rows [][]any
	for _, k := range keys {
		rows = append(rows, resultRow(&legacy{key: k, Result: dossier.Result{Unit: k.unit}}))
	}
	if _, err := t.bulk(ctx, insertResult, `ON CONFLICT (unit, number_key) DO NOTHING`, rows); err != nil {
		return nil, fmt.Errorf("enter unknown results: %w", err)
	}
	// By numbers alone, a few rows too many may come back: they are dropped, and
	// locked in the same order by everybody.
	numbers := make([]string, len(keys))
	units := make([]dossier.UnitCode, len(keys))
	for i, k := range keys {
		numbers[i], units[i] = k.number, k.unit
	}
	u, args := in("unit", 1, slices.Compact(units))
	n, more := in("number_key", len(args)+1, numbers)
	out := make(map[resultKey]*legacy, len(keys))
	err := query(ctx, t, `SELECT `+resultColumns+` FROM result WHERE `+u+` AND `+n+` ORDER BY unit, number_key`+t.forUpdate(), append(args, more...),
		func(r *sql.Rows) error {
			e, err := scanResult(r)
			if slices.Contains(keys, e.key) {
				out[e.key] = e
			}
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("lock results: %w", err)
	}
	return out, nil
}

// digitised tells which of a unit's results in force have a document in force.
func digitised(ctx context.Context, q querier, unit dossier.UnitCode, numbers []string) (map[string]bool, error) {
	text, args := in("number_key", 2, numbers)
	out := map[string]bool{}
	err := query(ctx, q, `SELECT DISTINCT number_key FROM document WHERE unit = $1 AND `+text+` AND number_key <> '' AND counts = 1`,
		append([]any{string(unit)}, args...), func(r *sql.Rows) error {
			var number string
			err := r.Scan(&number)
			out[number] = true
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("documents of results: %w", err)
	}
	return out, nil
}

// refreshResult brings a locked result up to its documents.
func (t *tx) refreshResult(ctx context.Context, e *legacy) (before, after []tally.Cell, err error) {
	have, err := digitised(ctx, t, e.key.unit, []string{e.key.number})
	if err != nil {
		return nil, nil, err
	}
	now := have[e.key.number]
	if e.digitised == now {
		return nil, nil, nil
	}
	before = e.cells()
	e.digitised = now
	after = e.cells()
	if _, err := t.Exec(ctx, `UPDATE result SET digitised = $1 WHERE unit = $2 AND number_key = $3`, bit(e.digitised), string(e.key.unit), e.key.number); err != nil {
		return nil, nil, fmt.Errorf("digitised result: %w", err)
	}
	return before, after, nil
}
