package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sohoa/dossier"
	"sohoa/storage"
)

// settle writes the last word: the record (or the refusal) into the archive,
// then one transaction. This must happen last, because a document exists when,
// and only when, its record does. A fault writes nothing.
func (r *run) settle(o Object) error {
	start := time.Now()
	verdict, err := r.lastWord(o)
	outcome := OK
	switch {
	case err != nil:
		outcome = Fault
	case rejection(r.err) != nil:
		outcome = Rejected
	}
	r.observe("settle", outcome, err, start)
	if err == nil {
		r.p.waiting.wake(r.in.ID, verdict)
	}
	return err
}

// lastWord answers where the document stands now; the zero Standing where that may
// depend on what happened since, which the ledger knows.
func (r *run) lastWord(o Object) (verdict dossier.Standing, err error) {
	if r.err != nil {
		rej := rejection(r.err)
		if rej == nil || r.ctx.Err() != nil {
			return verdict, r.err // ours, or cancelled, which says nothing about the scan
		}
		ref, err := r.refuse(rej)
		return dossier.Standing{Intake: r.in, State: dossier.Refused, Refusal: &ref}, err
	}
	switch {
	case o.tombstone != nil:
		return verdict, r.p.enterTombstone(r.ctx, *o.tombstone)
	case o.refusal != nil:
		return verdict, r.enterRefusal(*o.refusal)
	case o.record != nil:
		return verdict, r.enter(*o.record)
	}
	rec := r.record(o)
	key := inFolder(Folder(r.in), recordName)
	err = r.p.durable(StepRecord, func() error {
		return r.p.putJSON(r.ctx, key, rec, meta(r.in))
	})
	if errors.Is(err, storage.ErrConflict) {
		// Another try was quicker, with another version of this program: its
		// record is the truth.
		err = r.p.readJSON(r.ctx, key, &rec)
	}
	if err != nil {
		return verdict, fmt.Errorf("write the record: %w", err)
	}
	if rec.Slip.Reuses == "" { // else it may have lost its source
		verdict = dossier.Standing{Intake: r.in, State: dossier.Stored, Record: &rec, Legal: rec.Verdict.LegalValue}
	}
	return verdict, r.enter(rec)
}

func (r *run) enter(rec dossier.Record) error {
	if rec.Slip.Replaces != "" {
		if err := r.p.writeReplaced(r.ctx, rec); err != nil {
			return err
		}
	}
	// Before the last step, so that it is repeated until it is done.
	if err := r.p.durable(StepRetain, func() error { return r.p.retain(r.ctx, rec) }); err != nil {
		return err
	}
	return r.p.durable(StepEnter, func() error { return r.p.Ledger.Settle(r.ctx, rec) })
}

// refuse writes the refusal. If that fails it is a fault, not a rejection.
func (r *run) refuse(rej *dossier.Rejection) (dossier.Refusal, error) {
	ref := dossier.Refusal{
		Schema:     dossier.RecordSchema,
		ID:         r.in.ID,
		Slip:       r.in.Slip,
		Original:   r.in.Original,
		Reason:     rej.Reason,
		Message:    rej.Text(),
		ReceivedAt: r.in.ReceivedAt,
		Tool:       r.p.Tool,
	}
	key := inFolder(Folder(r.in), refusalName)
	err := r.p.durable(StepRefusal, func() error {
		return r.p.putJSON(r.ctx, key, ref, meta(r.in))
	})
	if errors.Is(err, storage.ErrConflict) {
		err = r.p.readJSON(r.ctx, key, &ref)
	}
	if err != nil {
		return ref, fmt.Errorf("write the refusal: %w", err)
	}
	return ref, r.enterRefusal(ref)
}

func (r *run) enterRefusal(ref dossier.Refusal) error {
	return r.p.durable(StepRefuse, func() error { return r.p.Ledger.Refuse(r.ctx, ref) })
}

// record puts together record.json. Every value comes from the intake and the
// bytes, so that trying again writes the same; the events are therefore dated
// by the reception, and the moment of the work is in the log.
func (r *run) record(o Object) dossier.Record {
	rec := dossier.Record{
		Schema:     dossier.RecordSchema,
		ID:         o.ID,
		Slip:       o.Slip,
		Original:   o.Original,
		Archive:    o.archive,
		Conforms:   o.conforms,
		Verdict:    o.Verdict,
		ReceivedAt: o.ReceivedAt,
		Tool:       r.p.Tool,
	}
	event := func(kind, agent, detail string) {
		rec.Events = append(rec.Events, dossier.Event{Type: kind, At: o.ReceivedAt, Agent: agent, Detail: detail})
	}
	event(dossier.EventIngestion, o.Slip.By, string(o.Slip.Door))
	if src := o.reused; src != nil {
		rec.Archive, rec.Conforms, rec.Verdict = src.Archive, src.Conforms, src.Verdict
		event(dossier.EventReuse, r.p.Tool, src.ID)
		return rec
	}
	event(dossier.EventDigest, r.p.Tool, "sha-256 "+string(o.Original.SHA256))
	event(dossier.EventValidation, r.p.Tool, o.Verdict.Profile)
	if o.archive != nil {
		event(dossier.EventNormalise, r.p.Tool, string(o.conforms))
	}
	if o.Slip.Replaces != "" {
		event(dossier.EventReplacement, o.Slip.By, o.Slip.Replaces)
	}
	return rec
}

func (p *Pipeline) putJSON(ctx context.Context, key storage.Key, v any, meta map[string]string) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	return p.Store.Put(ctx, key, bytes.NewReader(b), storage.Info{
		Size: int64(len(b)), ContentType: "application/json", Meta: meta})
}

// encode is the form of records and refusals in the archive.
func encode(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

func (p *Pipeline) readJSON(ctx context.Context, key storage.Key, v any) error {
	body, _, err := p.Store.Open(ctx, key)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(v); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}
