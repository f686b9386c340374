package web

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sohoa/dossier"
	"sohoa/pipeline"
)

// Uploads are documents that come in by pieces: what a broken line has carried
// stays, and the sender goes on from there.
type Uploads interface {
	BeginUpload(ctx context.Context, slip dossier.Slip, length int64, digest dossier.Digest) (pipeline.Upload, error)
	Upload(ctx context.Context, id string) (pipeline.Upload, error)
	AppendUpload(ctx context.Context, u pipeline.Upload, body io.Reader, sum pipeline.Checksum) (pipeline.Upload, error)
	DropUpload(ctx context.Context, id string) error
}

const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,checksum,expiration,termination"
	tusAlgorithms = "sha256,sha1"
	tusBody       = "application/offset+octet-stream"
	uploadsPath   = "/api/v1/uploads"
)

// routeUploads adds the door for pieces, tus 1.0.
func (s *server) routeUploads() {
	add := func(method, path, id, summary string, a Access, h func(http.ResponseWriter, *http.Request) error) {
		op := &huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"uploads"},
			Description: "tus 1.0.0 (" + tusExtensions + "), https://tus.io/protocols/resumable-upload",
			Security:    []map[string][]string{{"token": {}}},
			Responses:   map[string]*huma.Response{"default": {Description: "as tus 1.0.0 says; problems as everywhere"}}}
		s.api.OpenAPI().AddOperation(op)
		s.route(method+" "+path, a, func(w http.ResponseWriter, r *http.Request) error {
			if s.Uploads == nil {
				return problem("not-wired", nil)
			}
			w.Header().Set("Tus-Resumable", tusVersion)
			w.Header().Set("Cache-Control", "no-store")
			if r.Header.Get("Tus-Resumable") != tusVersion && method != http.MethodOptions {
				w.Header().Set("Tus-Version", tusVersion)
				return problem("tus-version", nil)
			}
			return h(w, r)
		})
	}
	one := uploadsPath + "/{id}"
	add("OPTIONS", uploadsPath, "describeUploads", "What this server's tus can do", anyRole, s.uploadOptions)
	add("POST", uploadsPath, "beginUpload", "Begin to send a document by pieces", maySend, s.beginUpload)
	add("HEAD", one, "getUpload", "How much of it has arrived", maySend, s.getUpload)
	add("PATCH", one, "appendUpload", "Send the next piece", maySend, s.appendUpload)
	add("DELETE", one, "dropUpload", "Give an upload up", maySend, s.dropUpload)
	add("POST", one, "overrideUpload", "The same, by X-HTTP-Method-Override, where only POST gets through", maySend, func(w http.ResponseWriter, r *http.Request) error {
		switch r.Header.Get("X-HTTP-Method-Override") {
		case http.MethodHead:
			return s.getUpload(w, r)
		case http.MethodPatch:
			return s.appendUpload(w, r)
		case http.MethodDelete:
			return s.dropUpload(w, r)
		}
		return badValue("X-HTTP-Method-Override")
	})
}

func (s *server) uploadOptions(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtensions)
	h.Set("Tus-Checksum-Algorithm", tusAlgorithms)
	h.Set("Tus-Max-Size", strconv.FormatInt(s.MaxBody, 10))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// beginUpload makes room for a document. What it is stands in Upload-Metadata;
// where the bytes are known already by their sha256, the answer says that all of
// them are here, and as which document.
func (s *server) beginUpload(w http.ResponseWriter, r *http.Request) error {
	length, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	if err != nil || length < 0 {
		return badValue("Upload-Length")
	}
	if length > s.MaxBody {
		return rejected(dossier.TooLarge, dossier.TooLarge.Text(), "")
	}
	meta, err := uploadMetadata(r.Header.Get("Upload-Metadata"))
	if err != nil {
		return err
	}
	slip, digest, err := s.uploadSlip(r.Context(), meta)
	if err != nil {
		return err
	}
	u, err := s.Uploads.BeginUpload(r.Context(), slip, length, digest)
	if err != nil {
		return err
	}
	w.Header().Set("Location", uploadsPath+"/"+u.ID)
	if u.Document == "" && (length == 0 || r.Header.Get("Content-Type") == tusBody) {
		if u, err = s.takePiece(w, r, u); err != nil {
			return err
		}
	}
	s.standing(w, u)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// standing tells how far an upload is, and what it has become.
func (s *server) standing(w http.ResponseWriter, u pipeline.Upload) {
	h := w.Header()
	h.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	h.Set("Upload-Expires", u.Expires().UTC().Format(http.TimeFormat))
	if u.Document != "" {
		h.Set("Content-Location", documentPath(u.Document))
	}
}

// upload returns an upload the actor may go on with.
func (s *server) upload(r *http.Request) (pipeline.Upload, error) {
	u, err := s.Uploads.Upload(r.Context(), r.PathValue("id"))
	if err != nil {
		return u, err
	}
	return u, within(r.Context(), u.Slip.Unit)
}

func (s *server) getUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := s.upload(r)
	if err != nil {
		return err
	}
	s.standing(w, u)
	w.Header().Set("Upload-Length", strconv.FormatInt(u.Length, 10))
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *server) appendUpload(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Content-Type") != tusBody {
		return problem("tus-body", nil)
	}
	offset, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		return badValue("Upload-Offset")
	}
	u, err := s.upload(r)
	if err != nil {
		return err
	}
	if offset != u.Offset {
		return pipeline.ErrUploadOffset
	}
	if r.ContentLength > u.Length-u.Offset {
		return pipeline.ErrUploadLength
	}
	if u, err = s.takePiece(w, r, u); err != nil {
		return err
	}
	s.standing(w, u)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// takePiece streams a body into an upload.
