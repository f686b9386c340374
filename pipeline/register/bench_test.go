package register

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
	"sohoa/storage/ledger"
)

// nowhere is a ledger that costs nothing, so that the reading alone is measured.
type nowhere struct{ *book }

func (nowhere) ImportDossiers(_ context.Context, rows []dossier.Registered) (dossier.ImportOutcome, error) {
	return dossier.ImportOutcome{New: len(rows)}, nil
}

func BenchmarkImportDossiers(b *testing.B) {
	const n = 100_000
	var text strings.Builder
	text.WriteString(dossierHeader)
	for i := range n {
		fmt.Fprintf(&text, "H51.%02d-240830-%06d,H51.%02d,1.004946,2,2024-08-30T08:15:00+07:00,resolved,2024-09-02T10:00:00+07:00,2024-09-02T11:00:00+07:00\n", i%90, i, i%90)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		s, err := sheet.Open("dossiers.csv", strings.NewReader(text.String()), int64(text.Len()))
		if err != nil {
			b.Fatal(err)
		}
		sum, bad, err := Import(b.Context(), nowhere{newBook()}, Dossiers, s, Options{})
		if err != nil || len(bad) > 0 || sum.New != n {
			b.Fatal(sum, bad, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// A hundred thousand dossiers of five years and 350 units into a new SQLite ledger
// (reading the file included), as they stand in a system's export: in no order,
// or sorted by unit and day.
func BenchmarkImportSQLite(b *testing.B) {
	const n, units, days = 100_000, 350, 1826
	type row struct{ unit, day, number int }
	rows := make([]row, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		rows[i] = row{r.IntN(units), r.IntN(days), i}
	}
	file := func(rows []row) string {
		var text strings.Builder
		text.WriteString(dossierHeader)
		for _, w := range rows {
			at := dossier.Date(20200101).AddDays(w.day)
			after := at.AddDays(1 + w.number%9)
			fmt.Fprintf(&text, "H51.%03d-%06d-%06d,H51.%03d,1.004946,%d,%sT08:15:00+07:00,returned,%sT10:00:00+07:00,%sT11:00:00+07:00\n",
				w.unit, int(at)%1000000, w.number, w.unit, 1+w.number%3, at, after, after)
		}
		return text.String()
	}
	random := file(rows)
	slices.SortFunc(rows, func(a, b row) int { return (a.unit*days+a.day)*n + a.number - (b.unit*days+b.day)*n - b.number })
	for _, c := range []struct{ name, text string }{{"random", random}, {"sorted", file(rows)}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				l, err := ledger.Open(b.Context(), "sqlite:"+b.TempDir()+"/ledger.db", ledger.Options{Log: zerolog.Nop()})
				if err != nil {
					b.Fatal(err)
				}
				if err := l.Migrate(b.Context()); err != nil {
					b.Fatal(err)
				}
				register := []dossier.Unit{}
				for u := range units {
					register = append(register, dossier.Unit{Code: dossier.UnitCode(fmt.Sprintf("H51.%03d", u)), Name: "Xã", Level: dossier.Commune})
				}
				if _, err := l.ImportUnits(b.Context(), register); err != nil {
					b.Fatal(err)
				}
				if _, err := l.ImportProcedures(b.Context(), []dossier.Procedure{{Code: "1.004946", Name: "Cấp lại", ReturnsDocument: true}}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				s, err := sheet.Open("dossiers.csv", strings.NewReader(c.text), int64(len(c.text)))
				if err != nil {
					b.Fatal(err)
				}
				sum, bad, err := Import(b.Context(), l, Dossiers, s, Options{})
				if err != nil || len(bad) > 0 || sum.New != n {
					b.Fatal(sum, bad, err)
				}
				b.StopTimer()
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
