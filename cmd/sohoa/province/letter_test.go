package province

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/register"
	"sohoa/pipeline/sheet"
	"sohoa/storage/ledger"
	"sohoa/tally"
	"sohoa/testdata/letter"
)

func importFile(t *testing.T, l *ledger.Ledger, kind register.Kind, path string) register.Summary {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sheet.Open(filepath.Base(path), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	sum, bad, err := register.Import(t.Context(), l, kind, s, register.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(bad) > 0 {
		t.Fatalf("%s: %+v", kind, bad[0])
	}
	return sum
}

// settle enters a document as the pipeline would, without its scan.
func settle(ctx context.Context, l *ledger.Ledger, n int, unit dossier.UnitCode, d letter.Document, reuses string) (string, error) {
	sum := sha256.Sum256([]byte(strconv.Itoa(n)))
	in := dossier.Intake{ID: uuid.Must(uuid.NewV7()).String(), ReceivedAt: letter.To.Time(),
		Slip: dossier.Slip{Kind: d.Kind, Dossier: d.Dossier, Unit: unit, By: "test", Door: dossier.DoorSubmit, Reuses: reuses}}
	if reuses == "" {
		in.Original = dossier.File{Key: "k", MediaType: "application/pdf", Size: 1, SHA256: dossier.Digest(hex.EncodeToString(sum[:]))}
	}
	if _, err := l.Receive(ctx, in); err != nil {
		return "", err
	}
	return in.ID, l.Settle(ctx, dossier.Record{Schema: dossier.RecordSchema, ID: in.ID, Slip: in.Slip, Original: in.Original,
		Conforms: dossier.AsOriginal, Verdict: dossier.Verdict{Pages: 1, Signed: d.Legal, LegalValue: d.Legal}, ReceivedAt: in.ReceivedAt})
}

func TestLetter(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(testneed.Root(t), "testdata", "letter")
	r, err := letter.Make()
	if err != nil {
		t.Fatal(err)
	}
	again := t.TempDir()
	if err := r.Write(again); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"units.csv", "procedures.csv", "dossiers.csv", "indicators.csv", "documents.csv"} {
		made, err := os.ReadFile(filepath.Join(again, name))
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(made, kept) {
			t.Errorf("%s is not what go run ./testdata/letter/make writes (%v)", name, err)
		}
	}

	l, err := ledger.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []register.Kind{register.Units, register.Procedures, register.Dossiers, register.Indicators} {
		importFile(t, l, kind, filepath.Join(dir, string(kind)+".csv"))
	}
	units := map[dossier.Code]dossier.UnitCode{}
	for _, d := range r.Dossiers {
		units[d.Code] = d.Unit
	}
	first := ""
	for i, d := range r.Documents {
		reuses := ""
		if d.Reused {
			reuses = first
		}
		id, err := settle(ctx, l, i, units[d.Dossier], d, reuses)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = id
		}
	}
	imported, err := l.Indicators(ctx, "2024-08")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []dossier.Date{letter.To, 20240901} {
		table, err := tally.Appendix(ctx, l, tally.Query{Unit: Root, Period: dossier.Period{From: letter.From, To: to}}, imported, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"68,82%", "28,83%", "43,39%", "48,76%", "49,41%", "99,17%", "43,11%",
			"Tỷ lệ công bố đạt 22,45%; Tỷ lệ cập nhật, công khai đạt 57,83%", "81,98%", "100%", "94,15%"}
		for i, row := range table.Rows {
			if row.Result != want[i] {
				t.Errorf("row %d: %s, want %s (%+v)", row.Row, row.Result, want[i], row.Figure)
			}
		}
		if len(table.Rows) != len(want) {
			t.Errorf("%d rows", len(table.Rows))
		}
	}
}
