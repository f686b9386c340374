package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"sohoa/dossier"
	"sohoa/storage"
)

// What happens to a document after its verdict is written beside its record as
// event-0001.json, event-0002.json …, each create-only, before the ledger
// follows in one transaction. A crash in between leaves an event that the same
// call again, or a rebuild, brings into the ledger.

// mostEvents bounds how often something can happen to one document: four digits,
// so that names sort as numbers do.
const mostEvents = 9999

// Revoke says that a stored paper is no longer valid: it counts no more and
// cannot be reused or replaced; its bytes stay. The same paper may be handed in
// again. Revoking again changes nothing.
//
// Errors: dossier.ErrOrder, ErrUnknownDocument, ErrUndecided; anything else is ours.
func (p *Pipeline) Revoke(ctx context.Context, id string, o dossier.Order) error {
	return p.happen(ctx, id, o, dossier.Event{Type: dossier.EventRevocation, Outcome: dossier.OutcomeSuccess})
}

// Refile puts a paper that was filed in the wrong dossier into the right one: there
// it is taken in from the archive's own bytes, with what was said of it since; here
// it is revoked, by an event that names the other. The order came through door. It
// answers where the document in the right dossier stands, and does nothing here
// unless that is stored. Broken off, the same call again goes on; once done it
// changes nothing. Somebody must be working meanwhile.
//
// Errors: of Receive and of Revoke; ErrSlip for a result in force, which has no
// dossier, and where it lies there already.
func (p *Pipeline) Refile(ctx context.Context, id string, to dossier.Code, door dossier.Door, o dossier.Order) (dossier.Standing, error) {
	o, err := o.Checked()
	if err != nil {
		return dossier.Standing{}, err
	}
	wrong, err := p.ordinary(ctx, id)
	if err != nil {
		return dossier.Standing{}, err
	}
	s := wrong.Slip()
	if s.Kind == dossier.ResultInForce || s.Dossier == to {
		return dossier.Standing{}, fmt.Errorf("%w: it cannot be moved there", ErrSlip)
	}
	s.Dossier, s.Unit, s.Procedure, s.Replaces = to, "", "", ""
	s.By, s.Door = o.By, door
	var body io.ReadSeekCloser // none where it reuses the file of a third
	if s.Reuses == "" {
		if body, _, err = p.OpenOriginal(ctx, wrong); err != nil {
			return dossier.Standing{}, err
		}
		defer body.Close() // it was only read
	}
	right, err := p.Receive(ctx, s, body, ReceiveOptions{})
	for err == nil && right.State == dossier.Pending {
		right, err = p.Wait(ctx, right.Intake.ID, time.Minute)
	}
	if err != nil || right.State != dossier.Stored {
		return right, err
	}
	events, err := p.events(ctx, Folder(wrong.Intake))
	if err != nil {
		return right, err
	}
	// What was found out about it later, its bytes do not say.
	if e := dossier.Latest(events, dossier.EventSignature); e != nil {
		if err := p.happen(ctx, right.Intake.ID, o, dossier.Event{Type: e.Type, Outcome: e.Outcome}); err != nil {
			return right, err
		}
	}
	return right, p.happen(ctx, id, o, dossier.Event{Type: dossier.EventRevocation, Outcome: dossier.OutcomeSuccess, Detail: right.Intake.ID})
}

// Reverdict enters another opinion on a stored document's legal value than its
// record states: its signatures were found untrusted later, or trusted. The same
// opinion again changes nothing. Errors as of Revoke.
func (p *Pipeline) Reverdict(ctx context.Context, id string, legal bool, o dossier.Order) error {
	e := dossier.Event{Type: dossier.EventSignature, Outcome: dossier.OutcomeDoubted}
	if legal {
		e.Outcome = dossier.OutcomeTrusted
	}
	return p.happen(ctx, id, o, e)
}

// Amend corrects what is said of a stored document, by whom anew.By names, and
// reports whether that changed anything. The corrected slip is written first, then
// the event that names it, then the ledger follows: a crash in between leaves
// what the same call again takes up. Errors as of Revoke.
func (p *Pipeline) Amend(ctx context.Context, id string, anew dossier.Slip) (bool, error) {
	st, err := p.ordinary(ctx, id)
	if err != nil {
		return false, err
	}
	slip := st.Slip().Amend(anew)
	if slip == st.Slip() {
		return false, nil
	}
	b, err := json.Marshal(slip)
	if err != nil {
		return false, err
	}
	name := fmt.Sprintf("%s%x.json", slipPrefix, sha256.Sum256(b))
	err = p.durable(StepSlip, func() error {
		return p.putJSON(ctx, inFolder(Folder(st.Intake), name), dossier.Amended{Schema: dossier.AmendedSchema, ID: id, Slip: slip}, meta(st.Intake))
	})
	if err != nil {
		return false, fmt.Errorf("write the corrected slip: %w", err)
	}
	e, err := p.write(ctx, st.Intake, dossier.Event{Type: dossier.EventAmendment, Agent: anew.By, Outcome: dossier.OutcomeSuccess, Detail: name})
	if err != nil {
		return false, err
	}
	e.Slip = &slip
	return true, p.durable(StepEvented, func() error { return p.Ledger.Happen(ctx, id, e) })
}

