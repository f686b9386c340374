package ledger

import (
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
)

func TestRuns(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		start := time.Date(2024, 8, 30, 8, 0, 0, 0, time.UTC)
		var clock atomic.Int64
		clock.Store(start.UnixMicro())
		now := func() time.Time { return time.UnixMicro(clock.Load()).UTC() }
		l := open(t, dsn, Options{Now: now})
		ctx := t.Context()
		r := dossier.Run{ID: "1", Kind: dossier.Backfill, Host: "a", StartedAt: start, Total: 100}
		must(t, l.SaveRun(ctx, r))
		clock.Add(int64(10 * time.Second / time.Microsecond))
		r.Done, r.Failed, r.Waiting = 40, 2, "hours"
		must(t, l.SaveRun(ctx, r))
		r.SeenAt = now()
		if list := got[[]dossier.Run](t)(l.Runs(ctx)); len(list) != 1 || list[0] != r || !list[0].Alive(now()) || list[0].Alive(now().Add(dossier.RunSilence)) {
			t.Errorf("%+v, want %+v", list, r)
		}
		r.EndedAt = now()
		must(t, l.SaveRun(ctx, r))
		if list := got[[]dossier.Run](t)(l.Runs(ctx)); len(list) != 1 || list[0].Alive(now()) {
			t.Errorf("ended: %+v", list)
		}
		clock.Add(int64(8 * 24 * time.Hour / time.Microsecond))
		must(t, l.SaveRun(ctx, dossier.Run{ID: "2", Kind: dossier.Working, StartedAt: now()}))
		if list := got[[]dossier.Run](t)(l.Runs(ctx)); len(list) != 1 || list[0].ID != "2" {
			t.Errorf("a week later: %+v", list)
		}
	})
}
