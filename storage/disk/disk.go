// Package disk keeps the archive in a directory of one machine, durably. An
// object is a file of the same name, readable without this program; what the
// store knows of it besides (digest, content type, metadata) stands in an
// extended attribute of that file, or, on a filesystem without them, in a
// folder .meta beside it.
//
// Crashes: an object appears by a hard link, after its bytes are on the disk.
// Before the link there is nothing but a file in the spool folder, which is
// swept when the store is opened after a day. After it the object is whole. Put
// answers when the folder that holds the link is on the disk as well.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"sohoa/storage"
)

const (
	spoolDir   = ".sohoa/tmp" // a part of a key never begins with a dot
	staleAfter = 24 * time.Hour

	fileMode = 0o440 // objects are personal documents: not for every account of the machine
	dirMode  = 0o750
)

// Store is a directory store. It is safe for concurrent use, also by several
// processes of one machine.
type Store struct {
	dir   string
	root  *tree
	attrs bool // the filesystem keeps user attributes

	// prune keeps Delete from removing an empty folder under the feet of a Put
	// that has seen it on the disk and is about to link into it: Put holds it for
	// reading, Delete for writing.
	prune sync.RWMutex
	known knownDirs

	buffers buffers
}

// Open opens the store in dir, making the folder if need be, and sweeps
// temporary files that a crash left more than a day ago. A store on a read-only
// filesystem, such as a backup, can be read; Put and Delete are ErrUnavailable.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("storage/disk: %w", err)
	}
	if err := makeRoot(abs); err != nil {
		return nil, fmt.Errorf("storage/disk: making the folder: %w", err)
	}
	root, err := openTree(abs)
	if err != nil {
		return nil, fmt.Errorf("storage/disk: %w", err)
	}
	s := &Store{dir: abs, root: root}
	if err := s.prepare(); err != nil && !errors.Is(err, syscall.EROFS) {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// makeRoot makes the store's folder and puts each new level on the disk.
func makeRoot(dir string) error {
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeRoot(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (s *Store) prepare() error {
	if err := s.ensureDir(spoolDir); err != nil {
		return err
	}
	attrs, err := s.probeAttrs()
	if err != nil {
		return unavailable("trying the folder", err)
	}
	s.attrs = attrs
	_, err = s.Sweep(time.Now().Add(-staleAfter))
	return err
}

// Close lets go of the folder. Objects that are open stay readable.
func (s *Store) Close() error { return s.root.Close() }

// SpoolDir is a folder on the store's filesystem for storage.Spool and
// storage.CreateTemp: a Temp from here becomes an object without being copied.
func (s *Store) SpoolDir() string { return filepath.Join(s.dir, filepath.FromSlash(spoolDir)) }

// Sweep removes temporary files last written before the given time and says how
// many it removed.
func (s *Store) Sweep(before time.Time) (int, error) {
	entries, err := s.readDir(spoolDir)
	if err != nil {
		return 0, unavailable("sweeping", err)
	}
	n := 0
	for _, e := range entries {
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return n, unavailable("sweeping", err)
		}
		if !st.Mode().IsRegular() || !st.ModTime().Before(before) {
			continue
		}
		if err := s.remove(path.Join(spoolDir, e.Name())); err != nil {
			return n, unavailable("sweeping", err)
		}
		n++
	}
	return n, nil
}

// Open implements storage.Store. What it returns is the object's own *os.File,
// opened for reading, whose Name is its absolute path: a child process may read
// it from there. Nobody may write to it.
func (s *Store) Open(ctx context.Context, key storage.Key) (io.ReadSeekCloser, storage.Info, error) {
	f, info, err := s.open(ctx, key)
	if err != nil {
		return nil, storage.Info{}, err
	}
	return f, info, nil
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, key storage.Key) (storage.Info, error) {
	f, info, err := s.open(ctx, key)
	if err != nil {
		return storage.Info{}, err
	}
	return info, f.Close()
}

func (s *Store) open(ctx context.Context, key storage.Key) (*os.File, storage.Info, error) {
	if err := key.Valid(); err != nil {
		return nil, storage.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, storage.Info{}, err
	}
	f, err := s.openObject(string(key))
	if err != nil {
		return nil, storage.Info{}, err
	}
	info, err := s.describe(f, key)
	if err != nil {
		return nil, storage.Info{}, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// openObject answers fs.ErrNotExist for whatever is no regular file.
func (s *Store) openObject(name string) (*os.File, error) {
	f, err := s.root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	switch {
	case isNotThere(err):
		return nil, fmt.Errorf("storage/disk: %w", fs.ErrNotExist)
	case err != nil:
		return nil, unavailable("opening an object", err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(unavailable("opening an object", err), f.Close())
	}
	if !st.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("storage/disk: %w", fs.ErrNotExist), f.Close())
	}
	return f, nil
}

// describe states what is known of an open object and leaves it rewound.
func (s *Store) describe(f *os.File, key storage.Key) (storage.Info, error) {
	st, err := f.Stat()
	if err != nil {
		return storage.Info{}, unavailable("describing an object", err)
	}
	info := storage.Info{Key: key, Size: st.Size(), ModTime: st.ModTime()}
	about, err := s.readAbout(f, string(key))
	if err != nil {
		return storage.Info{}, err
	}
	if about.SHA256 == "" {
		// Someone copied the files without their attributes: the content is still
		// there to be asked.
		if about.SHA256, err = digest(f); err != nil {
			return storage.Info{}, unavailable("hashing an object", err)
		}
	}
	info.SHA256, info.ContentType, info.Meta = about.SHA256, about.ContentType, about.Meta
	if info.ContentType == "" {
		info.ContentType = storage.DefaultContentType
	}
	return info, nil
}

// Delete implements storage.Store. Folders left empty go with the object.
func (s *Store) Delete(ctx context.Context, key storage.Key) error {
	if err := key.Valid(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	name := string(key)
	st, err := s.root.Lstat(name)
	if isNotThere(err) || err == nil && st.IsDir() {
		return nil
	}
	if err != nil {
		return unavailable("deleting", err)
	}
	if err := s.remove(name); err != nil {
		return unavailable("deleting", err)
	}
	if err := s.removeAbout(name); err != nil {
		return unavailable("deleting", err)
	}
	dir, err := s.pruneFrom(path.Dir(name))
	if err == nil {
		err = s.syncDir(dir)
	}
	if isNotThere(err) {
		return nil // another Delete removed the folder, and puts that on the disk
	}
	if err != nil {
		return unavailable("deleting", err)
	}
	return nil
}

// pruneFrom removes the folder, and those above it, as far as they are empty,
// and returns the first that stays.
func (s *Store) pruneFrom(dir string) (string, error) {
	for ; dir != "."; dir = path.Dir(dir) {
		// Look before waiting for those who are writing.
		f, err := s.root.Open(dir)
		if isNotThere(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Readdirnames(1)
		if cerr := f.Close(); cerr != nil {
			return "", cerr
		}
		if err == nil {
			return dir, nil
		}
		if err != io.EOF {
			return "", err
		}
		if !s.removeEmpty(dir) {
			return dir, nil
		}
	}
	return dir, nil
}

// removeEmpty removes the folder unless something has come into it.
func (s *Store) removeEmpty(dir string) bool {
	s.prune.Lock()
	defer s.prune.Unlock()
	if s.root.Remove(dir) != nil {
		return false
	}
	s.known.forget(dir)
	return true
}

// remove removes a file; that it is gone already is no error.
func (s *Store) remove(name string) error {
	if err := s.root.unlink(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
