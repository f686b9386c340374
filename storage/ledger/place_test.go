package ledger

import (
	"testing"
	"time"

	"sohoa/dossier"
)

// Counters are open while papers come in for which somebody waits, whichever process
// takes them in; a backfill's do not count.
func TestCountersOpen(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		now := time.Date(2024, 9, 2, 8, 0, 0, 0, time.UTC)
		clock := Options{Now: func() time.Time { return now }}
		l, other := open(t, dsn, clock), open(t, dsn, clock)
		province(t, l)
		want := func(open bool, when string) {
			t.Helper()
			if is := got[bool](t)(other.CountersOpen(t.Context())); is != open {
				t.Errorf("%s: open %v", when, is)
			}
		}
		from := func(door dossier.Door) {
			t.Helper()
			got[dossier.Standing](t)(l.Receive(t.Context(), intake(dossier.Slip{Kind: dossier.Component, Dossier: "H51.04-240830-0001", Unit: "H51.04", Door: door})))
		}
		want(false, "nothing has come in")
		from(dossier.DoorBackfill)
		want(false, "after a backfill's paper")
		from(dossier.DoorWeb)
		want(true, "after a clerk's paper")
		now = now.Add(10 * time.Minute)
		from(dossier.DoorHot)
		now = now.Add(10 * time.Minute)
		from(dossier.DoorBackfill)
		want(true, "ten minutes after the last one")
		now = now.Add(6 * time.Minute)
		want(false, "sixteen minutes after it")
	})
}
