package direct

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"unsafe"
)

// The folders of the test: the disk, and where Linux has it a memory file system,
// which knows no way past the cache.
func dirs(t *testing.T) map[string]string {
	out := map[string]string{"disk": t.TempDir()}
	if shm, err := os.MkdirTemp("/dev/shm", "direct-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		out["memory"] = shm
	}
	return out
}

func content(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestWriterAndReadFile(t *testing.T) {
	sizes := []int{0, 1, block - 1, block, block + 1, least - 1, least, least + 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 777, 4 << 20}
	for name, dir := range dirs(t) {
		var room []byte
		for _, n := range sizes {
			want := content(n)
			ways := map[string]func(*Writer) error{
				"whole":  func(w *Writer) error { _, err := w.Write(want); return err },
				"pieces": func(w *Writer) error { return pieces(w, want) },
				"read":   func(w *Writer) error { _, err := w.ReadFrom(iotest.DataErrReader(bytes.NewReader(want))); return err },
				"in one": func(w *Writer) error { return WriteFile(w.f, append(Room(n)[:0], want...)) },
				"astray": func(w *Writer) error { return WriteFile(w.f, append(Room(n + 1)[:1], want...)[1:]) },
				"halves": func(w *Writer) error { _, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(want))); return err },
			}
			for way, write := range ways {
				f, err := os.Create(filepath.Join(dir, way))
				if err != nil {
					t.Fatal(err)
				}
				w := NewWriter(f)
				if err := errors.Join(write(w), w.Close()); err != nil {
					t.Fatalf("%s, %d bytes %s: %v", name, n, way, err)
				}
				// The file is an ordinary one again.
				if _, err := f.WriteAt([]byte("odd"), int64(n)); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(f.Truncate(int64(n)), f.Close()); err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s, %d bytes %s: the file holds other bytes (%d), %v", name, n, way, len(got), err)
				}
				if f, err = os.Open(f.Name()); err != nil {
					t.Fatal(err)
				}
				var got []byte
				got, room, err = ReadFile(f, n, room)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s, %d bytes %s: read %d others, %v", name, n, way, len(got), err)
				}
				if _, _, err := ReadFile(f, n+1, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%s, %d bytes: a file that ends early gives %v", name, n, err)
				}
				if _, err := f.ReadAt(make([]byte, 1), max(0, int64(n)-1)); n > 0 && err != nil {
					t.Fatal(err)
				}
				f.Close()
			}
		}
	}
}

func pieces(w io.Writer, b []byte) error {
	r := rand.New(rand.NewPCG(2, uint64(len(b))))
	for len(b) > 0 {
		n := min(len(b), 1+r.IntN(50_000))
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func TestWriterReportsErrors(t *testing.T) {
	f, err := os.Open(os.Args[0]) // not open for writing
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := NewWriter(f)
	_, err = w.Write(content(3 * chunk))
	if err = errors.Join(err, w.Close()); err == nil {
		t.Fatal("writing to a file open for reading succeeded")
	}
	broken := errors.New("broken")
	g, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	w = NewWriter(g)
	if _, err := w.ReadFrom(io.MultiReader(bytes.NewReader(content(chunk+5)), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Fatalf("the reader's error became %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestGrow: room that is enough stays; of a run of ever larger files few need new.
func TestGrow(t *testing.T) {
	var room []byte
	made := 0
	for n := block; n <= 100*block; n += block {
		was := room
		if room = Grow(room, n); cap(room) < n {
			t.Fatalf("room for %d of %d bytes", cap(room), n)
		}
		if unsafe.SliceData(was) != unsafe.SliceData(room) {
			made++
		}
	}
	if made > 8 {
		t.Errorf("new room %d times", made)
	}
}
