package web

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sohoa/dossier"
)

// Document is what is known of a document: once it is stored, its record.json,
// and beside it where it stands now.
type Document struct {
	Schema     int                 `json:"schema,omitempty" doc:"version of the record, once it stands"`
	ID         string              `json:"id"`
	State      dossier.State       `json:"state" enum:"pending,stored,rejected,faulted"`
	Again      bool                `json:"again,omitempty" doc:"these bytes had been received before"`
	Slip       dossier.Slip        `json:"slip" doc:"what is said of it today, as it was corrected last"`
	Corrected  bool                `json:"corrected,omitempty" doc:"sending it again from a backfill corrected what is said of it"`
	Original   dossier.File        `json:"original"`
	Archive    *dossier.File       `json:"archive,omitempty" doc:"absent where the original is the archive copy"`
	Conforms   dossier.Conformance `json:"conforms,omitempty"`
	Verdict    *dossier.Verdict    `json:"verdict,omitempty"`
	ReceivedAt time.Time           `json:"received_at"`
	Tool       string              `json:"tool,omitempty"`
	Events     []dossier.Event     `json:"events,omitempty"`
	Reason     dossier.Reason      `json:"reason,omitempty" doc:"when rejected"`
	Message    *dossier.Text       `json:"message,omitempty" doc:"when rejected or faulted: what to do"`
	ReplacedBy string              `json:"replaced_by,omitempty"`
	Revoked    bool                `json:"revoked,omitempty" doc:"an officer said that the paper is no longer valid"`
	Deleted    bool                `json:"deleted,omitempty" doc:"its bytes are gone; where it was deleted by order itself, the last event says so"`
}

func documentOf(st dossier.Standing) Document {
	in := st.Intake
	d := Document{ID: in.ID, State: st.State, Again: st.Again, Corrected: st.Corrected, Slip: in.Slip, Original: in.Original,
		ReceivedAt: in.ReceivedAt, ReplacedBy: st.ReplacedBy, Revoked: st.Revoked, Deleted: st.Deleted}
	switch {
	case st.Record != nil:
		r := st.Record
		d.Schema, d.ID, d.Slip, d.Original, d.Archive = r.Schema, r.ID, r.Slip, r.Original, r.Archive
		d.Conforms, d.Verdict, d.ReceivedAt, d.Tool, d.Events = r.Conforms, &r.Verdict, r.ReceivedAt, r.Tool, r.Events
	case st.Tombstone != nil:
		d.Archive, d.Events = st.Tombstone.Archive, st.Tombstone.Events
	case st.Refusal != nil:
		d.Reason, d.Message = st.Refusal.Reason, &st.Refusal.Message
	case st.State == dossier.Faulted:
		text := faulted
		d.Message = &text
	}
	d.Slip = st.Slip()
	return d
}

// Standing is the reverse of documentOf, for programs that ask a server.
func (d Document) Standing() dossier.Standing {
	st := dossier.Standing{Intake: dossier.Intake{ID: d.ID, Slip: d.Slip, Original: d.Original, ReceivedAt: d.ReceivedAt},
		State: d.State, Again: d.Again, Corrected: d.Corrected, ReplacedBy: d.ReplacedBy, Deleted: d.Deleted}
	switch {
	case d.State == dossier.Stored && d.Verdict != nil:
		st.Record = &dossier.Record{Schema: d.Schema, ID: d.ID, Slip: d.Slip, Original: d.Original, Archive: d.Archive,
			Conforms: d.Conforms, Verdict: *d.Verdict, ReceivedAt: d.ReceivedAt, Tool: d.Tool, Events: d.Events}
	case d.State == dossier.Refused && d.Message != nil:
		st.Refusal = &dossier.Refusal{ID: d.ID, Slip: d.Slip, Original: d.Original, Reason: d.Reason, Message: *d.Message, ReceivedAt: d.ReceivedAt}
	}
	return st
}

