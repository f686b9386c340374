package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sohoa/dossier"
	"sohoa/tally"
)

// TestRefill: what was counted wrongly, or not at all by the program before this
// one, is right after Refill and after Migrate; and so are the rows from which the
// next change counts.
func TestRefill(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		one, two := registered(1, "H51.04"), registered(2, "H51.05")
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{one, two}))
		got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{{Number: "1", Unit: "H51.05", AuthorityLevel: dossier.District, IssuedOn: 20190102}}))
		store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: one.Code, Unit: one.Unit}, false)
		store(t, l, dossier.Slip{Kind: dossier.ResultKind, Dossier: one.Code, Unit: one.Unit}, true)
		unknown := registered(3, "H51.05")
		store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: unknown.Code, Unit: unknown.Unit}, false)
		store(t, l, dossier.Slip{Kind: dossier.ResultInForce, Number: "1", Unit: "H51.05"}, false)
		sound(t, l)
		for name, harm := range map[string]string{
			"a row is gone":      `DELETE FROM counter WHERE unit = 'H51.05'`,
			"a month is off":     `UPDATE counter SET n0 = COALESCE(n0, 0) + 1 WHERE period = 202408`,
			"a row too many":     `INSERT INTO counter (unit, period, d1) VALUES ('H51', 20240101, 7)`,
			"a series is new":    `UPDATE counter SET n2 = NULL, d2 = NULL`,
			"another dossier is": `UPDATE dossier SET unit = 'H51' WHERE unit = 'H51.04'`,
			"facts are off":      `UPDATE dossier SET components = 7, reused = 2, legal_results = 0 WHERE known = 1`,
			"of an unknown, too": `UPDATE dossier SET personal = 3 WHERE known = 0`,
			"none returns":       `UPDATE dossier SET returns_document = 0`,
			"digitised is off":   `UPDATE result SET digitised = 1 - digitised`,
			"all of it":          `UPDATE dossier SET results = 1 - results; UPDATE result SET digitised = 1 - digitised; DELETE FROM counter`,
		} {
			for one := range strings.SplitSeq(harm, "; ") {
				if _, err := l.write.ExecContext(t.Context(), one); err != nil {
					t.Fatal(err)
				}
			}
			found := 0
			must(t, l.Recount(t.Context(), func(Miscount) { found++ }))
			if found == 0 {
				t.Errorf("%s: the recount finds nothing", name)
			}
			if name == "a series is new" {
				if _, err := l.write.ExecContext(t.Context(), `UPDATE series SET filled = 0 WHERE slot = 2`); err != nil {
					t.Fatal(err)
				}
				must(t, l.Migrate(t.Context()))
			} else {
				mended := 0
				must(t, l.Refill(t.Context(), func(Miscount) { mended++ }))
				if mended != found {
					t.Errorf("%s: %d mended of %d found", name, mended, found)
				}
			}
			sound(t, l)
			must(t, l.Refill(t.Context(), func(m Miscount) { t.Errorf("%s: found again: %s: %v", name, m.Unit, m) }))
		}
		wantRate(t, l, "4.2", 1, 2)
		store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: two.Code, Unit: two.Unit}, false)
		store(t, l, dossier.Slip{Kind: dossier.ResultKind, Dossier: two.Code, Unit: two.Unit}, true)
		store(t, l, dossier.Slip{Kind: dossier.ResultInForce, Number: "2", Unit: "H51.05"}, false)
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{unknown}))
		got[Outcome](t)(l.ImportProcedures(t.Context(), []dossier.Procedure{{Code: "1.004946", Name: "Thủ tục"}}))
		sound(t, l)
		wantRate(t, l, "4.2", 3, 3)
	})
}

// TestManySeries: a series that has no columns gets them when it first counts.
func TestManySeries(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		var cells []tally.Cell
		for i := range 30 {
			cells = append(cells, tally.Cell{Unit: "H51", Series: tally.Series(fmt.Sprint("test.", i)), Day: 20240830, Numerator: int64(i), Denominator: 100})
		}
		for range 2 {
			must(t, l.update(t.Context(), func(ctx context.Context, t *tx) error { return t.add(ctx, cells) }))
		}
		have := got[[]tally.Cell](t)(l.Sums(t.Context(), nil, []tally.Series{"test.29"}, dossier.Period{}))
		if len(have) != 1 || have[0].Numerator != 58 || have[0].Denominator != 200 {
			t.Errorf("%+v", have)
		}
		var many []tally.Cell
		for i := range 70 {
			many = append(many, tally.Cell{Unit: "H51", Series: tally.Series(fmt.Sprint("more.", i)), Day: 20240830, Denominator: 1})
		}
		if err := l.update(t.Context(), func(ctx context.Context, t *tx) error { return t.add(ctx, many) }); err == nil {
			t.Error("more series than there can be columns")
		}
	})
}
