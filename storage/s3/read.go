package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"sohoa/storage"
)

// Open implements storage.Store. What it returns reads on across broken
// connections, always the same version of the object, and is an io.ReaderAt as
// well, safe for concurrent use, for who wants several ranges at once. It ends
// with ctx.
func (s *Store) Open(ctx context.Context, key storage.Key) (io.ReadSeekCloser, storage.Info, error) {
	if err := key.Valid(); err != nil {
		return nil, storage.Info{}, err
	}
	o := &object{s: s, ctx: ctx, name: s.name(key)}
	var oi minio.ObjectInfo
	err := s.retry(ctx, "s3:GetObject", func(ctx context.Context, _ func()) (err error) {
		oi, err = o.get(ctx, 0)
		return err
	})
	if err != nil {
		return nil, storage.Info{}, err
	}
	o.size, o.etag = oi.Size, oi.ETag
	return o, s.info(key, oi), nil
}

type object struct {
	s    *Store
	ctx  context.Context // of Open: the reader's life
	name string
	etag string
	size int64

	pos    int64         // where the next Read reads
	body   io.ReadCloser // positioned at at, or nil
	at     int64
	cancel context.CancelFunc
	closed bool
}

// errNoRanges: the bytes would be those of another place of the object.
var errNoRanges = errors.New("the server does not give the range that was asked for")

var errClosed = errors.New("storage/s3: the object has been closed")

// get begins to read at off, in one attempt, whose context is actx.
func (o *object) get(actx context.Context, off int64) (minio.ObjectInfo, error) {
	opts, err := o.options(off, 0)
	if err != nil {
		return minio.ObjectInfo{}, err
	}
	// The body outlives the attempt, so it cannot hang on its context.
	ctx, cancel := context.WithCancel(o.ctx)
	stop := context.AfterFunc(actx, cancel)
	body, oi, _, err := o.s.core.GetObject(ctx, o.s.opt.Bucket, o.name, opts)
	if err != nil {
		cancel()
		return minio.ObjectInfo{}, err
	}
	switch {
	case !stop():
		err = errStalled
	case off > 0 && oi.Size != o.size-off:
		err = errNoRanges
	}
	if err != nil {
		cancel()
		return minio.ObjectInfo{}, errors.Join(err, body.Close())
	}
	o.body, o.at, o.cancel = body, off, cancel
	return oi, nil
}

// options ask for the bytes from off on, n of them if n is not zero, of the
// version that was opened.
func (o *object) options(off, n int64) (minio.GetObjectOptions, error) {
	opts := minio.GetObjectOptions{ServerSideEncryption: o.s.readSSE}
	if o.etag != "" {
		if err := opts.SetMatchETag(o.etag); err != nil {
			return opts, &bodyError{err}
		}
	}
	var err error
	switch {
	case n > 0:
		err = opts.SetRange(off, off+n-1)
	case off > 0:
		err = opts.SetRange(off, 0)
	}
	if err != nil {
		return opts, &bodyError{err}
	}
	return opts, nil
}

func (o *object) drop() error {
	if o.body == nil {
		return nil
	}
	o.cancel()
	err := o.body.Close()
	o.body = nil
	return err
}

func (o *object) Read(p []byte) (int, error) {
	if o.closed {
		return 0, errClosed
	}
	if o.pos >= o.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	var n int
	err := o.s.retry(o.ctx, "s3:GetObject", func(ctx context.Context, _ func()) error {
		if o.body != nil && o.at != o.pos {
			_ = o.drop() // an answer nobody wants any more
		}
		if o.body == nil {
			if _, err := o.get(ctx, o.pos); err != nil {
				return err
			}
		}
		stop := context.AfterFunc(ctx, o.cancel)
		defer stop()
		var err error
		n, err = o.body.Read(p)
		o.at += int64(n)
		if n > 0 {
			return nil // an error beside it comes again
		}
		_ = o.drop()
		if err == nil || err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return err
	})
	o.pos += int64(n)
	return n, o.readError(err)
}

// ReadAt asks for a range of its own.
func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("storage/s3: negative offset")
	}
	if off >= o.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	want := min(int64(len(p)), o.size-off)
	n := 0
	err := o.s.retry(o.ctx, "s3:GetObject", func(ctx context.Context, beat func()) error {
		opts, err := o.options(off+int64(n), want-int64(n))
		if err != nil {
			return err
		}
		body, oi, _, err := o.s.core.GetObject(ctx, o.s.opt.Bucket, o.name, opts)
		if err != nil {
			return err
		}
		defer body.Close() // what was read is what counts
		if oi.Size != want-int64(n) {
			return errNoRanges
		}
		for int64(n) < want {
			m, err := body.Read(p[n:want])
			n += m
			beat()
			if err == io.EOF && int64(n) < want {
				return io.ErrUnexpectedEOF
			}
			if err != nil && err != io.EOF {
				return err
			}
		}
		return nil
	})
	if err == nil && want < int64(len(p)) {
		return n, io.EOF
	}
	return n, o.readError(err)
}

func (o *object) readError(err error) error {
	if preconditionFailed(err) {
		return fmt.Errorf("storage/s3: the object was replaced while it was read: %w", err)
	}
	return err
}

func (o *object) Seek(off int64, whence int) (int64, error) {
	if o.closed {
		return 0, errClosed
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		off += o.pos
	case io.SeekEnd:
		off += o.size
	default:
		return 0, fmt.Errorf("storage/s3: bad whence %d", whence)
	}
	if off < 0 {
		return 0, fmt.Errorf("storage/s3: negative position")
	}
	o.pos = off
	return off, nil
}

func (o *object) Close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	return o.drop()
}
