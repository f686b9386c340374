package pipeline

import (
	"context"
	"sync"
	"time"

	"sohoa/dossier"
)

// Standing answers where a document stands.
func (p *Pipeline) Standing(ctx context.Context, id string) (dossier.Standing, error) {
	return p.Ledger.Standing(ctx, id)
}

// Wait answers where a document stands as soon as it is no longer pending, or
// after d. A verdict of this process wakes it at once; one of another process is
// seen by asking the ledger, seldom.
func (p *Pipeline) Wait(ctx context.Context, id string, d time.Duration) (dossier.Standing, error) {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	woken, leave := p.waiting.join(id)
	defer leave()
	pause := 100 * time.Millisecond
	for {
		st, err := p.Ledger.Standing(ctx, id)
		if err != nil || st.State != dossier.Pending {
			return st, err
		}
		ask := time.NewTimer(pause)
		select {
		case <-woken:
		case <-ask.C:
			pause = min(pause*3/2, time.Second)
		case <-deadline.C:
			ask.Stop()
			return p.Ledger.Standing(ctx, id)
		case <-ctx.Done():
			ask.Stop()
			return st, ctx.Err()
		}
		ask.Stop()
	}
}

// waiters are the requests that wait for a verdict in this process.
type waiters struct {
	mu sync.Mutex
	of map[string][]chan struct{}
}

func newWaiters() *waiters { return &waiters{of: map[string][]chan struct{}{}} }

func (w *waiters) join(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[id] = append(w.of[id], ch)
	return ch, func() { w.leave(id, ch) }
}

func (w *waiters) leave(id string, ch chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.of[id][:0]
	for _, c := range w.of[id] {
		if c != ch {
			left = append(left, c)
		}
	}
	if len(left) == 0 {
		delete(w.of, id)
		return
	}
	w.of[id] = left
}

func (w *waiters) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.of[id] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
