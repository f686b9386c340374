package sheet

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// xlsxSource reads the first visible worksheet that has anything in it.
type xlsxSource struct {
	f        *excelize.File
	sheet    string
	date1904 bool
}

const (
	maxOtherParts = 64 << 20 // pictures, styles and the like are held in memory
	inMemory      = 16 << 20 // larger worksheets are unpacked into temporary files
)

func openXLSX(r io.ReaderAt, size int64) (source, error) {
	if err := checkZip(r, size); err != nil {
		return nil, err
	}
	var x *xlsxSource
	err := guarded(func() error {
		f, err := excelize.OpenReader(io.NewSectionReader(r, 0, size),
			excelize.Options{UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: inMemory})
		if err != nil {
			return brokenWorkbook(err)
		}
		x = &xlsxSource{f: f}
		if props, err := f.GetWorkbookProps(); err == nil && props.Date1904 != nil {
			x.date1904 = *props.Date1904
		}
		return x.choose()
	})
	if err != nil && x != nil {
		err = errors.Join(err, x.Close())
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// checkZip looks at the directory of the zip before anything is unpacked, and
// through each worksheet: the library takes one that breaks off for one that
// ends, and has no bounds of its own inside.
func checkZip(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(io.NewSectionReader(r, 0, size), size)
	if err != nil {
		return brokenWorkbook(err)
	}
	tooBig := notATable("Bảng tính quá lớn. Hãy chia thành nhiều tệp hoặc lưu lại dạng CSV UTF-8.",
		"The workbook is too big. Split it, or save it as CSV UTF-8.")
	if size > maxWorkbook || len(z.File) > 10_000 {
		return tooBig
	}
	workbook := false
	var all, other uint64
	for _, f := range z.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		workbook = workbook || name == "xl/workbook.xml"
		all += f.UncompressedSize64
		streamed := name == "xl/sharedstrings.xml" || strings.HasPrefix(name, "xl/worksheets/sheet")
		if !streamed {
			other += f.UncompressedSize64
		}
		if f.UncompressedSize64 > maxUnzipped || all > maxUnzipped || other > maxOtherParts {
			return tooBig
		}
		if streamed && strings.HasSuffix(name, ".xml") {
			if err := checkPart(f); err != nil {
				return err
			}
		}
	}
	if !workbook {
		return notATable("Tệp nén này không phải là bảng tính XLSX. Hãy lưu lại dạng .xlsx.", "This archive is not an XLSX workbook. Save the sheet as .xlsx.")
	}
	return nil
}

// checkPart reads a part to its end: its length and sum, its elements all closed
// and not nested beyond reason, no piece of text beyond what a cell may hold.
func checkPart(f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return brokenWorkbook(err)
	}
	defer r.Close()
	d := xml.NewDecoder(bufio.NewReaderSize(&leash{r: r}, 64<<10))
	for depth := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return brokenWorkbook(err)
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > 64 {
				return brokenWorkbook(errors.New("nested too deep"))
			}
		case xml.EndElement:
			depth--
		}
	}
}

// leash ends the reading of XML in which no tag begins for too long: the decoder
// would hold all of it.
type leash struct {
	r     io.Reader
	since int
}

func (l *leash) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if i := bytes.LastIndexByte(p[:n], '<'); i >= 0 {
		l.since = n - i
	} else if l.since += n; l.since > maxRecord {
		return 0, errors.New("a piece of text is too long")
	}
	return n, err
}

// brokenWorkbook: the library's errors on opening are about the bytes, which
// are all in memory by then.
func brokenWorkbook(err error) error {
	if err == nil {
		return nil
	}
	return notATable("Bảng tính bị hỏng hoặc có mật khẩu, không đọc được. Hãy mở bằng Excel và lưu lại dạng .xlsx.",
		"The workbook is damaged or protected by a password. Open it in Excel and save it as .xlsx again.")
}

// guarded turns a panic of the library on a malformed workbook into its
// rejection.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = brokenWorkbook(fmt.Errorf("panic: %v", p))
		}
	}()
	return f()
}

func (x *xlsxSource) Close() error {
	if err := x.f.Close(); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	return nil
}

