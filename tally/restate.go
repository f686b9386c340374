package tally

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"sohoa/dossier"
)

// DossierSource lists dossiers; the ledger has it.
type DossierSource interface {
	// Behind yields the dossiers in the indicator's denominator in the period,
	// each once, of the given units, or of all where units is nil.
	Behind(ctx context.Context, i Indicator, units []dossier.UnitCode, p dossier.Period) iter.Seq2[dossier.Dossier, error]
}

// Footprint is a set of dossiers of one unit that count alike in the period.
type Footprint struct {
	Unit dossier.UnitCode `json:"unit"`
	// Counts lists the series in which they stand, sorted, with "+" behind those
	// in which they are counted and "-" behind those in which they are missing.
	Counts string         `json:"counts"`
	Codes  []dossier.Code `json:"codes"`
}

// footprint of a dossier in the period; "" where it counts for nothing.
func footprint(d dossier.Dossier, p dossier.Period) string {
	var parts []string
	for _, c := range Contribution(d) {
		if p.Contains(c.Day) && !isReason(c.Series) {
			sign := "-"
			if c.Numerator != 0 {
				sign = "+"
			}
			parts = append(parts, string(c.Series)+sign)
		}
	}
	return strings.Join(parts, " ")
}

// isReason reports whether the series only splits the missing of another.
func isReason(s Series) bool { return strings.Contains(string(s), "/") }

// series of a footprint with whether it is counted.
func parseFootprint(s string) map[Series]bool {
	out := map[Series]bool{}
	for part := range strings.FieldsSeq(s) {
		out[Series(part[:len(part)-1])] = part[len(part)-1] == '+'
	}
	return out
}

// ErrMoved: dossiers changed between the sums and the list; close again.
var ErrMoved = errors.New("the figures changed while the period was being closed")

type standing struct {
	unit   dossier.UnitCode
	counts string
}

// behind collects the footprint of every dossier that counts in the period: by
// the day it was received or the day it was resolved.
func behind(ctx context.Context, src DossierSource, units []dossier.UnitCode, p dossier.Period) (map[dossier.Code]standing, error) {
	out := map[dossier.Code]standing{}
	for _, id := range []string{"4.2", "resolved"} {
		i, ok := Find(id, DefaultVersion)
		if !ok {
			return nil, fmt.Errorf("there is no indicator %s", id)
		}
		for d, err := range src.Behind(ctx, i, units, p) {
			if err != nil {
				return nil, fmt.Errorf("reading the dossiers behind %s: %w", id, err)
			}
			if f := footprint(d, p); f != "" {
				out[d.Code] = standing{d.Unit, f}
			}
		}
	}
	return out, nil
}

// units the snapshot is of: nil for all.
func (s Snapshot) subtree() ([]dossier.UnitCode, error) {
	if s.Unit == "" {
		return nil, nil
	}
	units, err := snapshotSource{s}.Units(context.Background())
	if err != nil {
		return nil, err
	}
	st, err := StructureAsOf(units, s.AsOf)
	if err != nil {
		return nil, err
	}
	return st.Subtree(s.Unit), nil
}

// AddDossiers keeps, with the sums, which dossiers stand behind them, so that a
// restatement can name those that changed. It needs some thirty bytes a dossier.
// Where dossiers changed since the sums were taken it answers ErrMoved.
func (s *Snapshot) AddDossiers(ctx context.Context, src DossierSource) error {
	units, err := s.subtree()
	if err != nil {
		return err
	}
	all, err := behind(ctx, src, units, dossier.Period{From: s.From, To: s.To})
	if err != nil {
		return err
	}
	groups := map[standing][]dossier.Code{}
	for code, st := range all {
		groups[st] = append(groups[st], code)
	}
	var cells []Cell
	s.Dossiers = nil
	for st, codes := range groups {
		slices.Sort(codes)
		s.Dossiers = append(s.Dossiers, Footprint{st.unit, st.counts, codes})
		for x, counted := range parseFootprint(st.counts) {
			c := Cell{Unit: st.unit, Series: x, Denominator: int64(len(codes))}
			if counted {
				c.Numerator = c.Denominator
			}
			cells = append(cells, c)
		}
	}
	slices.SortFunc(s.Dossiers, func(a, b Footprint) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Counts, b.Counts))
	})
	if len(Diff(cells, slices.DeleteFunc(cellsOf(s.Sums), func(c Cell) bool { return isReason(c.Series) }))) != 0 {
		s.Dossiers = nil
		return ErrMoved
	}
	return nil
}

