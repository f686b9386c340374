package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"

	"sohoa/dossier"
	"sohoa/pipeline"
)

// Problem is an error by RFC 9457. Code is stable; the messages say what
// happened and what to do, and never repeat what was sent.
type Problem struct {
	Type      string         `json:"type" doc:"urn:sohoa:problem:<code>"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Code      string         `json:"code" doc:"stable name of the problem"`
	Detail    string         `json:"detail,omitempty" doc:"what exactly was seen"`
	Reason    dossier.Reason `json:"reason,omitempty" doc:"why the scan was rejected: one of a closed set"`
	MessageVI string         `json:"message_vi" doc:"what happened and what to do, in Vietnamese"`
	MessageEN string         `json:"message_en" doc:"the same in English"`
	Document  string         `json:"document,omitempty" doc:"id of the document it is about"`
	RequestID string         `json:"request_id,omitempty" doc:"to be quoted when asking us"`

	header http.Header
	err    error // for the log
}

func (p *Problem) Error() string             { return p.Code }
func (p *Problem) Unwrap() error             { return p.err }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) GetHeaders() http.Header   { return p.header }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problem makes the problem named by code; an unknown code is ours to mend.
func problem(code string, err error) *Problem {
	c, ok := problems[code]
	if !ok {
		panic("web: no text for problem " + code)
	}
	p := &Problem{Type: "urn:sohoa:problem:" + code, Title: c.title, Status: c.status, Code: code,
		MessageVI: c.text.VI, MessageEN: c.text.EN, header: http.Header{}, err: err}
	switch c.status {
	case http.StatusUnauthorized:
		p.header.Set("WWW-Authenticate", `Bearer realm="sohoa"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		p.header.Set("Retry-After", strconv.Itoa(c.retry))
	}
	return p
}

func (p *Problem) withDetail(d string) *Problem { p.Detail = d; return p }

// rejected is the problem of a scan that was refused.
func rejected(reason dossier.Reason, message dossier.Text, id string) *Problem {
	p := problem("rejected", nil)
	if reason == dossier.TooLarge {
		p.Status = http.StatusRequestEntityTooLarge
	}
	p.Type, p.Code = "urn:sohoa:problem:"+string(reason), string(reason)
	p.Reason, p.MessageVI, p.MessageEN, p.Document = reason, message.VI, message.EN, id
	if id != "" {
		p.header.Set("Location", documentPath(id))
	}
	return p
}

// problemOf turns any error into the answer for it. What nobody has identified
// is ours: 500, the cause in the log and nowhere else.
func (s *server) problemOf(err error) *Problem {
	var (
		p      *Problem
		rej    *dossier.Rejection
		locked *pipeline.LockedError
		row    *dossier.RowError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &rej):
		return rejected(rej.Reason, rej.Text(), "")
	case errors.As(err, &locked):
		p = problem("locked", err)
		p.MessageVI, p.MessageEN = locked.Text().VI, locked.Text().EN
		return p
	case errors.Is(err, dossier.ErrOrder):
		return problem("bad-order", nil)
	case errors.Is(err, dossier.ErrUndecided):
		return problem("undecided", nil)
	case errors.As(err, &row):
		p = problem("bad-file", err)
		p.MessageVI, p.MessageEN = row.Reason.VI, row.Reason.EN
		return p
	case errors.Is(err, errSignedOut):
		return problem("signed-out", nil)
	case errors.Is(err, errMustChange):
		return problem("password-change", nil)
	case errors.Is(err, errRole):
		return problem("not-allowed", nil)
	case errors.Is(err, errOutOfScope):
		return problem("out-of-scope", nil)
	case errors.Is(err, dossier.ErrUnknownUnit):
		return problem("unknown-unit", nil)
	case errors.Is(err, dossier.ErrUnknownDocument):
		return problem("unknown-document", nil)
	case errors.Is(err, ErrNotWaiting):
		return problem("not-waiting", nil)
	case errors.Is(err, dossier.ErrPaperTaken):
		return problem("paper-taken", nil)
	case errors.Is(err, dossier.ErrNotReplaceable):
		return problem("not-replaceable", nil)
	case errors.Is(err, pipeline.ErrDigest):
		return problem("digest-differs", nil)
	case errors.Is(err, pipeline.ErrTransfer):
		return problem("incomplete", nil)
	case errors.Is(err, pipeline.ErrSlip):
		return problem("bad-value", err)
	case errors.Is(err, pipeline.ErrNoUpload):
		return problem("no-upload", nil)
	case errors.Is(err, pipeline.ErrUploadExpired):
		return problem("upload-expired", nil)
	case errors.Is(err, pipeline.ErrUploadOffset):
		return problem("upload-offset", nil)
	case errors.Is(err, pipeline.ErrUploadLength):
		return problem("upload-length", nil)
	case errors.Is(err, pipeline.ErrChecksum):
		return problem("checksum-differs", nil)
	case s.Unavailable(err):
		return problem("unavailable", err)
	case errors.Is(err, context.Canceled):
		return problem("gone", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return problem("unavailable", err)
	}
	return problem("fault", err)
}

// fail writes the problem of err; where the answer has begun, it can only end it.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problemOf(err)
	note(r.Context(), p)
	p.RequestID = requestID(r.Context())
	h := w.Header()
	for k, v := range p.header {
		h[k] = v
	}
	if isPage(r) {
		s.failPage(w, r, p)
		return
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		json.NewEncoder(w).Encode(p) // the client may be gone: nobody is left to tell
	}
}
