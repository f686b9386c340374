package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sohoa/dossier"
	"sohoa/pipeline"
)

// SendInput is what stands beside the bytes. What may be personal has a header;
// name and paper may also stand in the query, for the convenience of curl: no
// query is ever logged.
type SendInput struct {
	ContentDigest string `header:"Content-Digest" doc:"sha-256=:<base64>: (RFC 9530); checked when given"`
	Prefer        string `header:"Prefer" doc:"wait=20: answer with the verdict if it is there within so many seconds, at most 60 (RFC 7240)"`
	Disposition   string `header:"Content-Disposition" doc:"attachment; filename*=UTF-8''… : the name of the file"`
	OwnerID       string `header:"Sohoa-Owner-Id" doc:"12 digits of a citizen, 10 or 13 of an enterprise"`
	NameHeader    string `header:"Sohoa-Name" doc:"name of the paper, as all Sohoa- headers in percent-encoded UTF-8 (RFC 8187; its prefix UTF-8'' may be left out)"`
	NumberHeader  string `header:"Sohoa-Number" doc:"symbol-number of a result"`
	Abstract      string `header:"Sohoa-Abstract"`
	IssuedBy      string `header:"Sohoa-Issued-By"`
	SignedBy      string `header:"Sohoa-Signed-By"`
	Scope         string `header:"Sohoa-Scope"`
	Door          string `header:"Sohoa-Door" enum:"api,submit,backfill" doc:"backfill: papers in bulk, which wait until those of the counters are through"`

	Paper         string `query:"paper" doc:"code of the paper; a paper with a code is there once in a dossier"`
	Name          string `query:"name" doc:"name of the paper, where it is not personal"`
	Procedure     string `query:"procedure"`
	IssuedOn      string `query:"issued_on" doc:"yyyy-mm-dd"`
	ValidFrom     string `query:"valid_from" doc:"yyyy-mm-dd"`
	ValidTo       string `query:"valid_to" doc:"yyyy-mm-dd, the first day on which it is no longer in force"`
	Replaces      string `query:"replaces" doc:"id of the document this is a better scan of"`
	Reuses        string `query:"reuses" doc:"id of a document digitised before; then the body is empty"`
	PersonalStore bool   `query:"personal_store" doc:"taken from the owner's personal store"`

	w http.ResponseWriter
	r *http.Request
}

// Resolve keeps the connection: the body is streamed, never held.
func (in *SendInput) Resolve(ctx huma.Context) []error {
	in.r, in.w = humago.Unwrap(ctx)
	return nil
}

type dossierSendInput struct {
	Code string `path:"code" doc:"dossier code, such as H51.04-240830-0001"`
	Kind string `query:"kind" doc:"component or result" example:"component"`
	SendInput
}

type resultSendInput struct {
	Unit string `header:"Sohoa-Unit" doc:"the unit whose result it is"`
	SendInput
}

type sendOutput struct {
	Status            int
	Location          string `header:"Location"`
	RetryAfter        string `header:"Retry-After"`
	PreferenceApplied string `header:"Preference-Applied"`
	CacheControl      string `header:"Cache-Control"`
	Body              Document
}

func (s *server) sendDossier(ctx context.Context, in *dossierSendInput) (*sendOutput, error) {
	slip, err := s.dossierSlip(ctx, in.Code, in.Kind)
	if err != nil {
		return nil, err
	}
	return s.send(ctx, slip, &in.SendInput)
}

// dossierSlip begins the slip of a paper of a dossier.
func (s *server) dossierSlip(ctx context.Context, rawCode, kind string) (slip dossier.Slip, err error) {
	if slip.Dossier, err = dossier.ParseCode(rawCode); err != nil {
		return slip, dossier.Reject(dossier.WrongDossier, dossier.Text{}, err)
	}
	slip.Kind = dossier.Kind(kind)
	if slip.Kind != dossier.Component && slip.Kind != dossier.ResultKind {
		return slip, badValue("kind: component or result")
	}
	slip.Unit, err = s.Register.ResolveUnit(ctx, slip.Dossier)
	return slip, err
}

func (s *server) sendResult(ctx context.Context, in *resultSendInput) (*sendOutput, error) {
	slip, err := s.resultSlip(ctx, in.Unit)
	if err != nil {
		return nil, err
	}
	return s.send(ctx, slip, &in.SendInput)
}

