// Package letter makes the register behind the letter's appendix: a province
// whose figures from 1 January to 29 August 2024 are exactly 43,39 % (row 3),
// 48,76 % (4), 49,41 % (5), 43,11 % (7) and 81,98 % (9). The files beside it are
// what it makes; README.md says how the numbers were found.
package letter

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline/register"
)

// From and To bound the letter's period, To not in it: cut-off 29 August 2024.
// Nothing was received on the two days after the cut-off, so that "to August"
// gives the same figures.
const (
	From dossier.Date = 20240101
	To   dossier.Date = 20240830
)

// The whole numbers of the appendix.
const (
	All        = 1415 // dossiers that count
	Digitised  = 690  // of them: 48,7633 %
	Reused     = 610  // of them: 43,1095 %
	Online     = 614  // of them: 43,3922 %
	Returning  = 1184 // of a procedure that returns a document
	Electronic = 585  // of them: 49,4088 %
	Resolved   = 1199 // resolved or returned
	Synced     = 983  // of them: 81,9850 %
)

// Document is a stored document of a dossier.
type Document struct {
	Dossier dossier.Code
	Kind    dossier.Kind
	Legal   bool // signed, of legal value
	Reused  bool // a component taken over from a document digitised before
}

// Register is all that goes in.
type Register struct {
	Units      []dossier.Unit
	Procedures []dossier.Procedure
	Dossiers   []dossier.Registered
	Documents  []Document
	Indicators []dossier.IndicatorValue
}

// class is a kind of dossier by what is stored of it.
type class struct {
	n                          int
	returns                    bool
	component, reused          bool
	result, legal              bool
	outside, withdrawn, undone bool // counts nowhere
}

// classes share out All so that every figure comes out; the first four numbers
// are free, the others follow.
func classes() []class {
	const (
		plain       = All - Returning
		plainDone   = 120 // of the dossiers that return nothing: a component is enough
		onlyResult  = 62  // a legal result, no component: electronic, not digitised
		onlyReuse   = 71  // a reused component, no result: reuse, not digitised
		onlyPaper   = 103 // a component, no result
		scanOnly    = 37  // a result without legal value, no component
		plainReused = 80

		legalDone   = Electronic - onlyResult
		scanDone    = Digitised - plainDone - legalDone
		reuseLeft   = Reused - plainReused - onlyReuse
		scanReused  = 20
		legalReused = reuseLeft - scanReused
		nothing     = Returning - legalDone - scanDone - onlyResult - onlyReuse - onlyPaper - scanOnly
	)
	return []class{
		{n: plainReused, component: true, reused: true},
		{n: plainDone - plainReused, component: true},
		{n: plain - plainDone},
		{n: legalReused, returns: true, component: true, reused: true, result: true, legal: true},
		{n: legalDone - legalReused, returns: true, component: true, result: true, legal: true},
		{n: scanReused, returns: true, component: true, reused: true, result: true},
		{n: scanDone - scanReused, returns: true, component: true, result: true},
		{n: onlyResult, returns: true, result: true, legal: true},
		{n: onlyReuse, returns: true, component: true, reused: true},
		{n: onlyPaper, returns: true, component: true},
		{n: scanOnly, returns: true, result: true},
		{n: nothing, returns: true},
		// What must not count, fully digitised as it is.
		{n: 40, returns: true, component: true, reused: true, result: true, legal: true, outside: true},
		{n: 45, returns: true, component: true, reused: true, result: true, legal: true, withdrawn: true},
		{n: 5, returns: true, component: true, result: true, legal: true, undone: true},
	}
}

