package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"sohoa/storage/direct"
)

// ErrTooLarge: the body is longer than the limit; nothing of it is kept.
var ErrTooLarge = errors.New("storage: the body is larger than allowed")

// How temporary files are named, so that they can be told from others'.
const (
	spoolPrefix = "spool-"
	tempPrefix  = "temp-"
)

// headSize is how much of a Temp's beginning is kept at hand for sniffing.
const headSize = 4096

// Temp is a finished temporary file whose bytes nobody changes any more, with
// their size and SHA-256. Whoever holds one closes it, which removes the file;
// an object that a store has made of it stays. Reading and seeking share one
// position, so Read and Seek are for one goroutine at a time; ReadAt is safe
// for many.
type Temp struct {
	f       *os.File
	size    int64
	sha256  string
	head    []byte
	tainted atomic.Bool
	closed  atomic.Bool
}

// Spool copies r into a new file in dir, hashing on the way, and returns it
// rewound. More than limit bytes are ErrTooLarge (limit 0: no limit). An error
// of r is returned as it is, wrapped; one of the disk is ErrUnavailable. After
// an error no file is left.
func Spool(dir string, r io.Reader, limit int64) (*Temp, error) {
	f, err := os.CreateTemp(dir, spoolPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("storage: spooling: %w: %w", ErrUnavailable, err)
	}
	t, err := spool(f, r, limit)
	if err != nil {
		return nil, errors.Join(err, discard(f))
	}
	return t, nil
}

func spool(f *os.File, r io.Reader, limit int64) (*Temp, error) {
	h := sha256.New()
	src := &source{r: r}
	if limit > 0 {
		src.r = io.LimitReader(r, limit+1)
	}
	var head beginning
	w := direct.NewWriter(f)
	n, err := w.ReadFrom(io.TeeReader(src, io.MultiWriter(h, &head)))
	err = errors.Join(err, w.Close())
	switch {
	case src.err != nil:
		return nil, fmt.Errorf("storage: reading the body: %w", src.err)
	case err != nil:
		return nil, fmt.Errorf("storage: spooling: %w: %w", ErrUnavailable, err)
	case limit > 0 && n > limit:
		return nil, ErrTooLarge
	}
	t, err := newTemp(f, n, hex.EncodeToString(h.Sum(nil)))
	if err == nil {
		t.head = head
	}
	return t, err
}

// beginning keeps the first bytes that are written to it.
type beginning []byte

func (b *beginning) Write(p []byte) (int, error) {
	if room := headSize - len(*b); room > 0 {
		*b = append(*b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// CreateTemp makes an empty file in dir for someone else, such as a child
// process, to write, and returns its path. AdoptTemp makes a Temp of it when
// it is finished; otherwise the caller removes it.
func CreateTemp(dir string) (path string, err error) {
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("storage: creating a temporary file: %w: %w", ErrUnavailable, err)
	}
	if err := f.Close(); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// AdoptTemp makes a Temp of a finished file. The size is checked. The digest is
// believed, because whoever wrote the file hashed what it wrote; an empty one
// is computed here. After an error the file stays the caller's.
func AdoptTemp(path string, size int64, sha string) (*Temp, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("storage: adopting a temporary file: %w", err)
	}
	t, err := adopt(f, size, sha)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

func adopt(f *os.File, size int64, sha string) (*Temp, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("storage: adopting a temporary file: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() != size {
		return nil, fmt.Errorf("storage: adopting a temporary file: it holds %d bytes, not %d", st.Size(), size)
	}
	if sha == "" {
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return nil, fmt.Errorf("storage: adopting a temporary file: %w", err)
		}
		sha = hex.EncodeToString(h.Sum(nil))
	} else if !validDigest(sha) {
		return nil, fmt.Errorf("storage: adopting a temporary file: the digest is not a SHA-256 in lower-case hexadecimal")
	}
	return newTemp(f, size, sha)
}

// SweepSpool removes the files of Spool, CreateTemp and Fetch that were last
// written before the given time from a folder, as a crash leaves them, and says
// how many; in a dry run, how many it would. A directory store sweeps its own folder when it is opened.
func SweepSpool(dir string, before time.Time, dryRun bool) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("storage: sweeping: %w", err)
	}
	n := 0
	for _, e := range entries {
		if name := e.Name(); !e.Type().IsRegular() || !strings.HasPrefix(name, spoolPrefix) && !strings.HasPrefix(name, tempPrefix) {
			continue
		}
		st, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return n, fmt.Errorf("storage: sweeping: %w", err)
		}
		if !st.ModTime().Before(before) {
			continue
		}
		if n++; dryRun {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return n, fmt.Errorf("storage: sweeping: %w", err)
		}
	}
	return n, nil
}

func newTemp(f *os.File, size int64, sha string) (*Temp, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("storage: rewinding a temporary file: %w", err)
	}
	return &Temp{f: f, size: size, sha256: sha}, nil
}

func (t *Temp) Read(p []byte) (int, error)                { return t.f.Read(p) }
func (t *Temp) ReadAt(p []byte, off int64) (int, error)   { return t.f.ReadAt(p, off) }
func (t *Temp) Seek(off int64, whence int) (int64, error) { return t.f.Seek(off, whence) }

// Size is the number of bytes.
func (t *Temp) Size() int64 { return t.size }

// SHA256 is the digest of the bytes in lower-case hexadecimal.
func (t *Temp) SHA256() string { return t.sha256 }

// Path is where the file lies until Close. Nobody may write to it.
func (t *Temp) Path() string { return t.f.Name() }

// Head is the beginning of the file, at most 4 KiB.
func (t *Temp) Head() ([]byte, error) {
	if t.head != nil || t.size == 0 {
		return t.head, nil // kept while it was spooled
	}
	head := make([]byte, min(t.size, headSize))
	if _, err := t.f.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("storage: reading a temporary file: %w", err)
	}
	return head, nil
}

// File is the open file, for a store that links it instead of copying it.
func (t *Temp) File() *os.File { return t.f }

// Taint says that the kernel could not write the file to the disk. From then on
// its pages in memory may be lost without a further error, so that a store must
// write the bytes anew instead of linking the file.
func (t *Temp) Taint() { t.tainted.Store(true) }

// Tainted reports whether Taint was called.
func (t *Temp) Tainted() bool { return t.tainted.Load() }

// Close closes and removes the file; a second call does nothing.
func (t *Temp) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	return discard(t.f)
}

func discard(f *os.File) error {
	err := f.Close()
	if rerr := os.Remove(f.Name()); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

// source remembers that it was the reader who failed and not the writer.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
