package storagetest

import (
	"context"
	"io"
	"iter"

	"sohoa/storage"
)

// Operations as Faulty names them.
const (
	OpPut    = "put"
	OpOpen   = "open"
	OpStat   = "stat"
	OpList   = "list"
	OpDelete = "delete"
)

// Faulty returns a store that asks plan before every operation. Where plan
// returns an error the operation returns it: after doing its work if apply is
// true (written, but reported lost), without doing anything if not (lost).
// Plan is called concurrently if the store is.
func Faulty(s storage.Store, plan func(op string, key storage.Key) (apply bool, err error)) storage.Store {
	return &faulty{s: s, plan: plan}
}

type faulty struct {
	s    storage.Store
	plan func(op string, key storage.Key) (apply bool, err error)
}

func (f *faulty) Put(ctx context.Context, key storage.Key, body io.ReadSeeker, info storage.Info) error {
	apply, err := f.plan(OpPut, key)
	if err == nil || apply {
		if perr := f.s.Put(ctx, key, body, info); perr != nil {
			return perr
		}
	}
	return err
}

func (f *faulty) Open(ctx context.Context, key storage.Key) (io.ReadSeekCloser, storage.Info, error) {
	if _, err := f.plan(OpOpen, key); err != nil {
		return nil, storage.Info{}, err
	}
	return f.s.Open(ctx, key)
}

func (f *faulty) Stat(ctx context.Context, key storage.Key) (storage.Info, error) {
	if _, err := f.plan(OpStat, key); err != nil {
		return storage.Info{}, err
	}
	return f.s.Stat(ctx, key)
}

func (f *faulty) List(ctx context.Context, prefix storage.Key) iter.Seq2[storage.Info, error] {
	if _, err := f.plan(OpList, prefix); err != nil {
		return func(yield func(storage.Info, error) bool) { yield(storage.Info{}, err) }
	}
	return f.s.List(ctx, prefix)
}

func (f *faulty) Delete(ctx context.Context, key storage.Key) error {
	apply, err := f.plan(OpDelete, key)
	if err == nil || apply {
		if derr := f.s.Delete(ctx, key); derr != nil {
			return derr
		}
	}
	return err
}
