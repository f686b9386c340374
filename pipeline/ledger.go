package pipeline

import (
	"context"

	"sohoa/dossier"
)

// working brings an intake of this process's own to its verdict, by what it is given.
type working = func(context.Context, func(context.Context, dossier.Intake) error) error

// Ledger is what the pipeline asks of the ledger. Each call is one transaction
// and can be repeated.
type Ledger interface {
	// Resolve answers whose dossier this is, and of which procedure where the
	// register knows the dossier: the register's unit, else the first unit its code
	// may mean that exists; dossier.ErrUnknownUnit where none does.
	Resolve(ctx context.Context, code dossier.Code) (dossier.UnitCode, dossier.ProcedureCode, error)
	// KnownUnit reports whether the register of units has the unit.
	KnownUnit(ctx context.Context, unit dossier.UnitCode) (bool, error)
	// Seen answers the first standing of the same bytes for the same dossier,
	// kind and paper (and what they replace), where there is one.
	Seen(ctx context.Context, slip dossier.Slip, digest dossier.Digest) (st dossier.Standing, found bool, err error)
	// Take records the intake and its job, both or neither. When these bytes had
	// already been received for the same dossier, kind and paper (and what they
	// replace), nothing is written and the first standing is returned with Again
	// set. It answers dossier.ErrPaperTaken, ErrUnknownDocument or ErrNotReplaceable
	// where the slip cannot be taken.
	//
	// Where this process has a hand free for it, the job is the caller's, who calls
	// work at once; else work is nil and the queue has it. An error of work is a
	// fault, which the ledger has dealt with.
	Take(ctx context.Context, in dossier.Intake) (st dossier.Standing, work working, err error)
	// Settle enters the record: document, dossier, tallies, the document it
	// replaces and, when ctx is that of work, the job's end, all or nothing.
	// A record that has been entered already changes nothing.
	Settle(ctx context.Context, rec dossier.Record) error
	// Refuse enters a refusal in the same way. It counts for nothing.
	Refuse(ctx context.Context, ref dossier.Refusal) error
	// Delete enters a tombstone: the document, and those that reuse its file, count
	// no more, and nothing personal of it is kept. One that has been entered
	// already changes nothing.
	Delete(ctx context.Context, t dossier.Tombstone) error
	// Happen enters what happened to a document that is stored, in the order of
	// the events' times whatever the order of the calls. An event that has been
	// entered already changes nothing.
	Happen(ctx context.Context, id string, e dossier.Event) error
	// Standing answers dossier.ErrUnknownDocument where there is no such intake.
	Standing(ctx context.Context, id string) (dossier.Standing, error)
}
