package disk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"

	"sohoa/storage"
)

// staged is a file in the spool folder that is to become an object: its bytes
// and attributes are complete, but not yet known to be on the disk.
type staged struct {
	name   string // within the root
	file   *os.File
	temp   *storage.Temp // whose file this is; nil where it is our own copy
	linked bool          // name is ours to remove
	size   int64
	sha256 string
}

// Put implements storage.Store. A body that is a *storage.Temp on the store's
// filesystem is linked, not copied, the first time it is put.
func (s *Store) Put(ctx context.Context, key storage.Key, body io.ReadSeeker, info storage.Info) error {
	if err := key.Valid(); err != nil {
		return err
	}
	if err := info.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	name := string(key)
	there, err := s.root.Lstat(name)
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return fmt.Errorf("storage/disk: bad key: a part is longer than a file name may be")
	}
	if err == nil && there.Mode().IsRegular() {
		// The common case of a repeated step: no need to write the bytes again.
		size, sha, err := measure(ctx, body)
		if err != nil {
			return err
		}
		if err := promised(info, size, sha); err != nil {
			return err
		}
		err = s.same(name, sha, info)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	st, err := s.stage(ctx, body, info)
	if err != nil {
		return err
	}
	err = s.publish(name, st, info)
	return errors.Join(err, st.discard(s))
}

// stage brings the body into the spool folder.
func (s *Store) stage(ctx context.Context, body io.ReadSeeker, info storage.Info) (*staged, error) {
	if t, ok := body.(*storage.Temp); ok {
		if err := promised(info, t.Size(), t.SHA256()); err != nil {
			return nil, err
		}
		if st := s.stageTemp(t); st != nil {
			return st, nil
		}
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("storage/disk: rewinding the body: %w", err)
	}
	name := path.Join(spoolDir, "put-"+rand.Text())
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, unavailable("writing", err)
	}
	st := &staged{name: name, file: f, linked: true}
	buf := s.buffers.get()
	defer s.buffers.put(buf)
	if err := st.copy(ctx, body, info, buf); err != nil {
		return nil, errors.Join(err, st.discard(s))
	}
	return st, nil
}

func (st *staged) copy(ctx context.Context, body io.Reader, info storage.Info, buf []byte) error {
	h := sha256.New()
	src := &reader{ctx: ctx, r: body}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(st.file, h)}, src, buf)
	if src.err != nil {
		return fmt.Errorf("storage/disk: reading the body: %w", src.err)
	}
	if err != nil {
		return unavailable("writing", err)
	}
	st.size, st.sha256 = n, hex.EncodeToString(h.Sum(nil))
	return promised(info, st.size, st.sha256)
}

// buffers lends copying its memory: a small record does not pay for a large one.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 256<<10)
}

func (b *buffers) put(p []byte) { b.pool.Put(&p) }

// stageTemp stages the Temp's own file, or answers nil where it has to be
// copied: on another filesystem, or where it already is an object, since two
// objects with one inode would share their attributes.
func (s *Store) stageTemp(t *storage.Temp) *staged {
	if t.Tainted() {
		return nil
	}
	st := &staged{file: t.File(), temp: t, size: t.Size(), sha256: t.SHA256()}
	names := uint64(1)
	if filepath.Dir(t.Path()) == s.SpoolDir() {
		st.name = path.Join(spoolDir, filepath.Base(t.Path()))
	} else {
		st.name = path.Join(spoolDir, "put-"+rand.Text())
		if os.Link(t.Path(), filepath.Join(s.dir, filepath.FromSlash(st.name))) != nil {
			return nil
		}
		st.linked = true
		names++
	}
	have, err := s.root.Lstat(st.name)
	own, oerr := t.File().Stat()
	if err != nil || oerr != nil || !os.SameFile(have, own) || linkCount(own) != names || own.Size() != t.Size() {
		if err := st.discard(s); err != nil {
			return nil // what is left is swept
		}
		return nil
	}
	return st
}

// discard closes and removes what stage made; a Temp stays its owner's.
func (st *staged) discard(s *Store) error {
	var err error
	if st.temp == nil {
		err = st.file.Close()
	}
	if st.linked {
		err = errors.Join(err, s.remove(st.name))
	}
	if err != nil {
		return unavailable("clearing up", err)
	}
	return nil
}

