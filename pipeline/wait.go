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
// after d. A verdict of this process is handed to it; one of another process is
// seen by asking the ledger, seldom.
func (p *Pipeline) Wait(ctx context.Context, id string, d time.Duration) (dossier.Standing, error) {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	verdict, pending, leave := p.waiting.join(id)
	defer leave()
	const soon, seldom = 100 * time.Millisecond, time.Second
	pause := soon
	if pending {
		pause = seldom // it is told, unless others took the intake over
	}
	for {
		if !pending {
			st, err := p.Ledger.Standing(ctx, id)
			if err != nil || st.State != dossier.Pending {
				return st, err
			}
		}
		pending = false
		ask := time.NewTimer(pause)
		select {
		case st := <-verdict:
			if st.State != "" {
				ask.Stop()
				return st, nil
			}
			pause = soon
		case <-ask.C:
			pause = min(pause*3/2, seldom)
		case <-deadline.C:
			ask.Stop()
			return p.Ledger.Standing(ctx, id)
		case <-ctx.Done():
			ask.Stop()
			return dossier.Standing{}, ctx.Err()
		}
		ask.Stop()
	}
}

// waiters are the requests that wait for a verdict in this process.
type waiters struct {
	mu       sync.Mutex
	of       map[string][]chan dossier.Standing
	expected map[string]struct{}
}

func newWaiters() *waiters {
	return &waiters{of: map[string][]chan dossier.Standing{}, expected: map[string]struct{}{}}
}

// expect says that this process is bringing the document to its verdict: until
// then, or until done, who waits need not ask the ledger.
func (w *waiters) expect(id string) (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected[id] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, left := w.expected[id]; left {
			w.tell(id, dossier.Standing{})
		}
	}
}

// join waits for the document's verdict, which is the zero Standing where the
// ledger is to be asked; pending is whether it is known not to have come yet.
func (w *waiters) join(id string) (verdict <-chan dossier.Standing, pending bool, leave func()) {
	ch := make(chan dossier.Standing, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[id] = append(w.of[id], ch)
	_, pending = w.expected[id]
	return ch, pending, func() { w.leave(id, ch) }
}

func (w *waiters) leave(id string, ch chan dossier.Standing) {
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

func (w *waiters) wake(id string, verdict dossier.Standing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(id, verdict)
}

func (w *waiters) tell(id string, verdict dossier.Standing) {
	delete(w.expected, id)
	for _, ch := range w.of[id] {
		select {
		case ch <- verdict:
		default:
		}
	}
}
