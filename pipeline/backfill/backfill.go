// Package backfill hands in years of papers from a manifest: one row, one file.
// It can be killed at any time and started again; run twice it changes nothing.
package backfill

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"sohoa/dossier"
	"sohoa/pipeline/register"
	"sohoa/pipeline/sheet"
)

// Door takes documents in: the pipeline of this process, or a server.
type Door interface {
	// Submit hands in one document and waits for its verdict. It may give up
	// waiting and answer a standing that is pending; it is asked again through
	// Standing. What is there already is corrected where the slip says otherwise,
	// and Corrected is set. A *dossier.Rejection, dossier.ErrUnknownUnit,
	// dossier.ErrPaperTaken, ErrSlip and ErrOutOfScope concern the row; a *Busy
	// asks to wait; ErrDenied ends the run; anything else is a fault. The same bytes again answer the first standing
	// with Again set.
	Submit(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, size int64) (dossier.Standing, error)
	// Standing answers dossier.ErrUnknownDocument where there is no such document.
	Standing(ctx context.Context, id string) (dossier.Standing, error)
}

// Replayer is a Door that can put a document in the failure inbox back into the
// queue. A row whose document lies there is replayed once a run.
type Replayer interface {
	Replay(ctx context.Context, id string) error
}

// ErrSlip: the row says something that cannot be taken.
var ErrSlip = errors.New("the row cannot be taken")

// ErrOutOfScope: whoever hands in may not do so for the row's unit.
var ErrOutOfScope = errors.New("the unit is out of scope")

// ErrDenied: the door does not let us in at all. The run ends.
var ErrDenied = errors.New("backfill: not allowed in")

// Busy is a door's answer that it has enough to do: counters come first.
type Busy struct{ After time.Duration }

func (b *Busy) Error() string { return "the server is busy" }

// Outcome is what became of a row. The set is closed.
type Outcome string

const (
	Stored   Outcome = "stored"   // its record stands since this run
	Already  Outcome = "already"  // its record stood before
	Rejected Outcome = "rejected" // the scan is at fault
	Faulted  Outcome = "faulted"  // ours: it lies in the failure inbox
	Skipped  Outcome = "skipped"  // the row or its file is at fault; nothing was handed in
)

// Outcomes lists every outcome.
func Outcomes() []Outcome { return []Outcome{Stored, Already, Rejected, Faulted, Skipped} }

// Result is the outcome of one row. File and Document apart it is free of what
// people wrote.
type Result struct {
	Row      int
	File     string
	Outcome  Outcome
	Document string
	Reason   string // dossier.Reason where rejected, else a Cause; empty where there is nothing to say
	Text     dossier.Text
}

// Summary adds up a run. Rows is the sum of Counts, and less than Total where
// the run was interrupted.
type Summary struct {
	Total   int // rows of the manifest
	Rows    int
	Counts  map[Outcome]int
	Reasons map[string]int // by Result.Reason
	Stopped bool           // interrupted; starting again goes on
}

// Progress is told after every row.
type Progress struct {
	Summary
	Started time.Time
	Waiting string // why nothing goes on at present: "hours", "busy", "away"; else empty
}

// Options of a run. Root and By are required.
type Options struct {
	Root     *os.Root                  // files are sought below it, and nowhere else
	Mapping  sheet.Mapping             // headers beyond the built-in ones
	Match    string                    // pattern of a file's path for rows that name none: {unit}/{number}.pdf
	By       string                    // account that hands in
	Parallel int                       // documents in flight at most; 0: BesideCounters
	Allowed  func(context.Context) int // how many of them may be at present, asked again and again; nil: all
	Rate     float64                   // rows a second; 0: as fast as the door takes them
	Between  Hours                     // hours of the day in which to work; zero: always
	Journal  Journal                   // what earlier runs did; nil: every file is read again
	Outcomes func(Result) error        // called for each row as it is done, one at a time; may be nil
	Progress func(Progress)
	Patience time.Duration // how long a door that is away is waited for before the run ends; 0: 30 minutes
	Now      func() time.Time
	Sleep    func(ctx context.Context, d time.Duration) error // for tests; nil: real
}

