package tallytest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"sohoa/dossier"
)

func digest(s string) dossier.Digest {
	sum := sha256.Sum256([]byte(s))
	return dossier.Digest(hex.EncodeToString(sum[:]))
}

// History makes the steps of a random history: a register, then imports,
// corrections, documents, better scans, deletions, reorganisations and replays,
// in any order. Every history with another number has other units, procedures,
// dossiers and documents, so many of them can happen to one ledger. The same
// number and length give the same history.
//
// What it leaves out, because it is decided elsewhere: slips that a door refuses,
// and the deletion of a document that another one reuses.
func History(number uint64, steps int) []Step {
	h := &history{r: rand.New(rand.NewPCG(number, 766)), number: number, w: NewWorld()}
	h.found()
	for range steps {
		h.add(h.step())
	}
	return h.steps
}

type history struct {
	r      *rand.Rand
	number uint64
	w      *World
	steps  []Step
	serial int
}

func (h *history) add(s Step) {
	h.w.Apply(s)
	h.steps = append(h.steps, s)
}

func (h *history) one(in int) bool { return h.r.IntN(in) == 0 }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// keys in a fixed order: the order of maps is chance.
func keys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func (h *history) unit(s string) dossier.UnitCode {
	return dossier.UnitCode(fmt.Sprintf("T%d%s", h.number, s))
}

// found registers a province with departments, districts and communes, and
// procedures.
func (h *history) found() {
	units := []dossier.Unit{{Code: h.unit(""), Name: "Tỉnh", Level: dossier.Province}}
	for n := range 1 + h.r.IntN(2) {
		units = append(units, dossier.Unit{Code: h.unit(fmt.Sprintf(".S%d", n)), Name: "Sở", Level: dossier.Department, Parent: h.unit("")})
	}
	for n := range 1 + h.r.IntN(3) {
		d := h.unit(fmt.Sprintf(".H%d", n))
		units = append(units, dossier.Unit{Code: d, Name: "Huyện", Level: dossier.District, Parent: h.unit("")})
		for k := range 1 + h.r.IntN(3) {
			units = append(units, dossier.Unit{Code: d + dossier.UnitCode(fmt.Sprintf(".X%d", k)), Name: "Xã", Level: dossier.Commune, Parent: d})
		}
	}
	h.add(Step{Units: units})
	var procedures []dossier.Procedure
	for n := range 3 {
		procedures = append(procedures, dossier.Procedure{
			Code: dossier.ProcedureCode(fmt.Sprintf("%d.%06d", n+1, h.number%1_000_000)), Name: "Thủ tục", ReturnsDocument: n > 0})
	}
	h.add(Step{Procedures: procedures})
}

func (h *history) step() Step {
	for {
		var s Step
		var ok bool
		switch n := h.r.IntN(100); {
		case n < 25:
			s, ok = h.register(), true
		case n < 40:
			s, ok = h.correct()
		case n < 75:
			s, ok = h.document()
		case n < 79:
			s, ok = h.delete()
		case n < 82:
			s, ok = h.distrust()
		case n < 88:
			s, ok = h.result(), true
		case n < 91:
			s, ok = h.reorganise()
		case n < 93:
			s, ok = h.procedure(), true
		default: // the same again
			if s, ok = pick(h.r, h.steps), true; !h.repeatable(s) {
				ok = false
			}
		}
		if ok {
			return s
		}
	}
}

// repeatable: an import of an older state of a dossier would be a correction,
// which is fine, but a document that is gone does not come back.
func (h *history) repeatable(s Step) bool {
	return s.Document != nil || s.Delete != "" || s.Distrust != "" ||
		s.Dossiers != nil || s.Results != nil
}

// instant within five years of reforms, often on the very edge of a day.
func (h *history) instant() time.Time {
	day := time.Date(2023, 1, 1+h.r.IntN(1150), 0, 0, 0, 0, dossier.Zone)
	switch h.r.IntN(4) {
	case 0:
		return day
	case 1:
		return day.Add(-time.Microsecond)
	}
	return day.Add(time.Duration(h.r.Int64N(int64(24*time.Hour/time.Microsecond))) * time.Microsecond)
}

func (h *history) registered() dossier.Registered {
	d := dossier.Registered{
		Unit:      pick(h.r, keys(h.w.Units)),
		Procedure: pick(h.r, keys(h.w.Procedures)),
		Channel:   dossier.Channel(1 + h.r.IntN(3)),
		Status:    dossier.Received,
	}
	h.state(&d)
	return d
}