// Make makes the register; it is the same every time.
func Make() (Register, error) {
	r := Register{Units: units(), Procedures: procedures(), Indicators: []dossier.IndicatorValue{
		{Row: 1, Period: "2024-08", Value: "68,82%"},
		{Row: 2, Period: "2024-08", Value: "28,83%"},
		{Row: 6, Period: "2024-08", Value: "99,17%"},
		{Row: 8, Period: "2024-08", Value: "Tỷ lệ công bố đạt 22,45%; Tỷ lệ cập nhật, công khai đạt 57,83%"},
		{Row: 10, Period: "2024-08", Value: "100%"},
		{Row: 11, Period: "2024-08", Value: "94,15%"},
	}}
	rnd := rand.New(rand.NewPCG(2796, 20240830))
	var all []class
	for _, c := range classes() {
		if c.n < 0 {
			return Register{}, fmt.Errorf("letter: the classes do not share out: %+v", c)
		}
		for range c.n {
			all = append(all, c)
		}
	}
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })

	// Resolved: every dossier that has a result is; the others by lot, up to the
	// number. The same for synchronised and online.
	counts := func(i int) bool { return !all[i].outside && !all[i].withdrawn && !all[i].undone }
	choose := func(n int, sure func(int) bool, may func(int) bool) (map[int]bool, error) {
		chosen := map[int]bool{}
		for i := range all {
			if counts(i) && may(i) && sure(i) {
				chosen[i] = true
			}
		}
		for _, i := range rnd.Perm(len(all)) {
			if len(chosen) < n && counts(i) && may(i) {
				chosen[i] = true
			}
		}
		if len(chosen) != n {
			return nil, fmt.Errorf("letter: %d chosen of %d", len(chosen), n)
		}
		return chosen, nil
	}
	anyone, nobody := func(int) bool { return true }, func(int) bool { return false }
	resolved, err := choose(Resolved, func(i int) bool { return all[i].result }, anyone)
	if err != nil {
		return Register{}, err
	}
	synced, err := choose(Synced, nobody, func(i int) bool { return resolved[i] })
	if err != nil {
		return Register{}, err
	}
	online, err := choose(Online, nobody, anyone)
	if err != nil {
		return Register{}, err
	}

	var leaves []dossier.UnitCode
	for _, u := range r.Units {
		if u.Level != dossier.Province && u.ValidFrom == 0 {
			leaves = append(leaves, u.Code)
		}
	}
	var returning, plain []dossier.ProcedureCode
	for _, p := range r.Procedures {
		if p.ReturnsDocument {
			returning = append(returning, p.Code)
		} else {
			plain = append(plain, p.Code)
		}
	}
	begin, days := From.Time(), int(To.Time().Sub(From.Time()).Hours()/24)
	edges := []time.Time{begin, To.Time().Add(-time.Second)} // the first second and the last
	september := dossier.Date(20240901).Time()
	beyond := []time.Time{begin.Add(-time.Second), september, begin.AddDate(-1, 0, 0), september.AddDate(0, 2, 0)}
	number := map[string]int{}
	for i, c := range all {
		d := dossier.Registered{Unit: leaves[rnd.IntN(len(leaves))], Channel: dossier.Direct, Status: dossier.Received}
		if c.returns {
			d.Procedure = returning[rnd.IntN(len(returning))]
		} else {
			d.Procedure = plain[rnd.IntN(len(plain))]
		}
		if i%11 == 0 {
			d.Procedure += ".000.00.00.H51" // the local form of the code
		}
		switch {
		case c.outside:
			d.ReceivedAt = beyond[rnd.IntN(len(beyond))]
		case counts(i) && len(edges) > 0:
			d.ReceivedAt, edges = edges[0], edges[1:]
		default:
			d.ReceivedAt = begin.AddDate(0, 0, rnd.IntN(days)).Add(time.Duration(rnd.IntN(24*60*60)) * time.Second)
		}
		key := d.ReceivedAt.In(dossier.Zone).Format("060102")
		number[string(d.Unit)+key]++
		d.Code = dossier.Code(fmt.Sprintf("%s-%s-%04d", d.Unit, key, number[string(d.Unit)+key]))
		if c.undone {
			d.ReceivedAt = time.Time{} // the register has no reception date
		}
		switch {
		case online[i] || !counts(i) && rnd.IntN(2) == 0:
			d.Channel = dossier.Online
		case rnd.IntN(10) == 0:
			d.Channel = dossier.Postal
		}
		switch {
		case c.withdrawn:
			d.Status = []dossier.Status{dossier.Withdrawn, dossier.Rejected, dossier.Cancelled}[i%3]
		case resolved[i] || c.outside || c.undone:
			d.Status = []dossier.Status{dossier.Resolved, dossier.Returned}[i%2]
			at := d.ReceivedAt
			if at.IsZero() {
				at = begin
			}
			d.ResolvedAt = at.Add(time.Duration(1+rnd.IntN(20*24)) * time.Hour)
			if synced[i] || !counts(i) {
				d.SyncedAt = d.ResolvedAt.Add(time.Hour)
			}
		}
		r.Dossiers = append(r.Dossiers, d)
		if c.component {
			r.Documents = append(r.Documents, Document{Dossier: d.Code, Kind: dossier.Component, Reused: c.reused})
			if i%9 == 0 { // more papers change nothing
				r.Documents = append(r.Documents, Document{Dossier: d.Code, Kind: dossier.Component})
			}
		}
		if c.result {
			r.Documents = append(r.Documents, Document{Dossier: d.Code, Kind: dossier.ResultKind, Legal: c.legal})
		}
	}
	// What is reused must be there before.
	slices.SortStableFunc(r.Documents, func(a, b Document) int { return cmp.Compare(order(a), order(b)) })
	return r, nil
}

