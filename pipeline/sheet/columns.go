package sheet

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// Column is a column that is looked for.
type Column struct {
	Name     string   // pinned name, what Row.Get is asked for
	Optional bool     // the file may lack it
	Also     []string // other headers it is known by; case, accents and punctuation do not matter
}

// Mapping adds headers: the header as it is written to the pinned name of the
// column, or to "" for a column to be passed over.
type Mapping map[string]string

// ReadMapping reads a mapping from a table with the columns header and column.
func ReadMapping(s *Sheet) (Mapping, error) {
	if bad, err := s.Bind([]Column{{Name: "header", Also: []string{"tiêu đề"}}, {Name: "column", Also: []string{"cột"}}}, nil); err != nil {
		return nil, err
	} else if len(bad) > 0 {
		return nil, bad[0]
	}
	m := Mapping{}
	for row, err := range s.Rows() {
		if err != nil {
			return nil, err
		}
		m[row.Get("header")] = row.Get("column")
	}
	return m, nil
}

// passedOver are headers that registers carry for people and nobody reads.
var passedOver = map[string]bool{"": true, "stt": true, "tt": true, "no": true, "ghichu": true, "note": true, "notes": true, "remark": true}

// Bind finds the columns in the header, which may stand below title lines. The
// error says that the table cannot be read: a *dossier.RowError for a column
// that is missing or there twice (errors.Join of several), anything else is of
// the machine. Columns that nobody asked for are passed over and come back as
// row errors of the header, so that a misspelt optional column is seen.
func (s *Sheet) Bind(columns []Column, m Mapping) (unknown []*dossier.RowError, err error) {
	names := map[string]string{}
	for _, c := range columns {
		names[fold(c.Name)] = c.Name
		for _, a := range c.Also {
			names[fold(a)] = c.Name
		}
	}
	for header, name := range m {
		names[fold(header)] = name
	}
	if err := s.findHeader(names, m); err != nil {
		return nil, s.named(err)
	}

	var bad []error
	for _, c := range columns {
		if _, ok := s.index[c.Name]; !ok && !c.Optional {
			bad = append(bad, s.named(&dossier.RowError{Row: s.headerRow, Column: c.Name, Reason: dossier.Text{
				VI: fmt.Sprintf("Thiếu cột %s. Dòng tiêu đề phải có cột này.", c.Name),
				EN: fmt.Sprintf("Column %s is missing. The header must have it.", c.Name)}}))
		}
	}
	seen := map[string]bool{}
	for i, name := range s.columns {
		switch key := fold(s.header[i]); {
		case name != "" && seen[name]:
			bad = append(bad, s.named(&dossier.RowError{Row: s.headerRow, Column: name, Reason: dossier.Text{
				VI: fmt.Sprintf("Cột %s xuất hiện hai lần. Hãy xóa bớt một cột.", name),
				EN: fmt.Sprintf("Column %s is there twice. Remove one of them.", name)}}))
		case name != "":
			seen[name] = true
		case !passedOver[key] && !mapsToNothing(names, key):
			e := &dossier.RowError{File: s.name, Row: s.headerRow, Column: s.header[i], Reason: dossier.Text{
				VI: "Cột không được dùng đến. Nếu là cột cần thiết, hãy sửa tên cột hoặc khai báo trong tệp ánh xạ.",
				EN: "The column is not used. If it is needed, mend its name or name it in the mapping file."}}
			unknown = append(unknown, e)
		}
	}
	if len(bad) > 0 {
		// Without the header it is not sure that the first line is a header at
		// all, so what stands in it is not repeated.
		return nil, errors.Join(bad...)
	}
	s.bound = true
	s.optional = map[string]bool{}
	for _, c := range columns {
		s.optional[c.Name] = c.Optional
	}
	return unknown, nil
}

func mapsToNothing(names map[string]string, key string) bool {
	v, ok := names[key]
	return ok && v == ""
}

// findHeader sets the header: of the first rows the one that has the most of
// the names, the first that is not empty where none has any.
func (s *Sheet) findHeader(names map[string]string, m Mapping) error {
	best, looked := -1, 0
	for rec, err := range s.src.records() {
		if err != nil {
			var bad *dossier.RowError
			if errors.As(err, &bad) && bad.Row > 0 {
				continue
			}
			return err
		}
		header, empty := make([]string, len(rec.cells)), true
		for i, c := range rec.cells {
			if s.asHeader != "" {
				c = convert(c, s.asHeader)
			}
			v, ok := clean(c)
			if !ok {
				v = ""
			}
			header[i] = v
			empty = empty && v == ""
		}
		if empty {
			if looked++; looked > maxHeaderRow {
				break
			}
			continue
		}
		found := 0
		for _, h := range header {
			if names[fold(h)] != "" {
				found++
			}
		}
		if found > best {
			best = found
			s.headerRow, s.header = rec.number, header
		}
		if looked++; names == nil || looked >= maxHeaderRow {
			break
		}
	}
	if best < 0 {
		return notATable("Tệp không có dòng nào.", "The file has no rows.")
	}
	for len(s.header) > 0 && s.header[len(s.header)-1] == "" {
		s.header = s.header[:len(s.header)-1]
	}
	if len(s.header) > maxColumns {
		return notATable(fmt.Sprintf("Bảng có hơn %d cột.", maxColumns), fmt.Sprintf("The table has more than %d columns.", maxColumns))
	}
	s.columns = make([]string, len(s.header))
	s.index = map[string]int{}
	for i, h := range s.header {
		name := h
		if names != nil {
			name = names[fold(h)]
		}
		s.columns[i] = name
		if _, ok := s.index[name]; !ok && name != "" {
			s.index[name] = i
		}
	}
	return nil
}

// fold makes headers comparable: lower case, without accents, letters and
// digits only.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch {
		case r == 'đ' || r == 'Đ':
			b.WriteByte('d')
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// Fold makes words comparable as headers are: lower case, without accents,
// blanks and punctuation ("Đã giải quyết" is "dagiaiquyet").
func Fold(s string) string { return fold(s) }

// clean makes a cell's text canonical: NFC, no outer blanks, no line breaks or
// odd blanks inside. It reports false for text that is not text.
func clean(s string) (string, bool) {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			plain = false
			break
		}
	}
	if !plain {
		ok := true
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '\t' || r == '\n' || r == '\r' || r == 0xa0 || r == 0x202f || r == 0x3000:
				return ' '
			case r == 0x200b || r == 0x200c || r == 0x200d || r == 0xfeff || r == 0xad || r == 0x2060 || r == 0x200e || r == 0x200f:
				return -1
			case r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Co, r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
				ok = false
			}
			return r
		}, s)
		if !ok {
			return "", false
		}
		s = norm.NFC.String(s)
	}
	s = strings.TrimSpace(s)
	if len(s) > 3 && strings.HasPrefix(s, `="`) && strings.HasSuffix(s, `"`) {
		s = strings.TrimSpace(s[2 : len(s)-1]) // how spreadsheets are made to keep 0012 as text
	}
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte("0123456789=+-@", s[1]) >= 0 {
		s = s[1:] // the mark for "this is text"
	}
	return s, true
}
