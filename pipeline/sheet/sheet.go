// Package sheet reads tables that somebody else made: CSV in the encodings met
// in Vietnamese offices, and XLSX. What it cannot read it names by row and
// column; everything it does give out is NFC text without outer blanks.
package sheet

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"sohoa/dossier"
)

// Encoding says how text was written.
type Encoding string

const (
	UTF8        Encoding = "utf-8"
	UTF16LE     Encoding = "utf-16le"
	UTF16BE     Encoding = "utf-16be"
	Windows1258 Encoding = "windows-1258"
	TCVN3       Encoding = "tcvn3" // the "ABC" fonts (.VnTime)
	VNI         Encoding = "vni"   // the "VNI-" fonts
)

// Format is what the file is.
type Format string

const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
)

// Limits on what is taken for a table. A register of a province stays far below
// them; a file made to exhaust the machine does not get past them.
const (
	maxColumns   = 512
	maxCell      = 64 << 10
	maxRecord    = 1 << 20
	maxWorkbook  = 256 << 20 // XLSX as it lies on disk
	maxUnzipped  = 2 << 30   // its parts, unpacked
	maxHeaderRow = 20        // title lines may stand above the header
	maxBadQuotes = 100       // then the quotes of the whole file cannot be trusted
	sampleRows   = 5_000     // rows looked at to recognise the encoding
	sampleWords  = 400       // words with accents that are enough to recognise it
)

// Sheet is a table. Its rows can be read any number of times, from the start
// each time, but not by several goroutines at once.
type Sheet struct {
	name     string
	format   Format
	encoding Encoding
	src      source

	headerRow int // number of the header's row
	header    []string
	columns   []string // for each column the name that Get knows it by; "" for none
	index     map[string]int
	optional  map[string]bool
	bound     bool
	legacy    []Encoding // for each column of a Unicode file: TCVN3 or VNI text met in it
	asHeader  Encoding   // the same of the header row
}

// source yields raw records: cells are decoded to Unicode, not yet cleaned.
type source interface {
	records() iter.Seq2[record, error]
	Close() error
}

// record is one row as the file has it. An error beside it is a *dossier.RowError
// of this row alone, after which the sequence goes on, or the end of it.
type record struct {
	number int
	cells  []string
	cut    bool // the file ends inside the row
}

// Open recognises the file by its content, whatever its name, and reads its
// header. A file that is no table is a *dossier.RowError (row 0); any other
// error is of the machine. r must stay readable until Close.
func Open(name string, r io.ReaderAt, size int64) (*Sheet, error) {
	s := &Sheet{name: name}
	if err := s.open(r, size); err != nil {
		return nil, s.named(err)
	}
	if err := s.detectLegacy(); err != nil {
		return nil, s.named(errors.Join(err, s.Close()))
	}
	if err := s.findHeader(nil, nil); err != nil {
		return nil, s.named(errors.Join(err, s.Close()))
	}
	return s, nil
}

// Close releases what the sheet holds; it does not close the reader it was
// opened on.
func (s *Sheet) Close() error { return s.src.Close() }

// Name is the name the sheet was opened under.
func (s *Sheet) Name() string { return s.name }

// Format is what the file is.
func (s *Sheet) Format() Format { return s.format }

// Encoding is how the file's text is written. Text of an XLSX or UTF-8 file may
// still have been typed with TCVN3 or VNI fonts: see Converted.
func (s *Sheet) Encoding() Encoding { return s.encoding }

// Converted names, by header, the columns of a Unicode file whose text was
// recognised as typed with TCVN3 or VNI fonts and is converted.
func (s *Sheet) Converted() map[string]Encoding {
	out := map[string]Encoding{}
	for i, e := range s.legacy {
		if e != "" && i < len(s.header) {
			out[s.header[i]] = e
		}
	}
	return out
}

// Header is the header as written, cleaned.
func (s *Sheet) Header() []string { return s.header }

// HeaderRow is the number of the header's row: 1 unless something stands above it.
func (s *Sheet) HeaderRow() int { return s.headerRow }

// Has reports whether the table has the column, by its pinned name after Bind.
func (s *Sheet) Has(column string) bool {
	_, ok := s.index[column]
	return ok
}

// Row is a row of the table.
type Row struct {
	Number int // 1-based row as a person sees it in a spreadsheet program
	cells  []string
	index  map[string]int
}

// Get returns the cell of a column, by its pinned name after Bind and by its
// header before; "" where the column or the cell is not there. Dates of an XLSX
// read 2006-01-02, or 2006-01-02T15:04:05 where they have a time.
func (r Row) Get(column string) string {
	i, ok := r.index[column]
	if !ok || i >= len(r.cells) {
		return ""
	}
	return r.cells[i]
}

// Rows yields the rows below the header; empty ones are passed over. A row that
// cannot be read comes as a *dossier.RowError and the next ones follow; any
// other error ends the sequence and is of the machine.
func (s *Sheet) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for rec, err := range s.src.records() {
			var bad *dossier.RowError
			switch {
			case errors.As(err, &bad):
				if rec.number > s.headerRow || bad.Row == 0 {
					if !yield(Row{Number: rec.number, index: s.index}, s.named(err)) {
						return
					}
				}
				continue
			case err != nil:
				yield(Row{}, err)
				return
			case rec.number <= s.headerRow:
				continue
			}
			row, err := s.row(rec)
			if row.cells == nil && err == nil {
				continue
			}
			if !yield(row, s.named(err)) {
				return
			}
		}
	}
}

