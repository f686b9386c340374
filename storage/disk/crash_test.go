package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sohoa/internal/testneed"
	"sohoa/storage"
	"sohoa/storage/storagetest"
)

// load writes objects from four writers until ctx ends or the store fails, and
// tells each one that was acknowledged. The bytes of object i follow from i.
func load(ctx context.Context, s *Store, round int, acknowledged func(i int)) error {
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for w := range 4 {
		wg.Go(func() {
			for i := round*1_000_000 + w; ctx.Err() == nil; i += 4 {
				if errs[w] = loadOne(ctx, s, i); errs[w] != nil {
					return
				}
				acknowledged(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func loadKey(i int) storage.Key {
	return storage.Key(fmt.Sprintf("dossiers/H51.%02d/hồ sơ %d/%d/original.pdf", i%7, i/3, i))
}

func loadBody(i int) []byte { return storagetest.Random(uint64(i), 20_000+i%50_000) }

func loadOne(ctx context.Context, s *Store, i int) error {
	var body io.ReadSeeker = bytes.NewReader(loadBody(i))
	if i%2 == 0 {
		t, err := storage.Spool(s.SpoolDir(), body, 0)
		if err != nil {
			return err
		}
		defer t.Close()
		body = t
	}
	return s.Put(ctx, loadKey(i), body, storage.Info{ContentType: "application/pdf", Meta: map[string]string{"n": strconv.Itoa(i)}})
}

// wantLoad checks a store after a crash: what was acknowledged is there, and
// everything that is there is whole, with its metadata.
func wantLoad(t *testing.T, s *Store, acknowledged []int) {
	t.Helper()
	visible := 0
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		visible++
		i, err := strconv.Atoi(strings.Split(string(o.Key), "/")[3])
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Stat(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		sha, err := storage.Hash(t.Context(), s, o.Key)
		if err != nil || sha != storagetest.Digest(loadBody(i)) {
			t.Errorf("%q is visible and not whole: %d bytes, %v", o.Key, info.Size, err)
		}
		if info.SHA256 != sha || info.ContentType != "application/pdf" || info.Meta["n"] != strconv.Itoa(i) {
			t.Errorf("%q lost its metadata: %+v", o.Key, info)
		}
	}
	for _, i := range acknowledged {
		if _, err := s.Stat(t.Context(), loadKey(i)); err != nil {
			t.Errorf("%q was acknowledged: %v", loadKey(i), err)
		}
	}
	t.Logf("%d acknowledged, %d visible", len(acknowledged), visible)
}

// TestKill ends a writing process with SIGKILL, again and again, on one store.
func TestKill(t *testing.T) {
	if dir := os.Getenv("SOHOA_TEST_DISK_CHILD"); dir != "" {
		killChild(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	var acknowledged []int
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKill$")
		cmd.Env = append(os.Environ(), "SOHOA_TEST_DISK_CHILD="+dir, "SOHOA_TEST_ROUND="+strconv.Itoa(round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(100+rand.N(400))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		said, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		timer.Stop()
		for line := range strings.Lines(string(said)) {
			n, whole := strings.CutSuffix(line, "\n")
			if i, err := strconv.Atoi(n); err == nil && whole {
				acknowledged = append(acknowledged, i)
			}
		}
	}
	if len(acknowledged) == 0 {
		t.Fatal("no child acknowledged anything")
	}
	s := openAt(t, dir)
	wantLoad(t, s, acknowledged)
	if _, err := s.Sweep(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	wantClean(t, s)
	// Whatever was not acknowledged can be put again.
	for i := range 8 {
		if err := loadOne(t.Context(), s, i); err != nil {
			t.Errorf("object %d: %v", i, err)
		}
	}
}

func killChild(t *testing.T, dir string) {
	round, err := strconv.Atoi(os.Getenv("SOHOA_TEST_ROUND"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	t.Fatal(load(t.Context(), s, round, func(i int) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(i)
	}))
}

// TestPowerCut cuts a filesystem off under the writers' hands, without letting it
// write what it still holds in memory, mounts it again and looks.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for round, attrs := range []bool{true, true, true, false, false} {
		t.Run(fmt.Sprintf("%d/attributes=%v", round, attrs), func(t *testing.T) {
			dir := t.TempDir()
			image, mnt := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
			if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 256<<20), os.Mkdir(mnt, 0o700)); err != nil {
				t.Fatal(err)
			}
			run := func(name string, args ...string) {
				t.Helper()
				if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
					testneed.Missing(t, "the right to mount an ext4 image", "run the tests as root, with e2fsprogs ("+name+": "+strings.TrimSpace(string(out))+")")
				}
			}
			run("mkfs.ext4", "-q", "-F", image)
			run("mount", "-o", "loop", image, mnt)
			mounted := true
			defer func() {
				if mounted {
					run("umount", mnt)
				}
			}()
			s, err := Open(mnt)
			if err != nil {
				t.Fatal(err)
			}
			s.attrs = s.attrs && attrs
			var (
				mu           sync.Mutex
				acknowledged []int
				cut          bool
				root, oerr   = os.Open(mnt)
			)
			if oerr != nil {
				t.Fatal(oerr)
			}
			cutErr := make(chan error, 1)
			cutLater := sync.OnceFunc(func() {
				time.AfterFunc(rand.N(time.Second), func() {
					mu.Lock()
					defer mu.Unlock()
					// What is acknowledged from here on cannot have been written.
					cut = true
					cutErr <- shutdown(root)
				})
			})
			err = load(t.Context(), s, round, func(i int) {
				mu.Lock()
				defer mu.Unlock()
				cutLater()
				if !cut {
					acknowledged = append(acknowledged, i)
				}
			})
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("writing to a disk that is gone: %v, want ErrUnavailable", err)
			}
			if err := <-cutErr; err != nil {
				testneed.Missing(t, "the right to cut a filesystem off", "run the tests as root on Linux ("+err.Error()+")")
			}
			if err := errors.Join(root.Close(), s.Close()); err != nil {
				t.Fatal(err)
			}
			run("umount", mnt)
			mounted = false
			run("mount", "-o", "loop", image, mnt)
			mounted = true
			s, err = Open(mnt)
			for try := 0; errors.Is(err, storage.ErrUnavailable) && try < 5; try++ {
				// A loop device that is used again tells who syncs of the writes that the
				// cut had lost; the device, its file and the filesystem once each.
				s, err = Open(mnt)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			if len(acknowledged) == 0 {
				t.Error("nothing had been acknowledged")
			}
			wantLoad(t, s, acknowledged)
		})
	}
}

// shutdown is ext4's FS_IOC_SHUTDOWN without flushing its journal.
func shutdown(root *os.File) error {
	const ioctl, noLogFlush = 0x8004587d, 2
	if err := unix.IoctlSetPointerInt(int(root.Fd()), ioctl, noLogFlush); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}