func cellsOf(lists ...[]SnapshotSum) []Cell {
	var out []Cell
	for _, l := range lists {
		for _, c := range l {
			out = append(out, Cell{Unit: c.Unit, Series: c.Series, Numerator: c.Numerator, Denominator: c.Denominator})
		}
	}
	return out
}

// Restated is a figure that is no longer what was reported: of one unit alone,
// without those below it, so that the sum of all is the change of the whole.
type Restated struct {
	Unit     dossier.UnitCode
	Series   Series
	Was, Now Rate
}

// RestatedDossier is a dossier that counts otherwise than when the period was
// closed. An empty unit is none: it did not count, or no longer does.
type RestatedDossier struct {
	Code     dossier.Code
	WasUnit  dossier.UnitCode
	NowUnit  dossier.UnitCode
	Was, Now string // as in Footprint.Counts
}

// Restatement is what became of a closed period's figures.
type Restatement struct {
	Closed   Snapshot
	Names    map[dossier.UnitCode]string
	Figures  []Restated // by unit and series; nothing where the report stands
	Dossiers []RestatedDossier
	// Listed is false where the dossiers were not kept when the period was closed.
	Listed bool
}

// Stands reports whether every figure is as it was reported.
func (r Restatement) Stands() bool { return len(r.Figures) == 0 && len(r.Dossiers) == 0 }

// Restate compares a closed period with the figures of today.
func Restate(ctx context.Context, was Snapshot, src Source) (Restatement, error) {
	now, err := Close(ctx, src, was.Query(DefaultVersion), nil, time.Time{})
	if err != nil {
		return Restatement{}, err
	}
	r := Restatement{Closed: was, Names: map[dossier.UnitCode]string{}}
	for _, u := range now.Units {
		r.Names[u.Code] = u.Name
	}
	before := cellsOf(was.Sums, was.Plan)
	rates := map[Cell]Rate{}
	for _, c := range before {
		rates[Cell{Unit: c.Unit, Series: c.Series}] = Rate{c.Numerator, c.Denominator}
	}
	for _, d := range Diff(before, cellsOf(now.Sums, now.Plan)) {
		if isReason(d.Series) { // the figure stands, whatever its missing lack by now
			continue
		}
		w := rates[Cell{Unit: d.Unit, Series: d.Series}]
		r.Figures = append(r.Figures, Restated{d.Unit, d.Series, w, Rate{w.Numerator + d.Numerator, w.Denominator + d.Denominator}})
	}
	return r, nil
}

// AddDossiers names the dossiers that count otherwise than then, sorted by code.
// Where they were not kept it leaves Listed false.
func (r *Restatement) AddDossiers(ctx context.Context, src DossierSource) error {
	if r.Closed.Dossiers == nil && len(r.Closed.Sums) != 0 {
		return nil
	}
	units, err := r.Closed.subtree()
	if err != nil {
		return err
	}
	now, err := behind(ctx, src, units, dossier.Period{From: r.Closed.From, To: r.Closed.To})
	if err != nil {
		return err
	}
	r.Listed, r.Dossiers = true, nil
	for _, f := range r.Closed.Dossiers {
		for _, code := range f.Codes {
			n := now[code]
			if n != (standing{f.Unit, f.Counts}) {
				r.Dossiers = append(r.Dossiers, RestatedDossier{code, f.Unit, n.unit, f.Counts, n.counts})
			}
			delete(now, code)
		}
	}
	for code, n := range now {
		r.Dossiers = append(r.Dossiers, RestatedDossier{Code: code, NowUnit: n.unit, Now: n.counts})
	}
	slices.SortFunc(r.Dossiers, func(a, b RestatedDossier) int { return cmp.Compare(a.Code, b.Code) })
	return nil
}

// Totals are the figures of all units together that changed, by series: what
// only went from one unit to another is not among them.
func (r Restatement) Totals() []Restated {
	was, now := map[Series]Rate{}, map[Series]Rate{}
	for _, c := range append(slices.Clone(r.Closed.Sums), r.Closed.Plan...) {
		x := was[c.Series]
		was[c.Series] = Rate{x.Numerator + c.Numerator, x.Denominator + c.Denominator}
		now[c.Series] = was[c.Series]
	}
	for _, f := range r.Figures {
		x := now[f.Series]
		now[f.Series] = Rate{x.Numerator + f.Now.Numerator - f.Was.Numerator, x.Denominator + f.Now.Denominator - f.Was.Denominator}
	}
	var out []Restated
	for _, s := range AllSeries() {
		if was[s] != now[s] {
			out = append(out, Restated{Series: s, Was: was[s], Now: now[s]})
		}
	}
	return out
}
