package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// CopyOptions say what of a store is copied, and how.
type CopyOptions struct {
	Prefix  Key // copy what is below it; empty or ending in "/"
	After   Key // go on behind this key: CopyProgress.Done of an earlier run
	Workers int // 16 where zero: waiting for the disk, which writers that come together share

	// Skip tells the objects that stay behind. Nil: none.
	Skip func(Key) bool

	// Last tells the objects that say that a folder is complete. They are copied
	// after everything else in their folder, which is looked at once more for
	// that, so that the copy is consistent whenever it ends, even if the source
	// is being written to meanwhile. Nil: no object is special.
	Last func(Key) bool

	// Spool is a folder for temporary files. Where it is set every object is
	// fetched to it first: the way between two remote stores, which would
	// otherwise read the source twice.
	Spool string

	// ReadBack reads every object that was copied, or was there already, back
	// from the destination and compares its digest.
	ReadBack bool

	// Progress is told after every object, by one goroutine at a time.
	Progress func(CopyProgress)
}

// CopyProgress is how far a copy has come.
type CopyProgress struct {
	Copied  int64 // objects
	Present int64 // objects that were at the destination already
	Gone    int64 // objects deleted from the source while it was read
	Bytes   int64 // of the copied objects
	Faults  []CopyFault
	Done    Key // all objects up to this key have been dealt with
}

// CopyFault is an object that could not be copied because of what it or its
// counterpart holds: ErrDigest (damaged at the source, or at the destination
// with ReadBack), ErrConflict (the destination holds other bytes), ErrNested.
type CopyFault struct {
	Key Key
	Err error
}

// Copy copies the objects of one store into another, with their metadata,
// comparing digests. Running it again copies only what is missing. Faults of
// single objects do not end it and are told in the result; any other error does,
// together with how far it came.
func Copy(ctx context.Context, from, to Store, o CopyOptions) (CopyProgress, error) {
	if o.Workers == 0 {
		o.Workers = 16
	}
	if o.Last == nil {
		o.Last = func(Key) bool { return false }
	}
	if o.Skip == nil {
		o.Skip = func(Key) bool { return false }
	}
	c := &copying{from: from, to: to, o: o}
	return c.run(ctx)
}

type copying struct {
	from, to Store
	o        CopyOptions

	mu sync.Mutex // guards what follows, and the calls of Progress
	p  CopyProgress
}

// job is the objects of one folder, or a stretch of them, in order.
type job struct {
	dir  string
	keys []Key
	done chan struct{} // closed when it has been dealt with
}

// longest job: a folder with more objects is cut, so that one worker does not
// have them all.
const maxJob = 64

func (c *copying) run(ctx context.Context) (CopyProgress, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		work    = make(chan *job)
		ordered = make(chan *job, c.o.Workers*8) // bounds how far ahead of the slowest the others get
		wg      sync.WaitGroup
	)
	for range c.o.Workers {
		wg.Go(func() {
			for j := range work {
				if err := c.folder(ctx, j); err != nil {
					cancel(err)
					return
				}
				close(j.done)
			}
		})
	}
	wg.Go(func() {
		for j := range ordered {
			select {
			case <-j.done:
				c.tell(func(p *CopyProgress) { p.Done = j.keys[len(j.keys)-1] })
			case <-ctx.Done():
				return
			}
		}
	})
	err := c.list(ctx, work, ordered)
	close(work)
	close(ordered)
	if err != nil {
		cancel(err)
	}
	wg.Wait()
	return c.p, context.Cause(ctx)
}

