package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/pipeline/pdf"
	"sohoa/storage"
	"sohoa/storage/disk"
	"sohoa/storage/ledger"
	"sohoa/storage/s3"
	"sohoa/web"
)

// app is the program: its streams, its clock and its settings.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time

	config    string
	data      string
	database  string
	store     string
	trust     string
	logLevel  string
	traces    string
	profiles  []dossier.Profile
	retention []dossier.Retention
	signOn    *web.SignOn
	limit     int64
	dpi       int
	childMem  int64

	secureCookies, behindProxy bool
}

func (a *app) flags(f *pflag.FlagSet) {
	f.StringVar(&a.config, "config", "", "settings file (default ./sohoa.yaml where there is one)")
	f.StringVar(&a.data, "data", "./sohoa-data", "folder of the embedded ledger (SQLite) and directory store")
	f.StringVar(&a.database, "database", "", "ledger: sqlite:FILE or postgres://… (default: in --data)")
	f.StringVar(&a.store, "store", "", "archive: disk:DIR or s3://bucket?endpoint=… (default: in --data)")
	f.StringVar(&a.trust, "trust", "", "folder of trusted root certificates and revocation lists")
	f.StringVar(&a.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&a.traces, "traces", "", "OpenTelemetry collector that gets traces by OTLP over HTTP: http://host:4318 (default: none)")
	f.Int64Var(&a.limit, "max-size", 512<<20, "bytes a document may have")
	f.IntVar(&a.dpi, "default-dpi", 200, "resolution of images that state none")
	f.Int64Var(&a.childMem, "child-memory", 512<<20, "bytes of memory a child process may use")
}

// log returns the log: JSON lines, or a readable form on a terminal.
func (a *app) log() (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(a.logLevel)
	if err != nil {
		return zerolog.Nop(), usage("--log-level: %w", err)
	}
	var w io.Writer = a.stderr
	if terminal(a.stderr) {
		w = zerolog.ConsoleWriter{Out: a.stderr, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}

// terminal reports whether a person watches the stream.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// house is the parts of the program, wired together.
type house struct {
	log      zerolog.Logger
	ledger   *ledger.Ledger
	store    storage.Store
	judge    *pdf.Pool
	bulk     *pdf.Pool // stands back for the other
	pipeline *pipeline.Pipeline
	metrics  *prometheus.Registry
	traces   *traces
	outages  *outages
	closers  []func() error
}

func (h *house) Close() error {
	var errs []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i]())
	}
	h.closers = nil
	return errors.Join(errs...)
}

// openLedger opens the ledger, bringing its schema up to date, and nothing else:
// enough for reports and registers.
func (a *app) openLedger(ctx context.Context) (*house, error) {
	log, err := a.log()
	if err != nil {
		return nil, err
	}
	h := &house{log: log}
	dsn := a.database
	if dsn == "" {
		if err := os.MkdirAll(a.data, 0o750); err != nil {
			return nil, err
		}
		dsn = "sqlite:" + filepath.Join(a.data, "ledger.db")
	}
	if !ledgerAddress(dsn) {
		return nil, usage("--database: must begin with sqlite: or postgres://")
	}
	if h.ledger, err = ledger.Open(ctx, dsn, ledger.Options{Log: log, Now: a.now}); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	h.closers = append(h.closers, h.ledger.Close)
	if err := h.ledger.Migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the ledger up to date: %w", err), h.Close())
	}
	return h, nil
}

