package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tree is the store's folder, out of which no path leads: an os.Root, which goes
// to a file by a system call for every folder on the way, where this kernel goes
// the whole way in one. Where the answer is not one of the common ones (an older
// kernel, a sandbox that forbids the call, a link that leads outside) os.Root is
// asked and has the last word.
type tree struct {
	*os.Root
	dir *os.File // the folder itself
}

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &tree{Root: root, dir: f}, nil
}

func (t *tree) Close() error { return errors.Join(t.dir.Close(), t.Root.Close()) }

func common(err error) bool {
	return err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOTDIR)
}

func (t *tree) beneath(name string, flags int, perm fs.FileMode) (int, error) {
	return unix.Openat2(int(t.dir.Fd()), name, &unix.OpenHow{
		Flags: uint64(flags) | unix.O_CLOEXEC, Mode: uint64(perm), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS})
}

// within calls f with the folder that name lies in.
func (t *tree) within(name string, f func(dir int, base string) error) error {
	dir, err := t.beneath(path.Dir(name), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	err = f(dir, path.Base(name))
	_ = unix.Close(dir) // nothing was written through it
	return err
}

// OpenFile is os.Root's.
func (t *tree) OpenFile(name string, flags int, perm fs.FileMode) (*os.File, error) {
	fd, err := t.beneath(name, flags, perm)
	if !common(err) {
		return t.Root.OpenFile(name, flags, perm)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "openat2", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Join(t.Root.Name(), filepath.FromSlash(name))), nil
}

// Open is os.Root's.
func (t *tree) Open(name string) (*os.File, error) { return t.OpenFile(name, os.O_RDONLY, 0) }

// Lstat is os.Root's.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	fd, err := t.beneath(name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if !common(err) {
		return t.Root.Lstat(name)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close() // opened for its path only
	return f.Stat()
}

// Mkdir is os.Root's.
func (t *tree) Mkdir(name string, perm fs.FileMode) error {
	err := t.within(name, func(dir int, base string) error { return unix.Mkdirat(dir, base, uint32(perm)) })
	if !common(err) {
		return t.Root.Mkdir(name, perm)
	}
	return err
}

// Link is os.Root's.
func (t *tree) Link(from, to string) error {
	err := t.within(from, func(dir int, base string) error {
		return t.within(to, func(todir int, tobase string) error { return unix.Linkat(dir, base, todir, tobase, 0) })
	})
	if !common(err) {
		return t.Root.Link(from, to)
	}
	return err
}

// unlink is os.Root's Remove for what is no folder.
func (t *tree) unlink(name string) error {
	err := t.within(name, func(dir int, base string) error { return unix.Unlinkat(dir, base, 0) })
	if !common(err) {
		return t.Root.Remove(name)
	}
	return err
}
