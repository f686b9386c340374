package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sohoa/internal/testneed"
	"sohoa/storage"
	"sohoa/storage/storagetest"
)

func open(t testing.TB) *Store { return openAt(t, t.TempDir()) }

func openAt(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storagetest.Test(t, func(t *testing.T) storage.Store { return open(t) })
}

func TestContractWithoutAttributes(t *testing.T) {
	t.Parallel()
	storagetest.Test(t, func(t *testing.T) storage.Store {
		s := open(t)
		s.attrs = false
		return s
	})
}

func put(t *testing.T, s *Store, key storage.Key, body string, info storage.Info) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(body), info); err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
}

// wantClean checks that nothing temporary is left.
func wantClean(t *testing.T, s *Store) {
	t.Helper()
	left, err := os.ReadDir(s.SpoolDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left in the spool folder: %v, %v", left, err)
	}
}

func TestNestedKeys(t *testing.T) {
	s := open(t)
	put(t, s, "a/b", "x", storage.Info{})
	for _, key := range []storage.Key{"a", "a/b/c", "a/b/c/d"} {
		if err := s.Put(t.Context(), key, strings.NewReader("y"), storage.Info{}); !errors.Is(err, storage.ErrNested) {
			t.Errorf("Put(%q) beside a/b: %v, want ErrNested", key, err)
		}
	}
	if err := s.Put(t.Context(), storage.Key(strings.Repeat("x", 300)), strings.NewReader("y"), storage.Info{}); err == nil || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put of a name longer than a file's may be: %v", err)
	}
	wantClean(t, s)
}

// TestReadable: the archive can be read without this program, and is closed to
// other accounts of the machine.
func TestReadable(t *testing.T) {
	s := open(t)
	put(t, s, "dossiers/H51.04/bản gốc.pdf", "%PDF-", storage.Info{})
	path := filepath.Join(s.dir, "dossiers", "H51.04", "bản gốc.pdf")
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "%PDF-" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	r, _, err := s.Open(t.Context(), "dossiers/H51.04/bản gốc.pdf")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, ok := r.(*os.File); !ok || f.Name() != path {
		t.Errorf("Open returns a %T, which does not say that it is %s", r, path)
	}
	for p, want := range map[string]fs.FileMode{path: 0o440, filepath.Dir(path): 0o750} {
		st, err := os.Stat(p)
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", p, st.Mode().Perm(), err, want)
		}
	}
}

func TestTempIsLinked(t *testing.T) {
	s := open(t)
	for name, dir := range map[string]string{"spool": s.SpoolDir(), "elsewhere": t.TempDir()} {
		tmp, err := storage.Spool(dir, strings.NewReader("body"), 0)
		if err != nil {
			t.Fatal(err)
		}
		own, err := tmp.File().Stat()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []storage.Key{"1", "2"} {
			if err := s.Put(t.Context(), storage.Key(name)+"/"+n, tmp, storage.Info{Meta: map[string]string{"n": string(n)}}); err != nil {
				t.Fatal(err)
			}
			st, err := os.Stat(filepath.Join(s.dir, name, string(n)))
			if err != nil {
				t.Fatal(err)
			}
			if os.SameFile(st, own) != (n == "1") {
				t.Errorf("%s/%s: is the Temp's own file: %v", name, n, os.SameFile(st, own))
			}
		}
		if err := tmp.Close(); err != nil {
			t.Error(err)
		}
	}
	tmp, err := storage.Spool(s.SpoolDir(), strings.NewReader("body"), 0)
	if err != nil {
		t.Fatal(err)
	}
	tmp.Taint()
	if err := s.Put(t.Context(), "tainted", tmp, storage.Info{}); err != nil {
		t.Fatal(err)
	}
	own, err := tmp.File().Stat()
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(s.dir, "tainted")); err != nil || os.SameFile(st, own) {
		t.Errorf("a Temp that the disk refused was linked: %v", err)
	}
	if err := tmp.Close(); err != nil {
		t.Error(err)
	}
	wantClean(t, s)
}

