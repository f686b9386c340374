package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// Whatever comes in: an answer, no panic, rows in order, cells that are clean.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("\xff\xfea\x00,\x00b\x00\n\x00"))
	f.Add([]byte("sep=;\na;b\n\"1;2\n"))
	f.Add([]byte("PK\x03\x04"))
	f.Add(workbook(f, 3))
	f.Add([]byte("m\xb7,t\xaan\nX\xb7 An L\xb9c,2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Open("f", bytes.NewReader(data), int64(len(data)))
		if err != nil {
			var bad *dossier.RowError
			if !errors.As(err, &bad) {
				t.Fatalf("bytes in memory cannot be our fault: %v", err)
			}
			return
		}
		defer s.Close()
		last := s.HeaderRow()
		for row, err := range s.Rows() {
			if err != nil {
				var bad *dossier.RowError
				if !errors.As(err, &bad) {
					t.Fatal(err)
				}
				if bad.Row == 0 {
					return
				}
			}
			if row.Number <= last {
				t.Fatalf("row %d after %d", row.Number, last)
			}
			last = row.Number
			for _, c := range row.cells {
				if !utf8.ValidString(c) || c != strings.TrimSpace(c) || !norm.NFC.IsNormalString(c) || strings.ContainsAny(c, "\x00\n\r\t\ufffd") {
					t.Fatalf("not clean: %q", c)
				}
			}
		}
	})
}

// The worksheet of a workbook, which a zip's checksums keep other fuzzing out of.
func FuzzWorksheet(f *testing.F) {
	good := workbook(f, 4)
	rezip(f, good, func(name string, part []byte) []byte {
		if name == "xl/worksheets/sheet1.xml" {
			f.Add(part)
		}
		return part
	})
	f.Fuzz(func(t *testing.T, xml []byte) {
		data := rezip(t, good, func(name string, part []byte) []byte {
			if name == "xl/worksheets/sheet1.xml" {
				return xml
			}
			return part
		})
		s, err := Open("f", bytes.NewReader(data), int64(len(data)))
		var bad *dossier.RowError
		if err != nil {
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
			return
		}
		defer s.Close()
		last := 0
		for row, err := range s.Rows() {
			if err != nil && !errors.As(err, &bad) {
				t.Fatal(err)
			}
			if err == nil && row.Number <= last {
				t.Fatalf("row %d after %d", row.Number, last)
			}
			last = max(last, row.Number)
		}
	})
}

// What encoding/csv reads without complaint, the splitter reads the same.
func FuzzAgainstEncodingCSV(f *testing.F) {
	f.Add("a,b\n\"1\n2\",\"x\"\"y\"\n\n3,4")
	f.Add("a;b\r\n\"\",\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ReplaceAll(text, "\r\n", "\n"), "\r") || strings.Contains(text, "\x00") {
			return // a CR alone ends a row here and not there
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return
		}
		// A reader of one byte at a time: rows are cut at every place.
		s := splitter{r: io.MultiReader(strings.NewReader(text[:len(text)/2]), strings.NewReader(text[len(text)/2:])), delimiter: ','}
		var got [][]string
		for {
			cells, _, err := s.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(cells) == 1 && len(cells[0]) == 0 && !quotedEmpty(text) {
				continue // an empty line, which encoding/csv passes over
			}
			var row []string
			for _, c := range cells {
				row = append(row, strings.ReplaceAll(string(c), "\r\n", "\n"))
			}
			got = append(got, row)
		}
		if quotedEmpty(text) {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
		for i := range want {
			if strings.Join(got[i], "\x00") != strings.Join(want[i], "\x00") {
				t.Fatalf("%q: row %d: %q, want %q", text, i, got[i], want[i])
			}
		}
	})
}

// quotedEmpty: a row of one empty quoted cell cannot be told from an empty line
// by its cells.
func quotedEmpty(text string) bool { return strings.Contains(text, `""`) }