// publish puts the staged bytes on the disk and then links them to their name.
func (s *Store) publish(name string, st *staged, info storage.Info) error {
	about := about{SHA256: st.sha256, ContentType: info.ContentType, Meta: info.Meta}
	// An attribute needs the right to write, which a Put that failed half-way may
	// have taken from the Temp already.
	if err := st.file.Chmod(0o600); err != nil {
		return unavailable("writing", err)
	}
	inFile, err := s.writeAbout(st.file, about)
	if err != nil {
		return unavailable("writing metadata", err)
	}
	if err := st.file.Chmod(fileMode); err != nil {
		return unavailable("writing", err)
	}

	// A crash up to the link leaves empty folders and a spool file. The folders are
	// made before the file is synced: its commit then carries them along.
	dir := path.Dir(name)
	s.prune.RLock()
	err = s.makeDirs(dir)
	s.prune.RUnlock()
	if err != nil {
		return err
	}
	if err := st.file.Sync(); err != nil {
		if st.temp != nil {
			st.temp.Taint()
		}
		return unavailable("writing", err)
	}

	s.prune.RLock()
	defer s.prune.RUnlock()
	if !inFile {
		// A crash behind this leaves a description without its object, which
		// nobody reads.
		if err := s.writeSidecar(name, about); err != nil {
			return err
		}
	}

	for try := 0; ; try++ {
		err := s.root.Link(st.name, name)
		switch {
		case err == nil:
			// The object is there and whole; a crash here may still lose it, which
			// is why nobody has been told. Should the folder not get to the disk the
			// object stays: another writer of the same bytes may have been told.
			return s.settle(dir, dir)
		case errors.Is(err, fs.ErrExist):
			err = s.same(name, st.sha256, info)
			if !inFile && errors.Is(err, storage.ErrConflict) {
				err = errors.Join(err, s.removeSidecar(name, st.sha256))
			}
			if !errors.Is(err, fs.ErrNotExist) || try == goneTries {
				return err
			}
		case errors.Is(err, fs.ErrNotExist) && try < goneTries:
			// The last object of the folder was deleted meanwhile.
			s.known.clear()
			if err := s.makeDirs(dir); err != nil {
				return err
			}
		case isNotDir(err):
			return storage.ErrNested
		default:
			return unavailable("writing", err)
		}
	}
}

// same answers a Put whose key is taken: nil if the object holds the same
// bytes, after making sure that it is on the disk, since whoever linked it may
// not have come so far.
func (s *Store) same(name, sha string, info storage.Info) error {
	if st, err := s.root.Lstat(name); err == nil && st.IsDir() {
		return storage.ErrNested
	}
	f, err := s.openObject(name)
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading only
	have, err := digest(f)
	if err != nil {
		return unavailable("comparing", err)
	}
	if have != sha {
		return storage.ErrConflict
	}
	known, err := s.readAbout(f, name)
	if err != nil {
		return err
	}
	if known.SHA256 == "" {
		if err := s.restoreAbout(f, name, about{SHA256: sha, ContentType: info.ContentType, Meta: info.Meta}); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return unavailable("writing", err)
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if err := s.syncDir(dir); err != nil {
			return unavailable("writing", err)
		}
		if dir == "." {
			return nil
		}
	}
}

// measure reads the body for its size and digest.
func measure(ctx context.Context, body io.ReadSeeker) (int64, string, error) {
	if t, ok := body.(*storage.Temp); ok {
		return t.Size(), t.SHA256(), nil
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return 0, "", fmt.Errorf("storage/disk: rewinding the body: %w", err)
	}
	h := sha256.New()
	n, err := io.Copy(h, &reader{ctx: ctx, r: body})
	if err != nil {
		return 0, "", fmt.Errorf("storage/disk: reading the body: %w", err)
	}
	return n, hex.EncodeToString(h.Sum(nil)), nil
}

// promised compares the bytes with what the caller said of them.
func promised(info storage.Info, size int64, sha string) error {
	if info.SHA256 != "" && info.SHA256 != sha || info.Size != 0 && info.Size != size {
		return storage.ErrDigest
	}
	return nil
}

// digest hashes a file from its beginning and rewinds it.
func digest(f *os.File) (string, error) {
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, st.Size())); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// reader ends with the context and remembers that it was the body that failed.
type reader struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err = r.ctx.Err(); r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
