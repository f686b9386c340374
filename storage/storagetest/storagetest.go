// Package storagetest holds the contract of storage.Store as a test that every
// backend runs, and stores that fail on purpose.
package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sohoa/storage"
)

// Test runs the contract. open returns an empty store and is called for each
// part of it.
func Test(t *testing.T, open func(*testing.T) storage.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, storage.Store)
	}{
		{"RoundTrip", testRoundTrip},
		{"Metadata", testMetadata},
		{"Keys", testKeys},
		{"BadKeys", testBadKeys},
		{"BadInfo", testBadInfo},
		{"Missing", testMissing},
		{"Again", testAgain},
		{"Conflict", testConflict},
		{"Racers", testRacers},
		{"RacersSameBytes", testRacersSameBytes},
		{"WrongDigest", testWrongDigest},
		{"InterruptedBody", testInterruptedBody},
		{"Temp", testTemp},
		{"Seek", testSeek},
		{"Delete", testDelete},
		{"Cancelled", testCancelled},
		{"Large", testLarge},
		{"LargeRacers", testLargeRacers},
		{"List", testList},
		{"ListMany", testListMany},
		{"Concurrent", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// Random returns n bytes that follow from the seed.
func Random(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// Digest is the SHA-256 in lower-case hexadecimal.
func Digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func put(t *testing.T, s storage.Store, key storage.Key, body []byte, info storage.Info) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(body), info); err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
}

func read(t *testing.T, s storage.Store, key storage.Key) ([]byte, storage.Info) {
	t.Helper()
	r, info, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatalf("Open(%q): %v", key, err)
	}
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatalf("reading %q: %v", key, err)
	}
	return b, info
}

// wantObject checks that the key holds the bytes and that Open, Stat and List
// agree about it.
func wantObject(t *testing.T, s storage.Store, key storage.Key, want []byte) storage.Info {
	t.Helper()
	got, info := read(t, s, key)
	if !bytes.Equal(got, want) {
		t.Fatalf("%q holds %d bytes with digest %s, want %d with %s", key, len(got), Digest(got), len(want), Digest(want))
	}
	if info.Key != key || info.Size != int64(len(want)) || info.SHA256 != Digest(want) || info.ModTime.IsZero() {
		t.Errorf("Open(%q) says %+v of %d bytes with digest %s", key, info, len(want), Digest(want))
	}
	stat, err := s.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("Stat(%q): %v", key, err)
	}
	if !sameInfo(stat, info) {
		t.Errorf("Stat(%q) = %+v, Open says %+v", key, stat, info)
	}
	listed := 0
	for i, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if i.Key == key {
			listed++
			if i.Size != info.Size || i.ModTime.IsZero() {
				t.Errorf("List says %+v of %q, Open says %+v", i, key, info)
			}
		}
	}
	if listed != 1 {
		t.Errorf("List yields %q %d times", key, listed)
	}
	return info
}

func sameInfo(a, b storage.Info) bool {
	// HTTP dates have seconds only.
	return a.Key == b.Key && a.Size == b.Size && a.SHA256 == b.SHA256 && a.ContentType == b.ContentType &&
		maps.Equal(a.Meta, b.Meta) && a.ModTime.Truncate(time.Second).Equal(b.ModTime.Truncate(time.Second))
}

func wantNothing(t *testing.T, s storage.Store, key storage.Key) {
	t.Helper()
	if _, _, err := s.Open(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open(%q): %v, want fs.ErrNotExist", key, err)
	}
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%q): %v, want fs.ErrNotExist", key, err)
	}
	for _, k := range keys(t, s, "") {
		if k == key {
			t.Errorf("List yields %q", key)
		}
	}
}

func keys(t *testing.T, s storage.Store, prefix storage.Key) []storage.Key {
	t.Helper()
	var out []storage.Key
	for i, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		out = append(out, i.Key)
	}
	return out
}

