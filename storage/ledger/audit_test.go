package ledger

import (
	"errors"
	"fmt"
	"sync"
	"testing"

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
