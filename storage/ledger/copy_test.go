package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/tally/tallytest"
)

// TestCopy: a ledger brought to the other engine has the same rows in every table,
// its tallies are those of a recount, its audit log is whole, and what was waiting
// is worked there.
func TestCopy(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to func(testing.TB) string
	}{{"sqlite-to-postgres", sqliteDSN, postgresDSN}, {"postgres-to-sqlite", postgresDSN, sqliteDSN}} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			from, to := open(t, c.from(t), Options{}), open(t, c.to(t), Options{})
			for _, s := range tallytest.History(77, 120) {
				must(t, happen(ctx, from, s))
			}
			province(t, from)
			must(t, from.ImportIndicators(ctx, "2024-08", map[int]string{1: "3.512", 6: "Đạt"}))
			must(t, from.SetTarget(ctx, Target{Indicator: "4.2", Unit: "H51", Year: 2025, Value: "85"}))
			got[Outcome](t)(from.ImportPortal(ctx, []dossier.PortalFigure{{Period: "2024-08", Unit: "H51", Indicator: "4.2", Numerator: 1, Denominator: 2}}))
			must(t, from.SaveClosing(ctx, Closing{ID: "c1", Period: "2024-08", Unit: "H51", At: time.UnixMicro(5), By: "lan", SHA256: "00", Content: []byte(`{"a":"ệ"}`)}))
			secret, _, err := from.CreateToken(ctx, dossier.Token{Name: "máy quét", Role: dossier.Clerk, Unit: "H51.04"})
			must(t, err)
			account := got[string](t)(from.CreateAccount(ctx, dossier.Account{Login: "lan", Name: "Nguyễn Thị Lan", Role: dossier.Clerk, Unit: "H51.04", Hash: "x"}))
			for i := range 7 {
				must(t, from.Audit(ctx, dossier.Deed{By: "account:lan", Role: dossier.Clerk, Unit: "H51.04", Action: dossier.ActSee, Object: fmt.Sprint(i), From: "127.0.0.1"}))
			}
			waiting := map[string]bool{}
			for i, door := range []dossier.Door{dossier.DoorAPI, dossier.DoorBackfill, dossier.DoorHot} {
				doc := tallytest.Document{ID: fmt.Sprintf("0190f000-0000-7000-8000-00000000000%d", i), Kind: dossier.Component, Dossier: registered(i, "H51.04").Code, Unit: "H51.04", At: time.Date(2024, 8, 30, 8, 0, 0, 0, time.UTC)}
				in := doc.Intake()
				in.Slip.Door = door
				got[dossier.Standing](t)(from.Receive(ctx, in))
				waiting[doc.ID] = true
			}

			counts := got[map[string]int64](t)(from.CopyTo(ctx, to))
			for _, table := range []string{"unit", "procedure", "dossier", "result", "document", "counter", "series", "target", "indicator_value", "portal", "closing", "token", "account", "audit", "audit_head", "event"} {
				if counts[table] == 0 {
					t.Errorf("nothing of table %s was copied, so nothing is shown of it: %v", table, counts)
				}
			}
			must(t, from.snapshot(ctx, func(ctx context.Context, q querier) error {
				return to.updateOnce(ctx, func(ctx context.Context, w *tx) error {
					for _, table := range got[[]string](t)(w.tables(ctx)) {
						columns := got[[]string](t)(w.columns(ctx, table))
						columns = slices.DeleteFunc(columns, func(c string) bool { return c == "job" }) // of the other queue
						a, b := dump(t, ctx, q, table, columns), dump(t, ctx, w, table, columns)
						if !slices.Equal(a, b) {
							t.Errorf("table %s differs:\n%.2000s\n\n%.2000s", table, strings.Join(a, "\n"), strings.Join(b, "\n"))
						}
						if int64(len(a)) != counts[table] {
							t.Errorf("table %s: %d rows, said %d", table, len(a), counts[table])
						}
					}
					return nil
				})
			}))
			sound(t, to)
			if n, _, err := to.CheckAudit(ctx); n != 7 || err != nil {
				t.Errorf("%d entries of the audit log: %v", n, err)
			}
			if tk := got[dossier.Token](t)(to.Token(ctx, secret)); tk.Name != "máy quét" {
				t.Errorf("token %+v", tk)
			}
			if a := got[dossier.Account](t)(to.Account(ctx, account)); a.Login != "lan" {
				t.Errorf("account %+v", a)
			}

			// Life goes on there: what waited is worked, and new things count.
			wctx, stop := context.WithCancel(ctx)
			worked := make(chan string, 10)
			ended := make(chan error, 1)
			go func() {
				ended <- to.Work(wctx, WorkOptions{Workers: 2}, func(ctx context.Context, in dossier.Intake) error {
					err := to.Settle(ctx, record(in, false))
					worked <- in.ID
					return err
				})
			}()
			for range 3 {
				delete(waiting, <-worked)
			}
			stop()
			must(t, <-ended)
			if len(waiting) > 0 {
				t.Errorf("never worked: %v", slices.Collect(maps.Keys(waiting)))
			}
			sound(t, to)

			if _, err := from.CopyTo(ctx, to); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("a second time: %v", err)
			}
		})
	}
}

// dump is a table's rows as text, sorted.
func dump(t *testing.T, ctx context.Context, q querier, table string, columns []string) []string {
	t.Helper()
	var out []string
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = &values[i]
	}
	must(t, query(ctx, q, `SELECT `+strings.Join(columns, ", ")+` FROM `+table, nil, func(r *sql.Rows) error {
		err := r.Scan(dest...)
		out = append(out, fmt.Sprint(values))
		return err
	}))
	slices.Sort(out)
	return out
}
