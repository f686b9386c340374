package pdf

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"sohoa/dossier"
)

// Parent and child speak in frames over the child's standard input and output: a
// length of four bytes, big endian, then JSON. The parent asks, the child answers;
// before its answer it may send notes, by which the parent sets its timer.

// maxFrame bounds what either side takes from the other. A page's picture is the
// largest thing that is sent.
const maxFrame = 64 << 20

type op string

const (
	opInspect   op = "inspect"
	opNormalise op = "normalise"
	opPicture   op = "picture"
	opPages     op = "pages"
	opExtract   op = "extract"
	opClose     op = "close"
)

type request struct {
	Op       op            `json:"op"`
	Path     string        `json:"path,omitempty"`
	Question *wireQuestion `json:"question,omitempty"`
	Out      string        `json:"out,omitempty"`
	Label    *Label        `json:"label,omitempty"`
	Page     int           `json:"page,omitempty"`
	Last     int           `json:"last,omitempty"` // with opExtract: Page is the first
	DPI      int           `json:"dpi,omitempty"`
	Setup    *setup        `json:"setup,omitempty"` // the file at Path is to be opened first
	Wait     bool          `json:"wait,omitempty"`  // with opClose: it is to be answered
}

// setup is what a child must know of the pool's options.
type setup struct {
	Limits   Limits `json:"limits"`
	TrustDir string `json:"trust_dir,omitempty"`
	CacheDir string `json:"cache_dir,omitempty"`
}

type wireQuestion struct {
	Kind       dossier.Kind    `json:"kind"`
	Profile    dossier.Profile `json:"profile"`
	Thorough   bool            `json:"thorough,omitempty"`
	DefaultDPI int             `json:"default_dpi,omitempty"`
	At         time.Time       `json:"at,omitzero"`
}

// response is a note or the answer. A note says that the file is open, how many
// pages there are, or that the second reader is being started, which costs time
// and memory that are not the document's.
type response struct {
	Note     bool             `json:"note,omitempty"`
	Opened   bool             `json:"opened,omitempty"`
	Large    bool             `json:"large,omitempty"` // the document has made the child grow
	Starting bool             `json:"starting,omitempty"`
	Pages    int              `json:"pages,omitempty"`
	Verdict  *dossier.Verdict `json:"verdict,omitempty"`
	Copy     *Copy            `json:"copy,omitempty"`
	Picture  []byte           `json:"picture,omitempty"`
	Rejected *wireRejection   `json:"rejected,omitempty"`
	Signed   bool             `json:"signed,omitempty"`  // ErrSigned
	NoPage   bool             `json:"no_page,omitempty"` // ErrNoPage
	Fault    string           `json:"fault,omitempty"`
	Full     bool             `json:"full,omitempty"` // the fault is that the disk is full
}

type wireRejection struct {
	Reason dossier.Reason `json:"reason"`
	Detail dossier.Text   `json:"detail"`
	Err    string         `json:"err,omitempty"`
}

func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxFrame {
		return fmt.Errorf("pdf: frame of %d bytes is too long", len(body))
	}
	frame := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readFrame returns io.EOF where the other side has ended between frames.
func readFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("pdf: frame of %d bytes is too long", n)
	}
	// Grown as it comes, so that a length that lies costs nothing.
	body, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if len(body) < int(n) {
		return io.ErrUnexpectedEOF
	}
	return json.Unmarshal(body, v)
}

// answer turns an error of the child into the frame that says so.
func (r *response) fail(err error) {
	var rej *dossier.Rejection
	switch {
	case errors.As(err, &rej):
		r.Rejected = &wireRejection{Reason: rej.Reason, Detail: rej.Detail}
		if rej.Err != nil {
			r.Rejected.Err = rej.Err.Error()
		}
	case errors.Is(err, ErrSigned):
		r.Signed = true
	case errors.Is(err, ErrNoPage):
		r.NoPage = true
	default:
		r.Fault, r.Full = err.Error(), errors.Is(err, syscall.ENOSPC)
	}
}

// err is the reverse of fail.
func (r *response) err() error {
	switch {
	case r.Rejected != nil:
		if !r.Rejected.Reason.Valid() {
			return fmt.Errorf("pdf: child gave an unknown reason")
		}
		rej := &dossier.Rejection{Reason: r.Rejected.Reason, Detail: r.Rejected.Detail}
		if r.Rejected.Err != "" {
			rej.Err = errors.New(r.Rejected.Err)
		}
		return rej
	case r.Signed:
		return ErrSigned
	case r.NoPage:
		return ErrNoPage
	case r.Full:
		return fmt.Errorf("pdf: child: %s: %w", strings.TrimSuffix(r.Fault, ": "+syscall.ENOSPC.Error()), syscall.ENOSPC)
	case r.Fault != "":
		return fmt.Errorf("pdf: child: %s", r.Fault)
	}
	return nil
}
