package storage_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"sohoa/storage"
	"sohoa/storage/storagetest"
)

func TestSpool(t *testing.T) {
	for _, n := range []int{0, 1, 4095, 4096, 4097, 1_000_000} {
		dir := t.TempDir()
		body := storagetest.Random(uint64(n), n)
		tmp, err := storage.Spool(dir, iotest.HalfReader(bytes.NewReader(body)), int64(n))
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		head, err := tmp.Head()
		if err != nil {
			t.Fatal(err)
		}
		if tmp.Size() != int64(n) || tmp.SHA256() != storagetest.Digest(body) || !bytes.Equal(head, body[:min(n, 4096)]) {
			t.Errorf("%d bytes: size %d, digest %s, head of %d", n, tmp.Size(), tmp.SHA256(), len(head))
		}
		got, err := io.ReadAll(tmp)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: read back %d, %v", n, len(got), err)
		}
		if onDisk, err := os.ReadFile(tmp.Path()); err != nil || !bytes.Equal(onDisk, body) {
			t.Errorf("%d bytes: the file holds %d, %v", n, len(onDisk), err)
		}
		for range 2 {
			if err := tmp.Close(); err != nil {
				t.Errorf("%d bytes: closing: %v", n, err)
			}
		}
		wantEmpty(t, dir)
	}
}

func TestSpoolFails(t *testing.T) {
	broken := errors.New("the line broke")
	dir := t.TempDir()
	_, err := storage.Spool(dir, strings.NewReader("12345"), 4)
	if !errors.Is(err, storage.ErrTooLarge) {
		t.Errorf("a body above the limit: %v", err)
	}
	_, err = storage.Spool(dir, io.MultiReader(strings.NewReader("123"), iotest.ErrReader(broken)), 0)
	if !errors.Is(err, broken) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a body that breaks: %v", err)
	}
	wantEmpty(t, dir)
	if _, err = storage.Spool(filepath.Join(dir, "missing"), strings.NewReader("1"), 0); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a missing folder: %v", err)
	}
}

func TestAdoptTemp(t *testing.T) {
	dir := t.TempDir()
	path, err := storage.CreateTemp(dir)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("written by a child")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := storagetest.Digest(body)
	for name, c := range map[string]struct {
		path, sha string
		size      int64
	}{
		"size":    {path, sum, 3},
		"digest":  {path, "not a digest", int64(len(body))},
		"missing": {path + "x", sum, int64(len(body))},
		"folder":  {dir, sum, int64(len(body))},
	} {
		if _, err := storage.AdoptTemp(c.path, c.size, c.sha); err == nil {
			t.Errorf("adopting with a wrong %s succeeded", name)
		}
	}
	for _, sha := range []string{sum, ""} {
		tmp, err := storage.AdoptTemp(path, int64(len(body)), sha)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(tmp)
		if err != nil || !bytes.Equal(got, body) || tmp.SHA256() != sum {
			t.Errorf("adopted %q with digest %s, %v", got, tmp.SHA256(), err)
		}
		if sha == "" {
			if err := tmp.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	wantEmpty(t, dir)
}

func TestSweepSpool(t *testing.T) {
	dir := t.TempDir()
	then := time.Now().Add(-48 * time.Hour)
	for name, old := range map[string]bool{"spool-1": true, "temp-1": true, "spool-2": false, "theirs": true} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if old {
			if err := os.Chtimes(file, then, then); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := storage.SweepSpool(dir, time.Now().Add(-24*time.Hour), true); n != 2 || err != nil {
		t.Errorf("SweepSpool would = %d, %v", n, err)
	}
	if n, err := storage.SweepSpool(dir, time.Now().Add(-24*time.Hour), false); n != 2 || err != nil {
		t.Errorf("SweepSpool = %d, %v", n, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != "spool-2" || left[1].Name() != "theirs" {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := storage.SweepSpool(filepath.Join(dir, "missing"), time.Now(), false); err == nil {
		t.Error("sweeping a missing folder succeeded")
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// FuzzEncodeMeta: every value that may be put is printable ASCII on the wire,
// survives a server that trims and folds blanks, and reads back as it was, the
// way other clients read it.
func FuzzEncodeMeta(f *testing.F) {
	for _, s := range []string{"", "a", " a ", "a  b", "Giấy chứng nhận – bản chính.pdf", "=?utf-8?q?a?=", "a =?utf-8?b?YQ==?=", strings.Repeat("ộ", 100), "=?", "?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		info := storage.Info{Meta: map[string]string{"k": v}}
		if info.Check() != nil {
			return
		}
		enc := storage.EncodeMeta(v)
		for i := range len(enc) {
			if enc[i] < ' ' || enc[i] > '~' {
				t.Fatalf("%q is written as %q", v, enc)
			}
		}
		wire := strings.Join(strings.Fields(enc), " ")
		if wire == "" {
			t.Fatalf("%q is written as nothing", v)
		}
		got := wire
		if strings.HasPrefix(wire, "=?") { // as the client library reads it
			var err error
			if got, err = new(mime.WordDecoder).DecodeHeader(wire); err != nil {
				t.Fatalf("%q is written as %q: %v", v, enc, err)
			}
		}
		if got != v {
			t.Fatalf("%q is written as %q and read as %q", v, enc, got)
		}
	})
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"a", "a/b", "../a", "hồ sơ/a.pdf", "a\\b", ".a", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if storage.Key(s).Valid() != nil {
			return
		}
		if !utf8.ValidString(s) || !filepath.IsLocal(filepath.FromSlash(s)) || filepath.ToSlash(filepath.Clean(filepath.FromSlash(s))) != s {
			t.Fatalf("%q is said to be a good key", s)
		}
	})
}
