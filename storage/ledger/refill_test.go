package ledger

import (
	"context"
	"fmt"
	"testing"

	"sohoa/dossier"
	"sohoa/tally"
)

// TestRefill: what was counted wrongly, or not at all by the program before this
// one, is right after Refill and after Migrate.
func TestRefill(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		one, two := registered(1, "H51.04"), registered(2, "H51.05")
		got[Outcome](t)(l.ImportDossiers(t.Context(), []dossier.Registered{one, two}))
		got[Outcome](t)(l.ImportResults(t.Context(), []dossier.Result{{Number: "1", Unit: "H51.05", AuthorityLevel: dossier.District, IssuedOn: 20190102}}))
		store(t, l, dossier.Slip{Kind: dossier.Component, Dossier: one.Code, Unit: one.Unit}, false)
		store(t, l, dossier.Slip{Kind: dossier.ResultKind, Dossier: one.Code, Unit: one.Unit}, true)
		sound(t, l)
		for name, harm := range map[string]string{
			"a row is gone":      `DELETE FROM counter WHERE unit = 'H51.05'`,
			"a month is off":     `UPDATE counter SET n0 = COALESCE(n0, 0) + 1 WHERE period = 202408`,
			"a row too many":     `INSERT INTO counter (unit, period, d1) VALUES ('H51', 20240101, 7)`,
			"a series is new":    `UPDATE counter SET n2 = NULL, d2 = NULL`,
			"another dossier is": `UPDATE dossier SET unit = 'H51' WHERE unit = 'H51.04'`,
		} {
			if _, err := l.write.ExecContext(t.Context(), harm); err != nil {
				t.Fatal(err)
			}
			found := 0
			must(t, l.Recount(t.Context(), func(tally.Cell) { found++ }))
			if found == 0 {
				t.Errorf("%s: the recount finds nothing", name)
			}
			if name == "a series is new" {
				if _, err := l.write.ExecContext(t.Context(), `UPDATE series SET filled = 0 WHERE slot = 2`); err != nil {
					t.Fatal(err)
				}
				must(t, l.Migrate(t.Context()))
			} else {
				must(t, l.Refill(t.Context()))
			}
			sound(t, l)
		}
		wantRate(t, l, "4.2", 1, 2)
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
