// Package pipeline takes documents in and brings each to its verdict: received,
// validated, normalised, stored, settled. Its order is Process; each stage is a
// file of its own and hands on a type of its own, so that stages out of order
// do not compile.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
	"sohoa/storage"
)

// Options are the parts a pipeline is made of. All but Bulk, Hook and Observe are
// required.
type Options struct {
	Store    storage.Store
	Ledger   Ledger
	Judge    *pdf.Pool
	Bulk     *pdf.Pool                               // judges what comes by the thousand, so that counters need not wait for a child; nil: Judge does
	SpoolDir string                                  // for bytes on their way; best on the store's own file system
	Profile  func(dossier.Date) dossier.Profile      // scan rules by the day of reception
	Retain   func(dossier.Slip, time.Time) time.Time // until when a document received then is kept from being deleted; nil or zero: not at all
	Limit    int64                                   // bytes a document may have
	DPI      int                                     // resolution of images that state none
	Tool     string                                  // name and version written into records
	Now      func() time.Time
	Log      zerolog.Logger
	Hook     func(Point) error                  // called around every durable step; tests end the process in it, or let the step be lost
	Observe  func(context.Context, Observation) // for metrics and traces
}

// Observation is a stage that a document went through.
type Observation struct {
	Document   string // its id; empty where it got none
	Again      bool   // received before
	Unit       dossier.UnitCode
	Door       dossier.Door
	Stage      string // receive, open, validate, normalise, store, settle
	Outcome    Outcome
	Err        error // of a rejection or a fault
	Start, End time.Time
}

// Pipeline brings documents to their verdict. It is safe for concurrent use.
type Pipeline struct {
	Options
	waiting *waiters
	fresh   *fresh
}

// New returns a pipeline of the parts.
func New(o Options) *Pipeline {
	if o.Hook == nil {
		o.Hook = func(Point) error { return nil }
	}
	if o.Observe == nil {
		o.Observe = func(context.Context, Observation) {}
	}
	if o.Bulk == nil {
		o.Bulk = o.Judge
	}
	return &Pipeline{Options: o, waiting: newWaiters(), fresh: newFresh(o.Store)}
}

// Outcome is how a stage or a document ended.
type Outcome string

const (
	OK       Outcome = "ok"
	Rejected Outcome = "rejected" // the scan is at fault: final
	Fault    Outcome = "fault"    // ours: tried again
)

// Process brings one received document to its verdict. It returns nil when the
// verdict, stored or rejected, stands in the archive and the ledger; an error
// is a fault, and calling again is safe at any point.
func (p *Pipeline) Process(ctx context.Context, in dossier.Intake) (err error) {
	r := &run{p: p, ctx: ctx, in: in}
	defer r.close()
	scan := do(r, "open", in, r.open)                   // the original, out of the archive, in a child's hands
	document := do(r, "validate", scan, r.validate)     // a *dossier.Rejection, or a document we accept
	master := do(r, "normalise", document, r.normalise) // the archival copy; a signed file passes untouched
	object := do(r, "store", master, r.store)           // create-only
	return r.settle(object)                             // record.json, then one transaction: the last word
}

// run is one document on its way through the stages.
type run struct {
	p       *Pipeline
	ctx     context.Context
	in      dossier.Intake
	err     error // of the first stage that failed; the later ones do not run
	closers []func()
}

// do runs one stage unless an earlier one failed. Timing and the crash hooks
// of every stage live here.
func do[In, Out any](r *run, stage string, in In, f func(In) (Out, error)) (out Out) {
	if r.err != nil {
		return out
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return out
	}
	start := time.Now()
	err := r.p.durable(stepOf(stage), func() (err error) {
		out, err = f(in)
		return err
	})
	outcome := OK
	if err != nil {
		r.err = fmt.Errorf("%s: %w", stage, err)
		outcome = Fault
		if rejection(err) != nil {
			outcome = Rejected
		}
	}
	r.observe(stage, outcome, err, start)
	return out
}

func (r *run) observe(stage string, outcome Outcome, err error, start time.Time) {
	r.p.Observe(r.ctx, Observation{Document: r.in.ID, Unit: r.in.Slip.Unit, Door: r.in.Slip.Door,
		Stage: stage, Outcome: outcome, Err: err, Start: start, End: time.Now()})
}

// rejection returns the verdict on the scan, or nil where err is a fault of
// ours. Whatever is not positively a rejection is ours.
func rejection(err error) *dossier.Rejection {
	var rej *dossier.Rejection
	if errors.As(err, &rej) {
		return rej
	}
	return nil
}

func (r *run) later(f func()) { r.closers = append(r.closers, f) }

func (r *run) close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}

// stepOf names the boundary of a stage; a crash there leaves nothing that the
// durable steps before it have not left.
func stepOf(stage string) Step { return Step("stage: " + stage) }

// Point is a step; the hook is called just before and just after it.
type Point struct {
	Step  Step
	After bool
}

// Step names a durable step, or the boundary of a stage.
type Step string

const (
	StepOriginal Step = "receive: original into the archive" // a crash after it leaves an original nobody names: the janitor's
	StepIntake   Step = "receive: intake and job"            // from here on the document is ours to bring to its verdict
	StepArchive  Step = "store: archive copy"                // a crash after it leaves a copy that the next try finds again
	StepRecord   Step = "settle: record"                     // from here on the document exists; the ledger catches up
	StepRetain   Step = "settle: retention"                  // where there is a policy and the store can
	StepEnter    Step = "settle: ledger"
	StepRefusal  Step = "refuse: refusal"
	StepRefuse   Step = "refuse: ledger"

	StepSlip    Step = "slip: corrected" // a crash after it leaves a slip that no event names; the next try names it
	StepEvent   Step = "event: object"   // from here on it has happened; the ledger catches up
	StepEvented Step = "event: ledger"
	StepHold    Step = "hold: store" // where the store can; the event alone holds, too

	StepTombstone Step = "delete: tombstone" // from here on the document is deleted; ledger and bytes follow
	StepDelete    Step = "delete: ledger"
	StepErase     Step = "delete: bytes" // a crash before it leaves bytes that nobody is shown: deleting again, or the janitor, takes them away
)

// Steps lists every step, so that a test can break each one.
func Steps() []Step {
	return []Step{StepOriginal, StepIntake, stepOf("open"), stepOf("validate"), stepOf("normalise"), stepOf("store"),
		StepArchive, StepRecord, StepRetain, StepEnter, StepRefusal, StepRefuse,
		StepSlip, StepEvent, StepEvented, StepHold, StepTombstone, StepDelete, StepErase}
}

// durable runs one durable step between its hooks. An error of the hook before
// it is a step that was lost, one of the hook after it a step that was done and
// whose answer was lost.
func (p *Pipeline) durable(s Step, f func() error) error {
	if err := p.Hook(Point{s, false}); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return p.Hook(Point{s, true})
}
