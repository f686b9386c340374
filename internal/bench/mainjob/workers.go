package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
)

// lateStore answers late, as a store in another building does.
type lateStore struct {
	storage.Store
	latency time.Duration
}

func (s lateStore) Put(ctx context.Context, key storage.Key, body io.ReadSeeker, info storage.Info) error {
	time.Sleep(s.latency)
	return s.Store.Put(ctx, key, body, info)
}

func (s lateStore) Open(ctx context.Context, key storage.Key) (io.ReadSeekCloser, storage.Info, error) {
	time.Sleep(s.latency)
	return s.Store.Open(ctx, key)
}

func (s lateStore) Stat(ctx context.Context, key storage.Key) (storage.Info, error) {
	time.Sleep(s.latency)
	return s.Store.Stat(ctx, key)
}

func (s lateStore) List(ctx context.Context, prefix storage.Key) iter.Seq2[storage.Info, error] {
	time.Sleep(s.latency)
	return s.Store.List(ctx, prefix)
}

func (s lateStore) Delete(ctx context.Context, key storage.Key) error {
	time.Sleep(s.latency)
	return s.Store.Delete(ctx, key)
}

// workers measures how the rate grows with the workers where the store's latency
// is what takes the time: documents that were received before, to settled.
func workers(dir, scan string, n int, latency time.Duration) error {
	body, err := os.ReadFile(scan)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, ".bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fmt.Printf("store answers %v late, %d documents a worker\n", latency, n)
	var first float64
	for _, w := range []int{1, 2, 4} {
		rate, err := drain(filepath.Join(work, fmt.Sprint(w)), body, n*w, w, latency)
		if err != nil {
			return err
		}
		if w == 1 {
			first = rate
		}
		fmt.Printf("%d workers: %.1f documents/s, %.0f %% of linear\n", w, rate, 100*rate/first/float64(w))
	}
	return nil
}

func drain(dir string, body []byte, n, workers int, latency time.Duration) (rate float64, err error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	p, l, done, err := house(ctx, dir, "", func(s storage.Store) storage.Store { return lateStore{s, latency} }, func(context.Context, pipeline.Observation) {})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	codes, err := register(ctx, l, n)
	if err != nil {
		return 0, err
	}
	ids := make([]string, n)
	if _, err := each(n, 16, func(i int) error {
		st, err := p.Receive(ctx, dossier.Slip{Kind: dossier.Component, Dossier: codes[i], By: "bench", Door: dossier.DoorAPI}, bytes.NewReader(body), pipeline.ReceiveOptions{})
		ids[i] = st.Intake.ID
		return err
	}); err != nil {
		return 0, err
	}
	working := make(chan error, 1)
	start := time.Now()
	go func() { working <- l.Work(ctx, ledger.WorkOptions{Workers: workers}, p.Process) }()
	for _, id := range ids {
		st, err := p.Wait(ctx, id, 10*time.Minute)
		if err == nil && st.State != dossier.Stored {
			err = fmt.Errorf("a document is %s", st.State)
		}
		if err != nil {
			stop()
			return 0, errors.Join(err, <-working)
		}
	}
	took := time.Since(start)
	stop()
	return float64(n) / took.Seconds(), <-working
}
