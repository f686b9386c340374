package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sohoa/storage"
	"sohoa/storage/disk"
	"sohoa/storage/storagetest"
)

func openDisk(t testing.TB) (*disk.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}

func isRecord(k storage.Key) bool { return path.Base(string(k)) == "record.json" }

// document writes what a document's folder holds, the record last.
func document(t testing.TB, s storage.Store, i int) {
	t.Helper()
	dir := fmt.Sprintf("dossiers/H51.04/H51.04-240830-%04d/%d/", i/3, i)
	for _, name := range []string{"original.pdf", "archive.pdf", "record.json"} {
		info := storage.Info{ContentType: "application/pdf", Meta: map[string]string{"name": "Bản " + name}}
		if err := s.Put(t.Context(), storage.Key(dir+name), bytes.NewReader(storagetest.Random(uint64(i), 100+i)), info); err != nil {
			t.Fatal(err)
		}
	}
}

func contents(t testing.TB, s storage.Store) map[storage.Key]string {
	t.Helper()
	out := make(map[storage.Key]string)
	for i, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Stat(t.Context(), i.Key)
		if err != nil {
			t.Fatal(err)
		}
		sha, err := storage.Hash(t.Context(), s, i.Key)
		if err != nil || sha != info.SHA256 {
			t.Fatalf("%q: digest %s, %v, said to be %s", i.Key, sha, err, info.SHA256)
		}
		out[i.Key] = fmt.Sprint(sha, info.Size, info.ContentType, info.Meta)
	}
	return out
}

func wantSame(t testing.TB, got, want map[storage.Key]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%q is %q, want %q", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	from, _ := openDisk(t)
	for i := range 20 {
		document(t, from, i)
	}
	want := contents(t, from)
	for name, o := range map[string]storage.CopyOptions{
		"plain":     {},
		"one":       {Workers: 1},
		"last":      {Last: isRecord},
		"spooled":   {Spool: t.TempDir()},
		"read back": {ReadBack: true, Last: isRecord},
	} {
		t.Run(name, func(t *testing.T) {
			to, _ := openDisk(t)
			calls := 0
			var last storage.CopyProgress
			o.Progress = func(p storage.CopyProgress) {
				calls++
				if p.Copied < last.Copied || p.Bytes < last.Bytes || p.Done < last.Done {
					t.Errorf("progress goes back: %+v after %+v", p, last)
				}
				last = p
			}
			p, err := storage.Copy(t.Context(), from, to, o)
			if err != nil || p.Copied != 60 || p.Present != 0 || len(p.Faults) != 0 || p.Done == "" || calls < 60 {
				t.Errorf("Copy = %+v, %v, after %d calls", p, err, calls)
			}
			wantSame(t, contents(t, to), want)
			o.Progress = nil
			p, err = storage.Copy(t.Context(), from, to, o)
			if err != nil || p.Copied != 0 || p.Present != 60 {
				t.Errorf("copying again: %+v, %v", p, err)
			}
		})
	}
	t.Run("part", func(t *testing.T) {
		to, _ := openDisk(t)
		p, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Prefix: "dossiers/H51.04/H51.04-240830-0001/", After: "dossiers/H51.04/H51.04-240830-0001/3/record.json"})
		if err != nil || p.Copied != 6 {
			t.Errorf("Copy = %+v, %v", p, err)
		}
	})
}

// TestCopyBreaks: the destination fails at every place in turn; whenever the copy
// ends, no record is there without its objects, and running it again ends well.
func TestCopyBreaks(t *testing.T) {
	t.Parallel()
	from, _ := openDisk(t)
	for i := range 4 {
		document(t, from, i)
	}
	want := contents(t, from)
	for fail := int64(1); fail <= 12; fail++ {
		for _, apply := range []bool{false, true} {
			to, _ := openDisk(t)
			var n atomic.Int64
			faulty := storagetest.Faulty(to, func(op string, key storage.Key) (bool, error) {
				if op == storagetest.OpPut && n.Add(1) >= fail {
					return apply, storage.ErrUnavailable
				}
				return true, nil
			})
			p, err := storage.Copy(t.Context(), from, faulty, storage.CopyOptions{Last: isRecord, Workers: 3})
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Fatalf("Copy = %+v, %v", p, err)
			}
			half := contents(t, to)
			for k := range half {
				for _, name := range []string{"original.pdf", "archive.pdf"} {
					if sibling := storage.Key(path.Dir(string(k)) + "/" + name); isRecord(k) && half[sibling] == "" {
						t.Fatalf("failing at %d: %q is there without %s", fail, k, name)
					}
				}
			}
			for k := range want {
				if k <= p.Done && half[k] == "" {
					t.Errorf("failing at %d: %q is said to be done, and is not there", fail, k)
				}
			}
			if p, err = storage.Copy(t.Context(), from, to, storage.CopyOptions{Last: isRecord, After: p.Done}); err != nil || len(p.Faults) != 0 {
				t.Fatalf("resuming: %+v, %v", p, err)
			}
			wantSame(t, contents(t, to), want)
		}
	}
}