func order(d Document) int {
	if d.Reused {
		return 1
	}
	return 0
}

// Write writes the files into dir.
func (r Register) Write(dir string) error {
	if _, err := register.WriteFiles(dir, register.Files{Units: r.Units, Procedures: r.Procedures, Dossiers: r.Dossiers, Indicators: r.Indicators}); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "documents.csv"))
	if err != nil {
		return err
	}
	if err := r.writeDocuments(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func (r Register) writeDocuments(w io.Writer) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"dossier", "kind", "legal", "reused"}}
	for _, d := range r.Documents {
		rows = append(rows, []string{string(d.Dossier), string(d.Kind), bit(d.Legal), bit(d.Reused)})
	}
	return c.WriteAll(rows)
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func procedures() []dossier.Procedure {
	var out []dossier.Procedure
	for i := range 24 {
		out = append(out, dossier.Procedure{Code: dossier.ProcedureCode("1.00" + strconv.Itoa(4900+i)),
			Name: "Thủ tục mẫu số " + strconv.Itoa(i+1), ReturnsDocument: i%5 != 4})
	}
	return out
}

func units() []dossier.Unit {
	const reorganised dossier.Date = 20250701
	out := []dossier.Unit{{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province}}
	for i := range 6 {
		out = append(out, dossier.Unit{Code: dossier.UnitCode(fmt.Sprintf("H51.%02d", i+1)), Name: fmt.Sprintf("Sở mẫu số %d", i+1),
			Level: dossier.Department, Parent: "H51"})
	}
	names := []string{"Thành phố Sóc Trăng", "Thị xã Vĩnh Châu", "Thị xã Ngã Năm", "Huyện Châu Thành", "Huyện Cù Lao Dung", "Huyện Kế Sách",
		"Huyện Long Phú", "Huyện Mỹ Tú", "Huyện Mỹ Xuyên", "Huyện Thạnh Trị", "Huyện Trần Đề"}
	var merged []dossier.Unit
	for i, name := range names {
		d := dossier.UnitCode(fmt.Sprintf("H51.%02d", i+21))
		m := dossier.UnitCode(fmt.Sprintf("H51.%d", i+101))
		out = append(out, dossier.Unit{Code: d, Name: name, Level: dossier.District, Parent: "H51", ValidTo: reorganised, Successor: m})
		for j := range 3 {
			out = append(out, dossier.Unit{Code: dossier.UnitCode(fmt.Sprintf("%s.%02d", d, j+1)), Name: fmt.Sprintf("Xã %d, %s", j+1, name),
				Level: dossier.Commune, Parent: d, ValidTo: reorganised, Successor: m})
		}
		merged = append(merged, dossier.Unit{Code: m, Name: fmt.Sprintf("Xã mới số %d", i+1), Level: dossier.Commune, Parent: "H51", ValidFrom: reorganised})
	}
	return append(out, merged...)
}
