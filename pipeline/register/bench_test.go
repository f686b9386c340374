package register

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
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
