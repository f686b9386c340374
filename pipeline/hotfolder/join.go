package hotfolder

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// seriesName is how scanners number the pages of a document: scan_001.jpg.
var seriesName = regexp.MustCompile(`(?i)^(.*?)[ _-]*\(?([0-9]{1,6})\)?\.(jpe?g)$`)

// series is a document that came as one JPEG a page.
type series struct {
	stem  string // of the names, with the folder
	pages map[int]string
}

// member tells which series and page a file is.
func member(name string) (stem string, page int, ok bool) {
	folder, base := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		folder, base = name[:i+1], name[i+1:]
	}
	m := seriesName.FindStringSubmatch(base)
	// A dossier's code is no page number: H51-240830-0001.jpg.
	if m == nil || codeInName.FindString(base) == strings.TrimSuffix(base, "."+m[3]) {
		return "", 0, false
	}
	page, err := strconv.Atoi(m[2])
	return folder + m[1], page, err == nil
}

// inOrder returns the pages' files in their order, and whether none is lacking
// between the first and the last.
func (s series) inOrder() (names []string, whole bool) {
	first, last := 1<<30, -1
	for n := range s.pages {
		first, last = min(first, n), max(last, n)
	}
	for n := first; n <= last; n++ {
		if name, ok := s.pages[n]; ok {
			names = append(names, name)
		}
	}
	return names, len(names) == last-first+1
}

// errNotJPEG: the file does not begin as a JPEG does; what it is, the judge says.
var errNotJPEG = errors.New("not a JPEG file")

// jpegHead is what a PDF must know of a JPEG that it carries as it is.
type jpegHead struct {
	width, height, parts int
	dpi                  float64 // 0: not stated
	orientation          int     // EXIF: 1 upright
	inverted             bool    // CMYK as Adobe writes it
}

// readJPEGHead reads the markers up to the first scan, no picture data.
func readJPEGHead(r io.Reader) (jpegHead, error) {
	h := jpegHead{orientation: 1}
	b := bufio.NewReader(r)
	var two [2]byte
	if _, err := io.ReadFull(b, two[:]); err != nil || two != [2]byte{0xff, 0xd8} {
		return h, errNotJPEG
	}
	for range 1000 {
		c, err := b.ReadByte()
		if err != nil || c != 0xff {
			return h, errNotJPEG
		}
		for c == 0xff {
			if c, err = b.ReadByte(); err != nil {
				return h, errNotJPEG
			}
		}
		if c == 0x01 || c >= 0xd0 && c <= 0xd8 {
			continue // stands alone
		}
		if c == 0xd9 || c == 0xda {
			break
		}
		if _, err := io.ReadFull(b, two[:]); err != nil {
			return h, errNotJPEG
		}
		n := int(binary.BigEndian.Uint16(two[:])) - 2
		if n < 0 {
			return h, errNotJPEG
		}
		seg := make([]byte, n)
		if _, err := io.ReadFull(b, seg); err != nil {
			return h, errNotJPEG
		}
		switch {
		case c >= 0xc0 && c <= 0xcf && c != 0xc4 && c != 0xc8 && c != 0xcc:
			if n < 6 {
				return h, errNotJPEG
			}
			h.height, h.width, h.parts = int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:])), int(seg[5])
		case c == 0xe0 && n >= 12 && string(seg[:5]) == "JFIF\x00":
			h.density(seg[7], float64(binary.BigEndian.Uint16(seg[8:])))
		case c == 0xe1 && n > 14 && string(seg[:6]) == "Exif\x00\x00":
			h.exif(seg[6:])
		case c == 0xee && n >= 12 && string(seg[:5]) == "Adobe":
			h.inverted = true
		}
	}
	if h.width == 0 || h.height == 0 || h.parts != 1 && h.parts != 3 && h.parts != 4 {
		return h, errNotJPEG
	}
	return h, nil
}

func (h *jpegHead) density(unit byte, n float64) {
	switch {
	case unit == 1 && n > 1:
		h.dpi = n
	case unit == 2 && n > 1:
		h.dpi = n * 2.54
	}
}