// state gives the dossier any state that a register may hold, a contradictory
// one too.
func (h *history) state(d *dossier.Registered) {
	d.Status = pick(h.r, []dossier.Status{dossier.Received, dossier.Received, dossier.Resolved, dossier.Resolved, dossier.Returned, dossier.Returned, dossier.Withdrawn, dossier.Rejected, dossier.Cancelled})
	d.ReceivedAt, d.ResolvedAt, d.SyncedAt, d.PersonalStoreAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if !h.one(10) {
		d.ReceivedAt = h.instant()
	}
	if h.one(2) {
		d.ResolvedAt = h.instant()
	}
	if h.one(2) {
		d.SyncedAt = h.instant()
	}
	if h.one(4) {
		d.PersonalStoreAt = h.instant()
	}
}

func (h *history) code(u dossier.UnitCode) dossier.Code {
	h.serial++
	return dossier.Code(fmt.Sprintf("%s-240830-%04d", u, h.serial))
}

// register imports a few dossiers, some of which had only documents so far.
func (h *history) register() Step {
	var s Step
	for range 1 + h.r.IntN(4) {
		d := h.registered()
		d.Code = h.code(d.Unit)
		if waiting := h.waiting(); len(waiting) > 0 && h.one(2) {
			d.Code = pick(h.r, waiting)
		}
		if !slices.ContainsFunc(s.Dossiers, func(o dossier.Registered) bool { return o.Code == d.Code }) {
			s.Dossiers = append(s.Dossiers, d)
		}
	}
	return s
}

// waiting lists the dossiers that have documents and are not registered.
func (h *history) waiting() []dossier.Code {
	var out []dossier.Code
	for _, id := range keys(h.w.Documents) {
		if c := h.w.Documents[id].Dossier; c != "" {
			if _, known := h.w.Registered[c]; !known && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// correct imports a newer state of a dossier: moved, re-dated, re-opened,
// withdrawn, synchronised.
func (h *history) correct() (Step, bool) {
	if len(h.w.Registered) == 0 {
		return Step{}, false
	}
	d := h.w.Registered[pick(h.r, keys(h.w.Registered))]
	switch h.r.IntN(6) {
	case 0:
		d.Unit = pick(h.r, keys(h.w.Units))
	case 1:
		d.ReceivedAt = h.instant()
	case 2:
		d.Status, d.ResolvedAt = dossier.Received, time.Time{}
	case 3:
		d.Status = dossier.Withdrawn
	case 4:
		d.SyncedAt = h.instant()
	default:
		h.state(&d)
		d.Procedure = pick(h.r, keys(h.w.Procedures))
	}
	return Step{Dossiers: []dossier.Registered{d}}, true
}

func (h *history) document() (Step, bool) {
	h.serial++
	d := Document{
		ID:   fmt.Sprintf("%08x-0000-7000-8000-%012x", h.number, h.serial),
		Kind: dossier.Component, At: h.instant(), PersonalStore: h.one(4), Legal: h.one(2),
	}
	inForce := h.inForce(func(Document) bool { return true })
	switch n := h.r.IntN(10); {
	case n == 0 && len(h.w.Results) > 0: // for a result in force
		r := h.someResult()
		d.Kind, d.Unit, d.Number, d.PersonalStore = dossier.ResultInForce, r.Unit, r.Number, false
		return Step{Document: &d}, true
	case n == 1 && len(inForce) > 0: // a better scan
		old := h.w.Documents[pick(h.r, inForce)]
		if h.reused(old.ID) || old.Reuses != "" {
			return Step{}, false
		}
		d.Kind, d.Dossier, d.Unit, d.Number, d.Replaces = old.Kind, old.Dossier, old.Unit, old.Number, old.ID
		return Step{Document: &d}, true
	case n == 2: // a paper that was digitised for another dossier
		papers := h.inForce(func(d Document) bool { return d.Kind == dossier.Component && d.Reuses == "" })
		if len(papers) == 0 {
			return Step{}, false
		}
		d.Reuses, d.Legal = pick(h.r, papers), false
	case n < 6:
		d.Kind, d.PersonalStore = dossier.ResultKind, false
	}
	switch {
	case len(h.w.Registered) > 0 && !h.one(6):
		d.Dossier = pick(h.r, keys(h.w.Registered))
		d.Unit = h.w.Registered[d.Dossier].Unit
	default: // of a dossier that the register may name later, or never
		d.Unit = pick(h.r, keys(h.w.Units))
		d.Dossier = h.code(d.Unit)
	}
	if d.Reuses != "" && h.w.Documents[d.Reuses].Dossier == d.Dossier {
		return Step{}, false
	}
	return Step{Document: &d}, true
}

func (h *history) inForce(want func(Document) bool) []string {
	var out []string
	for _, id := range keys(h.w.Documents) {
		if !h.w.Gone[id] && want(h.w.Documents[id]) {
			out = append(out, id)
		}
	}
	return out
}

func (h *history) reused(id string) bool {
	for _, d := range h.w.Documents {
		if d.Reuses == id {
			return true
		}
	}
	return false
}

func (h *history) delete() (Step, bool) {
	ids := h.inForce(func(d Document) bool { return !h.reused(d.ID) })
	if len(ids) == 0 {
		return Step{}, false
	}
	return Step{Delete: pick(h.r, ids)}, true
}

func (h *history) distrust() (Step, bool) {
	ids := h.inForce(func(d Document) bool { return d.Kind == dossier.ResultKind && d.Legal })
	if len(ids) == 0 {
		return Step{}, false
	}
	return Step{Distrust: pick(h.r, ids)}, true
}

func (h *history) someResult() dossier.Result {
	all := make([]ResultKey, 0, len(h.w.Results))
	for k := range h.w.Results {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b ResultKey) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Number, b.Number))
	})
	return h.w.Results[pick(h.r, all)]
}