// TestTempOfAnotherFilesystem: /dev/shm is one on every Linux.
func TestTempOfAnotherFilesystem(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "sohoa-*")
	if err != nil {
		testneed.Missing(t, "a folder in /dev/shm", "run the tests on Linux with /dev/shm mounted")
	}
	defer os.RemoveAll(dir)
	s := open(t)
	tmp, err := storage.Spool(dir, strings.NewReader("body"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tmp.Close()
	if err := s.Put(t.Context(), "a", tmp, storage.Info{}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(s.dir, "a")); err != nil || string(b) != "body" {
		t.Errorf("the object holds %q, %v", b, err)
	}
	wantClean(t, s)
}

// TestAttributesLost: files that were copied without their attributes still
// answer with their digest, and get their metadata back when they are put again.
func TestAttributesLost(t *testing.T) {
	s := open(t)
	if !s.attrs {
		testneed.Missing(t, "extended attributes", "run the tests with TMPDIR on ext4, xfs, btrfs or a recent tmpfs")
	}
	info := storage.Info{ContentType: "application/pdf", Meta: map[string]string{"a": "ă"}}
	put(t, s, "a/b.pdf", "body", info)
	path := filepath.Join(s.dir, "a", "b.pdf")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Removexattr(path, attrName); err != nil {
		t.Fatal(err)
	}
	got, err := s.Stat(t.Context(), "a/b.pdf")
	if err != nil || got.SHA256 != storagetest.Digest([]byte("body")) || got.Meta != nil {
		t.Errorf("Stat without attributes: %+v, %v", got, err)
	}
	if err := s.Put(t.Context(), "a/b.pdf", strings.NewReader("other"), info); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put of other bytes: %v", err)
	}
	put(t, s, "a/b.pdf", "body", info)
	got, err = s.Stat(t.Context(), "a/b.pdf")
	if err != nil || got.ContentType != info.ContentType || got.Meta["a"] != "ă" {
		t.Errorf("Stat after putting again: %+v, %v", got, err)
	}
	for _, junk := range []string{"", "{", "null", `{"sha256":1}`} {
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := unix.Setxattr(path, attrName, []byte(junk), 0); err != nil {
			t.Fatal(err)
		}
		if got, err = s.Stat(t.Context(), "a/b.pdf"); err != nil || got.SHA256 != storagetest.Digest([]byte("body")) {
			t.Errorf("Stat with the attribute %q: %+v, %v", junk, got, err)
		}
	}
}

// TestSidecarsOfACrash: a description that was written for an object that never
// came does not become another object's.
func TestSidecarsOfACrash(t *testing.T) {
	s := open(t)
	s.attrs = false
	if err := s.writeSidecar("a/b", about{SHA256: storagetest.Digest([]byte("lost")), Meta: map[string]string{"n": "lost"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of an object that never came: %v", err)
	}
	put(t, s, "a/b", "here", storage.Info{Meta: map[string]string{"n": "here"}})
	info, err := s.Stat(t.Context(), "a/b")
	if err != nil || info.Meta["n"] != "here" {
		t.Errorf("Stat = %+v, %v", info, err)
	}
	if err := s.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder stays behind with its sidecars: %v", err)
	}
}

// TestForeign: what others put into the folder neither leads out of it nor hangs
// us nor passes for an object.
func TestForeign(t *testing.T) {
	s := open(t)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/object", "x", storage.Info{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink(outside, filepath.Join(s.dir, "a", "link")))
	must(os.Symlink(filepath.Dir(outside), filepath.Join(s.dir, "out")))
	must(syscall.Mkfifo(filepath.Join(s.dir, "a", "pipe"), 0o600))
	must(os.WriteFile(filepath.Join(s.dir, "a", ".hidden"), []byte("x"), 0o600))
	must(os.Mkdir(filepath.Join(s.dir, "lost+found"), 0o000))
	for _, key := range []storage.Key{"a/link", "out/secret", "a/pipe", "a"} {
		if r, _, err := s.Open(t.Context(), key); err == nil {
			b, _ := io.ReadAll(r)
			t.Errorf("Open(%q) succeeded and reads %q", key, b)
		}
		if err := s.Put(t.Context(), key, strings.NewReader("y"), storage.Info{}); err == nil {
			t.Errorf("Put(%q) succeeded", key)
		}
	}
	if err := s.Put(t.Context(), "out/new", strings.NewReader("y"), storage.Info{}); err == nil {
		t.Error("Put through a link out of the folder succeeded")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(outside), "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written outside: %v", err)
	}
	var got []storage.Key
	for i, err := range s.List(t.Context(), "") {
		must(err)
		got = append(got, i.Key)
	}
	if len(got) != 1 || got[0] != "a/object" {
		t.Errorf("List yields %q", got)
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != "secret" {
		t.Errorf("the file outside holds %q, %v", b, err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	old, young := filepath.Join(s.SpoolDir(), "put-old"), filepath.Join(s.SpoolDir(), "put-young")
	for _, f := range []string{old, young} {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	openAt(t, dir)
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an old temporary file stays: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("a young temporary file went: %v", err)
	}
	if n, err := s.Sweep(time.Now().Add(time.Minute)); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v", n, err)
	}
}

// TestFolderGone: the folder is taken away, as when its disk is unmounted.
func TestFolderGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openAt(t, dir)
	put(t, s, "a", "x", storage.Info{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "b", strings.NewReader("y"), storage.Info{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put: %v, want ErrUnavailable", err)
	}
}

// TestFullDisk: on a disk that is full nothing half-written is visible, the
// error says that it is not the caller's fault, and space that comes free is
// used again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", dir).CombinedOutput(); err != nil {
		testneed.Missing(t, "the right to mount a tmpfs", "run the tests as root ("+strings.TrimSpace(string(out))+")")
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(), exec.Command("umount", dir).Run()); err != nil {
			t.Error(err)
		}
	}()
	body := storagetest.Random(1, 300<<10)
	var stored []storage.Key
	full := 0
	for i := range 20 {
		key := storage.Key("full/" + string(rune('a'+i)))
		err := s.Put(t.Context(), key, bytes.NewReader(body), storage.Info{})
		if err == nil {
			stored = append(stored, key)
			continue
		}
		full++
		if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Put on a full disk: %v", err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something is visible: %v", err)
		}
		wantClean(t, s)
	}
	if full == 0 || len(stored) == 0 {
		t.Fatalf("%d objects stored, %d refused", len(stored), full)
	}
	if _, err := storage.Spool(s.SpoolDir(), bytes.NewReader(storagetest.Random(1, 1<<20)), 0); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Spool on a full disk: %v", err)
	}
	wantClean(t, s)
	for _, key := range stored {
		info, err := s.Stat(t.Context(), key)
		if err != nil || info.SHA256 != storagetest.Digest(body) {
			t.Errorf("%q: %+v, %v", key, info, err)
		}
	}
	if err := s.Delete(t.Context(), stored[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "full/again", bytes.NewReader(body), storage.Info{}); err != nil {
		t.Errorf("Put after space came free: %v", err)
	}
}