// exif takes orientation and resolution out of the first directory.
func (h *jpegHead) exif(b []byte) {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(b, []byte("MM")) {
		order = binary.BigEndian
	}
	if len(b) < 8 {
		return
	}
	at := int(order.Uint32(b[4:]))
	if at < 8 || at+2 > len(b) {
		return
	}
	unit, n := byte(2), 0.0
	for i := range int(order.Uint16(b[at:])) {
		e := at + 2 + 12*i
		if e+12 > len(b) {
			return
		}
		value := int(order.Uint32(b[e+8:]))
		switch order.Uint16(b[e:]) {
		case 0x112:
			if o := int(order.Uint16(b[e+8:])); o >= 1 && o <= 8 {
				h.orientation = o
			}
		case 0x11a:
			if value >= 8 && value+8 <= len(b) {
				if d := order.Uint32(b[value+4:]); d > 0 {
					n = float64(order.Uint32(b[value:])) / float64(d)
				}
			}
		case 0x128:
			unit = byte(order.Uint16(b[e+8:]))
		}
	}
	if h.dpi == 0 {
		h.density(unit-1, n) // EXIF counts them 2 inch, 3 centimetre
	}
}

// join writes the JPEG files as one PDF, a page each, at their true size, their
// bytes as they are. The same files give the same bytes, so that handing them in
// again is recognised.
func join(w io.Writer, pages []*os.File, defaultDPI int) error {
	out := &pdfWriter{w: bufio.NewWriterSize(w, 256<<10)}
	out.text("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	kids := make([]string, len(pages))
	for i := range pages {
		kids[i] = fmt.Sprintf("%d 0 R", 3+3*i)
	}
	out.object(1, "<</Type/Catalog/Pages 2 0 R>>")
	out.object(2, fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", len(pages), strings.Join(kids, " ")))
	for i, f := range pages {
		if err := out.page(3+3*i, f, defaultDPI); err != nil {
			return err
		}
	}
	at := out.n
	out.text(fmt.Sprintf("xref\n0 %d\n0000000000 65535 f \n", len(out.at)+1))
	for _, o := range out.at {
		out.text(fmt.Sprintf("%010d 00000 n \n", o))
	}
	out.text(fmt.Sprintf("trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(out.at)+1, at))
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

type pdfWriter struct {
	w   *bufio.Writer
	n   int64
	at  []int64 // of the objects, from 1
	err error
}

func (p *pdfWriter) text(s string) {
	if p.err == nil {
		_, p.err = p.w.WriteString(s)
		p.n += int64(len(s))
	}
}

func (p *pdfWriter) object(n int, body string) {
	p.begin(n)
	p.text(body + "\nendobj\n")
}

func (p *pdfWriter) begin(n int) {
	if n != len(p.at)+1 {
		panic("hotfolder: objects out of order")
	}
	p.at = append(p.at, p.n)
	p.text(fmt.Sprintf("%d 0 obj\n", n))
}

// page writes a page, its content and its picture as objects n, n+1, n+2.
func (p *pdfWriter) page(n int, f *os.File, defaultDPI int) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h, err := readJPEGHead(f)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dpi := h.dpi
	if dpi == 0 {
		dpi = float64(defaultDPI)
	}
	w, t := float64(h.width)*72/dpi, float64(h.height)*72/dpi
	// Where the unit square goes, by EXIF orientation; the first four keep the
	// sides, the others swap them.
	pw, pt := w, t
	if h.orientation > 4 {
		pw, pt = t, w
	}
	m := [][6]float64{{}, {w, 0, 0, t, 0, 0}, {-w, 0, 0, t, w, 0}, {-w, 0, 0, -t, w, t}, {w, 0, 0, -t, 0, t},
		{0, -w, -t, 0, t, w}, {0, -w, t, 0, 0, w}, {0, w, t, 0, 0, 0}, {0, w, -t, 0, t, 0}}[h.orientation]
	content := fmt.Sprintf("q %.4f %.4f %.4f %.4f %.4f %.4f cm /I Do Q", m[0], m[1], m[2], m[3], m[4], m[5])
	p.object(n, fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %.4f %.4f]/Contents %d 0 R/Resources<</XObject<</I %d 0 R>>>>>>", pw, pt, n+1, n+2))
	p.object(n+1, fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(content), content))
	space := map[int]string{1: "/DeviceGray", 3: "/DeviceRGB", 4: "/DeviceCMYK"}[h.parts]
	if h.parts == 4 && h.inverted {
		space += "/Decode[1 0 1 0 1 0 1 0]"
	}
	p.begin(n + 2)
	p.text(fmt.Sprintf("<</Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace%s/Filter/DCTDecode/Length %d>>\nstream\n", h.width, h.height, space, size))
	if p.err != nil {
		return p.err
	}
	k, err := io.Copy(p.w, f)
	p.n += k
	if err != nil {
		return err
	}
	if k != size {
		return errChanged
	}
	p.text("\nendstream\nendobj\n")
	return p.err
}