// amended reads the slip that an amendment names.
func (p *Pipeline) amended(ctx context.Context, folder storage.Key, e dossier.Event) (*dossier.Slip, error) {
	if !strings.HasPrefix(e.Detail, slipPrefix) || strings.Contains(e.Detail, "/") {
		return nil, fmt.Errorf("%s: an amendment names no slip", folder)
	}
	var a dossier.Amended
	err := p.readJSON(ctx, inFolder(folder, e.Detail), &a)
	return &a.Slip, err
}

// happen lets an officer's order happen to a stored document.
func (p *Pipeline) happen(ctx context.Context, id string, o dossier.Order, e dossier.Event) error {
	o, err := o.Checked()
	if err != nil {
		return err
	}
	st, err := p.ordinary(ctx, id)
	if err != nil {
		return err
	}
	e.Agent, e.Role, e.Order, e.Reason = o.By, o.Role, o.Number, o.Reason
	if e, err = p.write(ctx, st.Intake, e); err != nil {
		return err
	}
	return p.durable(StepEvented, func() error { return p.Ledger.Happen(ctx, id, e) })
}

// ordinary answers the standing of a stored document that was not deleted.
func (p *Pipeline) ordinary(ctx context.Context, id string) (dossier.Standing, error) {
	st, err := p.Ledger.Standing(ctx, id)
	switch {
	case err != nil:
		return st, err
	case st.Tombstone != nil, st.State == dossier.Refused:
		return st, dossier.ErrUnknownDocument
	case st.Record == nil:
		return st, dossier.ErrUndecided
	}
	return st, nil
}

// writeReplaced writes at the older document that the newer took its place; the
// ledger follows when the newer is settled.
func (p *Pipeline) writeReplaced(ctx context.Context, newer dossier.Record) error {
	older, err := p.Ledger.Standing(ctx, newer.Slip.Replaces)
	if errors.Is(err, dossier.ErrUnknownDocument) || err == nil && older.Tombstone != nil {
		return nil // nothing left that could be replaced
	}
	if err != nil {
		return err
	}
	_, err = p.write(ctx, older.Intake, dossier.Replacement(newer))
	return err
}

// write writes the event as the next of the document, unless the document's
// events say it already, and returns what stands. Of two that race for a number,
// the loser looks again.
func (p *Pipeline) write(ctx context.Context, in dossier.Intake, e dossier.Event) (dossier.Event, error) {
	if e.At.IsZero() {
		e.At = p.Now().UTC().Truncate(time.Millisecond)
		e.Tool = p.Tool
	}
	for {
		events, err := p.events(ctx, Folder(in))
		if err != nil {
			return e, err
		}
		last := dossier.Latest(events, e.Type)
		if last != nil && last.Outcome == e.Outcome && last.Detail == e.Detail {
			return *last, nil
		}
		if last != nil && !e.At.After(last.At) {
			e.At = last.At.Add(time.Millisecond) // a type's events are in the order of their times
		}
		later := dossier.Later{Schema: dossier.LaterSchema, ID: in.ID, Number: len(events) + 1, Event: e}
		if later.Number > mostEvents {
			return e, fmt.Errorf("document %s: more than %d events", in.ID, mostEvents)
		}
		err = p.durable(StepEvent, func() error {
			return p.putJSON(ctx, inFolder(Folder(in), eventName(later.Number)), later, meta(in))
		})
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if err != nil {
			return e, fmt.Errorf("write the event: %w", err)
		}
		return e, nil
	}
}

func eventName(n int) string { return fmt.Sprintf("%s%04d.json", eventPrefix, n) }

// events reads the events of a folder in their order.
func (p *Pipeline) events(ctx context.Context, folder storage.Key) ([]dossier.Event, error) {
	var out []dossier.Event
	for info, err := range p.Store.List(ctx, folder+"/") {
		if err != nil {
			return nil, err
		}
		name := path.Base(string(info.Key))
		if !strings.HasPrefix(name, eventPrefix) {
			continue
		}
		var e dossier.Later
		if err := p.readJSON(ctx, info.Key, &e); err != nil {
			return nil, err
		}
		if e.Number != len(out)+1 || name != eventName(e.Number) || e.ID != path.Base(string(folder)) {
			return nil, fmt.Errorf("%s is not event %d of this document", info.Key, len(out)+1)
		}
		out = append(out, e.Event)
	}
	return out, nil
}