// row cleans a record and checks its shape; no cells: the row is empty.
func (s *Sheet) row(rec record) (Row, error) {
	row := Row{Number: rec.number, index: s.index}
	cells := make([]string, len(rec.cells))
	empty := true
	for i, c := range rec.cells {
		if i < len(s.legacy) && s.legacy[i] != "" {
			c = convert(c, s.legacy[i])
		}
		if len(c) > maxCell {
			return row, &dossier.RowError{Row: rec.number, Column: s.columnName(i), Reason: textTooLong}
		}
		v, ok := clean(c)
		if !ok {
			return row, &dossier.RowError{Row: rec.number, Column: s.columnName(i), Reason: textUnreadable}
		}
		if v != "" {
			empty = false
			if i >= len(s.columns) {
				return row, &dossier.RowError{Row: rec.number, Reason: tooManyCells(len(rec.cells), len(s.columns))}
			}
		}
		cells[i] = v
	}
	if empty {
		return row, nil
	}
	if short := len(rec.cells); s.format == CSV && short < len(s.columns) {
		for i := short; i < len(s.columns); i++ {
			// Excel leaves out the delimiters of empty cells at the end of a row;
			// only optional columns may be missing in this way, and never where
			// the file breaks off.
			if c := s.columns[i]; rec.cut || c != "" && s.bound && !s.optional[c] {
				return row, &dossier.RowError{Row: rec.number, Column: s.columnName(i), Reason: tooFewCells(short, len(s.columns))}
			}
		}
	}
	row.cells = cells
	return row, nil
}

// columnName names a column for a person: its pinned name, else its header,
// else its letter.
func (s *Sheet) columnName(i int) string {
	if i < len(s.columns) && s.columns[i] != "" {
		return s.columns[i]
	}
	if i < len(s.header) && s.header[i] != "" {
		return s.header[i]
	}
	return Letter(i)
}

// Letter is a column's letter in a spreadsheet program: A for 0, AA for 26.
func Letter(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return Letter(i/26-1) + string(rune('A'+i%26))
}

// named fills the file's name into row errors.
func (s *Sheet) named(err error) error {
	var bad *dossier.RowError
	if errors.As(err, &bad) {
		bad.File = s.name
	}
	return err
}

func notATable(vi, en string) error {
	return &dossier.RowError{Reason: dossier.Text{VI: vi, EN: en}}
}

var textUnreadable = dossier.Text{
	VI: "Ô chứa ký tự không đọc được. Hãy mở tệp gốc, sửa ô này và lưu lại dạng CSV UTF-8 hoặc XLSX.",
	EN: "The cell holds characters that cannot be read. Mend it in the source and save as CSV UTF-8 or XLSX.",
}

var textTooLong = dossier.Text{VI: "Ô quá dài.", EN: "The cell is too long."}

func tooManyCells(n, want int) dossier.Text {
	return dossier.Text{
		VI: fmt.Sprintf("Dòng có %d ô, tiêu đề chỉ có %d cột. Hãy kiểm tra dấu phân cách và dấu ngoặc kép.", n, want),
		EN: fmt.Sprintf("The row has more cells (%d) than the header columns (%d). Check the delimiters and quotes.", n, want),
	}
}

func tooFewCells(n, want int) dossier.Text {
	return dossier.Text{
		VI: fmt.Sprintf("Dòng chỉ có %d ô, tiêu đề có %d cột. Hãy kiểm tra xem dòng có bị ngắt không.", n, want),
		EN: fmt.Sprintf("The row has fewer cells (%d) than the header columns (%d). Check whether the row was broken.", n, want),
	}
}

// open sets format, encoding and source from the first bytes.
func (s *Sheet) open(r io.ReaderAt, size int64) error {
	head := make([]byte, 4096)
	n, err := r.ReadAt(head[:min(int64(len(head)), size)], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("sheet: %w", err)
	}
	head = head[:n]
	text := strings.ToLower(strings.TrimLeft(string(head), "\ufeff \t\r\n"))
	switch {
	case size == 0:
		return notATable("Tệp rỗng.", "The file is empty.")
	case strings.HasPrefix(string(head), "PK\x03\x04"):
		s.format, s.encoding = XLSX, UTF8
		s.src, err = openXLSX(r, size)
		return err
	case strings.HasPrefix(string(head), "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
		return notATable("Tệp là bảng tính Excel kiểu cũ (.xls) hoặc có mật khẩu. Hãy lưu lại dạng .xlsx không mật khẩu.",
			"The file is an old Excel workbook (.xls) or protected by a password. Save it as .xlsx without a password.")
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"), strings.HasPrefix(text, "<table"),
		strings.HasPrefix(text, "<?xml"), strings.HasPrefix(text, "<meta"):
		return notATable("Tệp là trang web hoặc XML, không phải bảng tính. Hãy mở bằng Excel và lưu lại dạng .xlsx.",
			"The file is a web page or XML, not a sheet. Open it in Excel and save it as .xlsx.")
	}
	s.format = CSV
	c, err := openCSV(r, size, head)
	if err != nil {
		return err
	}
	s.src, s.encoding = c, c.encoding
	return nil
}
