package pdf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
)

var (
	// ErrSigned: the file bears a signature (or may), so no copy of it is written.
	ErrSigned = errors.New("pdf: a signed file is never rewritten")
	// ErrChildDied: a child process ended in the midst of its work, twice, and not
	// by running into its limits. It is a fault of ours.
	ErrChildDied = errors.New("pdf: child process died")
	// ErrNoPage: the file has no such page.
	ErrNoPage = errors.New("pdf: no such page")
	// ErrClosed: the pool has been closed.
	ErrClosed = errors.New("pdf: pool is closed")
)

// Options say how a Pool works. The zero Options is good for a program whose
// command line has the subcommand pdf-child.
type Options struct {
	Executable []string      // command line that runs ChildMain; the default is the running binary with "pdf-child"
	Nice       int           // how far children stand back for other processes, as nice(1) counts; 0: not at all
	Children   int           // how many children at most; default GOMAXPROCS
	Rest       time.Duration // how long a child without work stays; default a minute
	Limits     Limits
	TrustDir   string // PEM roots and CRLs; empty: trust is not asked for
	CacheDir   string // for the compiled second reader; empty: user cache dir/sohoa
	Log        zerolog.Logger
}

// Limits bound what one document may cost. A zero field takes its default.
type Limits struct {
	// Time is processor time, which a busy machine does not use up: 30 s and
	// 0.5 s a page by default, for each call. A child that makes no end in eight
	// times as long by the clock (and half a minute) is killed too, but that is held against us, not
	// against the document.
	Time        time.Duration `json:"time"`
	TimePerPage time.Duration `json:"time_per_page"`
	Memory      int64         `json:"memory"`  // resident bytes of a child; 512 MB
	Pages       int           `json:"pages"`   // 5,000
	Objects     int           `json:"objects"` // highest object number; 8,388,607, the limit of PDF
	Decoded     int64         `json:"decoded"` // bytes of one decoded stream; 256 MB
	Size        int64         `json:"size"`    // bytes of the file; 1 GB
}

func (l Limits) withDefaults() Limits {
	if l.Time <= 0 {
		l.Time = 30 * time.Second
	}
	if l.TimePerPage <= 0 {
		l.TimePerPage = 500 * time.Millisecond
	}
	if l.Memory <= 0 {
		l.Memory = 512 << 20
	}
	if l.Pages <= 0 {
		l.Pages = 5000
	}
	if l.Objects <= 0 {
		l.Objects = 8_388_607
	}
	if l.Decoded <= 0 {
		l.Decoded = 256 << 20
	}
	if l.Size <= 0 {
		l.Size = 1 << 30
	}
	return l
}

// leastMemory is what a child needs to do anything at all. Below it every
// document would look too complex.
const leastMemory = 128 << 20

// Pool keeps child processes and leases them to sessions. It is safe for
// concurrent use. Children are started when they are needed and end when they
// have rested for long.
type Pool struct {
	opt   Options
	setup setup
	slots chan struct{} // one token a child that may exist

	mu     sync.Mutex
	idle   []*child // who has rested longest first
	all    map[*child]struct{}
	retire *time.Timer // set while a child rests
	closed bool
}

// NewPool returns a pool; no child runs yet.
func NewPool(opt Options) (*Pool, error) {
	if len(opt.Executable) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("pdf: which binary runs the children: %w", err)
		}
		opt.Executable = []string{exe, "pdf-child"}
	}
	if opt.Children <= 0 {
		opt.Children = runtime.GOMAXPROCS(0)
	}
	if opt.Rest <= 0 {
		opt.Rest = time.Minute
	}
	opt.Limits = opt.Limits.withDefaults()
	if opt.Limits.Memory < leastMemory {
		return nil, fmt.Errorf("pdf: a child needs a memory limit of at least %d MB", leastMemory>>20)
	}
	if opt.CacheDir == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			opt.CacheDir = filepath.Join(dir, "sohoa")
		}
	}
	if opt.TrustDir != "" {
		abs, err := filepath.Abs(opt.TrustDir)
		if err != nil {
			return nil, fmt.Errorf("pdf: trust folder: %w", err)
		}
		if st, err := os.Stat(abs); err != nil || !st.IsDir() {
			return nil, fmt.Errorf("pdf: trust folder: not a folder: %w", errors.Join(err, os.ErrInvalid))
		}
		opt.TrustDir = abs
	}
	return &Pool{
		opt:   opt,
		setup: setup{Limits: opt.Limits, TrustDir: opt.TrustDir, CacheDir: opt.CacheDir},
		slots: make(chan struct{}, opt.Children),
		all:   map[*child]struct{}{},
	}, nil
}

