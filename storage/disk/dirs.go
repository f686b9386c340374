package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"sohoa/storage"
)

// goneTries is how often something is tried anew because another process deleted
// a folder in between; within a process Store.prune forbids it.
const goneTries = 20

// ensureDir makes the folder and those above it and puts them on the disk.
func (s *Store) ensureDir(dir string) error {
	for try := 0; ; try++ {
		err := s.makeDirs(dir)
		if err == nil {
			err = s.settle(dir)
		}
		if !errors.Is(err, fs.ErrNotExist) || try == goneTries {
			return err
		}
		s.known.clear()
	}
}

// makeDirs makes the folder and those above it, as far as this process has not
// seen them on the disk.
func (s *Store) makeDirs(dir string) error {
	for try := 0; ; try++ {
		err := s.tryDirs(dir)
		if !errors.Is(err, fs.ErrNotExist) || try == goneTries {
			return err
		}
		s.known.clear()
	}
}

func (s *Store) tryDirs(dir string) error {
	if dir == "." || s.known.has(dir) {
		return nil
	}
	if err := s.tryDirs(path.Dir(dir)); err != nil {
		return err
	}
	err := s.root.Mkdir(dir, dirMode)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		st, err := s.root.Lstat(dir)
		if err != nil {
			return unavailable("making a folder", err)
		}
		if !st.IsDir() {
			return storage.ErrNested
		}
		return nil
	case isNotDir(err):
		return storage.ErrNested
	}
	return unavailable("making a folder", err)
}

// settle puts on the disk the entries of more, side by side with the folder's own
// entry and those of the folders above it. One that was there already may be
// another writer's who has not come so far, therefore only those that this process
// has seen on the disk are passed over. Behind an fsync of a file in the same
// filesystem this costs little where a journal has committed them with it; side by
// side the flushes become one.
func (s *Store) settle(dir string, more ...string) error {
	var unknown []string
	for d := dir; d != "." && !s.known.has(d); d = path.Dir(d) {
		unknown = append(unknown, d)
		more = append(more, path.Dir(d))
	}
	if len(more) == 0 {
		return nil
	}
	errs := make([]error, len(more))
	var wg sync.WaitGroup
	for i, d := range more[1:] {
		wg.Go(func() { errs[i+1] = s.syncDir(d) })
	}
	errs[0] = s.syncDir(more[0])
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return unavailable("writing a folder", err)
	}
	for _, d := range unknown {
		s.known.add(d)
	}
	return nil
}

func (s *Store) syncDir(dir string) error {
	f, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (s *Store) readDir(dir string) ([]fs.DirEntry, error) {
	f, err := s.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close() // opened for reading only
	return f.ReadDir(-1)
}

// List implements storage.Store. It holds one folder's names in memory at a time
// for each level of the tree.
func (s *Store) List(ctx context.Context, prefix storage.Key) iter.Seq2[storage.Info, error] {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter lists what comes behind the key after; see storage.ListAfter. Folders
// that lie before it are not read.
func (s *Store) ListAfter(ctx context.Context, prefix, after storage.Key) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		dir := strings.TrimSuffix(string(prefix), "/")
		if prefix != "" {
			if err := storage.Key(dir).Valid(); err != nil || dir == string(prefix) {
				yield(storage.Info{}, fmt.Errorf("storage: bad prefix: it is neither empty nor a key followed by a slash"))
				return
			}
		} else {
			dir = "."
		}
		s.walk(ctx, dir, string(after), yield)
	}
}

func (s *Store) walk(ctx context.Context, dir, after string, yield func(storage.Info, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(storage.Info{}, err)
		return false
	}
	entries, err := s.readDir(dir)
	if isNotThere(err) {
		return true
	}
	if err != nil {
		yield(storage.Info{}, unavailable("listing", err))
		return false
	}
	// A folder sorts as its name with the slash that its keys have there:
	// "a-b" comes before "a/b", though "a" comes before "a-b".
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || dir == "." && e.Name() == "lost+found" && e.IsDir() {
			continue
		}
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			if before := name + "/"; before < after && !strings.HasPrefix(after, before) {
				continue
			}
			if !s.walk(ctx, name, after, yield) {
				return false
			}
			continue
		}
		if !e.Type().IsRegular() || name <= after {
			continue
		}
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			yield(storage.Info{}, unavailable("listing", err))
			return false
		}
		if !yield(storage.Info{Key: storage.Key(name), Size: st.Size(), ModTime: st.ModTime()}, nil) {
			return false
		}
	}
	return true
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// knownDirs remembers folders that are on the disk, so that a second document of
// a dossier does not pay for the folders of the first. It is bounded: when full
// it forgets all, which costs a few syncs.
type knownDirs struct {
	mu  sync.Mutex
	set map[string]struct{}
}

const maxKnownDirs = 8192

func (k *knownDirs) has(dir string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.set[dir]
	return ok
}

func (k *knownDirs) add(dir string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == nil || len(k.set) >= maxKnownDirs {
		k.set = make(map[string]struct{})
	}
	k.set[dir] = struct{}{}
}

func (k *knownDirs) forget(dir string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.set, dir)
}

func (k *knownDirs) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set = nil
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// isNotThere: there is no object of that name, be it that a part of its path is
// an object itself or that the name is longer than a file's may be.
func isNotThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || isNotDir(err) || errors.Is(err, syscall.ENAMETOOLONG)
}

// unavailable marks an error of the filesystem: the disk is full, broken, gone
// or not ours to write. None of them is the caller's fault.
func unavailable(doing string, err error) error {
	return fmt.Errorf("storage/disk: %s: %w: %w", doing, storage.ErrUnavailable, err)
}
