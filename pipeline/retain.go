package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sohoa/dossier"
	"sohoa/storage"
)

// retain protects a stored document's objects for as long as the policy says,
// where the store can. Again, it changes nothing; a retention only ever becomes
// longer.
func (p *Pipeline) retain(ctx context.Context, rec dossier.Record) error {
	locker, ok := p.Store.(storage.Locker)
	if !ok || p.Retain == nil {
		return nil
	}
	until := p.Retain(rec.Slip, rec.ReceivedAt)
	if !until.After(p.Now()) {
		return nil
	}
	for _, key := range protected(rec) {
		err := locker.Retain(ctx, key, until)
		if errors.Is(err, errors.ErrUnsupported) {
			return nil // said once, when the program starts
		}
		if err != nil {
			return fmt.Errorf("retention: %w", err)
		}
	}
	return nil
}

// protected lists the objects that a document is made of, the reused ones of
// another document included.
func protected(rec dossier.Record) []storage.Key {
	folder := Folder(dossier.Intake{ID: rec.ID, Slip: rec.Slip})
	keys := []storage.Key{storage.Key(rec.Original.Key), inFolder(folder, recordName)}
	if rec.Archive != nil {
		keys = append(keys, storage.Key(rec.Archive.Key))
	}
	return keys
}

// RetainAll brings the policy to every stored document: after it became longer,
// or after the archive moved to a store that can keep to it. It says how many
// documents it saw.
func (p *Pipeline) RetainAll(ctx context.Context, progress func(documents int64)) (n int64, err error) {
	for _, root := range roots {
		for f, err := range p.folders(ctx, root) {
			if err != nil {
				return n, err
			}
			if !f.has(recordName) || f.has(tombstoneName) {
				continue
			}
			var rec dossier.Record
			if err := p.readJSON(ctx, inFolder(f.key, recordName), &rec); err != nil {
				return n, err
			}
			if err := p.retain(ctx, rec); err != nil {
				return n, fmt.Errorf("%s: %w", f.key, err)
			}
			if n++; progress != nil {
				progress(n)
			}
		}
	}
	return n, nil
}

// Hold places or lifts a legal hold: while it is on, the document is not deleted
// by any order. It is an event beside the record, which binds this program on
// every store; where the store has holds of its own, it binds that too. The same
// again finishes what a crash left. Errors as of Revoke.
func (p *Pipeline) Hold(ctx context.Context, id string, on bool, o dossier.Order) error {
	e := dossier.Event{Type: dossier.EventPolicy, Outcome: dossier.OutcomeFreed}
	if on {
		e.Outcome = dossier.OutcomeHeld
	}
	if err := p.happen(ctx, id, o, e); err != nil {
		return err
	}
	st, err := p.ordinary(ctx, id)
	if err != nil {
		return err
	}
	return p.durable(StepHold, func() error {
		locker, ok := p.Store.(storage.Locker)
		if !ok {
			return nil
		}
		for _, key := range protected(*st.Record) {
			err := locker.Hold(ctx, key, on)
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrNotExist) && st.Deleted {
				continue
			}
			if err != nil {
				return fmt.Errorf("legal hold: %w", err)
			}
		}
		return nil
	})
}

// held answers a *LockedError while a legal hold is on.
func (p *Pipeline) held(ctx context.Context, folder storage.Key) error {
	events, err := p.events(ctx, folder)
	if err != nil {
		return err
	}
	if dossier.Held(events) {
		return &LockedError{Hold: true}
	}
	return nil
}
