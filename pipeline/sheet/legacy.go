package sheet

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

// tcvn3 is TCVN 5712:1993 VN3 from 0xA1 on; 0 is a byte it does not use. It has
// no capital letters with tone marks: there were fonts for those, in which the
// small letters look like capitals.
var tcvn3 = [...]rune{
	'Ă', 'Â', 'Ê', 'Ô', 'Ơ', 'Ư', 'Đ', 'ă', 'â', 'ê', 'ô', 'ơ', 'ư', 'đ',
	0xB5 - 0xA1: 'à', 'ả', 'ã', 'á', 'ạ',
	0xBB - 0xA1: 'ằ', 'ẳ', 'ẵ', 'ắ',
	0xC6 - 0xA1: 'ặ', 'ầ', 'ẩ', 'ẫ', 'ấ', 'ậ', 'è',
	0xCE - 0xA1: 'ẻ', 'ẽ', 'é', 'ẹ', 'ề', 'ể', 'ễ', 'ế', 'ệ', 'ì', 'ỉ',
	0xDC - 0xA1: 'ĩ', 'í', 'ị', 'ò',
	0xE1 - 0xA1: 'ỏ', 'õ', 'ó', 'ọ', 'ồ', 'ổ', 'ỗ', 'ố', 'ộ', 'ờ', 'ở', 'ỡ', 'ớ', 'ợ', 'ù',
	0xF1 - 0xA1: 'ủ', 'ũ', 'ú', 'ụ', 'ừ', 'ử', 'ữ', 'ứ', 'ự', 'ỳ', 'ỷ', 'ỹ', 'ý', 'ỵ',
}

// vniAlone are the letters VNI writes as one byte (small ones; capitals are
// 0x20 lower); vniMarks the marks it writes behind a vowel, as what the two
// together are in NFD.
var (
	vniAlone = map[byte]rune{0xEC: 'ì', 0xED: 'í', 0xE6: 'ỉ', 0xF3: 'ĩ', 0xF2: 'ị', 0xEE: 'ỵ', 0xF1: 'đ', 0xF4: 'ơ', 0xF6: 'ư'}
	vniMarks = map[byte]string{
		0xF9: "\u0301", 0xF8: "\u0300", 0xFB: "\u0309", 0xF5: "\u0303", 0xEF: "\u0323",
		0xE2: "\u0302", 0xE1: "\u0302\u0301", 0xE0: "\u0302\u0300", 0xE5: "\u0302\u0309", 0xE3: "\u0302\u0303", 0xE4: "\u0302\u0323",
		0xEA: "\u0306", 0xE9: "\u0306\u0301", 0xE8: "\u0306\u0300", 0xFA: "\u0306\u0309", 0xFC: "\u0306\u0303", 0xEB: "\u0306\u0323",
	}
)

// fromBytes makes Unicode of bytes typed with TCVN3 or VNI fonts. Bytes that
// the encoding does not use are read as Windows-1252.
func fromBytes(b []byte, e Encoding) string {
	var out strings.Builder
	out.Grow(len(b) + len(b)/2)
	if e == TCVN3 {
		for _, c := range b {
			if c >= 0xA1 && int(c-0xA1) < len(tcvn3) && tcvn3[c-0xA1] != 0 {
				out.WriteRune(tcvn3[c-0xA1])
			} else {
				out.WriteRune(charmap.Windows1252.DecodeByte(c))
			}
		}
		return capitals(out.String())
	}
	var vowel rune // the letter before, where a mark may follow it
	for _, c := range b {
		small := c
		if c >= 0xC0 && c < 0xE0 {
			small = c + 0x20
		}
		if mark, ok := vniMarks[small]; ok && takes(vowel, mark) {
			out.WriteString(mark)
			vowel = 0
			continue
		}
		r := charmap.Windows1252.DecodeByte(c)
		if alone, ok := vniAlone[small]; ok {
			r = alone
			if small != c {
				r = unicode.ToUpper(alone)
			}
		}
		out.WriteRune(r)
		vowel = unicode.ToLower(r)
	}
	return norm.NFC.String(out.String())
}

// takes reports whether the vowel can bear the VNI mark.
func takes(vowel rune, mark string) bool {
	first, _ := utf8.DecodeRuneInString(mark)
	switch first {
	case '\u0302':
		return vowel == 'a' || vowel == 'e' || vowel == 'o'
	case '\u0306':
		return vowel == 'a'
	}
	return strings.ContainsRune("aeouyơư", vowel) && vowel != 0
}

// capitals mends words typed in capitals in TCVN3, whose accented letters come
// out small: THñ TôC is THỦ TỤC.
func capitals(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		upper, lower, accented := 0, 0, 0
		for _, r := range w {
			switch {
			case r >= 'A' && r <= 'Z':
				upper++
			case r >= 'a' && r <= 'z':
				lower++
			case unicode.IsLower(r):
				accented++
			}
		}
		if upper >= 2 && lower == 0 && accented > 0 {
			words[i] = strings.ToUpper(w)
		}
	}
	return strings.Join(words, " ")
}

// convert undoes what a program did that took TCVN3 or VNI text for
// Windows-1252. Text that has letters from elsewhere was not such text and
// stays.
func convert(s string, e Encoding) string {
	b := make([]byte, 0, len(s))
	ascii := true
	for _, r := range s {
		if r < utf8.RuneSelf {
			b = append(b, byte(r))
			continue
		}
		ascii = false
		c, ok := charmap.Windows1252.EncodeRune(r)
		switch {
		case ok:
			b = append(b, c)
		case r >= 0x80 && r < 0xA0:
			b = append(b, byte(r))
		default:
			return s
		}
	}
	if ascii {
		return s
	}
	return fromBytes(b, e)
}

// detectLegacy looks at the first rows of a Unicode file for columns typed with
// TCVN3 or VNI fonts: fonts are chosen by cell, so each column is judged alone.
func (s *Sheet) detectLegacy() error {
	if s.encoding == Windows1258 || s.encoding == TCVN3 || s.encoding == VNI {
		return nil
	}
	type votes struct{ unicode, tcvn3, vni score }
	var columns []*votes
	head := &votes{}
	judge := func(v *votes, cell string) {
		if isASCII(cell) || v.unicode.words > sampleWords {
			return
		}
		v.unicode.add(norm.NFC.String(cell))
		v.tcvn3.add(convert(cell, TCVN3))
		v.vni.add(convert(cell, VNI))
	}
	verdict := func(v *votes) Encoding {
		best, e := v.tcvn3, TCVN3
		if v.vni.share() > best.share() {
			best, e = v.vni, VNI
		}
		if best.words >= 2 && best.share() >= 0.75 && v.unicode.share() < 0.5 {
			return e
		}
		return ""
	}
	rows := 0
	for rec, err := range s.src.records() {
		var bad *dossier.RowError
		if errors.As(err, &bad) && bad.Row > 0 {
			continue
		}
		if err != nil {
			return err
		}
		for i, cell := range rec.cells {
			if i >= maxColumns {
				break
			}
			for len(columns) <= i {
				columns = append(columns, &votes{})
			}
			if rows < maxHeaderRow {
				judge(head, cell)
			}
			if rows > 0 {
				judge(columns[i], cell)
			}
		}
		if rows++; rows >= sampleRows {
			break
		}
	}
	s.asHeader = verdict(head)
	s.legacy = make([]Encoding, len(columns))
	for i, v := range columns {
		s.legacy[i] = verdict(v)
	}
	return nil
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
