package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
	"sohoa/storage"
)

// Errors of a door that concern the transfer, not the scan.
var (
	ErrDigest   = errors.New("the body does not have the promised digest")
	ErrTransfer = errors.New("the body broke off")
	ErrSlip     = errors.New("the slip cannot be taken") // wrapped with what is wrong
)

// ReceiveOptions are what a door knows of a transfer.
type ReceiveOptions struct {
	Digest dossier.Digest // promised by the sender; empty: not checked
}

// Receive takes one document in: streams its bytes once, hashing, into the
// archive, then enters intake and job in one transaction. When it returns nil
// the document is durable and will get its verdict whatever happens to this
// process. The same bytes again answer the first standing with Again set. A body
// that is a *storage.Temp is not copied once more; it is Receive's from then on,
// which closes it whatever the answer.
//
// Errors: a *dossier.Rejection (wrong-dossier, too-large), dossier.ErrUnknownUnit,
// ErrPaperTaken, ErrUnknownDocument, ErrNotReplaceable, ErrSlip, ErrDigest,
// ErrTransfer; anything else is ours.
func (p *Pipeline) Receive(ctx context.Context, slip dossier.Slip, body io.Reader, o ReceiveOptions) (dossier.Standing, error) {
	start := time.Now()
	st, err := p.receive(ctx, slip, body, o)
	outcome := OK
	if err != nil {
		outcome = Fault
		if rejection(err) != nil {
			outcome = Rejected
		}
	}
	p.Observe(ctx, Observation{Document: st.Intake.ID, Again: st.Again, Unit: st.Intake.Slip.Unit, Door: slip.Door,
		Stage: "receive", Outcome: outcome, Err: err, Start: start, End: time.Now()})
	return st, err
}

