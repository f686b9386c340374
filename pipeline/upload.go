package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/storage"
)

// Errors of an upload that comes in by pieces.
var (
	ErrNoUpload      = errors.New("there is no such upload")
	ErrUploadExpired = errors.New("the upload has expired")
	ErrUploadOffset  = errors.New("the piece does not begin where the upload ends")
	ErrUploadLength  = errors.New("the piece goes beyond the end of the upload")
	ErrChecksum      = errors.New("the piece does not have the promised checksum")
)

// UploadLife is how long a broken upload can be gone on with: over a long weekend.
const UploadLife = 4 * 24 * time.Hour

// Upload is a document that comes in by pieces over a line that may break. All of
// it lies in the store, so that any host goes on where another was left:
//
//	uploads/<id>/upload.json       what it is to become, written first
//	uploads/<id>/part-<offset>     a piece that arrived; create-only, so that of two
//	                               senders at one offset one is told to ask again
//	uploads/<id>/received.json     the document that it became
//
// The last piece is never a part: it goes with the others into Receive. A crash
// before received.json makes the sender send the last piece again, and Receive
// finds the same bytes. What nobody finishes is swept when its time, which
// follows from its id, is over.
type Upload struct {
	ID       string         `json:"id"` // UUIDv7
	Slip     dossier.Slip   `json:"slip"`
	Length   int64          `json:"length"`
	Digest   dossier.Digest `json:"sha256,omitempty"`   // promised of the whole; empty: not checked
	Document string         `json:"document,omitempty"` // what it became, once it is received

	Offset int64 `json:"-"` // so many bytes are here
	Again  bool  `json:"-"` // the document had been here before
	parts  []storage.Key
}

// Expires is when the upload can no longer be gone on with.
func (u Upload) Expires() time.Time { return begun(u.ID).Add(UploadLife) }

// begun is when an upload's id was made; the zero time for what is no id.
func begun(id string) time.Time {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return time.Time{}
	}
	return time.Unix(u.Time().UnixTime())
}

const uploadsRoot storage.Key = "uploads/"

func uploadFolder(id string) storage.Key { return uploadsRoot + storage.Key(id) }

// OfUpload reports whether the object is of an upload, which is not yet a
// document and is swept in its time.
func OfUpload(key storage.Key) bool { return strings.HasPrefix(string(key), string(uploadsRoot)) }

const (
	uploadName   = "upload.json"
	receivedName = "received.json"
	partPrefix   = "part-"
)

func partName(offset int64) string { return fmt.Sprintf("%s%019d", partPrefix, offset) }

// BeginUpload makes room for a document of that length. One whose digest is
// known to be here already is answered as received, and no byte is sent twice.
// Errors are those of Receive.
func (p *Pipeline) BeginUpload(ctx context.Context, slip dossier.Slip, length int64, digest dossier.Digest) (Upload, error) {
	slip, err := p.check(ctx, slip)
	if err != nil {
		return Upload{}, err
	}
	if slip.Reuses != "" {
		return Upload{}, fmt.Errorf("%w: what reuses a document has no bytes", ErrSlip)
	}
	if length > p.Limit {
		return Upload{}, p.tooLarge()
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Upload{}, fmt.Errorf("new id: %w", err)
	}
	u := Upload{ID: id.String(), Slip: slip, Length: length, Digest: digest}
	if digest != "" {
		st, found, err := p.Ledger.Seen(ctx, slip, digest)
		if err != nil {
			return Upload{}, err
		}
		if found {
			u.Document, u.Offset, u.Again = st.Intake.ID, length, true
		}
	}
	if err := p.putJSON(ctx, inFolder(uploadFolder(u.ID), uploadName), u, nil); err != nil {
		return Upload{}, fmt.Errorf("begin an upload: %w", err)
	}
	return u, nil
}

// Upload returns an upload as it stands: ErrNoUpload, ErrUploadExpired.
func (p *Pipeline) Upload(ctx context.Context, id string) (Upload, error) {
	at := begun(id)
	if at.IsZero() {
		return Upload{}, ErrNoUpload
	}
	if !p.Now().Before(at.Add(UploadLife)) {
		return Upload{}, ErrUploadExpired
	}
	folder := uploadFolder(id)
	var u Upload
	var known, received bool
	var parts []storage.Info
	for info, err := range p.Store.List(ctx, folder+"/") {
		if err != nil {
			return Upload{}, fmt.Errorf("list the upload: %w", err)
		}
		switch name := path.Base(string(info.Key)); {
		case name == uploadName:
			known = true
		case name == receivedName:
			received = true
		case strings.HasPrefix(name, partPrefix):
			parts = append(parts, info)
		}
	}
	if !known {
		return Upload{}, ErrNoUpload
	}
	if err := p.readJSON(ctx, inFolder(folder, uploadName), &u); err != nil {
		return Upload{}, err
	}
	if received {
		var done receivedUpload
		if err := p.readJSON(ctx, inFolder(folder, receivedName), &done); err != nil {
			return Upload{}, err
		}
		u.Document = done.Document
	}
	if u.Document != "" {
		u.Offset = u.Length
		return u, nil
	}
	for _, part := range parts { // in order of their offsets
		if part.Key == inFolder(folder, partName(u.Offset)) {
			u.Offset += part.Size
			u.parts = append(u.parts, part.Key)
		}
	}
	return u, nil
}

type receivedUpload struct {
	Document string `json:"document"`
}

