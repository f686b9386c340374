package tallytest

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
)

// Document is a stored document as far as figures go.
type Document struct {
	ID            string
	Kind          dossier.Kind
	Dossier       dossier.Code     // empty for a result in force
	Number        string           // of a result in force
	Unit          dossier.UnitCode // of a result in force, or where it was handed in
	Legal         bool
	PersonalStore bool
	Reuses        string
	Replaces      string
	At            time.Time
}

// Intake is the document as a door hands it in. Its digest follows from its id:
// no two documents have the same bytes.
func (d Document) Intake() dossier.Intake {
	in := dossier.Intake{
		ID: d.ID,
		Slip: dossier.Slip{Kind: d.Kind, Dossier: d.Dossier, Number: d.Number, Unit: d.Unit, Replaces: d.Replaces, Reuses: d.Reuses,
			PersonalStore: d.PersonalStore, By: "tallytest", Door: dossier.DoorAPI},
		ReceivedAt: d.At,
	}
	if d.Reuses == "" {
		in.Original = dossier.File{Key: "dossiers/" + d.ID + "/original.pdf", MediaType: "application/pdf", Size: 1000, SHA256: digest(d.ID)}
	}
	return in
}

// Record is the document's record.
func (d Document) Record() dossier.Record {
	in := d.Intake()
	return dossier.Record{
		Schema: dossier.RecordSchema, ID: in.ID, Slip: in.Slip, Original: in.Original, Conforms: dossier.AsOriginal,
		Verdict:    dossier.Verdict{Profile: "nd30-2020", Pages: 1, Signed: d.Legal, LegalValue: d.Legal},
		ReceivedAt: d.At, Tool: "tallytest",
	}
}

// ResultKey names a result in force.
type ResultKey struct {
	Unit   dossier.UnitCode
	Number string
}

// Step is one thing that happens; exactly one of its fields is set.
type Step struct {
	Units      []dossier.Unit
	Procedures []dossier.Procedure
	Dossiers   []dossier.Registered
	Results    []dossier.Result
	Document   *Document // received and settled
	Delete     string    // a document, by order
	Distrust   string    // a document: its signature turns out to have no legal value
}

// World is the truth about a province, kept the plainest way: everything in
// maps, every fact looked for when it is asked for.
type World struct {
	Units      map[dossier.UnitCode]dossier.Unit
	Procedures map[dossier.ProcedureCode]dossier.Procedure
	Registered map[dossier.Code]dossier.Registered
	Results    map[ResultKey]dossier.Result
	Documents  map[string]Document
	Gone       map[string]bool // replaced or deleted
	Distrusted map[string]bool
}

// NewWorld is an empty province.
func NewWorld() *World {
	return &World{
		Units:      map[dossier.UnitCode]dossier.Unit{},
		Procedures: map[dossier.ProcedureCode]dossier.Procedure{},
		Registered: map[dossier.Code]dossier.Registered{},
		Results:    map[ResultKey]dossier.Result{},
		Documents:  map[string]Document{},
		Gone:       map[string]bool{},
		Distrusted: map[string]bool{},
	}
}

// Register lists the units, in the order of their codes.
func (w *World) Register() []dossier.Unit {
	return slices.SortedFunc(maps.Values(w.Units), func(a, b dossier.Unit) int { return cmp.Compare(a.Code, b.Code) })
}

// Dossier is the dossier with its facts; known is false where the register does
// not have it.
func (w *World) Dossier(code dossier.Code) (d dossier.Dossier, known bool) {
	r, known := w.Registered[code]
	if !known {
		return dossier.Dossier{}, false
	}
	d = dossier.Dossier{Registered: r, ReturnsDocument: w.Procedures[r.Procedure].ReturnsDocument}
	for id, doc := range w.Documents {
		if doc.Dossier != code || w.Gone[id] {
			continue
		}
		switch doc.Kind {
		case dossier.Component:
			d.Components++
			if doc.Reuses != "" {
				d.Reused++
			}
			if doc.PersonalStore {
				d.PersonalStore++
			}
		case dossier.ResultKind:
			d.Facts.Results++
			if doc.Legal && !w.Distrusted[id] {
				d.LegalResults++
			}
		}
	}
	return d, true
}