func testRoundTrip(t *testing.T, s storage.Store) {
	for _, n := range []int{0, 1, 4095, 4096, 4097, 1 << 20} {
		key := storage.Key(fmt.Sprintf("round/trip/%d.bin", n))
		body := Random(uint64(n), n)
		put(t, s, key, body, storage.Info{})
		info := wantObject(t, s, key, body)
		if info.ContentType != storage.DefaultContentType || len(info.Meta) != 0 {
			t.Errorf("an object without a type and metadata has %+v", info)
		}
	}
	// The whole body counts, wherever its reader stands.
	body := Random(7, 1000)
	r := bytes.NewReader(body)
	if _, err := r.Seek(500, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "round/rewound", r, storage.Info{Size: 1000, SHA256: Digest(body)}); err != nil {
		t.Fatalf("Put of a body that stands in the middle: %v", err)
	}
	wantObject(t, s, "round/rewound", body)
}

func testMetadata(t *testing.T, s storage.Store) {
	meta := map[string]string{
		"document":  "0192f3c4-0000-7000-8000-000000000001",
		"file-name": "Giấy chứng nhận quyền sử dụng đất – thửa số 12, tờ bản đồ 34 (bản chính).pdf",
		"long":      strings.Repeat("Ủy ban nhân dân ", 20) + "xã",
		"pages":     "3",
		"empty":     "",
		"blanks":    " hai  khoảng trắng ",
		"ascii":     "  two  blanks ",
		"word":      "=?utf-8?q?not_a_word?=",
		"inner":     "a =?utf-8?b?YQ==?= b",
		"marks":     `",;:=%+/\<>[]{}&'`,
		"emoji":     "📄📄📄",
	}
	body := []byte("nội dung")
	put(t, s, "meta/a.pdf", body, storage.Info{ContentType: "application/pdf", Meta: meta})
	info := wantObject(t, s, "meta/a.pdf", body)
	if info.ContentType != "application/pdf" {
		t.Errorf("content type %q", info.ContentType)
	}
	for k, v := range meta {
		if got, ok := info.Meta[k]; !ok || got != v {
			t.Errorf("metadata %q = %q (%v), want %q", k, got, ok, v)
		}
	}
	if len(info.Meta) != len(meta) {
		t.Errorf("%d pieces of metadata, want %d: %v", len(info.Meta), len(meta), info.Meta)
	}
}

func testKeys(t *testing.T, s storage.Store) {
	for i, key := range []storage.Key{
		"a",
		"hồ sơ/giấy tờ/bản gốc.pdf",
		"dossiers/H51.04/H51.04-240830-0001/0192f3c4/original.pdf",
		"marks/a b+c&d=e%20f'g(h)!i*j~k@l,m;n$o",
		"marks/question?hash#percent%",
		"marks/colon:quote\"",
		"unicode/\u1e3f-\U0001F4C4",
		storage.Key("long/" + strings.Repeat("d/", 100) + strings.Repeat("x", 200)),
	} {
		body := Random(uint64(i), 100)
		put(t, s, key, body, storage.Info{})
		wantObject(t, s, key, body)
	}
}

func testBadKeys(t *testing.T, s storage.Store) {
	put(t, s, "good/key", []byte("x"), storage.Info{})
	for _, key := range []storage.Key{"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.", ".hidden", "a/.hidden/b",
		"a\x00b", "a\nb", "a\\b", "a\xffb", storage.Key(strings.Repeat("a", 901))} {
		if err := s.Put(t.Context(), key, strings.NewReader("x"), storage.Info{}); err == nil {
			t.Errorf("Put(%q) succeeded", key)
		}
		if _, _, err := s.Open(t.Context(), key); err == nil {
			t.Errorf("Open(%q) succeeded", key)
		}
		if _, err := s.Stat(t.Context(), key); err == nil {
			t.Errorf("Stat(%q) succeeded", key)
		}
		if err := s.Delete(t.Context(), key); err == nil {
			t.Errorf("Delete(%q) succeeded", key)
		}
	}
	for _, prefix := range []storage.Key{"a", "/", "../", "a//", "a/../", ".hidden/"} {
		var got error
		for _, err := range s.List(t.Context(), prefix) {
			got = err
		}
		if got == nil {
			t.Errorf("List(%q) succeeded", prefix)
		}
	}
	if got := keys(t, s, ""); !slices.Equal(got, []storage.Key{"good/key"}) {
		t.Errorf("the store holds %q", got)
	}
}