// Close ends every child, also those at work: their sessions answer ErrClosed.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.idle = nil
	if p.retire != nil {
		p.retire.Stop()
	}
	var children []*child
	for c := range p.all {
		children = append(children, c)
	}
	p.mu.Unlock()
	for _, c := range children {
		c.kill(killedByUs)
		<-c.done
	}
	return nil
}

// lease returns a child at rest, or a fresh one.
func (p *Pool) lease(fresh bool) (*child, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	for !fresh && len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if c.alive() {
			p.mu.Unlock()
			return c, nil
		}
		delete(p.all, c)
	}
	p.mu.Unlock()

	c, err := startChild(p.opt)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.kill(killedByUs)
		return nil, ErrClosed
	}
	p.all[c] = struct{}{}
	return c, nil
}

// giveBack returns a child to rest, or ends it where it is dead or has grown.
func (p *Pool) giveBack(c *child) {
	keep := c.alive() && c.resident() <= restingMemory(p.opt.Limits.Memory)
	if !keep {
		c.kill(killedByUs)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if keep && !p.closed {
		c.since = time.Now()
		p.idle = append(p.idle, c)
		if p.retire == nil {
			p.retire = time.AfterFunc(p.opt.Rest, p.retireRested)
		}
		return
	}
	delete(p.all, c)
}

// retireRested ends the children that have rested for long and comes again for
// those that have not.
func (p *Pool) retireRested() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.idle) > 0 {
		c := p.idle[0]
		if left := p.opt.Rest - now.Sub(c.since); left > 0 {
			p.retire.Reset(left)
			return
		}
		p.idle = p.idle[1:]
		delete(p.all, c)
		c.kill(killedByUs)
	}
	p.retire = nil
}

// restingMemory is what a child may hold between documents; a child that has
// grown beyond it is replaced, which costs a few milliseconds.
func restingMemory(limit int64) int64 { return max(limit/3, 96<<20) }

// Open leases a child for one file until Close; it waits while all are leased.
// Nothing of the file is read yet. A goroutine that holds a session must not
// open a second one: with one child it would wait for itself.
func (p *Pool) Open(ctx context.Context, path string) (*Session, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("pdf: open: %w", err)
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := p.lease(false)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return &Session{pool: p, path: abs, child: c}, nil
}

// Session is one file in one child. It is not safe for concurrent use.
type Session struct {
	pool     *Pool
	path     string
	child    *child
	opened   bool // the child has the file open
	large    bool // and has grown by it
	question *wireQuestion
	pages    int // as far as known; sets the timer
	closed   bool
}

// Question is what is asked about a file.
type Question struct {
	Kind       dossier.Kind
	Profile    dossier.Profile // the zero Profile: the rule in force today
	Thorough   bool            // decode every image in full
	DefaultDPI int             // for images that state none; 0: 200
	At         time.Time       // when it was received: the day by which certificates are judged where a signature states no time of its own; zero: now
}

// Label is what the archival copy says of itself. The same file and label give
// the same bytes.
type Label struct {
	Title      string    `json:"title,omitempty"`
	Dossier    string    `json:"dossier,omitempty"`
	DocumentID string    `json:"document_id,omitempty"`
	At         time.Time `json:"at"` // when it was received
}

// Copy is what Normalise made. Where Conforms is AsOriginal nothing was written:
// the original is the archive copy.
type Copy struct {
	Conforms dossier.Conformance `json:"conforms"`
	Size     int64               `json:"size"`
	SHA256   dossier.Digest      `json:"sha256"`
	Findings []dossier.Finding   `json:"findings,omitempty"`
}

// Inspect judges the file. A *dossier.Rejection says that the scan is at fault;
// any other error is ours.
func (s *Session) Inspect(ctx context.Context, q Question) (dossier.Verdict, error) {
	if q.Profile.Name == "" {
		q.Profile = dossier.ProfileFor(dossier.DateOf(time.Now()))
	}
	if q.At.IsZero() {
		q.At = time.Now()
	}
	if q.DefaultDPI <= 0 {
		q.DefaultDPI = assumedDPI
	}
	wq := wireQuestion(q.wire())
	s.question = &wq
	res, err := s.call(ctx, request{Op: opInspect, Question: &wq})
	if err != nil {
		return dossier.Verdict{}, err
	}
	if res.Verdict == nil {
		return dossier.Verdict{}, fmt.Errorf("pdf: child gave no verdict")
	}
	return *res.Verdict, nil
}

func (q Question) wire() wireQuestion {
	return wireQuestion(q)
}

