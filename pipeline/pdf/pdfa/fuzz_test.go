package pdfa_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline/pdf/pdfa"
)

// decodeBudget bounds one input: more than that is a hang.
const decodeBudget = 20 * time.Second

// FuzzFromPDF: no panic, no hang; what is converted passes Check, unless it shows
// text whose glyphs break a rule; every error is a refusal, because the source
// and the writer are sound.
func FuzzFromPDF(f *testing.F) {
	f.Add(onePage(useIm, draw, rgbImage("/SMask 6 0 R"), streamOf(imDict+"/ColorSpace /DeviceGray", samples(12))))
	f.Add(onePage("", "BI /W 4 /H 3 /BPC 8 /CS /RGB ID "+samples(36)+" EI"))
	f.Add(onePage("/Resources <</Font <</F 5 0 R>>>>", "BT 3 Tr /F 12 Tf (abc) Tj ET", "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"))
	for _, c := range fontSamples(f) {
		f.Add(c.page("BT /F 24 Tf 5 20 Td (AB) Tj ET"))
	}
	f.Add(onePage(useIm, draw, streamOf("/Type /XObject /Subtype /Image /Width 4 /Height 3 /BitsPerComponent 8 /ColorSpace [/DeviceN [/A /B] /DeviceRGB 6 0 R]", samples(24)), streamOf("/FunctionType 4 /Domain [0 1 0 1] /Range [0 1 0 1 0 1]", "{ 2 copy add }")))
	f.Add(onePage("/Resources <</Pattern <</P 5 0 R>>>>", "/Pattern cs /P scn 0 0 9 9 re f", streamOf("/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 5 5] /XStep 5 /YStep 5 /Resources <<>>", "0 0 3 3 re f")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), decodeBudget)
		defer cancel()
		var w bytes.Buffer
		_, err := pdfa.Convert(ctx, bytes.NewReader(raw), int64(len(raw)), &w, label)
		if err != nil {
			if !errors.Is(err, pdfa.ErrNotConvertible) {
				t.Fatal(err)
			}
			return
		}
		err = pdfa.Check(bytes.NewReader(w.Bytes()), int64(w.Len()))
		if errors.Is(err, pdfa.ErrNotPDFA) && showsText(raw) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func showsText(raw []byte) bool {
	s, err := pdfa.Look(context.Background(), bytes.NewReader(raw), int64(len(raw)))
	return err == nil && s.Text
}

// FuzzFromImage: no panic, no hang; an error is a rejection or a refusal.
func FuzzFromImage(f *testing.F) {
	px := masked(noise(1), 8)
	f.Add(encodeJPEG(f, 20, 10, false))
	f.Add(withExif(encodeJPEG(f, 20, 10, true), 6, 300))
	f.Add(encodePNG(f, expected(9, 7, tiffShape{photometric: 2, bits: 8}, px)))
	f.Add(makeTIFF(f, 20, 10, tiffShape{order: binary.LittleEndian, compression: 5, photometric: 2, bits: 8, samples: 3, rowsPer: 3}, px))
	f.Add(makeTIFF(f, 20, 10, tiffShape{order: binary.BigEndian, compression: 4, photometric: 0, bits: 1, samples: 1, tile: 16}, masked(px, 1)))
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), decodeBudget)
		defer cancel()
		if im, err := pdfa.InspectImage(bytes.NewReader(raw), int64(len(raw))); err == nil {
			for _, fr := range im.Frames {
				if fr.Width*fr.Height > 1<<22 {
					return // sound, but a large picture is no use here
				}
			}
		}
		var w bytes.Buffer
		_, err := pdfa.FromImage(ctx, bytes.NewReader(raw), int64(len(raw)), &w, label, 200)
		var rej *dossier.Rejection
		switch {
		case errors.As(err, &rej), errors.Is(err, pdfa.ErrNotConvertible):
		case err != nil:
			t.Fatal(err)
		default:
			if err := pdfa.Check(bytes.NewReader(w.Bytes()), int64(w.Len())); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzCheck: no panic, no hang, and every error says that it is not PDF/A.
func FuzzCheck(f *testing.F) {
	for _, raw := range [][]byte{onePage(useIm, draw, rgbImage("")), onePage("/Resources <</Font <</F 5 0 R>>>>", "BT 3 Tr /F 12 Tf (abc) Tj ET", "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>")} {
		copied, _, err := convert(raw)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(copied)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := pdfa.Check(bytes.NewReader(raw), int64(len(raw))); err != nil && !errors.Is(err, pdfa.ErrNotPDFA) {
			t.Fatal(err)
		}
	})
}