func testBadInfo(t *testing.T, s storage.Store) {
	for name, info := range map[string]storage.Info{
		"negative size":    {Size: -1},
		"short digest":     {SHA256: "abc"},
		"upper-case":       {SHA256: strings.Repeat("A", 64)},
		"meta key":         {Meta: map[string]string{"File_Name": "x"}},
		"empty meta key":   {Meta: map[string]string{"": "x"}},
		"reserved":         {Meta: map[string]string{"sha256": "x"}},
		"control":          {Meta: map[string]string{"a": "x\r\ny: z"}},
		"not utf-8":        {Meta: map[string]string{"a": "\xff"}},
		"too much":         {Meta: map[string]string{"a": strings.Repeat("ạ", 700)}},
		"type with breaks": {ContentType: "a/b\r\nx: y"},
	} {
		if err := s.Put(t.Context(), "bad/info", strings.NewReader("x"), info); err == nil {
			t.Errorf("Put with %s succeeded", name)
		}
		wantNothing(t, s, "bad/info")
	}
}

func testMissing(t *testing.T, s storage.Store) {
	wantNothing(t, s, "missing")
	wantNothing(t, s, "missing/below/this")
	put(t, s, "there/object", []byte("x"), storage.Info{})
	wantNothing(t, s, "there")
	wantNothing(t, s, "there/object2")
	wantNothing(t, s, "there/object/below")
	if err := s.Delete(t.Context(), "missing"); err != nil {
		t.Errorf("Delete of a missing object: %v", err)
	}
	if err := s.Delete(t.Context(), "there"); err != nil {
		t.Errorf("Delete of a folder's name: %v", err)
	}
	if err := s.Delete(t.Context(), "there/object/below"); err != nil {
		t.Errorf("Delete below an object: %v", err)
	}
	wantObject(t, s, "there/object", []byte("x"))
	if got := keys(t, s, "nowhere/"); len(got) != 0 {
		t.Errorf("List of a missing folder yields %q", got)
	}
	if got := keys(t, s, "there/object/"); len(got) != 0 {
		t.Errorf("List below an object yields %q", got)
	}
}

func testAgain(t *testing.T, s storage.Store) {
	body := Random(1, 10_000)
	put(t, s, "again", body, storage.Info{ContentType: "application/pdf", Meta: map[string]string{"n": "first"}})
	put(t, s, "again", body, storage.Info{ContentType: "image/png", Meta: map[string]string{"n": "second"}})
	info := wantObject(t, s, "again", body)
	if info.Meta["n"] != "first" || info.ContentType != "application/pdf" {
		t.Errorf("the second Put changed the first object's metadata: %+v", info)
	}
}

func testConflict(t *testing.T, s storage.Store) {
	body := Random(1, 10_000)
	put(t, s, "conflict", body, storage.Info{})
	other := slices.Clone(body)
	other[5000] ^= 1
	for _, b := range [][]byte{other, body[:9999], append(slices.Clone(body), 0), nil} {
		if err := s.Put(t.Context(), "conflict", bytes.NewReader(b), storage.Info{}); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Put of %d other bytes: %v, want ErrConflict", len(b), err)
		}
	}
	// A wrong promise is wrong whether or not the key is taken.
	if err := s.Put(t.Context(), "conflict", bytes.NewReader(body), storage.Info{SHA256: Digest(other)}); !errors.Is(err, storage.ErrDigest) {
		t.Errorf("Put with a wrong digest: %v, want ErrDigest", err)
	}
	wantObject(t, s, "conflict", body)
}

