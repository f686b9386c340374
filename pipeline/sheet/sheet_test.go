package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"

	"sohoa/dossier"
)

func open(t testing.TB, data []byte) *Sheet {
	t.Helper()
	s, err := Open("test", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// rows renders what a sheet yields, one string a row: "3:a|b" or "3!column".
func rows(t testing.TB, s *Sheet) []string {
	t.Helper()
	var out []string
	for row, err := range s.Rows() {
		var bad *dossier.RowError
		if errors.As(err, &bad) {
			out = append(out, fmt.Sprintf("%d!%s", bad.Row, bad.Column))
			if bad.Reason.VI == "" || bad.Reason.EN == "" {
				t.Errorf("row %d: a reason lacks a language", bad.Row)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d:%s", row.Number, strings.Join(row.cells, "|")))
	}
	return out
}

func TestCSV(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"comma", "a,b\n1,2\n", "2:1|2"},
		{"semicolon", "a;b\n1,5;2\n", "2:1,5|2"},
		{"tab", "a\tb\n1\t2\n", "2:1|2"},
		{"mark", "\ufeffa,b\n1,2\n", "2:1|2"},
		{"sep line", "sep=;\na;b\n1;2\n", "2:1|2"},
		{"crlf, no end", "a,b\r\n1,2", "2:1|2"},
		{"cr", "a,b\r1,2\r3,4\r", "2:1|2 3:3|4"},
		{"blank lines count", "a,b\n\n1,2\n,\n3,4\n", "3:1|2 5:3|4"},
		{"quotes", "a,b\n\"x, \"\"y\"\"\nz\",2\n", "2:x, \"y\" z|2"},
		{"quote inside", "a,b\nXã \"A\" cũ,2\n", "2:Xã \"A\" cũ|2"},
		{"trimmed", "a,b\n\u00a0 1 \t,\ufeff2\u200b\n", "2:1|2"},
		{"text marks", "a,b\n=\"0012\",'0034\n", "2:0012|0034"},
		{"open quote", "a,b\n1,2\n\"3,4\n5,6\n", "2:1|2 3! 4:5|6"},
		{"too many cells", "a,b\n1,2,3\n4,5,\n", "2! 3:4|5|"},
		{"too few cells, cut", "a,b\n1,2\n3", "2:1|2 3!b"},
		{"bad utf-8", "a,b\nế,2\n\xff,3\nộộộộộộộộộộ,4\n", "2:ế|2 3!a 4:ộộộộộộộộộộ|4"},
		{"control", "a,b\n1\x01,2\n3,4\n", "2!a 3:3|4"},
		{"quoted header", "\"a;x\",\"b\"\n1,2\n", "2:1|2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, []byte(c.in))
			for range 2 { // rows can be read again
				if got := strings.Join(rows(t, s), " "); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

const sample = `mã;tên đơn vị
H51.01;Ủy ban nhân dân thành phố Sóc Trăng
H51.02;Ủy ban nhân dân huyện Kế Sách, xã An Lạc Thôn
H51.03;Sở Nông nghiệp và Phát triển nông thôn, Chi cục Thủy lợi
H51.04;Phường Khánh Hòa, thị xã Vĩnh Châu (đường Nguyễn Huệ)
`

func TestEncodings(t *testing.T) {
	encode := func(f func(string) []byte) []byte { return f(sample) }
	utf16 := func(e unicode.Endianness, bom unicode.BOMPolicy) func(string) []byte {
		return func(s string) []byte {
			b, err := unicode.UTF16(e, bom).NewEncoder().Bytes([]byte(s))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	for _, c := range []struct {
		name string
		data []byte
		want Encoding
	}{
		{"utf-8", []byte(sample), UTF8},
		{"utf-8 NFD", []byte(norm.NFD.String(sample)), UTF8},
		{"utf-16le", encode(utf16(unicode.LittleEndian, unicode.UseBOM)), UTF16LE},
		{"utf-16be", encode(utf16(unicode.BigEndian, unicode.UseBOM)), UTF16BE},
		{"utf-16le unmarked", encode(utf16(unicode.LittleEndian, unicode.IgnoreBOM)), UTF16LE},
		{"utf-16be unmarked", encode(utf16(unicode.BigEndian, unicode.IgnoreBOM)), UTF16BE},
		{"windows-1258", encode(func(s string) []byte { return toWindows1258(t, s) }), Windows1258},
		{"tcvn3", encode(func(s string) []byte { return toTCVN3(t, s) }), TCVN3},
		{"vni", encode(func(s string) []byte { return toVNI(t, s) }), VNI},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.data)
			if s.Encoding() != c.want {
				t.Errorf("recognised as %s", s.Encoding())
			}
			if unknown, err := s.Bind([]Column{{Name: "code", Also: []string{"Mã"}}, {Name: "name", Also: []string{"Tên đơn vị"}}}, nil); err != nil || len(unknown) > 0 {
				t.Fatal(err, unknown)
			}
			want := sample
			if c.want == TCVN3 {
				want = strings.ReplaceAll(want, "Ủ", "ủ") // TCVN3 has no such capital
			}
			lines := strings.Split(strings.TrimSpace(want), "\n")[1:]
			i := 0
			for row, err := range s.Rows() {
				if err != nil {
					t.Fatal(err)
				}
				if got := row.Get("code") + ";" + row.Get("name"); got != lines[i] {
					t.Errorf("row %d:\n%s\n%s", row.Number, got, lines[i])
				}
				i++
			}
			if i != len(lines) {
				t.Errorf("%d rows, want %d", i, len(lines))
			}
		})
	}
}

// A UTF-8 file or workbook into which text typed with old fonts was pasted: the
// bytes come as Windows-1252 letters. Each column is judged alone.
func TestOldFontsInUnicode(t *testing.T) {
	asLatin := func(b []byte) string {
		s, err := charmap.Windows1252.NewDecoder().Bytes(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(s)
	}
	text := []string{"Giấy chứng nhận quyền sử dụng đất", "Giấy phép xây dựng nhà ở riêng lẻ", "Quyết định công nhận hộ nghèo"}
	var b strings.Builder
	b.WriteString("a,b,c\n")
	for _, v := range text {
		fmt.Fprintf(&b, "%s,%s,%s\n", v, asLatin(toTCVN3(t, v)), asLatin(toVNI(t, v)))
	}
	s := open(t, []byte(b.String()))
	for i, got := range rows(t, s) {
		if want := fmt.Sprintf("%d:%s|%s|%s", i+2, text[i], text[i], text[i]); got != want {
			t.Errorf("\n%s\n%s", got, want)
		}
	}
	if c := s.Converted(); len(c) != 2 || c["b"] != TCVN3 || c["c"] != VNI {
		t.Errorf("converted: %v", c)
	}

	// Other languages stay what they are.
	s = open(t, []byte("a\nMüller & Söhne\nCafé crème\nSão Paulo\nÅngström\n"))
	if got := strings.Join(rows(t, s), " "); got != "2:Müller & Söhne 3:Café crème 4:São Paulo 5:Ångström" {
		t.Error(got)
	}
}

func TestTCVN3Capitals(t *testing.T) {
	for in, want := range map[string]string{
		"THñ TôC hµnh chÝnh": "THỦ TỤC hành chính",
		"ñy ban nh©n d©n":    "ủy ban nhân dân",
		"Bé X©y dùng":        "Bộ Xây dựng",
	} {
		if got := convert(in, TCVN3); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := convert("Coäng hoøa xaõ hoäi chuû nghóa Vieät Nam", VNI); got != "Cộng hòa xã hội chủ nghĩa Việt Nam" {
		t.Error(got)
	}
}

func TestBind(t *testing.T) {
	columns := []Column{{Name: "code", Also: []string{"mã"}}, {Name: "name"}, {Name: "extra", Optional: true}}
	for _, c := range []struct{ name, in, bad, unknown string }{
		{"any order, any case", "NAME,Code\n", "", ""},
		{"synonym", "name,MÃ\n", "", ""},
		{"missing", "name\n", "code", ""},
		{"all missing", "H51,x\n", "code name", ""},
		{"twice", "code,name,mã\n", "code", ""},
		{"unknown", "code,name,extar\n", "", "extar"},
		{"passed over", "STT,code,name,Ghi chú,\n", "", ""},
		{"mapped", "id,name,foo\n", "", ""},
		{"title above", "DANH SÁCH ĐƠN VỊ,\n,\ncode,name\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, []byte(c.in+"1,2\n"))
			unknown, err := s.Bind(columns, Mapping{"ID": "code", "foo": ""})
			var bad []string
			if err != nil {
				for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
					var r *dossier.RowError
					if !errors.As(e, &r) {
						t.Fatal(e)
					}
					bad = append(bad, r.Column)
				}
			}
			var others []string
			for _, e := range unknown {
				others = append(others, e.Column)
			}
			if got := strings.Join(bad, " "); got != c.bad {
				t.Errorf("bad: %q, want %q", got, c.bad)
			}
			if got := strings.Join(others, " "); got != c.unknown {
				t.Errorf("unknown: %q, want %q", got, c.unknown)
			}
		})
	}
}

func TestReadMapping(t *testing.T) {
	m, err := ReadMapping(open(t, []byte("Tiêu đề;Cột\nMã số lưu trữ;code\nGhi chú nội bộ;\n")))
	if err != nil || len(m) != 2 || m["Mã số lưu trữ"] != "code" {
		t.Fatal(m, err)
	}
	s := open(t, []byte("mã số lưu trữ,GHI CHÚ NỘI BỘ\nA,x\n"))
	unknown, err := s.Bind([]Column{{Name: "code"}}, m)
	if err != nil || len(unknown) > 0 {
		t.Fatal(unknown, err)
	}
	for row, err := range s.Rows() {
		if err != nil || row.Get("code") != "A" {
			t.Error(row, err)
		}
	}
	for _, bad := range []string{"a,b\n1,2\n", "header,header\n1,2\n", "header,column,more\n1,2,3\n"} {
		if _, err := ReadMapping(open(t, []byte(bad))); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestNotATable(t *testing.T) {
	for name, data := range map[string]string{
		"empty":   "",
		"blank":   "\n\n",
		"old xls": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....",
		"html":    "<html><table></table></html>",
		"binary":  "a,b\n\x00\x00\x01,2",
		"zip":     "PK\x03\x04 but no more",
	} {
		_, err := Open(name, strings.NewReader(data), int64(len(data)))
		var bad *dossier.RowError
		if !errors.As(err, &bad) || bad.File != name || bad.Reason.VI == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestXLSX(t *testing.T) {
	f := excelize.NewFile()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	style := func(format string) int {
		id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
		must(err)
		return id
	}
	date, err := f.NewStyle(&excelize.Style{NumFmt: 14})
	must(err)
	must(f.SetSheetRow("Sheet1", "A1", &[]any{"code", "name", "day", "time", "id", "number", "share"}))
	must(f.SetSheetRow("Sheet1", "A2", &[]any{"H51", " Sóc Trăng ", 45534, 45534.5, 12, 123456789012345, 0.6882}))
	must(f.SetCellStyle("Sheet1", "C2", "C2", date))
	must(f.SetCellStyle("Sheet1", "D2", "D2", style("dd/mm/yyyy hh:mm")))
	must(f.SetCellStyle("Sheet1", "E2", "E2", style("0000")))
	must(f.SetCellStyle("Sheet1", "F2", "F2", style("#,##0")))
	must(f.SetCellStyle("Sheet1", "G2", "G2", style("0.00%")))
	must(f.SetSheetRow("Sheet1", "A4", &[]any{"H52"}))
	var b bytes.Buffer
	must(f.Write(&b))
	s := open(t, b.Bytes())
	if s.Format() != XLSX {
		t.Error(s.Format())
	}
	want := "2:H51|Sóc Trăng|2024-08-30|2024-08-30T12:00:00|0012|123456789012345|68.82% 4:H52"
	if got := strings.Join(rows(t, s), " "); got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
}

func TestNumbersOfAWorkbook(t *testing.T) {
	for in, want := range map[string]string{
		"4.0999999999999996": "4.1", "1.0049459999999999": "1.004946", "1.2345678901234567E+15": "1234567890123456.8", "7.9E+10": "79000000000",
		"079123456789": "079123456789", "0.10": "0.10", "H51.04-240830-0001": "H51.04-240830-0001", "12345678901234567890": "12345678901234567890", "1E5": "1E5",
	} {
		if got := shortest(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	for _, c := range []struct{ stored, shown, want string }{
		{"45534", "08-30-24", "2024-08-30"}, {"45534.385416666664", "30/08/2024 09:15", "2024-08-30T09:15:00"}, {"45534", "45,534", "45534"},
		{"12", "0012", "0012"}, {"79012345678", "7.90E+10", "79012345678"}, {"0.6882", "68.82%", "68.82%"}, {"1200", "1,200 VND", "1200"}, {"Giấy", "Giấy ", "Giấy "},
	} {
		if got := meant(c.stored, c.shown, false); got != c.want {
			t.Errorf("%s shown %s: %s, want %s", c.stored, c.shown, got, c.want)
		}
	}
}

// The other way, for tests: NFC text to the old encodings.
func toTCVN3(t testing.TB, s string) []byte {
	t.Helper()
	back := map[rune]byte{}
	for i, r := range tcvn3 {
		if r != 0 {
			back[r] = byte(0xA1 + i)
		}
	}
	var out []byte
	for _, r := range norm.NFC.String(s) {
		b, ok := back[r]
		if !ok && r >= 0x80 { // capitals with tones: the small letter in a font of capitals
			b, ok = back[[]rune(strings.ToLower(string(r)))[0]]
		}
		switch {
		case ok:
			out = append(out, b)
		case r < 0x80:
			out = append(out, byte(r))
		default:
			t.Fatalf("no TCVN3 for %q", r)
		}
	}
	return out
}

func toVNI(t testing.TB, s string) []byte {
	t.Helper()
	alone := map[rune]byte{}
	for b, r := range vniAlone {
		alone[r] = b
		alone[[]rune(strings.ToUpper(string(r)))[0]] = b - 0x20
	}
	marks := map[string]byte{}
	for b, m := range vniMarks {
		marks[m] = b
	}
	var out []byte
	for _, r := range norm.NFC.String(s) {
		if r < 0x80 {
			out = append(out, byte(r))
			continue
		}
		if b, ok := alone[r]; ok {
			out = append(out, b)
			continue
		}
		// Base and marks; ơ and ư count as bases.
		d := []rune(norm.NFD.String(string(r)))
		base, rest := d[0], d[1:]
		var first []byte
		if n := indexRune(rest, 0x31b); n >= 0 {
			rest = append(append([]rune{}, rest[:n]...), rest[n+1:]...)
			first = []byte{alone[[]rune(norm.NFC.String(string(base) + "\u031b"))[0]]}
		} else {
			first = []byte{byte(base)}
		}
		// NFD puts the dot below before the circumflex.
		if len(rest) == 2 && rest[0] == 0x323 {
			rest[0], rest[1] = rest[1], rest[0]
		}
		m, ok := marks[string(rest)]
		if !ok {
			t.Fatalf("no VNI for %q (%q)", r, rest)
		}
		out = append(append(out, first...), m)
	}
	return out
}

func indexRune(s []rune, r rune) int {
	for i, x := range s {
		if x == r {
			return i
		}
	}
	return -1
}

func toWindows1258(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for _, r := range norm.NFC.String(s) {
		if b, err := charmap.Windows1258.NewEncoder().String(string(r)); err == nil {
			out = append(out, b...)
			continue
		}
		// The letter with its circumflex, breve or horn, then the tone.
		var base []rune
		var tone []rune
		for _, x := range norm.NFD.String(string(r)) {
			switch x {
			case 0x300, 0x301, 0x303, 0x309, 0x323:
				tone = append(tone, x)
			default:
				base = append(base, x)
			}
		}
		b, err := charmap.Windows1258.NewEncoder().String(norm.NFC.String(string(base)) + string(tone))
		if err != nil {
			t.Fatalf("%q: %v", r, err)
		}
		out = append(out, b...)
	}
	return out
}
