package pdf_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf"
)

func TestNormalise(t *testing.T) {
	dir := testneed.Shared(t, "scans")
	pool := newPool(t, pdf.Options{})
	label := pdf.Label{Title: "Đơn đề nghị", Dossier: "H51.04-240830-0001", DocumentID: "0192", At: time.Date(2024, 8, 30, 1, 2, 3, 0, time.UTC)}
	for _, name := range []string{"c200_01p_01.pdf", "c200_03p_04.pdf", "g4_05p_24.pdf", "page_200dpi_colour.jpg", "page_300dpi_g4.tif", "ocr_clean200.png"} {
		t.Run(name, func(t *testing.T) {
			var outs [2][]byte
			for i := range outs {
				s, err := pool.Open(t.Context(), filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if _, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component}); err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(t.TempDir(), "copy.pdf")
				c, err := s.Normalise(t.Context(), out, label)
				if err != nil {
					t.Fatal(err)
				}
				if c.Conforms != dossier.PDFA2b {
					t.Fatalf("a plain scan became %+v", c)
				}
				if outs[i], err = os.ReadFile(out); err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(outs[i])
				if c.Size != int64(len(outs[i])) || string(c.SHA256) != hex.EncodeToString(sum[:]) {
					t.Errorf("size and digest are not those of the file: %+v", c)
				}
				s.Close()
			}
			if !bytes.Equal(outs[0], outs[1]) {
				t.Error("the same file and label gave different bytes")
			}
		})
	}
}

// TestSignedIsNotRewritten asks for a copy of a signed file, and of one that only
// looks as if it might be.
func TestSignedIsNotRewritten(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testneed.Shared(t, "scans"), "g4_02p_22.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	doubtful := tempFile(t, "doubtful.pdf", append(b, "\n% /Type /Sig /ByteRange [0 1 2 3]\n%%EOF\n"...))
	signed := filepath.Join(testneed.Root(t), "testdata", "accept", "signed-ec.pdf")
	pool := newPool(t, pdf.Options{Children: 1})
	for _, path := range []string{signed, doubtful} {
		s, err := pool.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Normalise(t.Context(), filepath.Join(t.TempDir(), "x.pdf"), pdf.Label{}); err == nil {
			t.Error("a copy before the verdict")
		}
		v, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component})
		if err != nil {
			t.Fatal(err)
		}
		if v.Signed != (path == signed) {
			t.Errorf("%s: signed: %v", filepath.Base(path), v.Signed)
		}
		out := filepath.Join(t.TempDir(), "copy.pdf")
		c, err := s.Normalise(t.Context(), out, pdf.Label{})
		if path == signed && !errors.Is(err, pdf.ErrSigned) || path == doubtful && (err != nil || c.Conforms != dossier.AsOriginal) {
			t.Errorf("%s: %+v, %v", filepath.Base(path), c, err)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something was written: %v", filepath.Base(path), err)
		}
		s.Close()
	}
}

// TestSignedForSecondReader: a signature is judged by the file's own bytes, also
// where only the second reader opens the file, and keeps the file from being
// rewritten there too.
func TestSignedForSecondReader(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", "flag", "read-by-second-reader", "signed.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	tampered := bytes.Replace(whole, []byte("/MediaBox[0 0 595"), []byte("/MediaBox[0 0 594"), 1)
	if bytes.Equal(whole, tampered) {
		t.Fatal("nothing to change")
	}
	pool := newPool(t, trusting(t))
	for name, c := range map[string]struct {
		data  []byte
		legal bool
	}{"whole": {whole, true}, "tampered": {tampered, false}} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, "signed.pdf", c.data)
			s, err := pool.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			v, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component})
			if err != nil {
				t.Fatal(err)
			}
			if !v.Signed || v.LegalValue != c.legal || v.Signatures[0].Intact != c.legal {
				t.Errorf("%+v", v)
			}
			if v.Findings[0].Flag != dossier.ReadBySecondReader {
				t.Errorf("the first reader took it: %+v", v.Findings)
			}
			out := filepath.Join(t.TempDir(), "copy.pdf")
			if _, err := s.Normalise(t.Context(), out, pdf.Label{}); !errors.Is(err, pdf.ErrSigned) {
				t.Errorf("normalising: %v", err)
			}
			_, err = inspect(t, pool, path, pdf.Question{Kind: dossier.ResultKind})
			var r *dossier.Rejection
			if errors.As(err, &r) == c.legal || r != nil && r.Reason != dossier.SignatureBroken {
				t.Errorf("as a result: %v", err)
			}
		})
	}
}
