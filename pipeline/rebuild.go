package pipeline

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/storage"
)

// Kept is a file of the archive that is not of a document: what was imported,
// set or closed.
type Kept struct {
	Kind string // of a register, "target", or "closing"
	Info storage.Info
	Body io.Reader
}

// KindTarget and KindClosing are the kinds of Kept that are no registers.
const (
	KindTarget  = "target"
	KindClosing = "closing"
)

// Place remembers how far a rebuild has come, in the ledger that it fills: an
// emptied ledger begins anew.
type Place interface {
	Place(ctx context.Context, task string) (string, error)
	SetPlace(ctx context.Context, task, place string) error // empty: done
}

// RebuildOptions say how to rebuild.
type RebuildOptions struct {
	Restore  func(ctx context.Context, k Kept) error // brings back what was kept; in the order in which it was kept
	Place    Place                                   // nil: from the beginning, and nothing is remembered
	Progress func(Rebuilt)                           // may be nil
}

// Rebuilt is what a rebuild has entered so far.
type Rebuilt struct {
	Kept      int64 // registers, targets, closings
	Documents int64 // records, refusals and tombstones
	Events    int64
	Passed    int64 // folders that an earlier run had entered
}

// Rebuild enters everything the archive holds into the ledger: registers,
// targets and closings in the order in which they were kept, then every record
// and refusal, with what happened to it later, and every tombstone. What the
// ledger already has changes nothing. Broken off, and started again with the
// same Place, it goes on where it was. A document that was only received, without
// a verdict, is not brought back: its sender was told to ask again.
func (p *Pipeline) Rebuild(ctx context.Context, o RebuildOptions) (Rebuilt, error) {
	b := &rebuild{p: p, ctx: ctx, o: o}
	if o.Place != nil {
		var err error
		if b.from, err = o.Place.Place(ctx, rebuildTask); err != nil {
			return b.done, err
		}
	}
	for _, root := range []storage.Key{"register/", "closings/"} {
		if err := b.kept(root); err != nil {
			return b.done, err
		}
	}
	for _, root := range roots {
		if err := b.documents(root); err != nil {
			return b.done, err
		}
	}
	if o.Place != nil {
		return b.done, o.Place.SetPlace(ctx, rebuildTask, "")
	}
	return b.done, nil
}

const rebuildTask = "rebuild"

type rebuild struct {
	p    *Pipeline
	ctx  context.Context
	o    RebuildOptions
	from string // the key up to which an earlier run came; empty: none
	done Rebuilt
}

// passed reports whether an earlier run has entered the key. Roots come in a
// fixed order, keys in theirs.
func (b *rebuild) passed(root storage.Key, key storage.Key) bool {
	order := []storage.Key{"register/", "closings/", roots[0], roots[1]}
	at := slices.IndexFunc(order, func(r storage.Key) bool { return strings.HasPrefix(b.from, string(r)) })
	mine := slices.Index(order, root)
	return mine < at || mine == at && string(key) <= b.from
}

func (b *rebuild) reached(key storage.Key) error {
	if b.o.Progress != nil {
		b.o.Progress(b.done)
	}
	if b.o.Place == nil {
		return nil
	}
	return b.o.Place.SetPlace(b.ctx, rebuildTask, string(key))
}

func (b *rebuild) kept(root storage.Key) error {
	if b.o.Restore == nil {
		return nil
	}
	for info, err := range b.p.Store.List(b.ctx, root) {
		if err != nil {
			return fmt.Errorf("list the archive: %w", err)
		}
		if b.passed(root, info.Key) {
			continue
		}
		if err := b.restore(info.Key); err != nil {
			return fmt.Errorf("%s: %w", info.Key, err)
		}
		b.done.Kept++
		if err := b.reached(info.Key); err != nil {
			return err
		}
	}
	return nil
}

func (b *rebuild) restore(key storage.Key) error {
	body, info, err := b.p.Store.Open(b.ctx, key)
	if err != nil {
		return err
	}
	defer body.Close()
	kind := info.Meta["register"]
	if strings.HasPrefix(string(key), "closings/") {
		kind = KindClosing
	}
	return b.o.Restore(b.ctx, Kept{Kind: kind, Info: info, Body: body})
}

// A rebuild reads and enters many dossiers at once, which the ledger commits
// together, but the documents of one in their order; how far it came is remembered
// after so many folders.
const (
	rebuildWorkers = 32
	rebuildStride  = 256
)

func (b *rebuild) documents(root storage.Key) error {
	var group [][]folder // of one dossier each
	n := 0
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		err := b.enter(group)
		if err == nil {
			last := group[len(group)-1]
			err = b.reached(last[len(last)-1].key)
		}
		group, n = nil, 0
		return err
	}
	for f, err := range b.p.folders(b.ctx, root) {
		if err != nil {
			return err
		}
		if b.passed(root, f.key) {
			b.done.Passed++
			continue
		}
		owner := path.Dir(string(f.key))
		if k := len(group); k > 0 && path.Dir(string(group[k-1][0].key)) == owner {
			group[k-1] = append(group[k-1], f)
		} else {
			if n >= rebuildStride {
				if err := flush(); err != nil {
					return err
				}
			}
			group = append(group, []folder{f})
		}
		n++
	}
	return flush()
}

func (b *rebuild) enter(group [][]folder) error {
	g, ctx := errgroup.WithContext(b.ctx)
	g.SetLimit(rebuildWorkers)
	done := make([]Rebuilt, len(group))
	for i, folders := range group {
		g.Go(func() error {
			for _, f := range folders {
				if err := b.p.enterFolder(ctx, f, &done[i]); err != nil {
					return fmt.Errorf("%s: %w", f.key, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, d := range done {
		b.done.Documents += d.Documents
		b.done.Events += d.Events
	}
	return nil
}

// enterFolder enters what a document's folder says.
func (p *Pipeline) enterFolder(ctx context.Context, f folder, done *Rebuilt) error {
	switch {
	case f.has(tombstoneName):
		// Whatever a crash may have left beside it: the tombstone has the last word.
		stone, err := p.tombstone(ctx, f.key)
		if err == nil {
			err = p.Ledger.Delete(ctx, stone)
		}
		if err != nil {
			return err
		}
	case f.has(recordName):
		var rec dossier.Record
		err := p.readJSON(ctx, inFolder(f.key, recordName), &rec)
		if err == nil {
			err = p.Ledger.Settle(ctx, rec)
		}
		if err != nil {
			return err
		}
	case f.has(refusalName):
		var ref dossier.Refusal
		err := p.readJSON(ctx, inFolder(f.key, refusalName), &ref)
		if err == nil {
			err = p.Ledger.Refuse(ctx, ref)
		}
		if err != nil {
			return err
		}
	default:
		return nil
	}
	done.Documents++
	if !f.has(eventName(1)) {
		return nil
	}
	events, err := p.events(ctx, f.key)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Type == dossier.EventAmendment && !f.has(tombstoneName) {
			if e.Slip, err = p.amended(ctx, f.key, e); err != nil {
				return err
			}
		}
		if err := p.Ledger.Happen(ctx, f.id(), e); err != nil {
			return err
		}
		done.Events++
	}
	return nil
}
