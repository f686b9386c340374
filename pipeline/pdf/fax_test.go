package pdf

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/ccitt"

	"sohoa/internal/testneed"
)

// faxOfScan returns the coded data of the black-and-white sample page. Its TIFF
// holds one strip from byte 8 on or before its directory; its size is found by
// decoding.
func faxOfScan(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testneed.Shared(t, "scans"), "g4_02p_22.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("CCITTFaxDecode"))
	from := at + bytes.Index(b[at:], []byte("stream")) + len("stream")
	for b[from] == '\r' || b[from] == '\n' {
		from++
	}
	end := from + bytes.Index(b[from:], []byte("endstream"))
	return bytes.TrimRight(b[from:end], "\r\n")
}

const scanWide, scanHigh = 2481, 3507

func TestReadFaxPixels(t *testing.T) {
	data := faxOfScan(t)
	want, err := io.ReadAll(ccitt.NewReader(bytes.NewReader(data), ccitt.MSB, ccitt.Group4, scanWide, scanHigh, &ccitt.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	wide := (scanWide + 7) / 8
	got := make([]byte, 0, len(want))
	n, err := readFax(data, faxParams{k: -1, columns: scanWide, rows: scanHigh}, func(_ int, changes []int) {
		row := make([]byte, wide)
		for i := 0; i < len(changes); i += 2 {
			to := scanWide
			if i+1 < len(changes) {
				to = changes[i+1]
			}
			for x := changes[i]; x < to; x++ {
				row[x/8] |= 0x80 >> (x % 8)
			}
		}
		got = append(got, row...)
	})
	if err != nil || n != scanHigh {
		t.Fatalf("%d rows, %v", n, err)
	}
	if !bytes.Equal(got, want) {
		// The other decoder may write white as 1, the padding of a row too.
		for i := range want {
			want[i] ^= 0xff
			if i%wide == wide-1 {
				want[i] &= 0xff << (8*wide - scanWide)
			}
		}
		if !bytes.Equal(got, want) {
			t.Error("the pixels differ from those of another decoder")
		}
	}
}

func TestReadFaxCut(t *testing.T) {
	data := faxOfScan(t)
	for i := 1; i < 10; i++ {
		_, err := readFax(data[:len(data)*i/10], faxParams{k: -1, columns: scanWide, rows: scanHigh}, nil)
		if !errors.Is(err, errCut) {
			t.Errorf("cut at %d of 10: %v, want %v", i, err, errCut)
		}
	}
}

func BenchmarkReadFax(b *testing.B) {
	data := faxOfScan(b)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := readFax(data, faxParams{k: -1, columns: scanWide, rows: scanHigh}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
