package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sohoa/dossier"
)

func TestAudit(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l, ctx := open(t, dsn, Options{}), t.Context()
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 5 {
					if err := l.Audit(ctx, dossier.Deed{By: fmt.Sprintf("token:%d", w), Role: dossier.Clerk, Unit: "H51.04", Action: dossier.ActSee, Object: fmt.Sprint(i), From: "127.0.0.1"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n, head, err := l.CheckAudit(ctx)
		if n != 20 || len(head) != 64 || err != nil {
			t.Fatal(n, head, err)
		}
		for want, q := range map[int]dossier.DeedQuery{20: {}, 5: {By: "token:1"}, 4: {Object: "3"}, 0: {Action: dossier.ActFetch}, 1: {By: "token:1", Object: "3", Units: []dossier.UnitCode{"H51.04", "H51"}}, 7: {Before: 8}} {
			if list := got[[]dossier.Deed](t)(l.Deeds(ctx, q)); len(list) != want {
				t.Errorf("%+v: %d entries, want %d", q, len(list), want)
			}
		}
		if list := got[[]dossier.Deed](t)(l.Deeds(ctx, dossier.DeedQuery{Units: []dossier.UnitCode{"H51"}})); len(list) != 0 {
			t.Errorf("another unit's: %d entries", len(list))
		}
		for name, c := range map[string][2]string{
			"out of the way":   {`UPDATE audit SET seq = 100 WHERE seq = 7`, `UPDATE audit SET seq = 7 WHERE seq = 100`},
			"the last is gone": {`UPDATE audit_head SET seq = 19`, `UPDATE audit_head SET seq = 20`},
		} {
			if _, err := l.write.ExecContext(ctx, c[0]); err != nil {
				t.Fatal(err)
			}
			if _, _, err := l.CheckAudit(ctx); !errors.Is(err, ErrAudit) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := l.write.ExecContext(ctx, c[1]); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := l.CheckAudit(ctx); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{`UPDATE audit SET object = '9' WHERE seq = 7`, `DELETE FROM audit WHERE seq = 7`} {
			if _, err := l.write.ExecContext(ctx, text); err != nil {
				t.Fatal(err)
			}
			if _, _, err := l.CheckAudit(ctx); !errors.Is(err, ErrAudit) {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}

// The log is searched by days of the local calendar, each day whole, page by page,
// and for no question is the whole of it read.
func TestAuditSearch(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		var clock time.Time
		l, ctx := open(t, dsn, Options{Now: func() time.Time { return clock }}), t.Context()
		for n := range 40 { // ten a day, the first at midnight, the last at its last second
			clock = dossier.Date(20240830).AddDays(n / 10).Time().Add(time.Duration(n%10) * 24 * time.Hour / 9).Add(-time.Duration(n%10/9) * time.Second)
			unit := dossier.UnitCode("H51.04")
			if n%20 == 13 {
				unit = "H51.04.01"
			}
			must(t, l.Audit(ctx, dossier.Deed{By: fmt.Sprintf("token:%d", n%2), Role: dossier.Clerk, Unit: unit, Action: dossier.ActSee, Object: fmt.Sprint(n % 5), From: "127.0.0.1"}))
		}
		many := []dossier.UnitCode{"H51.04"}
		for n := range mergedUnits {
			many = append(many, dossier.UnitCode(fmt.Sprintf("H51.%d", 100+n)))
		}
		for name, c := range map[string]struct {
			q    dossier.DeedQuery
			want []int64 // the latest and the first
			n    int
		}{
			"a day":              {dossier.DeedQuery{Days: dossier.Period{From: 20240831, To: 20240901}}, []int64{20, 11}, 10},
			"from a day":         {dossier.DeedQuery{Days: dossier.Period{From: 20240901}}, []int64{40, 21}, 20},
			"up to a day":        {dossier.DeedQuery{Days: dossier.Period{To: 20240831}}, []int64{10, 1}, 10},
			"somebody's, of two": {dossier.DeedQuery{By: "token:1", Days: dossier.Period{From: 20240831, To: 20240902}}, []int64{30, 12}, 10},
			"something, of two":  {dossier.DeedQuery{Object: "3", Days: dossier.Period{From: 20240831, To: 20240902}}, []int64{29, 14}, 4},
			"a kind":             {dossier.DeedQuery{Action: dossier.ActSee, Days: dossier.Period{From: 20240902}}, []int64{40, 31}, 10},
			"no such day":        {dossier.DeedQuery{Days: dossier.Period{From: 20250101}}, nil, 0},
			"of a unit":          {dossier.DeedQuery{Units: []dossier.UnitCode{"H51.04.01"}}, []int64{34, 14}, 2},
			"of units":           {dossier.DeedQuery{Units: []dossier.UnitCode{"H51", "H51.04", "H51.04.01"}, Days: dossier.Period{From: 20240902}}, []int64{40, 31}, 10},
			"a unit's, of one":   {dossier.DeedQuery{Units: []dossier.UnitCode{"H51.04"}, By: "token:1", Days: dossier.Period{From: 20240902}}, []int64{40, 32}, 4},
			"of many units":      {dossier.DeedQuery{Units: many, Days: dossier.Period{From: 20240902}}, []int64{40, 31}, 9},
		} {
			var all []dossier.Deed
			for c.q.Limit = 3; ; c.q.Before = all[len(all)-1].Seq {
				page := got[[]dossier.Deed](t)(l.Deeds(ctx, c.q))
				all = append(all, page...)
				if len(page) < c.q.Limit {
					break
				}
			}
			if len(all) != c.n || c.n > 0 && (all[0].Seq != c.want[0] || all[c.n-1].Seq != c.want[1]) {
				t.Errorf("%s: %d entries, want %d from %v: %+v", name, len(all), c.n, c.want, all)
			}
			if l.pool != nil {
				continue
			}
			c.q.Before = 3
			text, args := deedsText(c.q, 1)
			index := "SEARCH audit USING INDEX audit_"
			if c.q.Units != nil && c.q.By == "" && len(c.q.Units) <= mergedUnits {
				index += "unit (unit=? AND "
			}
			found := false
			must(t, query(ctx, l.read, "EXPLAIN QUERY PLAN "+text, args, func(r *sql.Rows) error {
				var id, parent, unused int
				var detail string
				err := r.Scan(&id, &parent, &unused, &detail)
				found = found || strings.HasPrefix(detail, index)
				if strings.Contains(detail, "audit") && !strings.HasPrefix(detail, index) || strings.Contains(detail, "TEMP B-TREE") && !strings.Contains(text, "UNION ALL") {
					t.Errorf("%s: %s", name, detail)
				}
				return err
			}))
			if !found {
				t.Errorf("%s: no index in the plan", name)
			}
		}
	})
}
