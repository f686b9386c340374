package ledger

import (
	"context"
	"errors"
	"sync"
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
			ended <- l.Work(ctx, WorkOptions{Workers: 1, Hands: 2, BulkOnly: true, Backoff: func(int) time.Duration { return time.Millisecond },
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
		l.own.free()
		if worker, _, ok := l.own.take(bulkQueue); ok {
			l.own.free()
			must(t, l.disown(t.Context(), worker, 0)) // it may have been entered this instant
			if len(queued) > 0 {
				t.Error("given back at the first look")
			}
			must(t, l.disown(t.Context(), worker, 0))
		} else {
			t.Error("no hand is free")
		}
		if next := <-queued; next.ID != lost.Intake.ID || next.Untried {
			t.Errorf("lost: the queue hands out %+v", next)
		}
		eventually("every one is stored", func() bool { return jobs() == 0 })

		// Two hands: the third is the queue's, and so is what is not this process's. A
		// hand is taken before its work begins.
		var works []func(context.Context, func(context.Context, dossier.Intake) error) error
		for _, paper := range []dossier.PaperCode{"one", "two"} {
			_, work, err := l.Take(t.Context(), in(paper))
			must(t, err)
			works = append(works, work)
		}
		third, work, err := l.Take(t.Context(), in("three"))
		if err != nil || work != nil {
			t.Errorf("a third hand: %v, %v", work != nil, err)
		}
		if next := <-queued; next.ID != third.Intake.ID {
			t.Errorf("the queue hands out %+v", next)
		}
		go1, done := make(chan struct{}), make(chan error, 2)
		for _, work := range works {
			held := make(chan struct{})
			go func() {
				done <- work(t.Context(), func(ctx context.Context, in dossier.Intake) error {
					close(held)
					<-go1
					return l.Settle(ctx, record(in, false))
				})
			}()
			<-held
		}
		counters := in("four")
		counters.Slip.Door = dossier.DoorAPI
		if _, work, err := l.Take(t.Context(), counters); err != nil || work != nil {
			t.Errorf("a counter's paper in a process for what comes in bulk: %v, %v", work != nil, err)
		}

		// Told to stop, it ends what is in hand.
		stop()
		select {
		case <-ended:
			t.Fatal("Work ended with intakes in hand")
		case <-time.After(50 * time.Millisecond):
		}
		close(go1)
		must(t, <-done)
		must(t, <-done)
		must(t, <-ended)

		// A process that ends with an intake in hand: its lock is gone, and the next
		// one puts the job back.
		worker := "0192e4a0-0000-7000-8000-00000000dead"
		l.own.begin(worker, trier{l, t.Context(), t.Context(), WorkOptions{Hands: 1, BulkOnly: true}.withDefaults()})
		dead, work, err := l.Take(t.Context(), in("dead"))
		if err != nil || work == nil {
			t.Fatal(err)
		}
		l.own.free()
		l.own.end(t.Context())
		ctx, stop = context.WithCancel(t.Context())
		var mu sync.Mutex
		left := map[string]bool{dead.Intake.ID: true, counters.ID: true}
		must(t, l.Work(ctx, WorkOptions{Workers: 1}, func(ctx context.Context, in dossier.Intake) error {
			mu.Lock()
			defer mu.Unlock()
			if !left[in.ID] || in.Untried != (in.ID == counters.ID) {
				t.Errorf("dead: the queue hands out %+v", in)
			}
			if delete(left, in.ID); len(left) == 0 {
				defer stop()
			}
			return l.Settle(ctx, record(in, false))
		}))
		sound(t, l)
	})
}