func (s *server) takePiece(w http.ResponseWriter, r *http.Request, u pipeline.Upload) (pipeline.Upload, error) {
	sum, err := uploadChecksum(r.Header.Get("Upload-Checksum"))
	if err != nil {
		return u, err
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return u, problem("busy", nil)
	}
	body := s.moving(w, r.Body)
	counted := &counting{r: body}
	before := u.Document
	u, err = s.Uploads.AppendUpload(r.Context(), u, counted, sum)
	s.metrics.received.Add(float64(counted.n))
	if err != nil {
		if p := body.problem(); p != nil {
			return u, p
		}
		return u, err
	}
	deadlines(w, maxWait+30*time.Second)
	if u.Document == before || u.Again {
		return u, nil
	}
	return u, s.auditSent(r.Context(), u.Slip, u.Document)
}

func (s *server) dropUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := s.upload(r)
	if err != nil {
		return err
	}
	if err := s.Uploads.DropUpload(r.Context(), u.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// uploadMetadata reads "name base64,name base64".
func uploadMetadata(value string) (map[string]string, error) {
	out := map[string]string{}
	for pair := range strings.SplitSeq(value, ",") {
		key, coded, _ := strings.Cut(strings.TrimSpace(pair), " ")
		if key == "" {
			continue
		}
		v, err := base64.StdEncoding.DecodeString(strings.TrimSpace(coded))
		if err != nil {
			return nil, badValue("Upload-Metadata")
		}
		out[key] = string(v)
	}
	return out, nil
}

// uploadSlip makes the slip of the metadata, which are what PUT has in its path,
// query and headers; the name of the file is called as tus clients call it.
func (s *server) uploadSlip(ctx context.Context, m map[string]string) (dossier.Slip, dossier.Digest, error) {
	in := SendInput{
		OwnerID: m["owner_id"], NameHeader: url.PathEscape(m["name"]), NumberHeader: url.PathEscape(m["number"]),
		Abstract: url.PathEscape(m["abstract"]), IssuedBy: url.PathEscape(m["issued_by"]), SignedBy: url.PathEscape(m["signed_by"]),
		Scope: url.PathEscape(m["scope"]), Paper: m["paper"], Procedure: m["procedure"], IssuedOn: m["issued_on"],
		ValidFrom: m["valid_from"], ValidTo: m["valid_to"], Replaces: m["replaces"], PersonalStore: m["personal_store"] == "true",
	}
	if m["filename"] != "" {
		in.Disposition = attachment(m["filename"])
	}
	var digest dossier.Digest
	if v := m["sha256"]; v != "" {
		sum, err := hex.DecodeString(v)
		if err != nil || len(sum) != sha256.Size {
			return dossier.Slip{}, "", badValue("sha256")
		}
		digest = dossier.Digest(hex.EncodeToString(sum))
	}
	var slip dossier.Slip
	var err error
	if m["dossier"] != "" {
		slip, err = s.dossierSlip(ctx, m["dossier"], m["kind"])
	} else {
		slip, err = s.resultSlip(ctx, m["unit"])
	}
	if err == nil {
		slip, err = s.slip(ctx, slip, &in)
	}
	return slip, digest, err
}

// uploadChecksum reads "sha256 <base64>". SHA-1 is there because tus asks for
// it: it finds broken lines, and nothing rests on it.
func uploadChecksum(value string) (pipeline.Checksum, error) {
	if value == "" {
		return pipeline.Checksum{}, nil
	}
	algorithm, coded, _ := strings.Cut(value, " ")
	want, err := base64.StdEncoding.DecodeString(strings.TrimSpace(coded))
	switch {
	case err != nil:
	case algorithm == "sha256" && len(want) == sha256.Size:
		return pipeline.Checksum{New: sha256.New, Want: want}, nil
	case algorithm == "sha1" && len(want) == sha1.Size:
		return pipeline.Checksum{New: sha1.New, Want: want}, nil
	}
	return pipeline.Checksum{}, badValue("Upload-Checksum")
}