// BesideCounters is how many documents may be in flight while counters are open: with
// twice as many one in a hundred of their papers waits six times as long for its
// verdict.
func BesideCounters() int { return max(4, 2*runtime.NumCPU()) }

// Alone is how many are while counters are closed, so that while some wait for the
// disk the processors work on others.
func Alone() int { return max(16, 2*BesideCounters()) }

const (
	// ahead is how many rows are dealt to a lane that is still at an earlier one, so
	// that a dossier of many papers does not keep the other lanes waiting.
	ahead = 64
	// askAgain is how often Allowed is asked.
	askAgain = time.Second
)

// ErrAway: the door could not be reached for longer than Patience. What was
// handed in stands; starting again goes on.
var ErrAway = errors.New("backfill: the server or the ledger cannot be reached")

// Run hands in every row of the manifest. Rows of the same dossier go in one
// after the other, in the order of the manifest. When ctx ends no further row is
// begun, those in flight are finished, and Stopped is set. Row errors of the
// header come back as a *dossier.RowError (joined); other errors are ours.
func Run(ctx context.Context, s *sheet.Sheet, door Door, o Options) (Summary, error) {
	r, err := newRun(s, o)
	if err != nil {
		return Summary{}, err
	}
	r.door = door
	return r.all(ctx, r.submit)
}

type run struct {
	Options
	door   Door
	files  *finder
	lines  register.Lines[register.Entry]
	unused []*dossier.RowError // columns of the manifest that are passed over

	mu       sync.Mutex
	progress Progress
	failed   error // the first error that ends the run
	mute     bool  // the outcomes cannot be written
	stop     context.CancelFunc
	replayed map[string]bool

	passing sync.Mutex // who passes the gate
	next    time.Time  // when Rate allows the next row
}