func testRacers(t *testing.T, s storage.Store) {
	for round := range 5 {
		key := storage.Key(fmt.Sprintf("race/%d/record.json", round))
		winners := race(t, s, key, 16, func(i int) []byte { return Random(uint64(round*16+i), 50_000) })
		if len(winners) != 1 {
			t.Fatalf("round %d: %d racers won: %v", round, len(winners), winners)
		}
		wantObject(t, s, key, Random(uint64(round*16+winners[0]), 50_000))
	}
}

func testRacersSameBytes(t *testing.T, s storage.Store) {
	body := Random(1, 50_000)
	winners := race(t, s, "race/same", 16, func(int) []byte { return body })
	if len(winners) != 16 {
		t.Errorf("%d of 16 racers with the same bytes succeeded", len(winners))
	}
	wantObject(t, s, "race/same", body)
}

// race has n writers put to one key at once and returns those who succeeded.
// Who did not must have met a conflict.
func race(t *testing.T, s storage.Store, key storage.Key, n int, body func(int) []byte) []int {
	t.Helper()
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		winners []int
		gun     = make(chan struct{})
	)
	for i := range n {
		b := body(i)
		wg.Go(func() {
			<-gun
			err := s.Put(t.Context(), key, bytes.NewReader(b), storage.Info{SHA256: Digest(b), Meta: map[string]string{"racer": fmt.Sprint(i)}})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				winners = append(winners, i)
			case !errors.Is(err, storage.ErrConflict):
				t.Errorf("racer %d: %v", i, err)
			}
		})
	}
	close(gun)
	wg.Wait()
	return winners
}

func testWrongDigest(t *testing.T, s storage.Store) {
	body := Random(1, 100_000)
	wrong := Digest([]byte("something else"))
	for name, info := range map[string]storage.Info{"digest": {SHA256: wrong}, "size": {Size: 99_999}, "size of a right digest": {SHA256: Digest(body), Size: 1}} {
		if err := s.Put(t.Context(), "wrong", bytes.NewReader(body), info); !errors.Is(err, storage.ErrDigest) {
			t.Errorf("Put with a wrong %s: %v, want ErrDigest", name, err)
		}
		wantNothing(t, s, "wrong")
	}
	tmp, err := storage.Spool(t.TempDir(), bytes.NewReader(body), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tmp.Close()
	if err := s.Put(t.Context(), "wrong", tmp, storage.Info{SHA256: wrong}); !errors.Is(err, storage.ErrDigest) {
		t.Errorf("Put of a Temp with a wrong digest: %v, want ErrDigest", err)
	}
	wantNothing(t, s, "wrong")
	put(t, s, "wrong", body, storage.Info{SHA256: Digest(body), Size: int64(len(body))})
	wantObject(t, s, "wrong", body)
}

var errBroken = errors.New("the line broke")

// broken is a body whose reader fails in the middle.
type broken struct {
	*io.SectionReader
	at int64
}

func (b *broken) Read(p []byte) (int, error) {
	pos, err := b.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if pos >= b.at {
		return 0, errBroken
	}
	return b.SectionReader.Read(p[:min(int64(len(p)), b.at-pos)])
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, errBroken
	}
	return b.SectionReader.ReadAt(p, off)
}

func testInterruptedBody(t *testing.T, s storage.Store) {
	body := Random(1, 1<<20)
	for _, at := range []int64{0, 1, 1 << 19, 1<<20 - 1} {
		b := &broken{io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body))), at}
		seeker := struct{ io.ReadSeeker }{b} // without ReadAt
		for _, r := range []io.ReadSeeker{b, seeker} {
			err := s.Put(t.Context(), "interrupted", r, storage.Info{Size: int64(len(body)), SHA256: Digest(body)})
			if !errors.Is(err, errBroken) {
				t.Errorf("Put of a body that breaks at %d: %v, want the reader's error", at, err)
			}
			if errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrConflict) {
				t.Errorf("the reader's error is taken for the store's: %v", err)
			}
			wantNothing(t, s, "interrupted")
		}
	}
	put(t, s, "interrupted", body, storage.Info{})
	wantObject(t, s, "interrupted", body)
}