// ledgerAddress reports whether it is the address of a ledger.
func ledgerAddress(url string) bool {
	return strings.HasPrefix(url, "sqlite:") || strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// openStore opens the archive; spool is the best folder for bytes on their way.
func (a *app) openStore(ctx context.Context) (s storage.Store, spool string, err error) {
	url := a.store
	if url == "" {
		url = "disk:" + filepath.Join(a.data, "archive")
	}
	switch scheme, rest, _ := strings.Cut(url, ":"); scheme {
	case "disk":
		d, err := disk.Open(rest)
		if err != nil {
			return nil, "", fmt.Errorf("open the archive: %w", err)
		}
		return d, d.SpoolDir(), nil
	case "s3":
		o, err := s3.Parse(url)
		if err != nil {
			return nil, "", usage("--store: %w", err)
		}
		d, err := s3.Open(ctx, o)
		if err != nil {
			return nil, "", fmt.Errorf("open the archive: %w", err)
		}
		if err := d.EnsureBucket(ctx); err != nil {
			return nil, "", fmt.Errorf("open the archive: %w", err)
		}
		spool = filepath.Join(a.data, "spool")
		if err := os.MkdirAll(spool, 0o700); err != nil {
			return nil, "", err
		}
		// What a process left that was killed on the way.
		_, err = storage.SweepSpool(spool, a.now().AddDate(0, 0, -1), false)
		return d, spool, err
	}
	return nil, "", usage("--store: must begin with disk: or s3://")
}

// bulkNice is how far children that work on bulk papers stand back for those of
// the counters.
const bulkNice = 10

// openJudge starts a pool of child processes.
func (a *app) openJudge(log zerolog.Logger, nice int) (*pdf.Pool, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return pdf.NewPool(pdf.Options{
		Executable: []string{self, pdfChild},
		Children:   runtime.NumCPU(),
		Nice:       nice,
		Limits:     pdf.Limits{Memory: a.childMem, Size: a.limit},
		TrustDir:   a.trust,
		Log:        log,
	})
}

// open opens everything: ledger, archive, judges, pipeline.
func (a *app) open(ctx context.Context) (*house, error) { return a.openHouse(ctx, true) }

// openArchive opens all but the judges, whose processes cost what a short command
// does: enough for whoever judges no document.
func (a *app) openArchive(ctx context.Context) (*house, error) { return a.openHouse(ctx, false) }

func (a *app) openHouse(ctx context.Context, judging bool) (*house, error) {
	h, err := a.openLedger(ctx)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*house, error) { return nil, errors.Join(err, h.Close()) }
	var spool string
	if h.store, spool, err = a.openStore(ctx); err != nil {
		return fail(err)
	}
	if c, ok := h.store.(io.Closer); ok {
		h.closers = append(h.closers, c.Close)
	}
	if judging {
		if h.judge, err = a.openJudge(h.log, 0); err != nil {
			return fail(err)
		}
		h.closers = append(h.closers, h.judge.Close)
		if h.bulk, err = a.openJudge(h.log, bulkNice); err != nil {
			return fail(err)
		}
		h.closers = append(h.closers, h.bulk.Close)
	}
	if err := a.checkRetention(ctx, h); err != nil {
		return fail(err)
	}
	h.metrics = prometheus.NewRegistry()
	m := newMetrics(h.metrics, h.ledger, h.log)
	if h.traces, err = openTraces(ctx, a.traces, h.log); err != nil {
		return fail(usage("--traces: %w", err))
	}
	h.closers = append(h.closers, h.traces.Close)
	h.outages = newOutages(h.log, h.store, h.ledger, a.now)
	h.closers = append(h.closers, h.outages.Close)
	h.pipeline = pipeline.New(pipeline.Options{
		Observe:  func(ctx context.Context, o pipeline.Observation) { m.observe(o); h.traces.observe(ctx, o) },
		Store:    h.store,
		Ledger:   h.ledger,
		Judge:    h.judge,
		Bulk:     h.bulk,
		SpoolDir: spool,
		Profile:  func(d dossier.Date) dossier.Profile { return dossier.ProfileFor(d, a.profiles...) },
		Retain:   func(s dossier.Slip, at time.Time) time.Time { return dossier.RetainUntil(a.retention, s, at) },
		Limit:    a.limit,
		DPI:      a.dpi,
		Tool:     "sohoa " + version(),
		Now:      a.now,
		Log:      h.log,
	})
	return h, nil
}

// work runs the workers until ctx ends, then lets what runs finish. Where o names
// no number there are workers for this machine, and as many hands.
func (h *house) work(ctx context.Context, o ledger.WorkOptions) error {
	if o.Workers <= 0 {
		// More than cores: a worker waits for the disk half of its time.
		o.Workers = 2 * runtime.NumCPU()
	}
	o.Hands, o.Outage = cmp.Or(o.Hands, o.Workers), h.outages.wait
	defer h.present(ctx, dossier.Working, func(r *dossier.Run) { r.Slots = o.Workers })()
	return h.ledger.Work(ctx, o, h.pipeline.Process)
}

// workBeside is work beside what the command does, also after ctx ended, so that
// what was handed in gets its verdict. stop ends it and waits.
func (h *house) workBeside(ctx context.Context, o ledger.WorkOptions) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	working := make(chan error, 1)
	go func() { working <- h.work(ctx, o) }()
	return func() error {
		cancel()
		return <-working
	}
}

// knownUnit reads a unit code from the command line and sees that the register
// has it.
func (h *house) knownUnit(ctx context.Context, code string) (dossier.UnitCode, error) {
	u, err := dossier.ParseUnitCode(code)
	if err != nil {
		return "", usage("--unit: %w", err)
	}
	known, err := h.ledger.KnownUnit(ctx, u)
	if err == nil && !known {
		err = usage("--unit %s: %w; import units first", u, dossier.ErrUnknownUnit)
	}
	return u, err
}
