package tally

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sohoa/dossier"
)

// SnapshotSchema is the version of a closed period's form.
const SnapshotSchema = 1

// Snapshot is a closed period: the sums of every series and unit as they were
// when it was closed, with the register of units and the targets of that day. It
// is a Source, so that every report of that period can be made again exactly as
// it was, in any formula version and any structure.
type Snapshot struct {
	Schema   int              `json:"schema"`
	Unit     dossier.UnitCode `json:"unit,omitempty"` // whose subtree it holds; empty: all
	From     dossier.Date     `json:"from"`
	To       dossier.Date     `json:"to"` // does not belong to the period
	AsOf     dossier.Date     `json:"structure_as_of"`
	CutOff   dossier.Date     `json:"cut_off"`
	ClosedAt time.Time        `json:"closed_at"`
	Units    []SnapshotUnit   `json:"units"`
	Targets  []Target         `json:"targets"`
	Sums     []SnapshotSum    `json:"sums"` // sorted by unit and series
	Plan     []SnapshotSum    `json:"plan"` // results in force at the end of the period
	// Dossiers are those behind the sums, where they were kept too (AddDossiers).
	Dossiers []Footprint `json:"dossiers,omitempty"`
}

// SnapshotUnit is a row of the register of units.
type SnapshotUnit struct {
	Code      dossier.UnitCode `json:"code"`
	Name      string           `json:"name"`
	Level     dossier.Level    `json:"level"`
	Parent    dossier.UnitCode `json:"parent,omitempty"`
	ValidFrom dossier.Date     `json:"valid_from,omitzero"`
	ValidTo   dossier.Date     `json:"valid_to,omitzero"`
	Successor dossier.UnitCode `json:"successor,omitempty"`
}

// SnapshotSum is one unit's own figure, without the units below it.
type SnapshotSum struct {
	Unit        dossier.UnitCode `json:"unit"`
	Series      Series           `json:"series"`
	Numerator   int64            `json:"numerator"`
	Denominator int64            `json:"denominator"`
}

// Close takes the snapshot of the query's period and unit. at is when it is
// closed; the content follows from the figures and at, so closing twice at the
// same instant gives the same bytes.
func Close(ctx context.Context, src Source, q Query, targets Targets, at time.Time) (Snapshot, error) {
	q, _, err := q.check()
	if err != nil {
		return Snapshot{}, err
	}
	if q.Period.From == 0 || q.Period.To == 0 {
		return Snapshot{}, fmt.Errorf("%w: only a period with both bounds can be closed", ErrQuery)
	}
	units, err := src.Units(ctx)
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading the units: %w", err)
	}
	s, err := StructureAsOf(units, q.AsOf)
	if err != nil {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	if q.Unit != "" && s.Holder(q.Unit) == "" {
		return Snapshot{}, dossier.ErrUnknownUnit
	}
	snap := Snapshot{Schema: SnapshotSchema, Unit: q.Unit, From: q.Period.From, To: q.Period.To, AsOf: q.AsOf, CutOff: q.CutOff,
		ClosedAt: at.In(dossier.Zone).Round(0), Targets: slices.Clone([]Target(targets))}
	for _, u := range units {
		snap.Units = append(snap.Units, SnapshotUnit(u))
	}
	slices.SortFunc(snap.Units, func(a, b SnapshotUnit) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.ValidFrom, b.ValidFrom), cmp.Compare(a.ValidTo, b.ValidTo), cmp.Compare(a.Name, b.Name))
	})
	var dossiers, plans []Series
	for _, x := range AllSeries() {
		if isPlan(x) {
			plans = append(plans, x)
		} else {
			dossiers = append(dossiers, x)
		}
	}
	ask := newGather(s, q.Unit).ask
	if snap.Sums, err = sums(ctx, src, ask, dossiers, q.Period); err != nil {
		return Snapshot{}, err
	}
	if snap.Plan, err = sums(ctx, src, ask, plans, dossier.Period{To: q.Period.To}); err != nil {
		return Snapshot{}, err
	}
	return snap, nil
}

func isPlan(s Series) bool { return len(s) > 5 && s[:5] == "plan." }

func sums(ctx context.Context, src Source, units []dossier.UnitCode, series []Series, p dossier.Period) ([]SnapshotSum, error) {
	cells, err := src.Sums(ctx, units, series, p)
	if err != nil {
		return nil, fmt.Errorf("reading the sums: %w", err)
	}
	out := []SnapshotSum{}
	for _, c := range Sum(cells) {
		out = append(out, SnapshotSum{c.Unit, c.Series, c.Numerator, c.Denominator})
	}
	return out, nil
}