// resultSlip begins the slip of a result in force.
func (s *server) resultSlip(ctx context.Context, rawUnit string) (dossier.Slip, error) {
	unit, err := dossier.ParseUnitCode(rawUnit)
	if err != nil {
		return dossier.Slip{}, badValue("Sohoa-Unit")
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return dossier.Slip{}, err
	}
	if _, ok := tree.by[unit]; !ok {
		return dossier.Slip{}, dossier.ErrUnknownUnit
	}
	return dossier.Slip{Kind: dossier.ResultInForce, Unit: unit}, nil
}

// slip completes a slip with what the request says, if the sender may send it
// there.
func (s *server) slip(ctx context.Context, slip dossier.Slip, in *SendInput) (dossier.Slip, error) {
	if err := within(ctx, slip.Unit); err != nil {
		return slip, err
	}
	if err := in.fill(&slip); err != nil {
		return slip, err
	}
	if slip.Kind == dossier.ResultInForce && slip.Number == "" {
		return slip, badValue("Sohoa-Number")
	}
	slip.By, slip.Door = actorOf(ctx).ID, dossier.DoorAPI
	switch {
	case actorOf(ctx).Window:
		slip.Door = dossier.DoorWeb
	case in.Door != "":
		slip.Door = dossier.Door(in.Door)
	}
	if slip.Reuses != "" {
		return slip, s.checkReuse(ctx, slip)
	}
	return slip, nil
}

// send takes one document in. Nothing of the body is read before the sender is
// known to be allowed to send it there.
func (s *server) send(ctx context.Context, slip dossier.Slip, in *SendInput) (*sendOutput, error) {
	slip, err := s.slip(ctx, slip, in)
	if err != nil {
		return nil, err
	}
	digest, err := contentDigest(in.r.Header.Values("Content-Digest"))
	if err != nil {
		return nil, err
	}
	st, err := s.take(ctx, slip, digest, in)
	if err != nil {
		return nil, err
	}
	again := st.Again
	if !again {
		if err := s.auditSent(ctx, slip, st.Intake.ID); err != nil {
			return nil, err
		}
	}
	out := &sendOutput{}
	if wait := preferWait(in.r.Header.Values("Prefer")); wait > 0 && st.State == dossier.Pending {
		out.PreferenceApplied = "wait=" + strconv.Itoa(int(wait.Seconds()))
		if st, err = s.Pipeline.Wait(ctx, st.Intake.ID, wait); err != nil {
			return nil, err
		}
	}
	st.Again = again
	// Counters that send twice mean what they said first.
	if again && slip.Door == dossier.DoorBackfill && st.Correctable() {
		if st, err = s.correct(ctx, st, slip); err != nil {
			return nil, err
		}
	}
	return out, out.verdict(st, http.StatusCreated)
}

// correct brings what is said of a document to what a corrected manifest says.
func (s *server) correct(ctx context.Context, st dossier.Standing, slip dossier.Slip) (dossier.Standing, error) {
	id := st.Intake.ID
	changed, err := s.Pipeline.Amend(ctx, id, slip)
	if err != nil || !changed {
		return st, err
	}
	if err := s.audit(ctx, dossier.ActAmend, unitOf(st), id); err != nil {
		return st, err
	}
	if st, err = s.Pipeline.Standing(ctx, id); err != nil {
		return st, err
	}
	st.Again, st.Corrected = true, true
	return st, nil
}

// auditSent notes that a document came in. It is durable by now: an audit log that
// fails makes the sender send again, which finds it here.
func (s *server) auditSent(ctx context.Context, slip dossier.Slip, id string) error {
	act := dossier.ActSend
	switch {
	case slip.Reuses != "":
		act = dossier.ActReuse
	case slip.Replaces != "":
		act = dossier.ActReplace
	}
	return s.audit(ctx, act, slip.Unit, id)
}

// verdict fills the answer for a document: its record (fresh, or 200 where the
// bytes had been there before), 202 while it is pending, 422 when it was
// rejected, 500 when we failed at it for good. Asking again at Location answers
// in the same way.
func (out *sendOutput) verdict(st dossier.Standing, fresh int) error {
	out.Location, out.CacheControl, out.Body = documentPath(st.Intake.ID), "no-store", documentOf(st)
	if st.Tombstone != nil { // whatever it was, there is no verdict to tell any more
		out.Status = http.StatusOK
		return nil
	}
	switch st.State {
	case dossier.Stored:
		out.Status = fresh
		if st.Again {
			out.Status = http.StatusOK
		}
		return nil
	case dossier.Pending:
		out.Status, out.RetryAfter = http.StatusAccepted, "1"
		return nil
	case dossier.Refused:
		return rejected(st.Refusal.Reason, st.Refusal.Message, st.Intake.ID)
	case dossier.Faulted:
		p := problem("faulted", nil)
		p.Document = st.Intake.ID
		p.header.Set("Location", out.Location)
		return p
	}
	return fmt.Errorf("document %s stands nowhere: %q", st.Intake.ID, st.State)
}