// TestCopyWhileWriting: documents arrive at the source all the time.
func TestCopyWhileWriting(t *testing.T) {
	t.Parallel()
	from, _ := openDisk(t)
	to, _ := openDisk(t)
	for i := range 10 {
		document(t, from, i)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 10; ; i++ {
			select {
			case <-stop:
				return
			default:
				document(t, from, i)
			}
		}
	}()
	for range 5 {
		if _, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Last: isRecord}); err != nil {
			t.Error(err)
		}
		got := contents(t, to)
		for k := range got {
			if dir := path.Dir(string(k)); isRecord(k) && (got[storage.Key(dir+"/original.pdf")] == "" || got[storage.Key(dir+"/archive.pdf")] == "") {
				t.Errorf("%q is there without its objects", k)
			}
		}
	}
	close(stop)
	<-stopped
}

func TestCopyFaults(t *testing.T) {
	from, dir := openDisk(t)
	to, toDir := openDisk(t)
	for i := range 4 {
		document(t, from, i)
	}
	flip := func(dir string, key storage.Key) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(string(key)))
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[50] ^= 4
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damaged := storage.Key("dossiers/H51.04/H51.04-240830-0000/1/original.pdf")
	flip(dir, damaged)
	other := storage.Key("dossiers/H51.04/H51.04-240830-0000/2/archive.pdf")
	if err := to.Put(t.Context(), other, strings.NewReader("other bytes"), storage.Info{}); err != nil {
		t.Fatal(err)
	}
	for _, spool := range []string{"", t.TempDir()} {
		p, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Spool: spool})
		if err != nil {
			t.Fatal(err)
		}
		found := map[storage.Key]error{}
		for _, f := range p.Faults {
			found[f.Key] = f.Err
		}
		if len(found) != 2 || !errors.Is(found[damaged], storage.ErrDigest) || !errors.Is(found[other], storage.ErrConflict) {
			t.Errorf("faults: %v", p.Faults)
		}
		if p.Copied+p.Present != 10 {
			t.Errorf("Copy = %+v", p)
		}
	}
	if _, err := to.Stat(t.Context(), damaged); err == nil {
		t.Error("a damaged object was copied")
	}
	// Damage at the destination shows when it is read back.
	rotten := storage.Key("dossiers/H51.04/H51.04-240830-0001/3/record.json")
	flip(toDir, rotten)
	p, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Prefix: "dossiers/H51.04/H51.04-240830-0001/", ReadBack: true})
	if err != nil || len(p.Faults) != 1 || p.Faults[0].Key != rotten || !errors.Is(p.Faults[0].Err, storage.ErrDigest) {
		t.Errorf("Copy = %+v, %v", p, err)
	}
}

func TestCopyCancelled(t *testing.T) {
	from, _ := openDisk(t)
	to, _ := openDisk(t)
	for i := range 10 {
		document(t, from, i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := storage.Copy(ctx, from, to, storage.CopyOptions{Progress: func(p storage.CopyProgress) {
		if p.Copied == 5 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Copy: %v", err)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	s, dir := openDisk(t)
	for _, n := range []int{0, 1000, 40<<20 + 123} {
		key := storage.Key(fmt.Sprint("a/", n))
		body := storagetest.Random(uint64(n), n)
		if err := s.Put(t.Context(), key, bytes.NewReader(body), storage.Info{ContentType: "image/png"}); err != nil {
			t.Fatal(err)
		}
		spool := t.TempDir()
		tmp, info, err := storage.Fetch(t.Context(), s, key, spool)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(tmp.Path()); err != nil || !bytes.Equal(got, body) || tmp.SHA256() != storagetest.Digest(body) || info.ContentType != "image/png" {
			t.Errorf("%d bytes: fetched %d, %v, %+v", n, len(got), err, info)
		}
		if err := tmp.Close(); err != nil {
			t.Error(err)
		}
		if n == 0 {
			continue
		}
		file := filepath.Join(dir, string(key))
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{body[n-1] ^ 1}, int64(n-1)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := storage.Fetch(t.Context(), s, key, spool); !errors.Is(err, storage.ErrDigest) {
			t.Errorf("%d bytes: fetching a damaged object: %v", n, err)
		}
		wantEmpty(t, spool)
	}
}