func (s *server) routePapers() {
	binary := &huma.RequestBody{Required: true, Description: "the bytes of the scan: PDF, JPEG, PNG, TIFF …",
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	document := map[string]*huma.MediaType{"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Document](), true, "")}}
	sent := map[string]*huma.Response{
		"200": {Content: document, Description: "The same bytes had been received before: the first record."},
		"202": {Content: document, Description: "Received and durable, no verdict yet: ask again at Location after Retry-After seconds."},
		"422": {Description: "The scan was rejected: reason, and a sentence that says what to do."},
	}
	errs := []int{400, 401, 403, 404, 408, 409, 413, 422, 503}
	operation(s, maySend, huma.Operation{OperationID: "sendDocument", Method: "PUT", Path: "/api/v1/dossiers/{code}/documents",
		Summary: "Send a component or a result of a dossier", Tags: []string{"documents"}, DefaultStatus: 201,
		RequestBody: binary, Responses: clone(sent), Errors: errs}, s.sendDossier)
	operation(s, maySend, huma.Operation{OperationID: "sendResult", Method: "PUT", Path: "/api/v1/results/documents",
		Summary: "Send a result in force that has no dossier", Tags: []string{"documents"}, DefaultStatus: 201,
		RequestBody: binary, Responses: clone(sent), Errors: errs}, s.sendResult)
	operation(s, mayLook, huma.Operation{OperationID: "getDocument", Method: "GET", Path: "/api/v1/documents/{id}",
		Summary: "What is known of a document", Tags: []string{"documents"}, Responses: clone(sent), Errors: []int{401, 403, 404, 422}}, s.getDocument)
	operation(s, mayLook, huma.Operation{OperationID: "getOriginal", Method: "GET", Path: "/api/v1/documents/{id}/original",
		Summary: "The bytes as received", Tags: []string{"documents"}, Errors: []int{401, 403, 404, 410}}, s.getOriginal)
	operation(s, mayLook, huma.Operation{OperationID: "getArchive", Method: "GET", Path: "/api/v1/documents/{id}/archive",
		Summary: "The archival copy; the original where that is the archival copy", Tags: []string{"documents"}, Errors: []int{401, 403, 404, 410}}, s.getArchive)
	operation(s, mayLook, huma.Operation{OperationID: "getDossier", Method: "GET", Path: "/api/v1/dossiers/{code}",
		Summary: "A dossier and its documents", Tags: []string{"dossiers"}, Errors: []int{401, 403, 404, 422}}, s.getDossier)
}

func clone(m map[string]*huma.Response) map[string]*huma.Response {
	out := make(map[string]*huma.Response, len(m))
	for k, v := range m {
		c := *v
		out[k] = &c
	}
	return out
}

type documentInput struct {
	ID     string `path:"id"`
	Prefer string `header:"Prefer" doc:"wait=20: wait so many seconds for the verdict"`
}

// reach returns the standing of a document the actor may see.
func (s *server) reach(ctx context.Context, id string) (dossier.Standing, error) {
	st, err := s.Pipeline.Standing(ctx, id)
	if err != nil {
		return st, err
	}
	return st, within(ctx, unitOf(st))
}

func (s *server) getDocument(ctx context.Context, in *documentInput) (*sendOutput, error) {
	st, err := s.reach(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if wait := preferWait([]string{in.Prefer}); wait > 0 && st.State == dossier.Pending {
		if st, err = s.Pipeline.Wait(ctx, in.ID, wait); err != nil {
			return nil, err
		}
	}
	if st.State == dossier.Stored {
		if err := s.audit(ctx, dossier.ActSee, unitOf(st), in.ID); err != nil {
			return nil, err
		}
	}
	out := &sendOutput{}
	if err := out.verdict(st, http.StatusOK); err != nil || st.State != dossier.Stored {
		return out, err
	}
	later, err := s.later(ctx, st)
	out.Body.Events = append(out.Body.Events, later...)
	return out, err
}

type fileInput struct {
	ID string `path:"id"`
}

type opener func(context.Context, dossier.Standing) (io.ReadSeekCloser, dossier.File, error)

func (s *server) getOriginal(ctx context.Context, in *fileInput) (*huma.StreamResponse, error) {
	return s.file(ctx, in.ID, "original", s.Pipeline.OpenOriginal)
}

func (s *server) getArchive(ctx context.Context, in *fileInput) (*huma.StreamResponse, error) {
	return s.file(ctx, in.ID, "archive", s.Pipeline.OpenArchive)
}

// file answers the bytes of a document, so that a hostile file cannot act in our
// origin: to be saved, never shown, of the type we found and not the type a
// browser guesses, in a sandbox with no rights.
func (s *server) file(ctx context.Context, id, which string, open opener) (*huma.StreamResponse, error) {
	st, err := s.reach(ctx, id)
	if err != nil {
		return nil, err
	}
	if st.Deleted {
		return nil, problem("deleted", nil)
	}
	if which == "archive" && st.Record == nil {
		return nil, problem("no-archive-copy", nil)
	}
	body, info, err := open(ctx, st)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem("unknown-document", err)
	} else if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, dossier.ActFetch, unitOf(st), id); err != nil {
		body.Close()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer body.Close()
		r, w := humago.Unwrap(hc)
		h := w.Header()
		h.Set("Content-Security-Policy", filePolicy)
		h.Set("Content-Type", mediaType(info.MediaType))
		h.Set("Content-Disposition", attachment(id+"-"+which+path.Ext(info.Key)))
		h.Set("Cache-Control", "private, no-cache")
		h.Set("ETag", `"`+string(info.SHA256)+`"`)
		if d := digestHeader(info.SHA256); d != "" {
			h.Set("Repr-Digest", d) // of the whole, also when only a range is asked for
		}
		http.ServeContent(s.steady(w), r, "", time.Time{}, body)
	}}, nil
}