// Normalise writes the archival copy to the file out, which it creates or
// empties; it follows Inspect. It answers ErrSigned for a signed file. After an
// error nothing at out is of use and out may or may not exist.
func (s *Session) Normalise(ctx context.Context, out string, label Label) (Copy, error) {
	if s.question == nil {
		return Copy{}, fmt.Errorf("pdf: Normalise before Inspect")
	}
	abs, err := filepath.Abs(out)
	if err != nil {
		return Copy{}, fmt.Errorf("pdf: normalise: %w", err)
	}
	res, err := s.call(ctx, request{Op: opNormalise, Question: s.question, Out: abs, Label: &label})
	if err != nil {
		return Copy{}, err
	}
	if res.Copy == nil {
		return Copy{}, fmt.Errorf("pdf: child gave no copy")
	}
	return *res.Copy, nil
}

// Picture draws a page (the first is 1) and returns a PNG; ErrNoPage where there
// is none.
func (s *Session) Picture(ctx context.Context, page, dpi int) ([]byte, error) {
	res, err := s.call(ctx, request{Op: opPicture, Page: page, DPI: dpi})
	if err != nil {
		return nil, err
	}
	return res.Picture, nil
}

// Pages is the number of pages that Extract can take apart: 1 for what must stay
// whole or cannot be read well enough (a signed file, a picture, a damaged file).
// dpi is for images that state none.
func (s *Session) Pages(ctx context.Context, dpi int) (int, error) {
	res, err := s.call(ctx, request{Op: opPages, DPI: dpi})
	return res.Pages, err
}

// Extract writes the pages from first to last, both included, as a PDF of their
// own to the file out, which it creates or empties. What a page is made of keeps
// its bytes: no picture is decoded. The same pages of the same file give the same
// bytes. It answers ErrSigned for a signed file. After an error nothing at out is
// of use.
func (s *Session) Extract(ctx context.Context, first, last, dpi int, out string) error {
	abs, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("pdf: extract: %w", err)
	}
	_, err = s.call(ctx, request{Op: opExtract, Page: first, Last: last, DPI: dpi, Out: abs})
	return err
}

// Close gives the child back. It is harmless to call it again.
func (s *Session) Close() {
	if s.closed {
		return
	}
	s.closed = true
	if s.child != nil {
		if s.opened && s.child.alive() {
			// A child that cannot close is dead and is replaced. After an ordinary
			// document nobody waits for it.
			if s.large {
				_, _, _ = s.child.call(context.Background(), request{Op: opClose, Wait: true}, s.pool.opt.Limits, 0)
			} else {
				_ = writeFrame(s.child.in, request{Op: opClose})
			}
		}
		s.pool.giveBack(s.child)
		s.child = nil
	}
	<-s.pool.slots
}

// call asks the child, and once more in a fresh child where the first one dies.
func (s *Session) call(ctx context.Context, req request) (response, error) {
	if s.closed {
		return response{}, fmt.Errorf("pdf: session is closed")
	}
	var deaths [2]death
	for try := range deaths {
		if s.child == nil {
			c, err := s.pool.lease(true)
			if err != nil {
				return response{}, err
			}
			s.child, s.opened = c, false
		}
		res, d, err := s.ask(ctx, req)
		if d == nil {
			return res, err
		}
		s.pool.giveBack(s.child)
		s.child = nil
		if ctx.Err() != nil {
			return response{}, ctx.Err()
		}
		if d.cause == killedByUs {
			return response{}, ErrClosed
		}
		deaths[try] = *d
		s.pool.opt.Log.Warn().Str("op", string(req.Op)).Int("try", try+1).Str("cause", string(d.cause)).
			Dur("cpu", d.cpu).Int64("rss", d.rss).Strs("trace", d.trace).Msg("pdf child died")
	}
	if deaths[0].ofItself() && deaths[1].ofItself() {
		return response{}, dossier.Reject(dossier.TooComplex, deaths[1].cause.text(),
			fmt.Errorf("two children died: %s, %s", deaths[0].cause, deaths[1].cause))
	}
	return response{}, fmt.Errorf("%w: %s, then %s", ErrChildDied, deaths[0].cause, deaths[1].cause)
}

// ask is one try: the file is opened in the child where that has not been done.
func (s *Session) ask(ctx context.Context, req request) (response, *death, error) {
	if !s.opened {
		req.Path, req.Setup = s.path, &s.pool.setup
	}
	res, d, err := s.child.call(ctx, req, s.pool.opt.Limits, s.pages)
	s.opened = d == nil && res.Opened
	s.large = res.Large
	if res.Pages > 0 {
		s.pages = res.Pages
	}
	return res, d, err
}
