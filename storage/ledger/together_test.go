package ledger

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// TestTogether has changes wait for each other behind one that holds the file,
// so that they commit together: each succeeds or fails for itself.
func TestTogether(t *testing.T) {
	l := open(t, sqliteDSN(t), Options{})
	note := func(name string, fail error) func(context.Context, *tx) error {
		return func(ctx context.Context, t *tx) error {
			if _, err := t.Exec(ctx, `INSERT INTO turn (unit, next) VALUES ($1, 1)`, name); err != nil {
				return err
			}
			return fail
		}
	}
	own := errors.New("its own trouble")
	cancelled, cancel := context.WithCancel(t.Context())
	calls := []struct {
		name string
		ctx  context.Context
		f    func(context.Context, *tx) error
		want error
		fall bool // panics
	}{
		{name: "one", ctx: t.Context(), f: note("one", nil)},
		{name: "fails", ctx: t.Context(), f: note("fails", own), want: own},
		{name: "two", ctx: t.Context(), f: note("two", nil)},
		{name: "given up", ctx: cancelled, f: note("given up", nil), want: context.Canceled},
		{name: "falls", ctx: t.Context(), f: func(ctx context.Context, t *tx) error {
			_ = note("falls", nil)(ctx, t)
			panic("fallen")
		}, fall: true},
		{name: "three", ctx: t.Context(), f: note("three", nil)},
	}

	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.updateTogether(t.Context(), func(context.Context, *tx) error {
			close(held)
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-held
	for _, c := range calls {
		before := l.together.length()
		wg.Go(func() {
			defer func() {
				if r := recover(); (r != nil) != c.fall {
					t.Errorf("%s: panic %v", c.name, r)
				}
			}()
			if err := l.updateTogether(c.ctx, c.f); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		})
		for l.together.length() == before {
		}
	}
	cancel()
	close(release)
	wg.Wait()

	for _, c := range calls {
		var n int
		if err := l.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM turn WHERE unit = $1`, c.name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if done := c.want == nil && !c.fall; done != (n == 1) {
			t.Errorf("%s: %d rows", c.name, n)
		}
	}
	if l.together.led || l.together.length() != 0 {
		t.Error("somebody is still waiting")
	}
}

func (g *together) length() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}
