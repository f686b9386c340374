// Package web is the HTTP door: the API under /api/v1 (OpenAPI 3.1, problems by
// RFC 9457) and the pages. What it asks of the ledger it states as small
// interfaces of its own; who may do what stands in one table, docs/access.md,
// and every route is in it.
//
// Personal data (owner ids, names, symbol-numbers, file names) comes in headers,
// never in a URL, and leaves only in the bodies of authorised answers: not in
// logs, metrics or problems.
package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/tally"
)

// Pipeline is the way in and the way to what lies in the archive.
type Pipeline interface {
	Receive(ctx context.Context, slip dossier.Slip, body io.Reader, opt pipeline.ReceiveOptions) (dossier.Standing, error)
	Wait(ctx context.Context, id string, d time.Duration) (dossier.Standing, error)
	Standing(ctx context.Context, id string) (dossier.Standing, error)
	// Amend corrects what is said of a stored document, and reports whether that
	// changed anything.
	Amend(ctx context.Context, id string, anew dossier.Slip) (bool, error)
	OpenOriginal(ctx context.Context, s dossier.Standing) (io.ReadSeekCloser, dossier.File, error)
	OpenArchive(ctx context.Context, s dossier.Standing) (io.ReadSeekCloser, dossier.File, error)
}

// Register is what the doors ask of the register of dossiers.
type Register interface {
	// ResolveUnit answers dossier.ErrUnknownUnit where no unit of the register
	// can be the dossier's.
	ResolveUnit(ctx context.Context, code dossier.Code) (dossier.UnitCode, error)
	Dossier(ctx context.Context, code dossier.Code) (d dossier.Dossier, known bool, err error)
	Documents(ctx context.Context, code dossier.Code) ([]dossier.Standing, error)
}

// Tokens tells whose a bearer token is; dossier.ErrNoToken where it is nobody's.
type Tokens interface {
	Token(ctx context.Context, secret string) (dossier.Token, error)
}

// ImportReport is what became of an imported file.
type ImportReport struct {
	New     int                `json:"new"`
	Changed int                `json:"changed"`
	Same    int                `json:"same"`
	Bad     []dossier.RowError `json:"bad"`
}

// Importer takes in a file of the register. An error means that the file could
// not be read at all (a *dossier.RowError) or that we failed; rows that are
// wrong stand in the report.
type Importer interface {
	Import(ctx context.Context, kind, fileName string, body io.Reader) (ImportReport, error)
}

// Pictures draws a page of a document, from 1, as PNG.
type Pictures interface {
	Picture(ctx context.Context, s dossier.Standing, page, dpi int) ([]byte, error)
}

// Fault is an intake in the failure inbox. Message is for operators and free of
// personal data.
type Fault struct {
	ID         string
	Unit       dossier.UnitCode
	Dossier    dossier.Code
	Kind       dossier.Kind
	ReceivedAt time.Time
	Message    string
}

// Inbox is where intakes lie that we failed at; replaying puts one back into the
// queue.
type Inbox interface {
	Faulted(ctx context.Context, units []dossier.UnitCode, limit int) ([]Fault, error)
	Replay(ctx context.Context, id string) error
}

// Operations is what runs, at a glance.
type Operations struct {
	Pending, Running, Faulted int
	Oldest                    time.Duration   // age of the oldest pending intake
	Ledger, Store             string          // what they are, without credentials
	Runs                      []dossier.Run   // workers and backfills, also of other processes, the newest first
	Checks                    []dossier.Check // passes of verification, the newest first
	StartedAt                 time.Time
	Checked                   dossier.Check // the last whole check of the archive; zero: never
}

// Runs keeps how far something is that goes on for long.
type Runs interface {
	SaveRun(ctx context.Context, r dossier.Run) error
}

// Options are the parts the doors are made of. Pipeline, Register, Source and
// Tokens are needed; without one of the others its routes answer 501.
type Options struct {
	Pipeline Pipeline
	Uploads  Uploads
	Register Register
	Source   tally.Source
	Tokens   Tokens
	Importer Importer
	Lister   Lister
	Owners   Owners
	Targets  func(context.Context) (tally.Targets, error)
	// Imported returns the appendix's rows that come from elsewhere.
	Imported func(ctx context.Context, period string) (map[int]string, error)

	// The pages. Without Accounts and SessionStore nobody can sign in.
	Accounts     Accounts
	SessionStore scs.Store // with its Ctx methods
	Orders       Orders    // nil: orders by the command line only
	Closer       Closer    // nil: periods are closed by the command line only
	// Behind names the dossiers that count otherwise than when a period was closed;
	// nil: the command line does.
	Behind     tally.DossierSource
	People     People  // nil: accounts and tokens by the command line only
	SignOn     *SignOn // nil: local accounts only
	Pictures   Pictures
	Inbox      Inbox
	Tray       Tray
	Auditor    Auditor // nil: nothing is kept of who did what
	Operations func(context.Context) (Operations, error)
	Runs       Runs // nil: nobody elsewhere can tell of a backfill
	// Life lists what happened to a document after its record was written; nil:
	// only the record's own events are shown.
	Life func(ctx context.Context, id string) ([]dossier.Event, error)
	// SecureCookies: the pages are reached over TLS, here or at a proxy.
	SecureCookies bool
	// BehindProxy: X-Forwarded-For is the proxy's and can be believed.
	BehindProxy bool

	// Ready says what keeps us from working, or nil.
	Ready func(context.Context) error
	// Unavailable reports whether an error means that the store or the ledger
	// cannot be reached now: answered by 503 and Retry-After.
	Unavailable func(error) bool

	// Trace begins the trace of a request and returns what ends it, told the
	// route's pattern, the request's id and the status; nil: there are none.
	Trace func(r *http.Request) (ctx context.Context, end func(route, request string, status int))

	Log      zerolog.Logger
	Registry *prometheus.Registry // nil: one of its own
	Now      func() time.Time     // nil: time.Now
	Version  string

	MaxBody     int64         // of one document; 0: 2 GiB
	MaxImport   int64         // of one register file; 0: 512 MiB
	MaxInFlight int           // requests at once; 0: 512
	MaxUploads  int           // uploads at once; 0: 256
	IdleRead    time.Duration // an upload from which nothing comes for so long is given up; 0: one minute
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBody == 0 {
		o.MaxBody = 2 << 30
	}
	if o.MaxImport == 0 {
		o.MaxImport = 512 << 20
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 512
	}
	if o.MaxUploads == 0 {
		o.MaxUploads = 256
	}
	if o.IdleRead == 0 {
		o.IdleRead = time.Minute
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Unavailable == nil {
		o.Unavailable = func(error) bool { return false }
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	return o
}
