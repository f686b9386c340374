package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rooted is what the store asks of its folder.
type rooted interface {
	OpenFile(name string, flags int, perm fs.FileMode) (*os.File, error)
	Lstat(name string) (fs.FileInfo, error)
	Mkdir(name string, perm fs.FileMode) error
	Link(from, to string) error
	Close() error
}

// TestTreeIsARoot: whatever clean path is asked of a tree, it answers as os.Root does and
// leaves the same behind, links that lead outside included.
func TestTreeIsARoot(t *testing.T) {
	ops := map[string]func(r rooted, name string) error{
		"open": func(r rooted, name string) error {
			f, err := r.OpenFile(name, os.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return f.Close()
		},
		"create": func(r rooted, name string) error {
			f, err := r.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = f.WriteString(name)
			return errors.Join(err, f.Close())
		},
		"lstat": func(r rooted, name string) error {
			st, err := r.Lstat(name)
			if err == nil && st.Mode()&fs.ModeSymlink != 0 {
				return fs.ErrInvalid
			}
			return err
		},
		"mkdir": func(r rooted, name string) error { return r.Mkdir(name, 0o750) },
		"link":  func(r rooted, name string) error { return r.Link("file", name) },
		"from":  func(r rooted, name string) error { return r.Link(name, "linked") },
	}
	for op, do := range ops {
		for _, name := range []string{".", "file", "folder", "folder/file", "folder/new", "new", "new/new", "file/new", "link", "link/new", "out", "out/new",
			"in", "in/file", "in/new", "loop", "loop/new", "up", "up/new", "gone", "gone/new", "folder/../file", "../escape", "folder/../../escape", strings.Repeat("n", 300)} {
			answer := func(open func(dir string) (rooted, error)) (string, string) {
				top := t.TempDir()
				dir := filepath.Join(top, "store")
				for _, err := range []error{
					os.MkdirAll(filepath.Join(dir, "folder"), 0o750), os.Mkdir(filepath.Join(top, "outside"), 0o750),
					os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), os.WriteFile(filepath.Join(dir, "folder", "file"), nil, 0o600),
					os.WriteFile(filepath.Join(top, "escape"), nil, 0o600),
					os.Symlink(filepath.Join(top, "escape"), filepath.Join(dir, "link")), os.Symlink(filepath.Join(top, "outside"), filepath.Join(dir, "out")),
					os.Symlink("folder", filepath.Join(dir, "in")), os.Symlink("loop", filepath.Join(dir, "loop")),
					os.Symlink("../outside", filepath.Join(dir, "up")), os.Symlink("nowhere", filepath.Join(dir, "gone")),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				r, err := open(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close() // it was only asked
				said := "another error"
				switch err := do(r, name); {
				case err == nil:
					said = "good"
				case errors.Is(err, fs.ErrNotExist):
					said = "not there"
				case errors.Is(err, fs.ErrExist):
					said = "there already"
				case isNotDir(err):
					said = "no folder"
				}
				var left strings.Builder
				if err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
					left.WriteString(strings.TrimPrefix(path, top) + " " + d.Type().String() + "\n")
					return err
				}); err != nil {
					t.Fatal(err)
				}
				return said, left.String()
			}
			want, wantLeft := answer(func(dir string) (rooted, error) { return os.OpenRoot(dir) })
			got, left := answer(func(dir string) (rooted, error) { return openTree(dir) })
			if got != want || left != wantLeft {
				t.Errorf("%s %q: %s, want %s; left\n%s, want\n%s", op, name, got, want, left, wantLeft)
			}
		}
	}
}
