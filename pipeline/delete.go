package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"sohoa/dossier"
	"sohoa/storage"
)

// LockedError: a document cannot be deleted now, because the store protects one
// of its objects. It wraps storage.ErrLocked.
type LockedError struct {
	Until time.Time // end of the retention; zero: none
	Hold  bool      // a legal hold
}

func (e *LockedError) Error() string { return e.Text().EN }
func (e *LockedError) Unwrap() error { return storage.ErrLocked }

// Text says to people why, and until when.
func (e *LockedError) Text() dossier.Text {
	if e.Hold {
		return dossier.Text{VI: "Tài liệu đang bị phong tỏa theo yêu cầu pháp lý, chưa được xóa.",
			EN: "The document is under legal hold and cannot be deleted."}
	}
	day := dossier.DateOf(e.Until)
	return dossier.Text{VI: "Tài liệu còn trong thời hạn lưu giữ đến " + day.Local() + ", chưa được xóa.",
		EN: "The document is under retention until " + day.String() + " and cannot be deleted."}
}

// Delete deletes a document by order. Its tombstone is written first, create-only;
// then the ledger follows, tallies and documents that reuse its file included, in
// one transaction; then record and bytes are erased, in all their versions. Each
// step can be repeated: deleting again finishes what a crash left, and answers
// the tombstone that stands, whatever the order says now. Whether the caller may
// give the order is the door's affair.
//
// Errors: dossier.ErrOrder, ErrUnknownDocument, ErrUndecided, a *LockedError
// where the store protects the objects; anything else is ours.
func (p *Pipeline) Delete(ctx context.Context, id string, o dossier.Order) (dossier.Tombstone, error) {
	o, err := o.Checked()
	if err != nil {
		return dossier.Tombstone{}, err
	}
	st, err := p.Ledger.Standing(ctx, id)
	if err != nil {
		return dossier.Tombstone{}, err
	}
	folder := Folder(st.Intake)
	stone, err := p.tombstone(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) {
		stone, err = p.bury(ctx, st, o)
	}
	if err != nil {
		return dossier.Tombstone{}, err
	}
	if err := p.enterTombstone(ctx, stone); err != nil {
		return dossier.Tombstone{}, err
	}
	return stone, p.erase(ctx, folder, stone)
}

// bury writes the tombstone of a document of which nothing is locked.
func (p *Pipeline) bury(ctx context.Context, st dossier.Standing, o dossier.Order) (dossier.Tombstone, error) {
	stone, err := dossier.TombstoneOf(st, o, p.Now().UTC().Truncate(time.Millisecond), p.Tool)
	if err != nil {
		return stone, err
	}
	folder := Folder(st.Intake)
	if err := p.held(ctx, folder); err != nil {
		return stone, err
	}
	keys, err := p.mortal(ctx, folder, stone)
	if err != nil {
		return stone, err
	}
	for _, key := range keys {
		if err := p.unlocked(ctx, key); err != nil {
			return stone, err
		}
	}
	err = p.durable(StepTombstone, func() error {
		return p.putJSON(ctx, inFolder(folder, tombstoneName), stone, meta(dossier.Intake{ID: stone.ID, Slip: stone.Slip}))
	})
	if errors.Is(err, storage.ErrConflict) {
		// Somebody else's order was quicker: it stands.
		return p.tombstone(ctx, folder)
	}
	if err != nil {
		return stone, fmt.Errorf("write the tombstone: %w", err)
	}
	return stone, nil
}

func (p *Pipeline) tombstone(ctx context.Context, folder storage.Key) (stone dossier.Tombstone, err error) {
	return stone, p.readJSON(ctx, inFolder(folder, tombstoneName), &stone)
}

func (p *Pipeline) enterTombstone(ctx context.Context, stone dossier.Tombstone) error {
	return p.durable(StepDelete, func() error { return p.Ledger.Delete(ctx, stone) })
}

// erase removes what a tombstone stands for: every object of the folder but the
// tombstone and the events.
func (p *Pipeline) erase(ctx context.Context, folder storage.Key, stone dossier.Tombstone) error {
	keys, err := p.mortal(ctx, folder, stone)
	if err != nil {
		return err
	}
	return p.durable(StepErase, func() error {
		for _, key := range keys {
			if err := storage.Erase(ctx, p.Store, key); err != nil {
				if errors.Is(err, storage.ErrLocked) {
					return errors.Join(p.unlocked(ctx, key), err)
				}
				return fmt.Errorf("erase: %w", err)
			}
		}
		return nil
	})
}

// mortal lists the objects that go with a document: those that are there, and
// those that the tombstone names, of which a bucket with versions may keep some
// that no listing shows.
func (p *Pipeline) mortal(ctx context.Context, folder storage.Key, stone dossier.Tombstone) ([]storage.Key, error) {
	keys := []storage.Key{inFolder(folder, recordName), inFolder(folder, refusalName)}
	named := []dossier.File{stone.Original}
	if stone.Archive != nil {
		named = append(named, *stone.Archive)
	}
	for _, f := range named {
		if strings.HasPrefix(f.Key, string(folder)+"/") { // what is reused lies elsewhere, and is not ours to erase
			keys = append(keys, storage.Key(f.Key))
		}
	}
	for info, err := range p.Store.List(ctx, folder+"/") {
		if err != nil {
			return nil, err
		}
		if outlives(path.Base(string(info.Key))) {
			continue
		}
		keys = append(keys, info.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// outlives reports whether the object of that name stays when its document is
// deleted.
func outlives(name string) bool { return name == tombstoneName || strings.HasPrefix(name, eventPrefix) }

// unlocked answers a *LockedError where the store protects the object now.
func (p *Pipeline) unlocked(ctx context.Context, key storage.Key) error {
	locker, ok := p.Store.(storage.Locker)
	if !ok {
		return nil
	}
	lock, err := locker.Lock(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return err
	case lock.Hold || lock.Until.After(p.Now()):
		return &LockedError{Until: lock.Until, Hold: lock.Hold}
	}
	return nil
}