// Dossiers lists the registered dossiers in the order of their codes.
func (w *World) Dossiers() []dossier.Dossier {
	var out []dossier.Dossier
	for _, code := range slices.Sorted(maps.Keys(w.Registered)) {
		d, _ := w.Dossier(code)
		out = append(out, d)
	}
	return out
}

// Digitised reports whether a result in force has a stored document.
func (w *World) Digitised(k ResultKey) bool {
	for id, doc := range w.Documents {
		if doc.Kind == dossier.ResultInForce && doc.Number == k.Number && doc.Unit == k.Unit && !w.Gone[id] {
			return true
		}
	}
	return false
}

// Recount adds up every dossier and every result in force from nothing.
func (w *World) Recount() []tally.Cell {
	var out []tally.Cell
	for _, d := range w.Dossiers() {
		out = append(out, tally.Contribution(d)...)
	}
	for k, r := range w.Results {
		out = append(out, tally.Plan(r, w.Digitised(k))...)
	}
	return tally.Sum(out)
}

// Apply makes the step happen and returns what it changes: the cells of what it
// touches, before and after. The same step again changes nothing.
func (w *World) Apply(s Step) (before, after []tally.Cell) {
	codes := map[dossier.Code]bool{}
	results := map[ResultKey]bool{}
	touch := func(id string) {
		if d, ok := w.Documents[id]; ok && d.Kind == dossier.ResultInForce {
			results[ResultKey{d.Unit, d.Number}] = true
		} else {
			codes[d.Dossier] = true
		}
	}
	for _, p := range s.Procedures {
		for code, r := range w.Registered {
			if r.Procedure == p.Code {
				codes[code] = true
			}
		}
	}
	for _, d := range s.Dossiers {
		codes[d.Code] = true
	}
	for _, r := range s.Results {
		results[ResultKey{r.Unit, r.Number}] = true
	}
	if d := s.Document; d != nil {
		codes[d.Dossier] = true
		results[ResultKey{d.Unit, d.Number}] = true
	}
	touch(s.Delete)
	touch(s.Distrust)
	cells := func() []tally.Cell {
		var out []tally.Cell
		for code := range codes {
			if d, known := w.Dossier(code); known {
				out = append(out, tally.Contribution(d)...)
			}
		}
		for k := range results {
			if r, known := w.Results[k]; known {
				out = append(out, tally.Plan(r, w.Digitised(k))...)
			}
		}
		return out
	}
	before = cells()
	for _, u := range s.Units {
		w.Units[u.Code] = u
	}
	for _, p := range s.Procedures {
		w.Procedures[p.Code] = p
	}
	for _, d := range s.Dossiers {
		w.Registered[d.Code] = d
	}
	for _, r := range s.Results {
		w.Results[ResultKey{r.Unit, r.Number}] = r
	}
	if d := s.Document; d != nil {
		w.Documents[d.ID] = *d
		if d.Replaces != "" {
			w.Gone[d.Replaces] = true
		}
	}
	if s.Delete != "" {
		w.Gone[s.Delete] = true
	}
	if s.Distrust != "" {
		w.Distrusted[s.Distrust] = true
	}
	return before, cells()
}

// Behind yields the dossiers in the indicator's denominator in the period, as a
// tally.DossierSource does.
func (w *World) Behind(_ context.Context, i tally.Indicator, units []dossier.UnitCode, p dossier.Period) iter.Seq2[dossier.Dossier, error] {
	return func(yield func(dossier.Dossier, error) bool) {
		for _, d := range w.Dossiers() {
			if i.Denominator(&d) && p.Contains(i.Day(&d)) && (units == nil || slices.Contains(units, d.Unit)) && !yield(d, nil) {
				return
			}
		}
	}
}

// Source is the world's figures as a tally.Source, counted from nothing.
func (w *World) Source() *Source { return &Source{Register: w.Register(), Cells: w.Recount()} }