// TestReadOnly: a backup on a filesystem that cannot be written to.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", dir).CombinedOutput(); err != nil {
		testneed.Missing(t, "the right to mount a tmpfs", "run the tests as root ("+strings.TrimSpace(string(out))+")")
	}
	defer func() {
		if err := exec.Command("umount", dir).Run(); err != nil {
			t.Error(err)
		}
	}()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/b", "body", storage.Info{Meta: map[string]string{"n": "1"}})
	if err := errors.Join(s.Close(), exec.Command("mount", "-o", "remount,ro", dir).Run()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(t.Context(), "a/b"); err != nil || info.Meta["n"] != "1" {
		t.Errorf("Stat = %+v, %v", info, err)
	}
	if err := s.Put(t.Context(), "a/c", strings.NewReader("x"), storage.Info{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put: %v, want ErrUnavailable", err)
	}
	if err := s.Delete(t.Context(), "a/b"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Delete: %v, want ErrUnavailable", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestParseAboutNeverTrustsJunk(t *testing.T) {
	if a := parseAbout([]byte(`{"sha256":"x","meta":{"a":"b"}}`)); a.SHA256 != "" {
		t.Errorf("a digest that is none is believed: %+v", a)
	}
}

// TestTwoProcesses: a command beside the server, each with a store of its own on
// one folder.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*Store{openAt(t, dir), openAt(t, dir)}
	var (
		wg   sync.WaitGroup
		wins [10]atomic.Int32
	)
	for w := range 8 {
		s := stores[w%2]
		wg.Go(func() {
			for i := range 10 {
				own := storage.Key(fmt.Sprintf("shared/%d/%d", i, w))
				body := fmt.Sprint(w, " of ", i)
				if err := s.Put(t.Context(), own, strings.NewReader(body), storage.Info{}); err != nil {
					t.Errorf("Put: %v", err)
				}
				if info, err := stores[(w+1)%2].Stat(t.Context(), own); err != nil || info.SHA256 != storagetest.Digest([]byte(body)) {
					t.Errorf("the other store says %+v, %v", info, err)
				}
				if err := s.Delete(t.Context(), own); err != nil {
					t.Errorf("Delete: %v", err)
				}
				err := s.Put(t.Context(), storage.Key(fmt.Sprintf("race/%d", i)), strings.NewReader(body), storage.Info{})
				if err == nil {
					wins[i].Add(1)
				} else if !errors.Is(err, storage.ErrConflict) {
					t.Errorf("Put: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for i := range wins {
		if n := wins[i].Load(); n != 1 {
			t.Errorf("%d racers won race %d", n, i)
		}
	}
	for i, err := range stores[0].List(t.Context(), "shared/") {
		t.Errorf("left: %q, %v", i.Key, err)
	}
	wantClean(t, stores[0])
}