// list cuts the source's listing into jobs.
func (c *copying) list(ctx context.Context, work, ordered chan<- *job) error {
	var cur *job
	flush := func() error {
		if cur == nil {
			return nil
		}
		j := cur
		cur = nil
		for _, ch := range []chan<- *job{ordered, work} {
			select {
			case ch <- j:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}
	for info, err := range ListAfter(ctx, c.from, c.o.Prefix, c.o.After) {
		if err != nil {
			return fmt.Errorf("listing the source: %w", err)
		}
		if c.o.Skip(info.Key) {
			continue
		}
		dir := path.Dir(string(info.Key))
		if cur != nil && (cur.dir != dir || len(cur.keys) >= maxJob) {
			if err := flush(); err != nil {
				return err
			}
		}
		if cur == nil {
			cur = &job{dir: dir, done: make(chan struct{})}
		}
		cur.keys = append(cur.keys, info.Key)
	}
	return flush()
}

func (c *copying) folder(ctx context.Context, j *job) error {
	var last []Key
	copied := make(map[Key]bool)
	for _, key := range j.keys {
		if c.o.Last(key) {
			last = append(last, key)
			continue
		}
		if err := c.object(ctx, key); err != nil {
			return err
		}
		copied[key] = true
	}
	if len(last) == 0 {
		return nil
	}
	// The folder is complete now, which it may not have been when the listing
	// went over it, or part of it is another job's.
	prefix := Key(j.dir + "/")
	if j.dir == "." {
		prefix = ""
	}
	for info, err := range c.from.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("listing the source: %w", err)
		}
		if rest := strings.TrimPrefix(string(info.Key), string(prefix)); strings.Contains(rest, "/") || c.o.Last(info.Key) || c.o.Skip(info.Key) || copied[info.Key] {
			continue
		}
		if err := c.object(ctx, info.Key); err != nil {
			return err
		}
	}
	for _, key := range last {
		if err := c.object(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (c *copying) object(ctx context.Context, key Key) error {
	present, size, err := c.one(ctx, key)
	switch {
	case errors.Is(err, ErrDigest) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNested):
		c.tell(func(p *CopyProgress) { p.Faults = append(p.Faults, CopyFault{key, err}) })
	case errors.Is(err, errGone):
		c.tell(func(p *CopyProgress) { p.Gone++ })
	case err != nil:
		return err
	case present:
		c.tell(func(p *CopyProgress) { p.Present++ })
	default:
		c.tell(func(p *CopyProgress) { p.Copied++; p.Bytes += size })
	}
	return nil
}

var errGone = errors.New("storage: the object was deleted meanwhile")

func (c *copying) one(ctx context.Context, key Key) (present bool, size int64, err error) {
	src, err := c.from.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, 0, errGone
	}
	if err != nil {
		return false, 0, fmt.Errorf("reading the source: %w", err)
	}
	dst, err := c.to.Stat(ctx, key)
	switch {
	case err == nil && src.SHA256 != "" && dst.SHA256 == src.SHA256 && dst.Size == src.Size:
		present = true
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, 0, fmt.Errorf("reading the destination: %w", err)
	default:
		// Where something else is there, Put says so.
		if err := c.put(ctx, key); err != nil {
			return false, 0, err
		}
	}
	if c.o.ReadBack {
		if err := c.readBack(ctx, key, src); err != nil {
			return false, 0, err
		}
	}
	return present, src.Size, nil
}

func (c *copying) put(ctx context.Context, key Key) (err error) {
	var (
		body io.ReadSeekCloser
		info Info
	)
	if c.o.Spool != "" {
		var t *Temp
		if t, info, err = Fetch(ctx, c.from, key, c.o.Spool); err == nil {
			body = t
		}
	} else {
		body, info, err = c.from.Open(ctx, key)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	err = c.to.Put(ctx, key, body, Info{Size: info.Size, SHA256: info.SHA256, ContentType: info.ContentType, Meta: info.Meta})
	if err != nil && !errors.Is(err, ErrDigest) {
		err = fmt.Errorf("writing the destination: %w", err)
	}
	return errors.Join(err, body.Close())
}

func (c *copying) readBack(ctx context.Context, key Key, src Info) error {
	sha, err := Hash(ctx, c.to, key)
	if errors.Is(err, fs.ErrNotExist) {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if src.SHA256 != "" && sha != src.SHA256 {
		return fmt.Errorf("reading back: %w", ErrDigest)
	}
	return nil
}

func (c *copying) tell(change func(*CopyProgress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.p)
	if c.o.Progress != nil {
		c.o.Progress(c.p)
	}
}
