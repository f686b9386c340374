package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"sohoa/dossier"
)

// csvSource reads delimited text. It is not encoding/csv because that has no
// bound on memory (one stray quote and the rest of the file is one field), no
// way to go on after a broken row, and passes over empty lines without counting
// them, so that its rows are not the rows a person sees.
type csvSource struct {
	r         io.ReaderAt
	size      int64
	encoding  Encoding
	start     int64 // of the text: behind the byte-order mark
	delimiter byte
	skipFirst bool // the first line is Excel's "sep=;"
}

func (c *csvSource) Close() error { return nil }

// reader returns the text as UTF-8 or, for the old encodings, as it is: all of
// them have ASCII where ASCII is, so rows and cells can be cut before decoding.
func (c *csvSource) reader() io.Reader {
	raw := io.NewSectionReader(c.r, c.start, c.size-c.start)
	switch c.encoding {
	case UTF16LE:
		return transform.NewReader(raw, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder())
	case UTF16BE:
		return transform.NewReader(raw, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder())
	}
	return raw
}

func openCSV(r io.ReaderAt, size int64, head []byte) (*csvSource, error) {
	c := &csvSource{r: r, size: size, delimiter: ',', encoding: UTF8}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		c.start = 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		c.encoding, c.start = UTF16LE, 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		c.encoding, c.start = UTF16BE, 2
	default:
		c.encoding = unmarked(head)
		if c.encoding == UTF8 {
			e, err := c.recognise()
			if err != nil {
				return nil, err
			}
			c.encoding = e
		}
	}
	if err := c.findDelimiter(); err != nil {
		return nil, err
	}
	return c, nil
}

// unmarked recognises UTF-16 without a mark by its zero bytes.
func unmarked(head []byte) Encoding {
	var zero [2]int
	for i, b := range head {
		if b == 0 {
			zero[i%2]++
		}
	}
	half := len(head) / 2
	switch {
	case half > 2 && zero[1] > half/3 && zero[0] == 0:
		return UTF16LE
	case half > 2 && zero[0] > half/3 && zero[1] == 0:
		return UTF16BE
	}
	return UTF8
}

// recognise tells UTF-8 from the single-byte encodings by reading the whole
// file once: the first accent may stand in the last line. A few broken bytes in
// a UTF-8 file do not make it another; their rows will be named.
func (c *csvSource) recognise() (Encoding, error) {
	var valid, invalid int
	raw := c.reader()
	buf := make([]byte, 64<<10)
	for fill := 0; ; {
		n, err := io.ReadFull(raw, buf[fill:])
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			return "", fmt.Errorf("sheet: %w", err)
		}
		b := buf[:fill+n]
		if bytes.IndexByte(b, 0) >= 0 {
			return "", notATable("Tệp không phải là bảng (CSV hoặc XLSX).", "The file is not a table (CSV or XLSX).")
		}
		i := 0
		for i < len(b) {
			if b[i] < utf8.RuneSelf {
				i++
				continue
			}
			if !end && !utf8.FullRune(b[i:]) {
				break // goes in front of the next block
			}
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				invalid++
			} else {
				valid++
			}
			i += size
		}
		if end {
			break
		}
		fill = copy(buf, b[i:])
	}
	if invalid == 0 || valid > 10*invalid {
		return UTF8, nil
	}
	return c.singleByte()
}

// singleByte tells the old encodings apart by which of them gives Vietnamese
// syllables.
func (c *csvSource) singleByte() (Encoding, error) {
	scores := map[Encoding]*score{Windows1258: {}, TCVN3: {}, VNI: {}}
	lines := bufio.NewReaderSize(c.reader(), 64<<10)
	for scores[Windows1258].words < 10*sampleWords {
		line, err := lines.ReadSlice('\n')
		for e, s := range scores {
			s.add(decode(line, e))
		}
		if err == io.EOF {
			break
		}
		if err != nil && err != bufio.ErrBufferFull {
			return "", fmt.Errorf("sheet: %w", err)
		}
	}
	best := Windows1258
	for _, e := range []Encoding{TCVN3, VNI} {
		if scores[e].share() > scores[best].share() {
			best = e
		}
	}
	return best, nil
}

// decode makes Unicode of a cell.
func decode(cell []byte, e Encoding) string {
	ascii := true
	for _, b := range cell {
		if b >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return string(cell)
	}
	switch e {
	case Windows1258:
		s, err := charmap.Windows1258.NewDecoder().Bytes(cell)
		if err != nil {
			return string(utf8.RuneError)
		}
		return string(s)
	case TCVN3, VNI:
		return fromBytes(cell, e)
	}
	if !utf8.Valid(cell) {
		return string(utf8.RuneError) // the row will be named
	}
	return string(cell)
}

// findDelimiter takes the delimiter that the first rows have most of, outside
// quotes.
func (c *csvSource) findDelimiter() error {
	text := bufio.NewReaderSize(c.reader(), maxCell)
	head, err := text.Peek(maxCell)
	if err != nil && err != io.EOF {
		return fmt.Errorf("sheet: %w", err)
	}
	for n := 0; n < maxHeaderRow && len(head) > 0; n++ {
		line := head
		if i := bytes.IndexAny(head, "\r\n"); i >= 0 {
			line, head = head[:i], bytes.TrimLeft(head[i:], "\r\n")
		} else {
			head = nil
		}
		if n == 0 && len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) {
			c.skipFirst, c.delimiter = true, line[4]
			return nil
		}
		best := 0
		for _, d := range []byte{',', ';', '\t'} {
			if k := countOutside(line, d); k > best {
				best, c.delimiter = k, d
			}
		}
		if best > 0 {
			return nil
		}
	}
	return nil
}

