package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"sohoa/dossier"
)

// made is a file of any length that is made while it is read, so that a test of
// memory does not itself hold it.
type made struct {
	line func(i int64) string // all of the same length
	n    int64
	size int64
}

func (m *made) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= m.size {
			return n, io.EOF
		}
		i := off / m.n
		k := copy(p[n:], m.line(i)[off%m.n:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// Rows of a long file go through constant memory.
func TestConstantMemory(t *testing.T) {
	const rows = 300_000
	m := &made{line: func(i int64) string {
		if i == 0 {
			return "code            ,unit  ,name                         \n"
		}
		return fmt.Sprintf("H51.04-240830-%08d,H51.%02d,Nguyễn Văn Ánh, số nhà 12\n", i, i%90)[:0] +
			fmt.Sprintf("H51-240830-%05d,H51.%02d,%s\n", i%100000, i%90, "Giấy phép số 12, hạng 2...."[:29])
	}}
	m.n = int64(len(m.line(0)))
	if got := len(m.line(1)); int64(got) != m.n {
		t.Fatalf("lines of %d and %d bytes", m.n, got)
	}
	m.size = m.n * rows
	s, err := Open("long", m, m.size)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var before, now runtime.MemStats
	n, top := 0, uint64(0)
	for _, err := range s.Rows() {
		var bad *dossier.RowError
		if err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
		if n++; n == 1000 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		if n%50_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			top = max(top, now.HeapAlloc)
		}
	}
	if n != rows-1 {
		t.Errorf("%d rows", n)
	}
	if top > before.HeapAlloc+(4<<20) {
		t.Errorf("heap grew from %d to %d", before.HeapAlloc, top)
	}
}

func refused(t *testing.T, data []byte) {
	t.Helper()
	s, err := Open("f", bytes.NewReader(data), int64(len(data)))
	if err == nil {
		for _, e := range s.Rows() {
			if e != nil {
				err = e
				break
			}
		}
		s.Close()
	}
	var bad *dossier.RowError
	if !errors.As(err, &bad) {
		t.Errorf("want a refusal, got %v", err)
	}
}

func workbook(t testing.TB, rows int) []byte {
	t.Helper()
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.SetRow(fmt.Sprintf("A%d", i+1), []any{fmt.Sprintf("H51-240830-%05d", i), "H51.04", "1.004946", i % 3, 45534.25, "Sóc Trăng"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rezip writes a workbook's parts again, changed.
func rezip(t testing.TB, data []byte, change func(name string, part []byte) []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		part, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		o, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Write(change(f.Name, part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHostileWorkbooks(t *testing.T) {
	good := workbook(t, 50)
	const part = "xl/worksheets/sheet1.xml"
	t.Run("good", func(t *testing.T) {
		if n := len(rows(t, open(t, good))); n != 49 {
			t.Error(n)
		}
	})
	t.Run("cut", func(t *testing.T) {
		for i := 0; i < len(good); i += len(good)/40 + 1 {
			refused(t, good[:i])
		}
	})
	t.Run("worksheet breaks off", func(t *testing.T) {
		refused(t, rezip(t, good, func(name string, p []byte) []byte {
			if name == part {
				return p[:len(p)*2/3]
			}
			return p
		}))
	})
	t.Run("bomb in a picture", func(t *testing.T) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, name := range []string{"xl/workbook.xml", "xl/media/image1.png"} {
			o, err := w.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			zeros := make([]byte, 1<<20)
			for range 65 {
				if _, err := o.Write(zeros); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		refused(t, b.Bytes())
	})
	t.Run("row in the far distance", func(t *testing.T) {
		refused(t, rezip(t, good, func(name string, p []byte) []byte {
			return bytes.Replace(p, []byte(`<row r="50"`), []byte(`<row r="99999999"`), 1)
		}))
	})
	t.Run("cells in the far distance", func(t *testing.T) {
		data := rezip(t, good, func(name string, p []byte) []byte {
			return bytes.Replace(p, []byte(`r="F30"`), []byte(`r="XFD30"`), 1)
		})
		if got := rows(t, open(t, data)); len(got) != 49 || got[28] != "30!" {
			t.Errorf("%d rows, %q", len(got), got[28])
		}
	})
	t.Run("cells backwards", func(t *testing.T) {
		data := rezip(t, good, func(name string, p []byte) []byte {
			if name != part {
				return p
			}
			return bytes.Replace(bytes.Replace(p, []byte(`r="A30"`), []byte(`r="@@"`), 1), []byte(`r="B30"`), []byte(`r="A30"`), 1)
		})
		refused(t, data)
	})
	t.Run("open quotes throughout", func(t *testing.T) {
		refused(t, []byte("a,b\n"+strings.Repeat("\"x\n", 3*maxBadQuotes)))
	})
}

func BenchmarkCSV(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("code,unit,procedure,channel,received_at,status,resolved_at,synced_at\n")
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&text, "H51.04-240830-%05d,H51.04,1.004946,2,2024-08-30T08:15:00+07:00,resolved,2024-09-02T10:00:00+07:00,\n", i)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		s := open(b, text.Bytes())
		for _, err := range s.Rows() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkXLSX(b *testing.B) {
	const n = 20_000
	data := workbook(b, n)
	for b.Loop() {
		s := open(b, data)
		for _, err := range s.Rows() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