// mediaType lets through the types the judge names; anything else is bytes.
func mediaType(t string) string {
	switch t {
	case "application/pdf", "image/jpeg", "image/png", "image/tiff", "image/webp", "image/heic":
		return t
	}
	return "application/octet-stream"
}

type dossierInput struct {
	Code string `path:"code"`
}

// DossierBody is a dossier as the register states it, what is stored of it, and
// its documents.
type DossierBody struct {
	Code            dossier.Code          `json:"code"`
	Known           bool                  `json:"known" doc:"false: not in the register yet; its documents count as soon as it is"`
	Unit            dossier.UnitCode      `json:"unit"`
	Procedure       dossier.ProcedureCode `json:"procedure,omitempty"`
	ReturnsDocument bool                  `json:"returns_document"`
	Channel         dossier.Channel       `json:"channel,omitempty"`
	Status          dossier.Status        `json:"status,omitempty"`
	ReceivedAt      time.Time             `json:"received_at,omitzero"`
	ResolvedAt      time.Time             `json:"resolved_at,omitzero"`
	SyncedAt        time.Time             `json:"synced_at,omitzero"`
	Components      int                   `json:"components"`
	Reused          int                   `json:"reused"`
	Results         int                   `json:"results"`
	LegalResults    int                   `json:"legal_results"`
	Documents       []Document            `json:"documents"`
}

type dossierOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         DossierBody
}

func (s *server) getDossier(ctx context.Context, in *dossierInput) (*dossierOutput, error) {
	d, known, docs, err := s.dossier(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	out := &dossierOutput{CacheControl: "no-store", Body: DossierBody{
		Code: d.Code, Known: known, Unit: d.Unit, Procedure: d.Procedure, ReturnsDocument: d.ReturnsDocument,
		Channel: d.Channel, Status: d.Status, ReceivedAt: d.ReceivedAt, ResolvedAt: d.ResolvedAt, SyncedAt: d.SyncedAt,
		Components: d.Components, Reused: d.Reused, Results: d.Results, LegalResults: d.LegalResults,
		Documents: make([]Document, 0, len(docs)),
	}}
	for _, st := range docs {
		out.Body.Documents = append(out.Body.Documents, documentOf(st))
	}
	return out, nil
}

// dossier returns a dossier the actor may see. One that the register does not
// know is there as soon as a paper of it is.
func (s *server) dossier(ctx context.Context, raw string) (dossier.Dossier, bool, []dossier.Standing, error) {
	var d dossier.Dossier
	code, err := dossier.ParseCode(raw)
	if err != nil {
		return d, false, nil, dossier.Reject(dossier.WrongDossier, dossier.Text{}, err)
	}
	unit, err := s.Register.ResolveUnit(ctx, code)
	if err != nil {
		return d, false, nil, err
	}
	if err := within(ctx, unit); err != nil {
		return d, false, nil, err
	}
	d, known, err := s.Register.Dossier(ctx, code)
	if err != nil {
		return d, false, nil, err
	}
	docs, err := s.Register.Documents(ctx, code)
	if err != nil {
		return d, false, nil, err
	}
	if !known && len(docs) == 0 {
		return d, false, nil, problem("unknown-dossier", nil)
	}
	d.Code = code
	if d.Unit == "" {
		d.Unit = unit
	}
	return d, known, docs, s.audit(ctx, dossier.ActSee, d.Unit, string(code))
}
