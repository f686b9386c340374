package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sohoa/dossier"
)

func TestChecks(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		if c, found, err := l.LastCheck(t.Context(), dossier.ByHand); err != nil || found {
			t.Fatalf("%+v, %v", c, err)
		}
		at := time.Date(2024, 8, 29, 8, 0, 0, 0, time.UTC)
		c := dossier.Check{ID: "a", Name: dossier.ByHand, Deep: true, StartedAt: at, MovedAt: at}
		must(t, l.SaveCheck(t.Context(), c, nil))
		found := []dossier.Difference{{Kind: dossier.WrongHash, Document: "d", Key: "k", Detail: "x"}, {Kind: dossier.TallyDiffers, Key: "H51"}}
		c.Stage, c.Done, c.Documents, c.Objects, c.Bytes = "archive", "dossiers/x", 3, 7, 1<<40
		for i := range found {
			c.Differences++
			must(t, l.SaveCheck(t.Context(), c, found[i:i+1]))
		}
		c.EndedAt = at.Add(time.Hour)
		must(t, l.SaveCheck(t.Context(), c, nil))
		if got, ok, err := l.LastCheck(t.Context(), dossier.ByHand); err != nil || !ok || got != c {
			t.Errorf("%+v, %v, %v; want %+v", got, ok, err, c)
		}
		var got []dossier.Difference
		must(t, l.EachDifference(t.Context(), "a", func(d dossier.Difference) error { got = append(got, d); return nil }))
		if !slices.Equal(got, found) {
			t.Errorf("%+v, want %+v", got, found)
		}
		// Another name does not push out; the same name does, in the end.
		must(t, l.SaveCheck(t.Context(), dossier.Check{ID: "plan", Name: dossier.ByPlan, StartedAt: at}, nil))
		for i := range checksKept + 5 {
			c := dossier.Check{ID: fmt.Sprintf("b%02d", i), Name: dossier.ByHand, StartedAt: at.Add(time.Duration(i+1) * time.Minute), EndedAt: at}
			must(t, l.SaveCheck(t.Context(), c, nil))
		}
		checks, err := l.Checks(t.Context())
		must(t, err)
		if len(checks) != checksKept+2 || checks[0].ID != fmt.Sprintf("b%02d", checksKept+4) || checks[len(checks)-1].ID != "plan" {
			t.Errorf("%d checks are kept: %+v", len(checks), checks)
		}
		got = nil
		must(t, l.EachDifference(t.Context(), "a", func(d dossier.Difference) error { got = append(got, d); return nil }))
		if len(got) != 0 {
			t.Errorf("differences of a pass that is gone: %+v", got)
		}
	})
}

// TestLead: one of many has the lead, until it ends; that it ends with its
// process, the vigil's tests show of the same locks.
func TestLead(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		a, b := open(t, dsn, Options{}), open(t, dsn, Options{})
		lead := func(l *Ledger, name string, want bool) *Lead {
			t.Helper()
			d, err := l.Lead(t.Context(), name)
			if err != nil || (d != nil) != want {
				t.Fatalf("lead: %v, %v; want %v", d != nil, err, want)
			}
			return d
		}
		first := lead(a, "x", true)
		if !first.Held(t.Context()) {
			t.Error("the lead is not held")
		}
		lead(a, "x", false)
		lead(b, "x", false)
		lead(b, "y", true).End()
		first.End()
		lead(b, "x", true).End()
	})
}