func testTemp(t *testing.T, s storage.Store) {
	dir := t.TempDir()
	if sp, ok := s.(interface{ SpoolDir() string }); ok {
		dir = sp.SpoolDir()
	}
	for _, dir := range []string{dir, t.TempDir()} {
		body := Random(3, 300_000)
		tmp, err := storage.Spool(dir, bytes.NewReader(body), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tmp.Seek(1000, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		base := storage.Key("temp/" + Digest([]byte(dir))[:8])
		// The same Temp twice under other names and with other metadata, then again.
		for _, n := range []string{"1", "2", "1"} {
			if err := s.Put(t.Context(), base+"/"+storage.Key(n), tmp, storage.Info{SHA256: tmp.SHA256(), Size: tmp.Size(), Meta: map[string]string{"n": n}}); err != nil {
				t.Fatalf("Put of a Temp: %v", err)
			}
		}
		for _, n := range []string{"1", "2"} {
			if info := wantObject(t, s, base+"/"+storage.Key(n), body); info.Meta["n"] != n {
				t.Errorf("object %s has the metadata of %s", n, info.Meta["n"])
			}
		}
		if _, err := tmp.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(tmp); err != nil || !bytes.Equal(b, body) {
			t.Errorf("the Temp cannot be read after Put: %d bytes, %v", len(b), err)
		}
		if err := tmp.Close(); err != nil {
			t.Errorf("closing the Temp: %v", err)
		}
		wantObject(t, s, base+"/1", body)
	}
}

func testSeek(t *testing.T, s storage.Store) {
	body := Random(1, 1<<20)
	put(t, s, "seek", body, storage.Info{})
	r, _, err := s.Open(t.Context(), "seek")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	at := func(off int64, whence int, want int64, n int) {
		t.Helper()
		pos, err := r.Seek(off, whence)
		if err != nil || pos != want {
			t.Fatalf("Seek(%d, %d) = %d, %v; want %d", off, whence, pos, err, want)
		}
		got := make([]byte, n)
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatalf("reading %d bytes at %d: %v", n, want, err)
		}
		if !bytes.Equal(got, body[want:want+int64(n)]) {
			t.Fatalf("other bytes at %d", want)
		}
	}
	at(1000, io.SeekStart, 1000, 100)
	at(0, io.SeekCurrent, 1100, 100)
	at(-50, io.SeekCurrent, 1150, 100)
	at(-10, io.SeekEnd, 1<<20-10, 10)
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("reading at the end: %d, %v", n, err)
	}
	at(0, io.SeekStart, 0, 1<<20)
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("seeking before the beginning succeeded")
	}
	if _, err := r.Seek(10, io.SeekEnd); err != nil {
		t.Errorf("seeking behind the end: %v", err)
	} else if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("reading behind the end: %d, %v", n, err)
	}
	if ra, ok := r.(io.ReaderAt); ok {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				off := int64(i) * 100_000
				got := make([]byte, 5000)
				if n, err := ra.ReadAt(got, off); err != nil || n != 5000 || !bytes.Equal(got, body[off:off+5000]) {
					t.Errorf("ReadAt(%d) = %d, %v", off, n, err)
				}
			})
		}
		wg.Wait()
		if n, err := ra.ReadAt(make([]byte, 100), 1<<20-10); n != 10 || err != io.EOF {
			t.Errorf("ReadAt over the end = %d, %v", n, err)
		}
	}
}