// choose takes the first visible worksheet with a row that is not empty.
func (x *xlsxSource) choose() error {
	for _, name := range x.f.GetSheetList() {
		if visible, err := x.f.GetSheetVisible(name); err != nil || !visible {
			continue
		}
		x.sheet = name
		for rec, err := range x.records() {
			if err != nil {
				return err
			}
			if strings.TrimSpace(strings.Join(rec.cells, "")) != "" {
				return nil
			}
			if rec.number > maxHeaderRow {
				break
			}
		}
	}
	return notATable("Bảng tính không có dữ liệu.", "The workbook holds no rows.")
}

func (x *xlsxSource) records() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		// The library gives a cell either as stored or as shown, so the rows are
		// read twice, side by side: only both together tell a date from a number
		// and a code with leading zeros from a rounded figure.
		var stored, shown *excelize.Rows
		err := guarded(func() (err error) {
			if stored, err = x.f.Rows(x.sheet); err != nil {
				return brokenWorkbook(err)
			}
			if shown, err = x.f.Rows(x.sheet); err != nil {
				return errors.Join(brokenWorkbook(err), stored.Close())
			}
			return nil
		})
		if err != nil {
			yield(record{}, err)
			return
		}
		defer func() { _, _ = stored.Close(), shown.Close() }() // reading only
		for number := 1; ; number++ {
			var rec record
			more := false
			err := guarded(func() error {
				if more = stored.Next() && shown.Next(); !more {
					if err := errors.Join(stored.Error(), shown.Error()); err != nil {
						return brokenWorkbook(err)
					}
					return nil
				}
				raw, err := stored.Columns(excelize.Options{RawCellValue: true})
				if err != nil {
					return brokenWorkbook(err)
				}
				as, err := shown.Columns()
				if err != nil {
					return brokenWorkbook(err)
				}
				rec = record{number: number, cells: raw}
				for i := range raw {
					if i < len(as) && as[i] != raw[i] {
						raw[i] = meant(raw[i], as[i], x.date1904)
					}
					raw[i] = shortest(raw[i])
				}
				return nil
			})
			if err != nil {
				yield(rec, err)
				return
			}
			if !more || !yield(rec, nil) {
				return
			}
		}
	}
}

// meant is what a cell says, given what is stored and what is shown.
func meant(stored, shown string, date1904 bool) string {
	v, err := strconv.ParseFloat(stored, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return shown
	}
	if digits(shown) && digits(stored) && strings.TrimLeft(shown, "0") == strings.TrimLeft(stored, "0") {
		return shown // a code with its leading zeros
	}
	if strings.HasSuffix(shown, "%") {
		return shown
	}
	if _, err := strconv.ParseFloat(strings.ReplaceAll(shown, ",", ""), 64); err == nil {
		return stored // rounded, grouped or with an exponent
	}
	if s, ok := serialDate(v, date1904); ok && dateLike(shown) {
		return s
	}
	return stored
}

// shortest writes a number as a person typed it: a workbook keeps 4.1 as
// 4.0999999999999996. Only what a workbook alone writes is touched.
func shortest(s string) string {
	if len(s) < 16 && !strings.Contains(s, "E+") && !strings.Contains(s, "E-") || !strings.ContainsAny(s, ".E") || strings.Trim(s, "0123456789.E+-") != "" {
		return s
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(v) >= 1e21 {
		return s
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// dateLike: digits in groups with the separators of dates between them.
func dateLike(s string) bool {
	groups, in := 0, false
	for _, r := range s {
		d := r >= '0' && r <= '9'
		if d && !in {
			groups++
		}
		in = d
	}
	return groups >= 2 && strings.LastIndexAny(s, "/:-") > 0
}

// serialDate reads a spreadsheet's day number: 2006-01-02, or with the time
// where it has one.
func serialDate(v float64, date1904 bool) (string, bool) {
	if v < 1 || v >= 2_958_466 {
		return "", false
	}
	t, err := excelize.ExcelDateToTime(v, date1904)
	if err != nil {
		return "", false
	}
	t = t.Round(time.Second)
	if t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 {
		return t.Format(time.DateOnly), true
	}
	return t.Format("2006-01-02T15:04:05"), true
}

// SerialDate reads a day number that a spreadsheet program stored without a
// date format: 45534 is 2024-08-30.
func SerialDate(s string) (string, bool) {
	if s == "" || s[0] < '1' || s[0] > '9' {
		return "", false
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return "", false
	}
	return serialDate(v, false)
}
