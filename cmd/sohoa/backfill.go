package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/pipeline/backfill"
	"sohoa/pipeline/pdf"
	"sohoa/pipeline/sheet"
	"sohoa/storage"
	"sohoa/storage/ledger"
	"sohoa/web"
)

type backfillFlags struct {
	root, outcome, mapping, match, between string
	server, token, tokenFile               string
	dryRun, fast                           bool
	rate                                   float64
	parallel                               int
}

func newBackfillCommand(a *app) *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill MANIFEST",
		Short: "Hand in years of papers from a spreadsheet; can be killed and started again",
		Long: `backfill hands in every row of a manifest (CSV or XLSX): one row, one file. A row
is done when its record stands; started again it goes on where it was, and run
twice it changes nothing. Ctrl-C finishes what is in flight. With --server it goes
through that server's HTTP door, with the same result; its counters come first.

Exit 0 when every row is in, 3 when some rows were rejected or skipped,
1 when some failed, 130 when interrupted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.backfill(cmd.Context(), args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.server, "server", "", "server whose HTTP door to use")
	cmd.Flags().StringVar(&f.token, "token", "", "API token for --server, of an operator")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the API token, which keeps it out of the list of processes")
	cmd.Flags().StringVar(&f.root, "root", "", "folder below which the files are sought (default: the manifest's)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check everything, write nothing, say what would happen")
	cmd.Flags().BoolVar(&f.fast, "fast", false, "with --dry-run: do not read the files")
	cmd.Flags().StringVar(&f.outcome, "outcome", "", "CSV file with a line for every row")
	cmd.Flags().StringVar(&f.mapping, "mapping", "", "CSV file that maps other headers to ours")
	cmd.Flags().StringVar(&f.match, "match", "", "path of a file for rows that name none: {unit}/{number}.pdf")
	cmd.Flags().StringVar(&f.between, "between", "", "hours of the day in which to work: 18:00-06:00")
	cmd.Flags().Float64Var(&f.rate, "rate", 0, "rows a second at most (default: as fast as it goes)")
	cmd.Flags().IntVar(&f.parallel, "parallel", 0, fmt.Sprintf("documents in flight (default: %d; without --server %d while no counter has sent anything for a quarter of an hour)", backfill.BesideCounters(), backfill.Alone()))
	return cmd
}

func (a *app) backfill(ctx context.Context, manifest string, f backfillFlags) (err error) {
	o := backfill.Options{By: "cli", Match: f.match, Rate: f.rate, Now: a.now}
	if f.between != "" {
		if o.Between, err = backfill.ParseHours(f.between); err != nil {
			return usage("--between: %w", err)
		}
	}
	if f.match != "" {
		if _, err := backfill.ParsePattern(f.match); err != nil {
			return usage("--match: %w", err)
		}
	}
	if f.parallel < 0 {
		return usage("--parallel must not be negative")
	}
	if f.root == "" {
		f.root = filepath.Dir(manifest)
	}
	if o.Root, err = os.OpenRoot(f.root); err != nil {
		return usage("--root: %w", err)
	}
	defer o.Root.Close()
	if err := standBack(bulkNice); err != nil {
		return err
	}
	if f.mapping != "" {
		if err := withSheet(f.mapping, func(s *sheet.Sheet) (err error) {
			o.Mapping, err = sheet.ReadMapping(s)
			return err
		}); err != nil {
			return usage("--mapping: %w", err)
		}
	}
	if f.outcome != "" {
		out, err := os.Create(f.outcome)
		if err != nil {
			return usage("--outcome: %w", err)
		}
		defer func() { err = errors.Join(err, out.Close()) }()
		lines, err := backfill.NewOutcomeFile(out)
		if err != nil {
			return err
		}
		o.Outcomes = lines.Write
	}
	p := newBackfillProgress(a.stderr)
	o.Progress = p.show
	way, err := a.openWay(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, way.close()) }()
	o.Parallel, o.Allowed = way.parallel, way.allowed
	var sum backfill.Summary
	err = withSheet(manifest, func(s *sheet.Sheet) (err error) {
		if f.dryRun {
			preview, err := backfill.DryRun(ctx, s, way.checker, o, f.fast)
			p.end()
			sum = preview.Summary
			if err == nil {
				a.printPreview(preview)
			}
			return err
		}
		sum, err = a.runBackfill(ctx, way, s, o)
		p.end()
		return err
	})
	var row *dossier.RowError
	if errors.As(err, &row) {
		printRowErrors(a.stderr, err)
		return &exitError{exitRejected, errors.New("the manifest cannot be read")}
	}
	if err != nil {
		return err
	}
	a.printBackfill(sum)
	switch {
	case sum.Stopped:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted after %d of %d rows; the same command goes on", sum.Rows, sum.Total)}
	case sum.Counts[backfill.Faulted] > 0:
		return fmt.Errorf("%d rows failed and lie in the failure inbox; the same command tries them again", sum.Counts[backfill.Faulted])
	case sum.Counts[backfill.Rejected]+sum.Counts[backfill.Skipped] > 0:
		return &exitError{code: exitRejected}
	}
	return nil
}

// way is how documents of a backfill go in: straight into --data, or through a
// server.
type way struct {
	door     backfill.Door
	parallel int                       // documents in flight at most
	allowed  func(context.Context) int // and at present; nil: all
	checker  backfill.Checker
	journal  string                                      // name of the file that remembers what went in this way
	work     func() (stop func() error)                  // workers beside those of any server
	present  func(look func(*dossier.Run)) (stop func()) // tells the operations page of the run
	close    func() error
}

func (a *app) openWay(ctx context.Context, f backfillFlags) (way, error) {
	if f.server == "" {
		h, err := a.open(ctx)
		if err != nil {
			return way{}, err
		}
		w := way{door: backfill.Local{Pipeline: h.pipeline, Again: h.ledger.Replay}, parallel: f.parallel, checker: &checker{h: h, a: a}, journal: "backfill.journal",
			present: func(look func(*dossier.Run)) func() { return h.present(ctx, dossier.Backfill, look) },
			close:   h.Close}
		if w.parallel == 0 {
			w.parallel = backfill.Alone()
			w.allowed = func(ctx context.Context) int {
				if open, err := h.ledger.CountersOpen(ctx); open || err != nil { // who cannot tell stands aside
					return backfill.BesideCounters()
				}
				return backfill.Alone()
			}
		}
		w.work = func() func() error { return h.workBeside(ctx, ledger.WorkOptions{Hands: w.parallel, BulkOnly: true}) }
		return w, nil
	}
	token, err := tokenFrom(f.token, f.tokenFile)
	if err != nil {
		return way{}, err
	}
	c, err := newClient(f.server, token)
	if err != nil {
		return way{}, err
	}
	w := way{door: c, parallel: cmp.Or(f.parallel, backfill.BesideCounters()), work: func() func() error { return func() error { return nil } }}
	// What went to one server says nothing of another.
	sum := sha256.Sum256([]byte(c.base))
	w.journal = fmt.Sprintf("backfill-%x.journal", sum[:6])
	log, err := a.log()
	if err != nil {
		return way{}, err
	}
	w.present = func(look func(*dossier.Run)) func() { return present(ctx, log, a.now, c.tell, dossier.Backfill, look) }
	judge, err := a.openJudge(log, 0)
	if err != nil {
		return way{}, err
	}
	w.close = judge.Close
	w.checker = &remoteChecker{c: c, judge: judge, a: a}
	return w, nil
}

func (a *app) runBackfill(ctx context.Context, w way, s *sheet.Sheet, o backfill.Options) (sum backfill.Summary, err error) {
	if err := os.MkdirAll(a.data, 0o750); err != nil {
		return sum, err
	}
	journal, err := backfill.OpenJournal(filepath.Join(a.data, w.journal))
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	o.Journal = journal
	stop := w.work()
	defer func() { err = errors.Join(err, stop()) }()
	var at latest
	o.Progress = at.note(o.Progress)
	defer w.present(at.look)()
	return backfill.Run(ctx, s, w.door, o)
}

// latest is how far a backfill is, for who asks from elsewhere.
type latest struct {
	mu  sync.Mutex
	run dossier.Run
}

// note keeps what is told, and tells it on.
func (l *latest) note(next func(backfill.Progress)) func(backfill.Progress) {
	return func(p backfill.Progress) {
		l.mu.Lock()
		l.run.Done, l.run.Total, l.run.Waiting = int64(p.Rows), int64(p.Total), p.Waiting
		l.run.Failed = int64(p.Counts[backfill.Rejected] + p.Counts[backfill.Faulted] + p.Counts[backfill.Skipped])
		l.mu.Unlock()
		next(p)
	}
}

func (l *latest) look(r *dossier.Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Done, r.Total, r.Failed, r.Waiting = l.run.Done, l.run.Total, l.run.Failed, l.run.Waiting
}

func withSheet(name string, f func(*sheet.Sheet) error) error {
	file, err := os.Open(name)
	if err != nil {
		return usage("%w", err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	s, err := sheet.Open(filepath.Base(name), file, st.Size())
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s)
}

// printRowErrors prints every row error that err joins.
func printRowErrors(w io.Writer, err error) {
	var row *dossier.RowError
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			printRowErrors(w, e)
		}
	} else if errors.As(err, &row) {
		printRowError(w, *row)
	}
}

func (a *app) printBackfill(s backfill.Summary) {
	fmt.Fprintf(a.stdout, "%d dòng/rows", s.Rows)
	for _, o := range backfill.Outcomes() {
		fmt.Fprintf(a.stdout, ", %d %s", s.Counts[o], o)
	}
	fmt.Fprintln(a.stdout)
	reasons := make([]string, 0, len(s.Reasons))
	for r := range s.Reasons {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	for _, r := range reasons {
		fmt.Fprintf(a.stdout, "  %6d  %s\n", s.Reasons[r], r)
	}
}

func (a *app) printPreview(p backfill.Preview) {
	fmt.Fprintf(a.stdout, "Thử, không ghi gì / dry run, nothing is written. Bảng mã / encoding: %s\n", p.Encoding)
	for column, enc := range p.Converted {
		fmt.Fprintf(a.stdout, "  cột/column %s: %s\n", column, enc)
	}
	for _, u := range p.Unused {
		printRowError(a.stdout, *u)
	}
	if p.Unmatched > 0 {
		fmt.Fprintf(a.stdout, "  %d chưa có trong sổ đăng ký, sẽ chờ / not in the register yet, would wait\n", p.Unmatched)
	}
}

// checker answers a dry run.
type checker struct {
	h *house
	a *app
}

func (c *checker) Known(ctx context.Context, slip dossier.Slip) (bool, error) {
	if slip.Kind == dossier.ResultInForce {
		known, err := c.h.ledger.KnownUnit(ctx, slip.Unit)
		if err == nil && !known {
			err = dossier.ErrUnknownUnit
		}
		return known, err
	}
	if _, err := c.h.ledger.ResolveUnit(ctx, slip.Dossier); err != nil {
		return false, err
	}
	_, known, err := c.h.ledger.Dossier(ctx, slip.Dossier)
	return known, err
}

func (c *checker) Seen(ctx context.Context, slip dossier.Slip, digest dossier.Digest) (dossier.Standing, bool, error) {
	return c.h.ledger.Seen(ctx, slip, digest)
}

func (c *checker) Inspect(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, _ int64) error {
	return c.a.inspectBody(ctx, c.h.judge, c.h.pipeline.SpoolDir, slip.Kind, body)
}

// inspectBody gives the verdict on bytes that nobody has received.
func (a *app) inspectBody(ctx context.Context, judge *pdf.Pool, spool string, kind dossier.Kind, body io.Reader) error {
	temp, err := storage.Spool(spool, body, a.limit)
	if err != nil {
		return err
	}
	defer temp.Close()
	s, err := judge.Open(ctx, temp.Path())
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Inspect(ctx, pdf.Question{Kind: kind, Profile: dossier.ProfileFor(dossier.DateOf(a.now()), a.profiles...), DefaultDPI: a.dpi})
	return err
}

// remoteChecker answers a dry run by what a server tells; the scans are judged
// here. Which results in force are there already, a server does not tell.
type remoteChecker struct {
	c     *client
	judge *pdf.Pool
	a     *app

	mu    sync.Mutex
	last  dossier.Code // rows of a dossier come together
	body  web.DossierBody
	known error
}

// dossier is what the server has of the dossier; errNoDossier where it has nothing.
func (r *remoteChecker) dossier(ctx context.Context, code dossier.Code) (web.DossierBody, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if code != r.last {
		body, err := r.c.dossier(ctx, code)
		if err != nil && !errors.Is(err, errNoDossier) && !errors.Is(err, dossier.ErrUnknownUnit) {
			return body, err
		}
		r.last, r.body, r.known = code, body, err
	}
	return r.body, r.known
}

func (r *remoteChecker) Known(ctx context.Context, slip dossier.Slip) (bool, error) {
	if slip.Kind == dossier.ResultInForce {
		return r.c.knownUnit(ctx, slip.Unit)
	}
	d, err := r.dossier(ctx, slip.Dossier)
	if errors.Is(err, errNoDossier) {
		err = nil
	}
	return d.Known, err
}

func (r *remoteChecker) Seen(ctx context.Context, slip dossier.Slip, digest dossier.Digest) (dossier.Standing, bool, error) {
	if slip.Kind == dossier.ResultInForce {
		return dossier.Standing{}, false, nil
	}
	d, err := r.dossier(ctx, slip.Dossier)
	if err != nil && !errors.Is(err, errNoDossier) {
		return dossier.Standing{}, false, err
	}
	for _, doc := range d.Documents {
		if doc.Original.SHA256 == digest && doc.Slip.Kind == slip.Kind && doc.Slip.Paper == slip.Paper && doc.Slip.Replaces == slip.Replaces {
			return doc.Standing(), true, nil
		}
	}
	return dossier.Standing{}, false, nil
}

func (r *remoteChecker) Inspect(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, _ int64) error {
	return r.a.inspectBody(ctx, r.judge, "", slip.Kind, body)
}

// backfillProgress shows a bar where a person watches, plain lines elsewhere.
type backfillProgress struct {
	w    io.Writer
	bar  *progressbar.ProgressBar
	last time.Time
}

func newBackfillProgress(w io.Writer) *backfillProgress {
	p := &backfillProgress{w: w}
	if terminal(w) {
		p.bar = newBar(w, -1, "")
	}
	return p
}

func (p *backfillProgress) show(s backfill.Progress) {
	c := s.Counts
	text := fmt.Sprintf("%d vào/in, %d sẵn/already, %d loại/rejected, %d lỗi/faulted, %d bỏ/skipped",
		c[backfill.Stored], c[backfill.Already], c[backfill.Rejected], c[backfill.Faulted], c[backfill.Skipped])
	if s.Waiting != "" {
		text += " (chờ/waiting: " + s.Waiting + ")"
	}
	if p.bar != nil {
		p.bar.ChangeMax(s.Total)
		p.bar.Describe(text)
		p.bar.Set(s.Rows)
		return
	}
	if now := time.Now(); now.Sub(p.last) >= 10*time.Second {
		p.last = now
		fmt.Fprintf(p.w, "%d/%d: %s\n", s.Rows, s.Total, text)
	}
}

func (p *backfillProgress) end() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