func testDelete(t *testing.T, s storage.Store) {
	put(t, s, "delete/a/1", []byte("one"), storage.Info{Meta: map[string]string{"n": "1"}})
	put(t, s, "delete/a/2", []byte("two"), storage.Info{Meta: map[string]string{"n": "2"}})
	if err := s.Delete(t.Context(), "delete/a/1"); err != nil {
		t.Fatal(err)
	}
	wantNothing(t, s, "delete/a/1")
	wantObject(t, s, "delete/a/2", []byte("two"))
	if err := s.Delete(t.Context(), "delete/a/1"); err != nil {
		t.Errorf("deleting again: %v", err)
	}
	// The key is free again.
	put(t, s, "delete/a/1", []byte("other bytes"), storage.Info{Meta: map[string]string{"n": "3"}})
	if info := wantObject(t, s, "delete/a/1", []byte("other bytes")); info.Meta["n"] != "3" {
		t.Errorf("the new object has the old one's metadata: %v", info.Meta)
	}
	for _, k := range []storage.Key{"delete/a/1", "delete/a/2"} {
		if err := s.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("after deleting all the store holds %q", got)
	}
	// No empty folder is in the way of an object.
	put(t, s, "delete", []byte("x"), storage.Info{})
	wantObject(t, s, "delete", []byte("x"))
}

