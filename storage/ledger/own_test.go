package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"sohoa/dossier"
)

// TestTake: who receives an intake may work it himself; a try that fails, or
// that he forgets or dies over, is followed by the queue's.
func TestTake(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		in := func(paper dossier.PaperCode) dossier.Intake {
			return intake(dossier.Slip{Kind: dossier.Component, Dossier: "H51.10-240801-0001", Unit: "H51.10", Paper: paper, Door: dossier.DoorBackfill})
		}
		st, work, err := l.Take(t.Context(), in("none"))
		if err != nil || work != nil || st.State != dossier.Pending {
			t.Fatalf("without workers: %+v, %v, to be worked by us: %v", st, err, work != nil)
		}

		ctx, stop := context.WithCancel(t.Context())
		queued, ready := make(chan dossier.Intake, 10), make(chan struct{})
		ended := make(chan error, 1)
		away := errors.New("the store is away")
		go func() {
			ended <- l.Work(ctx, WorkOptions{Workers: 1, Backoff: func(int) time.Duration { return time.Millisecond },
				Outage: func(_ context.Context, err error) bool { return errors.Is(err, away) }, Ready: func() { close(ready) }},
				func(ctx context.Context, in dossier.Intake) error {
					queued <- in
					return l.Settle(ctx, record(in, false))
				})
		}()
		<-ready
		<-queued // what was there before

		jobs := func() (n int) {
			must(t, l.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM river_job WHERE state NOT IN ('completed')`).Scan(&n))
			return n
		}
		eventually := func(what string, f func() bool) {
			t.Helper()
			for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(2 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s: never", what)
				}
			}
		}
		tries, once := 0, in("good")
		for paper, tried := range map[dossier.PaperCode]func(dossier.Intake) error{
			"good": func(dossier.Intake) error { return nil },
			"away": func(in dossier.Intake) error {
				if in.Untried != (tries == 1) {
					t.Errorf("try %d is told that it is untried: %v", tries, in.Untried)
				}
				if tries == 1 {
					return away
				}
				return nil
			},
		} {
			given := once
			if tries = 0; paper != "good" {
				given = in(paper)
			}
			_, work, err := l.Take(t.Context(), given)
			must(t, err)
			must(t, work(t.Context(), func(ctx context.Context, in dossier.Intake) error {
				tries++
				if err := tried(in); err != nil {
					return err
				}
				return l.Settle(ctx, record(in, false))
			}))
		}
		eventually("no job is left", func() bool { return jobs() == 0 })
		if st, work, err := l.Take(t.Context(), once); err != nil || work != nil || !st.Again || st.State != dossier.Stored {
			t.Errorf("once more: %+v, %v, %v", st, work != nil, err)
		}

		for paper, try := range map[dossier.PaperCode]func(context.Context, dossier.Intake) error{
			"faulty": func(context.Context, dossier.Intake) error { return errors.New("the disk is full") },
			"panics": func(context.Context, dossier.Intake) error { panic("oh") },
		} {
			st, work, err := l.Take(t.Context(), in(paper))
			must(t, err)
			if work(t.Context(), try) == nil {
				t.Errorf("%s: no fault", paper)
			}
			if next := <-queued; next.ID != st.Intake.ID || next.Untried {
				t.Errorf("%s: the queue hands out %+v", paper, next)
			}
		}

		lost, _, err := l.Take(t.Context(), in("lost"))
		must(t, err)
		if worker, _ := l.own.name(); true {
			must(t, l.disown(t.Context(), worker, 0)) // it may have been entered this instant
			if len(queued) > 0 {
				t.Error("given back at the first look")
			}
			must(t, l.disown(t.Context(), worker, 0))
		}
		if next := <-queued; next.ID != lost.Intake.ID || next.Untried {
			t.Errorf("lost: the queue hands out %+v", next)
		}
		eventually("every one is stored", func() bool { return jobs() == 0 })
		stop()
		must(t, <-ended)

		// A process that ends with an intake in hand: its lock is gone, and the next
		// one puts the job back.
		worker := "0192e4a0-0000-7000-8000-00000000dead"
		l.own.begin(worker, trier{l, t.Context(), WorkOptions{}.withDefaults()})
		dead, work, err := l.Take(t.Context(), in("dead"))
		if err != nil || work == nil {
			t.Fatal(err)
		}
		l.own.end(worker)
		ctx, stop = context.WithCancel(t.Context())
		must(t, l.Work(ctx, WorkOptions{Workers: 1}, func(ctx context.Context, in dossier.Intake) error {
			defer stop()
			if in.ID != dead.Intake.ID || in.Untried {
				t.Errorf("dead: the queue hands out %+v", in)
			}
			return l.Settle(ctx, record(in, false))
		}))
		sound(t, l)
	})
}