func (p *Pipeline) receive(ctx context.Context, slip dossier.Slip, body io.Reader, o ReceiveOptions) (dossier.Standing, error) {
	temp, given := body.(*storage.Temp)
	kept := false
	defer func() {
		if temp != nil && !kept {
			temp.Close()
		}
	}()
	slip, err := p.check(ctx, slip)
	if err != nil {
		return dossier.Standing{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return dossier.Standing{}, fmt.Errorf("new id: %w", err)
	}
	in := dossier.Intake{ID: id.String(), Slip: slip, ReceivedAt: p.Now().UTC().Truncate(time.Millisecond)}
	if slip.Reuses != "" {
		return p.reuse(ctx, in)
	}

	if !given {
		if temp, err = p.spool(body); err != nil {
			return dossier.Standing{}, err
		}
	}
	digest := dossier.Digest(temp.SHA256())
	if o.Digest != "" && o.Digest != digest {
		return dossier.Standing{}, ErrDigest
	}
	// Asked before anything is written, so that sending again what is already
	// here, which a resumed backfill does by the thousand, costs one look-up.
	if st, found, err := p.Ledger.Seen(ctx, slip, digest); err != nil {
		return dossier.Standing{}, err
	} else if found {
		return st, nil
	}

	// What it is, the judge says; here it only gets a name people can open.
	head, err := temp.Head()
	if err != nil {
		return dossier.Standing{}, err
	}
	mediaType, ext, ok := pdf.Sniff(head)
	if !ok {
		mediaType, ext = "application/octet-stream", ".bin"
	}
	in.Original = dossier.File{
		Key:       string(inFolder(Folder(in), "original"+ext)),
		MediaType: mediaType,
		Size:      temp.Size(),
		SHA256:    digest,
	}
	if err := p.durable(StepOriginal, func() error {
		return p.Store.Put(ctx, storage.Key(in.Original.Key), temp, storage.Info{
			Size: in.Original.Size, SHA256: string(digest), ContentType: mediaType, Meta: meta(in)})
	}); err != nil {
		return dossier.Standing{}, err
	}
	st, work, err := p.take(ctx, in)
	if err != nil && !refusedByLedger(err) {
		// The answer may have been lost after the commit: the original must stay.
		// If it was not committed the janitor takes the original away.
		return dossier.Standing{}, err
	}
	if err == nil && st.Intake.ID == in.ID {
		kept = p.fresh.keep(in.Original, temp)
		p.begin(ctx, in, work)
		return st, nil
	}
	// Somebody else was first, or the slip cannot be taken: nothing names our
	// original. If this fails the janitor takes it away.
	if derr := storage.Erase(context.WithoutCancel(ctx), p.Store, storage.Key(in.Original.Key)); derr != nil {
		p.Log.Warn().Err(derr).Str("document", in.ID).Msg("an original that nobody names was left behind")
	}
	return st, err
}

func (p *Pipeline) take(ctx context.Context, in dossier.Intake) (st dossier.Standing, work working, err error) {
	err = p.durable(StepIntake, func() error {
		st, work, err = p.Ledger.Take(ctx, in)
		return err
	})
	return st, work, err
}

// begin works an intake at once where it is this process's, whether or not its
// sender stays to hear the verdict.
func (p *Pipeline) begin(ctx context.Context, in dossier.Intake, work working) {
	if work == nil {
		return
	}
	done := p.waiting.expect(in.ID)
	go func() {
		defer done()
		_ = work(context.WithoutCancel(ctx), p.Process) // a fault is the ledger's affair
	}()
}

// spool copies the body into a temporary file.
func (p *Pipeline) spool(body io.Reader) (*storage.Temp, error) {
	src := &transfer{r: body}
	temp, err := storage.Spool(p.SpoolDir, src, p.Limit)
	switch {
	case errors.Is(err, storage.ErrTooLarge):
		return nil, p.tooLarge()
	case src.err != nil:
		return nil, fmt.Errorf("%w: %w", ErrTransfer, src.err)
	case err != nil:
		return nil, fmt.Errorf("spool: %w", err)
	}
	return temp, nil
}

func (p *Pipeline) tooLarge() error {
	mb := p.Limit >> 20
	return dossier.Reject(dossier.TooLarge, dossier.Text{
		VI: fmt.Sprintf("tối đa %d MB", mb), EN: fmt.Sprintf("at most %d MB", mb)}, nil)
}

func refusedByLedger(err error) bool {
	for _, known := range []error{dossier.ErrPaperTaken, dossier.ErrUnknownDocument, dossier.ErrNotReplaceable, dossier.ErrUnknownUnit} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// check completes the slip: codes in their canonical form, and the unit.
func (p *Pipeline) check(ctx context.Context, s dossier.Slip) (dossier.Slip, error) {
	var err error
	if s.Paper, err = dossier.ParsePaperCode(string(s.Paper)); err != nil {
		return s, fmt.Errorf("%w: %w", ErrSlip, err)
	}
	for _, id := range []string{s.Replaces, s.Reuses} {
		if id != "" && uuid.Validate(id) != nil {
			return s, dossier.ErrUnknownDocument
		}
	}
	s.Number = strings.TrimSpace(s.Number)
	switch s.Kind {
	case dossier.Component, dossier.ResultKind:
		if s.Dossier, err = dossier.ParseCode(string(s.Dossier)); err != nil {
			return s, dossier.Reject(dossier.WrongDossier, dossier.Text{}, err)
		}
		unit, procedure, err := p.Ledger.Resolve(ctx, s.Dossier)
		s.Unit = unit
		if procedure != "" {
			s.Procedure = string(procedure)
		}
		return s, err
	case dossier.ResultInForce:
		if s.Dossier != "" || s.Number == "" {
			return s, fmt.Errorf("%w: a result in force is named by its number and unit", ErrSlip)
		}
		if s.Unit, err = dossier.ParseUnitCode(string(s.Unit)); err != nil {
			return s, fmt.Errorf("%w: %w", ErrSlip, err)
		}
		known, err := p.Ledger.KnownUnit(ctx, s.Unit)
		if err == nil && !known {
			err = dossier.ErrUnknownUnit
		}
		return s, err
	}
	return s, fmt.Errorf("%w: kind is component, result or result-in-force", ErrSlip)
}

// reuse takes in a document that has no bytes of its own: a paper digitised
// before, linked to another dossier.
func (p *Pipeline) reuse(ctx context.Context, in dossier.Intake) (dossier.Standing, error) {
	src, err := p.Ledger.Standing(ctx, in.Slip.Reuses)
	if err != nil {
		return dossier.Standing{}, err
	}
	if src.State != dossier.Stored || src.Deleted || src.Revoked || src.ReplacedBy != "" {
		return dossier.Standing{}, dossier.ErrUnknownDocument
	}
	in.Original = src.Record.Original
	if in.Slip.Name == "" {
		in.Slip.Name = src.Record.Slip.Name
	}
	if st, found, err := p.Ledger.Seen(ctx, in.Slip, in.Original.SHA256); err != nil || found {
		return st, err
	}
	st, work, err := p.take(ctx, in)
	if err == nil {
		p.begin(ctx, in, work)
	}
	return st, err
}

// transfer remembers whether it was the sender who broke off, so that a bad
// line is not taken for a full disk.
type transfer struct {
	r   io.Reader
	err error
}

func (t *transfer) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}