func testCancelled(t *testing.T, s storage.Store) {
	put(t, s, "cancelled/there", []byte("x"), storage.Info{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want := func(op string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s with a cancelled context: %v, want context.Canceled", op, err)
		}
	}
	want("Put", s.Put(ctx, "cancelled/new", strings.NewReader("x"), storage.Info{}))
	_, _, err := s.Open(ctx, "cancelled/there")
	want("Open", err)
	_, err = s.Stat(ctx, "cancelled/there")
	want("Stat", err)
	want("Delete", s.Delete(ctx, "cancelled/there"))
	err = nil
	for _, e := range s.List(ctx, "") {
		err = e
	}
	want("List", err)
	wantNothing(t, s, "cancelled/new")
	wantObject(t, s, "cancelled/there", []byte("x"))

	// Cancelled while the body is being read.
	ctx, cancel = context.WithCancel(t.Context())
	body := Random(1, 40<<20)
	r := &cancelling{bytes.NewReader(body), cancel}
	want("Put", s.Put(ctx, "cancelled/new", struct{ io.ReadSeeker }{r}, storage.Info{}))
	wantNothing(t, s, "cancelled/new")
}

// cancelling cancels a context in the middle of a body.
type cancelling struct {
	*bytes.Reader
	cancel func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.Len() < 10<<20 {
		c.cancel()
	}
	return n, err
}

func testLarge(t *testing.T, s storage.Store) {
	body := Random(1, 64<<20+12_345)
	info := storage.Info{ContentType: "application/pdf", SHA256: Digest(body), Size: int64(len(body)), Meta: map[string]string{"file-name": "bản đồ.pdf"}}
	put(t, s, "large/map.pdf", body, info)
	got := wantObject(t, s, "large/map.pdf", body)
	if got.ContentType != info.ContentType || !maps.Equal(got.Meta, info.Meta) {
		t.Errorf("a large object has %+v, want %+v", got, info)
	}
	put(t, s, "large/map.pdf", body, info)
	body[40<<20] ^= 1
	if err := s.Put(t.Context(), "large/map.pdf", bytes.NewReader(body), storage.Info{}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put of a large body with one other bit: %v, want ErrConflict", err)
	}
	if err := s.Put(t.Context(), "large/wrong", bytes.NewReader(body), info); !errors.Is(err, storage.ErrDigest) {
		t.Errorf("Put of a large body with a wrong digest: %v, want ErrDigest", err)
	}
	wantNothing(t, s, "large/wrong")
	tmp, err := storage.Spool(t.TempDir(), bytes.NewReader(body), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tmp.Close()
	if err := s.Put(t.Context(), "large/temp", tmp, storage.Info{SHA256: tmp.SHA256()}); err != nil {
		t.Fatalf("Put of a large Temp: %v", err)
	}
	wantObject(t, s, "large/temp", body)
}

func testLargeRacers(t *testing.T, s storage.Store) {
	bodies := [][]byte{Random(1, 20<<20), Random(2, 20<<20), Random(3, 20<<20)}
	winners := race(t, s, "race/large", len(bodies), func(i int) []byte { return bodies[i] })
	if len(winners) != 1 {
		t.Fatalf("%d large racers won", len(winners))
	}
	wantObject(t, s, "race/large", bodies[winners[0]])
}

func testList(t *testing.T, s storage.Store) {
	all := []storage.Key{"a!b", "a-b/c", "a.b", "a/b", "a/b-c", "a/b.c/d", "a/b0", "a/c/d/e", "a0", "b", "á/ố", "hồ sơ/1", "hồ sơ/10", "hồ sơ/2"}
	for i, k := range all {
		put(t, s, k, Random(uint64(i), i+1), storage.Info{})
	}
	slices.Sort(all)
	for _, prefix := range []storage.Key{"", "a/", "a-b/", "hồ sơ/", "a/c/d/", "á/", "z/"} {
		var want []storage.Key
		for _, k := range all {
			if strings.HasPrefix(string(k), string(prefix)) {
				want = append(want, k)
			}
		}
		if got := keys(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
		for _, after := range append([]storage.Key{"a.", "a/b/", "z"}, all...) {
			i, _ := slices.BinarySearchFunc(want, after, func(k, after storage.Key) int {
				if k <= after {
					return -1
				}
				return 1
			})
			var got []storage.Key
			for info, err := range storage.ListAfter(t.Context(), s, prefix, after) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, info.Key)
			}
			if !slices.Equal(got, want[i:]) {
				t.Errorf("ListAfter(%q, %q) = %q, want %q", prefix, after, got, want[i:])
			}
		}
	}
	n := 0
	for range s.List(t.Context(), "") {
		if n++; n == 3 {
			break // stopping early is allowed
		}
	}
}

func testListMany(t *testing.T, s storage.Store) {
	const n = 5000
	var (
		want []storage.Key
		wg   sync.WaitGroup
		work = make(chan storage.Key)
	)
	for range 8 {
		wg.Go(func() {
			for k := range work {
				if err := s.Put(t.Context(), k, strings.NewReader(string(k)), storage.Info{}); err != nil {
					t.Errorf("Put(%q): %v", k, err)
				}
			}
		})
	}
	for i := range n {
		k := storage.Key(fmt.Sprintf("many/%d/%d.json", i%7, i))
		want = append(want, k)
		work <- k
	}
	close(work)
	wg.Wait()
	slices.Sort(want)
	if got := keys(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("List yields %d keys, want %d in order", len(got), len(want))
	}
	if got := keys(t, s, "many/3/"); len(got) != 714 || !slices.IsSorted(got) {
		t.Errorf("List of a folder yields %d keys, want 714 in order", len(got))
	}
}

// testConcurrent: writers, readers, listers and deleters at once, on keys of
// their own and on common ones, in common folders.
func testConcurrent(t *testing.T, s storage.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 12 {
				key := storage.Key(fmt.Sprintf("concurrent/%d/%d/object", i%3, w))
				body := Random(uint64(w*100+i), 2000)
				if err := s.Put(t.Context(), key, bytes.NewReader(body), storage.Info{}); err != nil {
					t.Errorf("Put: %v", err)
					return
				}
				r, info, err := s.Open(t.Context(), key)
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				got, err := io.ReadAll(r)
				if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, body) || info.SHA256 != Digest(body) {
					t.Errorf("read %d bytes, %v, %+v", len(got), err, info)
				}
				if w == 0 {
					for _, err := range s.List(t.Context(), "concurrent/") {
						if err != nil {
							t.Errorf("List: %v", err)
						}
					}
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("%q are left", got)
	}
}
