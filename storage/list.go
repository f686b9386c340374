package storage

import (
	"context"
	"iter"
)

// ListAfter lists as Store.List does, beginning behind a key: what goes on where
// something broke off does not pay for what it has done. A store that cannot
// begin in the middle is listed from its beginning.
func ListAfter(ctx context.Context, s Store, prefix, after Key) iter.Seq2[Info, error] {
	if after == "" {
		return s.List(ctx, prefix)
	}
	if l, ok := s.(interface {
		ListAfter(ctx context.Context, prefix, after Key) iter.Seq2[Info, error]
	}); ok {
		return l.ListAfter(ctx, prefix, after)
	}
	return func(yield func(Info, error) bool) {
		for info, err := range s.List(ctx, prefix) {
			if err == nil && info.Key <= after {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}