// Of narrows a snapshot to a unit with all that belonged to it in the structure
// of the closing, so that one closing of the province serves every unit of it. A
// unit beyond what was closed is dossier.ErrUnknownUnit.
func (s Snapshot) Of(unit dossier.UnitCode) (Snapshot, error) {
	if unit == s.Unit {
		return s, nil
	}
	register, err := snapshotSource{s}.Units(context.Background())
	if err != nil {
		return Snapshot{}, err
	}
	st, err := StructureAsOf(register, s.AsOf)
	if err != nil {
		return Snapshot{}, err
	}
	closed, units := st.Subtree(s.Unit), st.Subtree(unit)
	if len(units) == 0 || slices.ContainsFunc(units, func(u dossier.UnitCode) bool { return !slices.Contains(closed, u) }) {
		return Snapshot{}, dossier.ErrUnknownUnit
	}
	s.Unit = unit
	in := make(map[dossier.UnitCode]bool, len(units))
	for _, u := range units {
		in[u] = true
	}
	kept := func(list []SnapshotSum) []SnapshotSum {
		out := []SnapshotSum{}
		for _, c := range list {
			if in[c.Unit] {
				out = append(out, c)
			}
		}
		return out
	}
	// Where no dossiers were kept there are none to narrow; where they were, a
	// unit without any still has its list, an empty one.
	listed := s.Dossiers != nil || len(s.Sums) == 0
	s.Sums, s.Plan = kept(s.Sums), kept(s.Plan)
	if listed {
		list := []Footprint{}
		for _, f := range s.Dossiers {
			if in[f.Unit] {
				list = append(list, f)
			}
		}
		s.Dossiers = list
	}
	return s, nil
}

// Encode returns the snapshot's bytes and their digest.
func (s Snapshot) Encode() ([]byte, dossier.Digest, error) {
	var b bytes.Buffer
	if err := writeJSON(&b, s); err != nil {
		return nil, "", fmt.Errorf("writing a closed period: %w", err)
	}
	return b.Bytes(), digestOf(b.Bytes()), nil
}

func digestOf(b []byte) dossier.Digest {
	sum := sha256.Sum256(b)
	return dossier.Digest(hex.EncodeToString(sum[:]))
}

// ErrSnapshot: the bytes are not those that were closed.
var ErrSnapshot = errors.New("the closed period's figures are not those that were kept")

// DecodeSnapshot reads what Encode wrote; other bytes than those of the digest
// are ErrSnapshot.
func DecodeSnapshot(b []byte, want dossier.Digest) (Snapshot, error) {
	if digestOf(b) != want {
		return Snapshot{}, ErrSnapshot
	}
	var s Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return Snapshot{}, fmt.Errorf("reading a closed period: %w", err)
	}
	if s.Schema != SnapshotSchema {
		return Snapshot{}, fmt.Errorf("reading a closed period: its form is version %d, this program reads %d", s.Schema, SnapshotSchema)
	}
	return s, nil
}

// Query is the query whose report the snapshot holds, in a formula version.
func (s Snapshot) Query(version string) Query {
	return Query{Unit: s.Unit, Period: dossier.Period{From: s.From, To: s.To}, Version: version, AsOf: s.AsOf, CutOff: s.CutOff}
}

// Report is the table as it was when the period was closed.
func (s Snapshot) Report(ctx context.Context, version string) (Table, error) {
	return Report(ctx, snapshotSource{s}, s.Query(version), s.Targets)
}

// snapshotSource answers for the snapshot's own period only.
type snapshotSource struct{ s Snapshot }

func (x snapshotSource) Units(context.Context) ([]dossier.Unit, error) {
	var out []dossier.Unit
	for _, u := range x.s.Units {
		out = append(out, dossier.Unit(u))
	}
	return out, nil
}

func (x snapshotSource) Sums(_ context.Context, units []dossier.UnitCode, series []Series, p dossier.Period) ([]Cell, error) {
	var from []SnapshotSum
	switch p {
	case dossier.Period{From: x.s.From, To: x.s.To}:
		from = x.s.Sums
	case dossier.Period{To: x.s.To}:
		from = x.s.Plan
	default:
		return nil, fmt.Errorf("%w: a closed period has only its own figures", ErrQuery)
	}
	var out []Cell
	for _, c := range from {
		if slices.Contains(series, c.Series) && (units == nil || slices.Contains(units, c.Unit)) {
			out = append(out, Cell{Unit: c.Unit, Series: c.Series, Numerator: c.Numerator, Denominator: c.Denominator})
		}
	}
	return out, nil
}

func (x snapshotSource) Totals(ctx context.Context, units []dossier.UnitCode, series []Series, p dossier.Period) ([]Cell, error) {
	cells, err := x.Sums(ctx, units, series, p)
	for i := range cells {
		cells[i].Unit = ""
	}
	return Sum(cells), err
}

func (x snapshotSource) Months(context.Context, []dossier.UnitCode, []Series, dossier.Period) ([]Cell, error) {
	return nil, fmt.Errorf("%w: a closed period has no months", ErrQuery)
}