// result imports a result in force, new or changed.
func (h *history) result() Step {
	h.serial++
	r := dossier.Result{Number: fmt.Sprintf("%d/QĐ-UBND", h.serial), Unit: pick(h.r, keys(h.w.Units)), Name: "Kết quả"}
	if len(h.w.Results) > 0 && h.one(2) {
		r = h.someResult()
	}
	r.AuthorityLevel = pick(h.r, []dossier.Level{dossier.Province, dossier.District, dossier.Commune})
	r.Revoked = h.one(6)
	r.IssuedOn, r.ValidFrom, r.ValidTo = dossier.DateOf(h.instant()), 0, 0
	if h.one(2) {
		r.ValidFrom = dossier.DateOf(h.instant())
	}
	if h.one(2) {
		r.ValidTo = dossier.DateOf(h.instant())
	}
	return Step{Results: []dossier.Result{r}}
}

// reorganise ends units: merges communes into a new or a standing one, abolishes
// a district, or splits a commune off.
func (h *history) reorganise() (Step, bool) {
	day := dossier.DateOf(h.instant())
	var standing []dossier.Unit
	for _, u := range h.w.Register() {
		if u.ValidTo == 0 && u.Level != dossier.Province && (u.ValidFrom == 0 || u.ValidFrom < day) {
			standing = append(standing, u)
		}
	}
	if len(standing) < 2 {
		return Step{}, false
	}
	h.serial++
	fresh := dossier.Unit{Code: h.unit(fmt.Sprintf(".M%d", h.serial)), Name: "Đơn vị mới", Level: dossier.Commune, Parent: h.unit(""), ValidFrom: day}
	a, b := pick(h.r, standing), pick(h.r, standing)
	switch h.r.IntN(4) {
	case 0: // two become a new one
		if a.Code == b.Code {
			return Step{}, false
		}
		a.ValidTo, b.ValidTo, a.Successor, b.Successor = day, day, fresh.Code, fresh.Code
		return Step{Units: []dossier.Unit{fresh, a, b}}, true
	case 1: // one goes over into another
		if a.Code == b.Code {
			return Step{}, false
		}
		a.ValidTo, a.Successor = day, b.Code
		return Step{Units: []dossier.Unit{a}}, true
	case 2: // one is abolished
		a.ValidTo = day
		return Step{Units: []dossier.Unit{a}}, true
	}
	return Step{Units: []dossier.Unit{fresh}}, true // one is split off
}

// procedure begins or ceases to return a document.
func (h *history) procedure() Step {
	p := h.w.Procedures[pick(h.r, keys(h.w.Procedures))]
	p.ReturnsDocument = !p.ReturnsDocument
	return Step{Procedures: []dossier.Procedure{p}}
}
