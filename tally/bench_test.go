package tally_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/tally"
	"sohoa/tally/tallytest"
)

// country is a province of 350 units with figures for each, after a reform that
// ended a third of its communes.
func country() *tallytest.Source {
	src := &tallytest.Source{Register: []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province}}}
	for d := range 15 {
		code := dossier.UnitCode(fmt.Sprintf("H51.%02d", d))
		src.Register = append(src.Register, dossier.Unit{Code: code, Name: "Huyện", Level: dossier.District, Parent: "H51", ValidTo: 20250701})
		for c := range 22 {
			u := dossier.Unit{Code: code + dossier.UnitCode(fmt.Sprintf(".%02d", c)), Name: "Xã", Level: dossier.Commune, Parent: code}
			if c%3 == 0 {
				u.ValidTo, u.Successor = 20250701, code+dossier.UnitCode(fmt.Sprintf(".%02d", c+1))
			}
			src.Register = append(src.Register, u)
		}
	}
	for _, u := range src.Register {
		for _, s := range tally.AllSeries() {
			src.Cells = append(src.Cells, tally.Cell{Unit: u.Code, Series: s, Day: 20240801, Numerator: 50, Denominator: 100})
		}
	}
	return src
}

func BenchmarkReport(b *testing.B) {
	src := country()
	q := tally.Query{Period: dossier.Period{From: 20240101, To: 20250101}}
	b.ReportMetric(float64(len(src.Register)), "units")
	for b.Loop() {
		if _, err := tally.Report(context.Background(), src, q, tally.DefaultTargets()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkXLSX(b *testing.B) {
	t, err := tally.Report(context.Background(), country(), tally.Query{Period: dossier.Period{From: 20240101, To: 20250101}}, tally.DefaultTargets())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var out bytes.Buffer
		if err := t.XLSX(&out, tally.Heading{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStructure(b *testing.B) {
	units := country().Register
	for b.Loop() {
		if _, err := tally.StructureAsOf(units, 20250801); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkContribution is what a change of a dossier costs before any SQL.
func BenchmarkContribution(b *testing.B) {
	d := dossier.Dossier{Registered: dossier.Registered{Unit: "H51.04", Channel: dossier.Online, Status: dossier.Resolved,
		ReceivedAt: time.Date(2024, 8, 1, 9, 0, 0, 0, dossier.Zone), ResolvedAt: time.Date(2024, 8, 9, 9, 0, 0, 0, dossier.Zone)}, ReturnsDocument: true}
	e := d
	e.Facts.Components, e.Facts.Results = 1, 1
	for b.Loop() {
		tally.Diff(tally.Contribution(d), tally.Contribution(e))
	}
}
