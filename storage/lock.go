package storage

import (
	"context"
	"errors"
	"time"
)

// ErrLocked: the object is protected by a retention or a legal hold.
var ErrLocked = errors.New("storage: the object is locked")

// Lock is what protects an object from being deleted.
type Lock struct {
	Until time.Time // end of the retention; zero: none
	Hold  bool      // a legal hold, until it is lifted
}

// Locker is a store that may protect its objects. Where the bucket behind it
// cannot, Retain and Hold answer errors.ErrUnsupported; a missing object is
// fs.ErrNotExist.
type Locker interface {
	// Retain protects the object until the given time. A retention only ever
	// becomes longer: an earlier time changes nothing.
	Retain(ctx context.Context, key Key, until time.Time) error
	// Hold places or lifts a legal hold.
	Hold(ctx context.Context, key Key, on bool) error
	// Lock says what protects the object now.
	Lock(ctx context.Context, key Key) (Lock, error)
}

// Eraser is a store whose Delete leaves the bytes behind, as a bucket with
// versions does.
type Eraser interface {
	// Erase removes the object with all its versions; a missing one is no error,
	// a locked one ErrLocked.
	Erase(ctx context.Context, key Key) error
}

// Erase removes the object so that its bytes are gone, as far as the store can.
func Erase(ctx context.Context, s Store, key Key) error {
	if e, ok := s.(Eraser); ok {
		return e.Erase(ctx, key)
	}
	return s.Delete(ctx, key)
}
