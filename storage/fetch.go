package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Objects above rangeFrom are fetched in ranges of rangeSize, several at a time,
// where the store can.
const (
	rangeFrom = 32 << 20
	rangeSize = 8 << 20
	ranges    = 4
)

// Fetch brings an object into a temporary file in dir and checks its size and
// digest: an object that is not what the store says of it is ErrDigest. The caller
// closes the Temp.
func Fetch(ctx context.Context, s Store, key Key, dir string) (*Temp, Info, error) {
	r, info, err := s.Open(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	t, err := FetchOpen(ctx, r, info, dir)
	if err = errors.Join(err, r.Close()); err != nil {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
		return nil, Info{}, err
	}
	return t, info, nil
}

// FetchOpen is Fetch of an object that was opened already, and is to be what info
// says. The caller closes it.
func FetchOpen(ctx context.Context, r io.Reader, info Info, dir string) (*Temp, error) {
	var (
		t   *Temp
		err error
	)
	if ra, ok := r.(io.ReaderAt); ok && info.Size > rangeFrom {
		t, err = spoolRanges(ctx, ra, info.Size, dir)
	} else {
		t, err = Spool(dir, r, 0)
	}
	if err != nil {
		return nil, err
	}
	if t.Size() != info.Size || info.SHA256 != "" && t.SHA256() != info.SHA256 {
		return nil, errors.Join(fmt.Errorf("%w: the object is damaged", ErrDigest), t.Close())
	}
	return t, nil
}

// spoolRanges is Spool for a source that several may read at once.
func spoolRanges(ctx context.Context, r io.ReaderAt, size int64, dir string) (*Temp, error) {
	f, err := os.CreateTemp(dir, spoolPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("storage: spooling: %w: %w", ErrUnavailable, err)
	}
	if err := copyRanges(ctx, f, r, size); err != nil {
		return nil, errors.Join(err, discard(f))
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: spooling: %w: %w", ErrUnavailable, err), discard(f))
	}
	t, err := newTemp(f, size, hex.EncodeToString(h.Sum(nil)))
	if err != nil {
		return nil, errors.Join(err, discard(f))
	}
	return t, nil
}

func copyRanges(ctx context.Context, f *os.File, r io.ReaderAt, size int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int64)
	var wg sync.WaitGroup
	for range ranges {
		wg.Go(func() {
			buf := make([]byte, rangeSize)
			for off := range next {
				p := buf[:min(rangeSize, size-off)]
				n, err := r.ReadAt(p, off)
				if n < len(p) {
					if err == nil || err == io.EOF {
						err = io.ErrUnexpectedEOF
					}
					cancel(fmt.Errorf("storage: reading the object: %w", err))
					return
				}
				if _, err := f.WriteAt(p, off); err != nil {
					cancel(fmt.Errorf("storage: spooling: %w: %w", ErrUnavailable, err))
					return
				}
			}
		})
	}
	for off := int64(0); off < size && ctx.Err() == nil; off += rangeSize {
		select {
		case next <- off:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// Hash reads an object and returns the digest of its bytes as they are now,
// whatever the store says of it.
func Hash(ctx context.Context, s Store, key Key) (string, error) {
	r, _, err := s.Open(ctx, key)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{&ctxReader{ctx, r}}, make([]byte, 128<<10))
	if err = errors.Join(err, r.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