// take streams the body into the pipeline.
func (s *server) take(ctx context.Context, slip dossier.Slip, digest dossier.Digest, in *SendInput) (dossier.Standing, error) {
	if in.r.ContentLength > s.MaxBody {
		return dossier.Standing{}, rejected(dossier.TooLarge, dossier.TooLarge.Text(), "")
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return dossier.Standing{}, problem("busy", nil)
	}
	body := s.moving(in.w, http.MaxBytesReader(in.w, in.r.Body, s.MaxBody))
	counted := &counting{r: body}
	st, err := s.Pipeline.Receive(ctx, slip, counted, pipeline.ReceiveOptions{Digest: digest})
	s.metrics.received.Add(float64(counted.n))
	if err != nil {
		if p := body.problem(); p != nil {
			return st, p // the sender broke off; whatever the pipeline made of it
		}
		return st, err
	}
	deadlines(in.w, maxWait+30*time.Second) // the transfer is over: the ordinary deadlines again
	return st, nil
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// checkReuse: a paper may be taken over from where the actor can see it, or when
// it is the same owner's.
func (s *server) checkReuse(ctx context.Context, slip dossier.Slip) error {
	src, err := s.Pipeline.Standing(ctx, slip.Reuses)
	if err != nil {
		return err
	}
	if actorOf(ctx).allows(unitOf(src)) {
		return nil
	}
	if owner := src.Slip().OwnerID; owner != "" && owner == slip.OwnerID {
		return nil
	}
	return errOutOfScope
}

// fill puts what the request says into the slip.
func (in *SendInput) fill(slip *dossier.Slip) error {
	var err error
	if slip.FileName, err = fileName(in.Disposition); err != nil {
		return err
	}
	if slip.OwnerID, err = ownerID(in.OwnerID); err != nil {
		return err
	}
	for _, f := range []struct {
		header, value string
		to            *string
	}{
		{"Sohoa-Name", in.NameHeader, &slip.Name},
		{"Sohoa-Number", in.NumberHeader, &slip.Number},
		{"Sohoa-Abstract", in.Abstract, &slip.Abstract},
		{"Sohoa-Issued-By", in.IssuedBy, &slip.IssuedBy},
		{"Sohoa-Signed-By", in.SignedBy, &slip.SignedBy},
		{"Sohoa-Scope", in.Scope, &slip.Scope},
	} {
		if *f.to, err = personal(f.header, f.value); err != nil {
			return err
		}
	}
	if slip.Name == "" {
		if slip.Name, err = cleanText("name", in.Name); err != nil {
			return err
		}
	}
	if slip.Paper, err = dossier.ParsePaperCode(in.Paper); err != nil {
		return badValue("paper")
	}
	if in.Procedure != "" {
		p, err := dossier.ParseProcedureCode(in.Procedure)
		if err != nil {
			return badValue("procedure")
		}
		slip.Procedure = string(p)
	}
	for _, f := range []struct {
		name, value string
		to          *dossier.Date
	}{
		{"issued_on", in.IssuedOn, &slip.IssuedOn},
		{"valid_from", in.ValidFrom, &slip.ValidFrom},
		{"valid_to", in.ValidTo, &slip.ValidTo},
	} {
		if *f.to, err = day(f.name, f.value); err != nil {
			return err
		}
	}
	slip.Replaces, slip.Reuses, slip.PersonalStore = in.Replaces, in.Reuses, in.PersonalStore
	return nil
}

// ownerID reads the number of a citizen (12 digits) or an enterprise (10 or 13).
func ownerID(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch len(s) {
	case 0, 10, 12, 13:
	default:
		return "", badValue("Sohoa-Owner-Id")
	}
	if strings.Trim(s, "0123456789") != "" {
		return "", badValue("Sohoa-Owner-Id")
	}
	return s, nil
}