// Checksum is what the sender promises of one piece.
type Checksum struct {
	New  func() hash.Hash // nil: nothing is promised
	Want []byte
}

// AppendUpload takes in the next piece. What arrives before the line breaks is
// kept, unless a checksum was promised of the piece: then it is kept whole or
// not at all. With the last byte the upload becomes a document, in the same way
// as by Receive, whose errors it returns; beside these ErrUploadLength,
// ErrUploadOffset, ErrChecksum, and ErrTransfer where the line broke.
func (p *Pipeline) AppendUpload(ctx context.Context, u Upload, body io.Reader, sum Checksum) (Upload, error) {
	if u.Document != "" {
		return u, nil
	}
	src := &untilBreak{r: io.LimitReader(body, u.Length-u.Offset+1)}
	var r io.Reader = src
	var h hash.Hash
	if sum.New != nil {
		h = sum.New()
		r = io.TeeReader(src, h)
	}
	temp, err := storage.Spool(p.SpoolDir, r, 0)
	if err != nil {
		return u, fmt.Errorf("spool: %w", err)
	}
	last := false // of the pieces: finishUpload closes it
	defer func() {
		if !last {
			temp.Close()
		}
	}()
	broken := error(nil)
	if src.err != nil {
		broken = fmt.Errorf("%w: %w", ErrTransfer, src.err)
	}
	switch {
	case u.Offset+temp.Size() > u.Length:
		return u, ErrUploadLength
	case h != nil && broken != nil:
		return u, broken
	case h != nil && !bytes.Equal(h.Sum(nil), sum.Want):
		return u, ErrChecksum
	}
	// Whoever sent this may be gone by now; the bytes are here all the same.
	ctx = context.WithoutCancel(ctx)
	if last = u.Offset+temp.Size() == u.Length; last {
		return p.finishUpload(ctx, u, temp)
	}
	if temp.Size() == 0 {
		return u, broken
	}
	key := inFolder(uploadFolder(u.ID), partName(u.Offset))
	err = p.Store.Put(ctx, key, temp, storage.Info{Size: temp.Size(), SHA256: temp.SHA256()})
	if errors.Is(err, storage.ErrConflict) {
		return u, ErrUploadOffset
	}
	if err != nil {
		return u, fmt.Errorf("keep a piece: %w", err)
	}
	u.Offset += temp.Size()
	u.parts = append(u.parts, key)
	return u, broken
}

// finishUpload hands the parts and the last piece to Receive. It closes the piece.
func (p *Pipeline) finishUpload(ctx context.Context, u Upload, piece *storage.Temp) (Upload, error) {
	whole := piece
	if len(u.parts) > 0 {
		defer piece.Close()
		parts := &joined{ctx: ctx, store: p.Store, keys: u.parts}
		defer parts.Close()
		var err error
		if whole, err = storage.Spool(p.SpoolDir, io.MultiReader(parts, piece), 0); err != nil {
			return u, fmt.Errorf("join the pieces: %w", err)
		}
	}
	st, err := p.Receive(ctx, u.Slip, whole, ReceiveOptions{Digest: u.Digest})
	if errors.Is(err, ErrDigest) {
		// No piece can be told to be the bad one.
		return u, errors.Join(err, p.DropUpload(ctx, u.ID))
	}
	if err != nil {
		return u, err
	}
	folder := uploadFolder(u.ID)
	if err := p.putJSON(ctx, inFolder(folder, receivedName), receivedUpload{st.Intake.ID}, nil); err != nil {
		return u, fmt.Errorf("end an upload: %w", err)
	}
	u.Document, u.Offset, u.Again = st.Intake.ID, u.Length, st.Again
	for _, key := range u.parts {
		if err := storage.Erase(ctx, p.Store, key); err != nil {
			p.Log.Warn().Err(err).Str("document", u.Document).Msg("a part of a finished upload was left behind") // until it is swept
			break
		}
	}
	return u, nil
}

// DropUpload gives an upload up. The document it has become stays.
func (p *Pipeline) DropUpload(ctx context.Context, id string) error {
	folder := uploadFolder(id)
	// First what makes it one: a crash after that leaves parts to be swept.
	if err := storage.Erase(ctx, p.Store, inFolder(folder, uploadName)); err != nil {
		return fmt.Errorf("drop the upload: %w", err)
	}
	for info, err := range p.Store.List(ctx, folder+"/") {
		if err == nil {
			err = storage.Erase(ctx, p.Store, info.Key)
		}
		if err != nil {
			return fmt.Errorf("drop the upload: %w", err)
		}
	}
	return nil
}

// untilBreak ends where the line breaks, and remembers that it did.
type untilBreak struct {
	r   io.Reader
	err error
}

func (u *untilBreak) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	if err != nil && err != io.EOF {
		u.err, err = err, io.EOF
	}
	return n, err
}

// joined reads objects one after the other, one open at a time.
type joined struct {
	ctx   context.Context
	store storage.Store
	keys  []storage.Key
	open  io.ReadCloser
}

func (j *joined) Read(b []byte) (int, error) {
	for {
		if j.open == nil {
			if len(j.keys) == 0 {
				return 0, io.EOF
			}
			body, _, err := j.store.Open(j.ctx, j.keys[0])
			if err != nil {
				return 0, err
			}
			j.open, j.keys = body, j.keys[1:]
		}
		n, err := j.open.Read(b)
		if err == io.EOF {
			err = j.Close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (j *joined) Close() error {
	if j.open == nil {
		return nil
	}
	err := j.open.Close()
	j.open = nil
	return err
}
