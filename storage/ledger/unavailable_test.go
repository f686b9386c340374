package ledger

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/storage/storagetest/servers"
)

// TestUnavailable: what a database answers that is away, locked or about to
// restart is told from what is wrong with the question.
func TestUnavailable(t *testing.T) {
	for _, err := range []error{nil, errors.New("x"), dossier.ErrUnknownDocument, context.Canceled} {
		if Unavailable(err) {
			t.Errorf("%v is taken for an outage", err)
		}
	}
	t.Run("postgres", func(t *testing.T) {
		s := servers.OwnPostgres(t)
		l := open(t, s.DSN("postgres"), Options{})
		if err := l.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := l.read.ExecContext(t.Context(), `SELECT nothing`); err == nil || Unavailable(err) {
			t.Errorf("a wrong question: %v", err)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		for range 3 { // the connections that were open, and new ones
			if err := l.Ready(t.Context()); !Unavailable(err) {
				t.Errorf("away: %v", err)
			}
			if err := l.SaveCheck(t.Context(), dossier.Check{ID: "x"}, nil); !Unavailable(err) {
				t.Errorf("away: %v", err)
			}
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if err := l.Ready(t.Context()); err != nil {
			if err = l.Ready(t.Context()); err != nil { // a connection that had not been tried
				t.Errorf("back: %v", err)
			}
		}
	})
	t.Run("sqlite", func(t *testing.T) {
		l := open(t, sqliteDSN(t), Options{})
		if _, err := l.write.ExecContext(t.Context(), `SELECT nothing`); err == nil || Unavailable(err) {
			t.Errorf("a wrong question: %v", err)
		}
		if _, err := l.write.ExecContext(t.Context(), `PRAGMA max_page_count = 1`); err != nil {
			t.Fatal(err)
		}
		var err error
		for i := 0; err == nil && i < 100_000; i++ {
			err = l.SaveCheck(t.Context(), dossier.Check{ID: fmt.Sprint(i), Done: fmt.Sprintf("%04000d", i), StartedAt: time.UnixMilli(int64(i) + 1), Name: dossier.CheckName(fmt.Sprint(i))}, nil)
		}
		if !Unavailable(err) {
			t.Errorf("full: %v", err)
		}
	})
}

// TestOutageDoesNotCount: tries that an outage spoils are neither counted nor
// logged as the intake's; when it is over the work goes on by itself.
func TestOutageDoesNotCount(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Options{})
		province(t, l)
		st, err := l.Receive(t.Context(), intake(dossier.Slip{Kind: dossier.Component, Dossier: "H51.10-240801-0001", Unit: "H51.10"}))
		must(t, err)
		away := errors.New("the store is away")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		working := make(chan error, 1)
		tries := make(chan struct{}, 100)
		go func() {
			working <- l.Work(ctx, WorkOptions{MaxAttempts: 2, Outage: func(_ context.Context, err error) bool { return errors.Is(err, away) }},
				func(context.Context, dossier.Intake) error {
					tries <- struct{}{}
					return away
				})
		}()
		for range 4 { // more than may fail
			<-tries
		}
		stop()
		must(t, <-working)
		got, err := l.Standing(t.Context(), st.Intake.ID)
		if err != nil || got.State != dossier.Pending || got.Fault != "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestStoodStill: a machine that stood still in the middle of a transaction finds
// it ended by the server, and makes it anew.
func TestStoodStill(t *testing.T) {
	l := open(t, postgresDSN(t), Options{})
	tries := 0
	err := l.update(t.Context(), func(ctx context.Context, tx *tx) error {
		if tries++; tries == 1 {
			var session, there int
			if err := tx.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&session); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = '10ms'`); err != nil {
				return err
			}
			for there = 1; there > 0; time.Sleep(10 * time.Millisecond) {
				if err := l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_stat_activity WHERE pid = $1`, session).Scan(&there); err != nil {
					return err
				}
			}
		}
		_, err := tx.Exec(ctx, `UPDATE unit SET name = name`)
		return err
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
}
