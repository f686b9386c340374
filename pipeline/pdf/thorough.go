package pdf

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/klippa-app/go-pdfium/requests"

	"sohoa/dossier"
)

// maxDecodedPixels bounds a picture that the second reader decodes: it needs four
// bytes a pixel and half of a child's memory is its own. A0 at 200 dpi has 62
// million. Larger ones stay with what their segments state.
const maxDecodedPixels = 32 << 20

// decodeAll has the second reader decode every JPEG 2000 and JBIG2 picture to its
// last row: what their segments state says that the data is there, not that it is
// enough.
func (d *document) decodeAll(ctx context.Context, r reading, facts []*pageFacts) (err error) {
	var second *secondReader
	defer func() { second.close() }()
	seen := map[*picture]bool{}
	for i, f := range facts {
		for _, dr := range f.draws {
			for _, p := range []*picture{dr.img, dr.img.softMask} {
				if p == nil || seen[p] || p.filter != "JPXDecode" && p.filter != "JBIG2Decode" || p.stream == nil {
					continue
				}
				seen[p] = true
				if p.width <= 0 || p.height <= 0 || int64(p.width)*int64(p.height) > min(maxDecodedPixels, d.setup.Limits.Memory/16) {
					continue
				}
				if second == nil {
					d.note(response{Starting: true})
					second, err = startSecond(ctx, d.setup)
					d.note(response{})
					if err != nil {
						return err
					}
				}
				err := second.decode(r, p)
				vi, en := fmt.Sprintf("ảnh ở trang %d", i+1), fmt.Sprintf("image on page %d", i+1)
				switch {
				case err == nil:
				case errors.Is(err, errCut):
					return reject(dossier.Truncated, vi, en, err)
				case errors.Is(err, errBad):
					return reject(dossier.Damaged, vi, en, err)
				default:
					return err
				}
			}
		}
	}
	return nil
}

// decode reads a picture whole. errCut and errBad are about its data.
func (s *secondReader) decode(r reading, p *picture) error {
	data, err := r.beforeLast(p)
	if err != nil {
		return err
	}
	if p.filter == "JPXDecode" {
		// It reads by the letter: data that breaks off is an error.
		_, err := s.pixels(p, bytes.Clone(data), nil)
		return err
	}
	var globals []byte
	if g, ok := lookStream(r.src, r.parms(p)["JBIG2Globals"]); ok {
		if globals, err = decodedFrom(r.src, g, r.limit); err != nil {
			return errBad
		}
	}
	plain, err := s.pixels(p, bytes.Clone(data), globals)
	if err != nil {
		return err
	}
	// An arithmetic decoder never says that its data has ended: it goes on with
	// what lies behind. So something is laid behind the data of each segment,
	// which must not change the picture.
	behind := behindData()
	padded, err := s.pixels(p, padSegments(data, behind), padSegments(globals, behind))
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, padded) {
		return fmt.Errorf("%w: JBIG2 that reads beyond its end", errCut)
	}
	return nil
}

// behindData begins with a few bytes of what an arithmetic decoder is to be fed
// after the end (all ones, ISO/IEC 14492, E.3.4), for encoders leave those out, and
// goes on with noise.
func behindData() []byte {
	b := []byte{0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f}
	noise := rand.New(rand.NewPCG(1, 2))
	for range 4096 {
		b = append(b, byte(noise.UintN(255))) // no 0xff: no markers
	}
	return b
}

// padSegments lays something behind the data of every JBIG2 segment that is coded.
// Where it does not understand them it changes nothing.
func padSegments(data, behind []byte) []byte {
	if bytes.HasPrefix(data, []byte("\x97JB2")) {
		return data
	}
	var out []byte
	for b := data; len(b) > 0; {
		s, err := readSegment(b)
		if err != nil || s.long == jbig2Unknown || int64(s.head)+s.long > int64(len(b)) {
			return append(out, b...)
		}
		end := s.head + int(s.long)
		at := len(out)
		out = append(out, b[:end]...)
		if s.kind <= 43 { // dictionaries and regions; the rest are remarks
			out = append(out, behind...)
			binary.BigEndian.PutUint32(out[at+s.head-4:], uint32(int(s.long)+len(behind)))
		}
		b = b[end:]
	}
	return out
}

// pixels decodes a picture alone on a page of its own.
func (s *secondReader) pixels(p *picture, data, globals []byte) ([]byte, error) {
	file := pictureFile(p, data, globals)
	doc, err := s.inst.OpenDocument(&requests.OpenDocument{File: &file})
	if err != nil {
		return nil, fmt.Errorf("decoding a picture: %w", pdfiumError(err))
	}
	defer func() {
		// What fails to close ends with the reader.
		_, _ = s.inst.FPDF_CloseDocument(&requests.FPDF_CloseDocument{Document: doc.Document})
	}()
	page, err := s.inst.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: doc.Document, Index: 0})
	if err != nil {
		return nil, fmt.Errorf("decoding a picture: %w", pdfiumError(err))
	}
	defer func() { _, _ = s.inst.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: page.Page}) }()
	obj, err := s.inst.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: requests.Page{ByReference: &page.Page}, Index: 0})
	if err != nil {
		return nil, fmt.Errorf("decoding a picture: %w", pdfiumError(err))
	}
	bm, err := s.inst.FPDFImageObj_GetBitmap(&requests.FPDFImageObj_GetBitmap{ImageObject: obj.PageObject})
	if err != nil {
		return nil, fmt.Errorf("%w: the second reader cannot decode it", errBad)
	}
	defer func() { _, _ = s.inst.FPDFBitmap_Destroy(&requests.FPDFBitmap_Destroy{Bitmap: bm.Bitmap}) }()
	buf, err := s.inst.FPDFBitmap_GetBuffer(&requests.FPDFBitmap_GetBuffer{Bitmap: bm.Bitmap})
	if err != nil {
		return nil, fmt.Errorf("decoding a picture: %w", pdfiumError(err))
	}
	return bytes.Clone(buf.Buffer), nil
}

// pictureFile is a PDF of one page with one picture. PDFium finds the objects
// without a cross-reference.
func pictureFile(p *picture, data, globals []byte) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type /Pages /Count 1 /Kids [3 0 R]>>\nendobj\n" +
		"3 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources <</XObject <</Im 5 0 R>>>>>>\nendobj\n")
	stream := func(num int, d string, body []byte) {
		fmt.Fprintf(&b, "%d 0 obj\n<<%s /Length %d>>\nstream\n", num, d, len(body))
		b.Write(body)
		b.WriteString("\nendstream\nendobj\n")
	}
	stream(4, "", []byte("100 0 0 100 0 0 cm /Im Do"))
	d := fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /Filter /%s", p.width, p.height, p.filter)
	if p.filter == "JBIG2Decode" {
		d += " /BitsPerComponent 1 /ColorSpace /DeviceGray"
		if globals != nil {
			d += " /DecodeParms <</JBIG2Globals 6 0 R>>"
		}
	}
	stream(5, d, data)
	if globals != nil {
		stream(6, "", globals)
	}
	b.WriteString("trailer\n<</Root 1 0 R /Size 7>>\nstartxref\n0\n%%EOF\n")
	return b.Bytes()
}