func countOutside(line []byte, d byte) int {
	n, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"':
			quoted = !quoted
		case d:
			if !quoted {
				n++
			}
		}
	}
	return n
}

func (c *csvSource) records() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		lines := splitter{r: c.reader(), delimiter: c.delimiter}
		number, badQuotes := 0, 0
		if c.skipFirst {
			if _, _, err := lines.next(); err != nil && !errors.Is(err, io.EOF) {
				yield(record{}, fmt.Errorf("sheet: %w", err))
				return
			}
		}
		for {
			cells, cut, err := lines.next()
			number++
			rec := record{number: number, cut: cut}
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.Is(err, errOpenQuote) || errors.Is(err, errLongRecord):
				if badQuotes++; badQuotes > maxBadQuotes {
					yield(rec, notATable("Tệp có quá nhiều dấu ngoặc kép không khép hoặc dòng quá dài. Hãy lưu lại dạng CSV UTF-8 hoặc XLSX.",
						"The file has too many quotes left open, or rows too long. Save it again as CSV UTF-8 or XLSX."))
					return
				}
				if !yield(rec, &dossier.RowError{Row: number, Reason: dossier.Text{
					VI: "Dòng có dấu ngoặc kép không khép hoặc quá dài.",
					EN: "The row has a quote that is left open, or is too long."}}) {
					return
				}
				continue
			case err != nil:
				yield(record{}, fmt.Errorf("sheet: %w", err))
				return
			}
			rec.cells = make([]string, len(cells))
			for i, cell := range cells {
				rec.cells[i] = decode(cell, c.encoding)
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

var (
	errOpenQuote  = errors.New("a quote is left open")
	errLongRecord = errors.New("the row is too long")
)

// splitter cuts text into rows and cells as RFC 4180 has it, forgiving a quote
// inside a cell. Rows end with LF, CRLF or CR. It holds one row.
type splitter struct {
	r         io.Reader
	delimiter byte
	buf       []byte
	eof       bool
	cells     [][]byte
	scratch   []byte
}

// next returns the next row, valid until the call after it; cut says that the
// text ended inside the row. After errOpenQuote and errLongRecord the next call
// goes on with the line below the one where the broken row began.
func (s *splitter) next() (cells [][]byte, cut bool, err error) {
	for {
		n, cut, ok := s.parse()
		if ok {
			if n == 0 {
				return nil, false, io.EOF
			}
			s.buf = s.buf[n:]
			return s.cells, cut, nil
		}
		if s.eof {
			s.skipLine()
			return nil, false, errOpenQuote
		}
		if len(s.buf) >= maxRecord {
			if err := s.skipLongLine(); err != nil {
				return nil, false, err
			}
			return nil, false, errLongRecord
		}
		if err := s.fill(); err != nil {
			return nil, false, err
		}
	}
}

func (s *splitter) fill() error {
	block := make([]byte, len(s.buf), max(2*len(s.buf), 64<<10))
	copy(block, s.buf)
	n, err := io.ReadFull(s.r, block[len(s.buf):cap(block)])
	s.buf = block[:len(s.buf)+n]
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.eof, err = true, nil
	}
	return err
}

func (s *splitter) skipLine() bool {
	i := bytes.IndexAny(s.buf, "\r\n")
	if i < 0 {
		s.buf = nil
		return false
	}
	if s.buf[i] == '\r' && i+1 < len(s.buf) && s.buf[i+1] == '\n' {
		i++
	}
	s.buf = s.buf[i+1:]
	return true
}

func (s *splitter) skipLongLine() error {
	for !s.skipLine() && !s.eof {
		if err := s.fill(); err != nil {
			return err
		}
	}
	return nil
}

// parse finds the first row of the buffer. It returns the bytes it takes, or
// false where the buffer does not hold all of it.
func (s *splitter) parse() (n int, cut, ok bool) {
	b := s.buf
	s.cells, s.scratch = s.cells[:0], s.scratch[:0]
	if len(b) == 0 {
		return 0, false, s.eof
	}
	i := 0
	for {
		var cell []byte
		if i < len(b) && b[i] == '"' {
			from := len(s.scratch)
			i++
			for {
				k := bytes.IndexByte(b[i:], '"')
				if k < 0 {
					return 0, false, false
				}
				s.scratch = append(s.scratch, b[i:i+k]...)
				i += k + 1
				if i == len(b) {
					if !s.eof {
						return 0, false, false
					}
					break
				}
				if b[i] == '"' {
					s.scratch = append(s.scratch, '"')
					i++
					continue
				}
				if b[i] == s.delimiter || b[i] == '\n' || b[i] == '\r' {
					break
				}
				s.scratch = append(s.scratch, '"') // a quote inside the cell
			}
			cell = s.scratch[from:len(s.scratch):len(s.scratch)]
		} else {
			from := i
			for i < len(b) && b[i] != s.delimiter && b[i] != '\n' && b[i] != '\r' {
				i++
			}
			cell = b[from:i]
		}
		if i == len(b) && !s.eof {
			return 0, false, false
		}
		s.cells = append(s.cells, cell)
		switch {
		case i == len(b):
			return i, true, true
		case b[i] == s.delimiter && b[i] != '\n':
			i++
			continue
		case b[i] == '\r':
			if i+1 == len(b) && !s.eof {
				return 0, false, false
			}
			if i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
		}
		return i + 1, false, true
	}
}