func newRun(s *sheet.Sheet, o Options) (*run, error) {
	if o.Parallel <= 0 {
		o.Parallel = BesideCounters()
	}
	if o.Patience <= 0 {
		o.Patience = 30 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	match, err := ParsePattern(o.Match)
	if err != nil {
		return nil, err
	}
	r := &run{Options: o, files: &finder{root: o.Root, pattern: match}, replayed: map[string]bool{}}
	lines, unknown, err := register.ReadManifest(s, o.Mapping, o.Match != "")
	if err != nil {
		return nil, err
	}
	r.lines, r.unused = lines, unknown
	r.progress = Progress{Started: o.Now(), Summary: Summary{Counts: map[Outcome]int{}, Reasons: map[string]int{}}}
	last := 0
	for line, err := range lines {
		var bad *dossier.RowError
		if err != nil && (!errors.As(err, &bad) || bad.Row == 0) {
			return nil, err
		}
		if line.Row != last { // a row may have several bad cells
			last = line.Row
			r.progress.Total++
		}
	}
	return r, nil
}

// all deals the rows out to lanes and gathers what becomes of them.
func (r *run) all(ctx context.Context, do func(ctx context.Context, line register.Line[register.Entry]) (Result, bool)) (Summary, error) {
	ctx, r.stop = context.WithCancel(ctx)
	hands := semaphore.NewWeighted(int64(r.Parallel))
	var working, asking sync.WaitGroup
	if r.Allowed != nil {
		idle := r.rest(ctx, hands, 0)
		asking.Go(func() {
			for idle >= 0 && r.Sleep(ctx, askAgain) == nil {
				idle = r.rest(ctx, hands, idle)
			}
		})
	}
	defer asking.Wait()
	defer r.stop()
	lanes := make([]chan register.Line[register.Entry], r.Parallel)
	for i := range lanes {
		lanes[i] = make(chan register.Line[register.Entry], ahead)
		working.Go(func() {
			for line := range lanes[i] {
				if hands.Acquire(ctx, 1) != nil {
					continue // dealt, not begun
				}
				if r.gate(ctx) == nil {
					if res, ok := do(ctx, line); ok {
						r.done(res)
					}
				}
				hands.Release(1)
			}
		})
	}
	seed := maphash.MakeSeed()
	bad, badRow := []*dossier.RowError(nil), 0
	flush := func() {
		if len(bad) > 0 {
			r.done(rowResult(bad))
		}
		bad, badRow = nil, 0
	}
	var broken error
	for line, err := range r.lines {
		var e *dossier.RowError
		if errors.As(err, &e) && e.Row > 0 {
			if e.Row != badRow {
				flush()
			}
			bad, badRow = append(bad, e), e.Row
			continue
		}
		if err != nil {
			broken = err
			break
		}
		flush()
		slip := line.Value.Slip
		lane := maphash.String(seed, string(slip.Dossier)+"\x00"+string(slip.Unit)+"\x00"+slip.Number) % uint64(len(lanes))
		if slip.Dossier != "" {
			lane = maphash.String(seed, string(slip.Dossier)) % uint64(len(lanes))
		}
		select {
		case lanes[lane] <- line:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	flush()
	for _, l := range lanes {
		close(l)
	}
	working.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.progress.Summary
	sum.Stopped = sum.Rows < sum.Total
	return sum, errors.Join(r.failed, broken)
}

// rest keeps the hands idle that Allowed does not allow, where so many are already,
// and returns how many are then; it waits for those that are at work. Negative: ctx
// has ended.
func (r *run) rest(ctx context.Context, hands *semaphore.Weighted, idle int64) int64 {
	want := int64(r.Parallel - min(max(r.Allowed(ctx), 1), r.Parallel))
	if want > idle && hands.Acquire(ctx, want-idle) != nil {
		return -1
	}
	if want < idle {
		hands.Release(idle - want)
	}
	return want
}

func rowResult(bad []*dossier.RowError) Result {
	res := Result{Row: bad[0].Row, Outcome: Skipped, Reason: string(BadRow)}
	for i, e := range bad {
		if i > 0 {
			res.Text.VI += " "
			res.Text.EN += " "
		}
		if e.Column != "" {
			res.Text.VI += e.Column + ": "
			res.Text.EN += e.Column + ": "
		}
		res.Text.VI += e.Reason.VI
		res.Text.EN += e.Reason.EN
	}
	return res
}

// done writes the row's line and counts it.
func (r *run) done(res Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mute {
		return // no line, no count
	}
	if r.Outcomes != nil {
		if err := r.Outcomes(res); err != nil {
			r.mute = true
			r.fail(fmt.Errorf("backfill: outcome file: %w", err))
			return
		}
	}
	r.progress.Rows++
	r.progress.Counts[res.Outcome]++
	if res.Reason != "" {
		r.progress.Reasons[res.Reason]++
	}
	r.Progress(r.progress)
}

// fail ends the run; r.mu is held.
func (r *run) fail(err error) {
	if r.failed == nil {
		r.failed = err
	}
	r.stop()
}

func (r *run) waiting(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.progress.Waiting != why {
		r.progress.Waiting = why
		r.Progress(r.progress)
	}
}

// gate waits until the hours and the rate allow another row; who comes meanwhile
// waits behind.
func (r *run) gate(ctx context.Context) error {
	r.passing.Lock()
	defer r.passing.Unlock()
	for {
		now := r.Now()
		wait := r.Between.Wait(now)
		if wait > 0 {
			r.waiting("hours")
		} else {
			r.waiting("")
			if r.Rate <= 0 {
				return ctx.Err()
			}
			if r.next.Before(now) {
				r.next = now
			}
			wait = r.next.Sub(now)
			r.next = r.next.Add(time.Duration(float64(time.Second) / r.Rate))
			if wait <= 0 {
				return ctx.Err()
			}
			return r.Sleep(ctx, wait)
		}
		// In pieces: the clock of a machine that sleeps stands still.
		if err := r.Sleep(ctx, min(wait, time.Minute)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
