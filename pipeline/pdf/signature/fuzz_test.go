package signature

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"sohoa/internal/testneed"
)

// seeds adds the signature files of testdata to a fuzz target.
func seeds(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(testneed.Root(f), "testdata", "signature", "*", "*.pdf"))
	if err != nil || len(files) == 0 {
		f.Fatal("testdata/signature is empty", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzVerify runs without Verify's safety net, so that a panic is seen, and
// checks what must hold of any report.
func FuzzVerify(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &watched{ctx: t.Context(), r: bytes.NewReader(b)}
		v := &verifier{file: newFile(w, int64(len(b))), at: time.Unix(1.8e9, 0)}
		v.run()
		rep := v.report()
		if w.err != nil {
			t.Fatal(w.err)
		}
		if rep.Legal && (!rep.Signed || rep.Changed || rep.Broken) {
			t.Errorf("legal and not: %+v", rep)
		}
		for _, s := range rep.Signatures {
			if rep.Legal && (!s.Intact || !s.CoversRevision || s.ChangedAfter) {
				t.Errorf("legal with %+v", s)
			}
			if !s.Intact && s.Problem == "" {
				t.Errorf("not intact, and no problem named: %+v", s)
			}
		}
		if !rep.Signed {
			return
		}
		if ok, err := Detect(bytes.NewReader(b), int64(len(b))); !ok || err != nil {
			t.Errorf("signed and not detected: %v", err)
		}
	})
}

func FuzzDetect(f *testing.F) {
	seeds(f)
	f.Add([]byte("/Byte#52ange"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ok, err := Detect(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(b, []byte("/ByteRange[")); i >= 0 && !ok {
			t.Errorf("/ByteRange at %d and not detected", i)
		}
	})
}

func FuzzByteRange(f *testing.F) {
	for _, s := range []string{"[0 10 20 30]", "[0 10 20]", "[-1 2 3 4]", "[0 9223372036854775807 1 9223372036854775807]", "7 0 R", "[0 1 2 3", "[0 1.5 2 3]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := (&parser{b: []byte("<</ByteRange " + s + ">>"), base: -1, whole: true}).value(0)
		d, ok := v.(dict)
		if err != nil || !ok {
			return
		}
		r, ok := byteRange(d)
		if !ok {
			return
		}
		for _, n := range r {
			if n < 0 {
				t.Errorf("%q gives %v", s, r)
			}
		}
	})
}

func FuzzCMS(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(testneed.Root(f), "testdata", "signature", "*", "*.pdf"))
	if err != nil || len(files) == 0 {
		f.Fatal("testdata/signature is empty", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`/Contents<([0-9a-f]*)>`).FindAllSubmatch(b, -1) {
			raw := make([]byte, len(m[1])/2)
			if _, err := hex.Decode(raw, m[1]); err != nil {
				f.Fatal(err)
			}
			f.Add(bytes.TrimRight(raw, "\x00"))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCMS(b)
		if err != nil {
			return
		}
		if c.hash != 0 {
			_ = c.verify(c.certificate(nil), make([]byte, c.hash.Size()))
		}
		_, _ = parseStamp(b, nil)
		c.archived()
		c.signingTime()
	})
}

// Every byte that a signature covers counts, and nothing but blanks may follow.
func TestEveryByteCounts(t *testing.T) {
	for _, name := range []string{"ec.pdf", "two-signatures.pdf", "dss-and-document-timestamp.pdf", "object-streams.pdf"} {
		good, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", "signature", "good", name))
		if err != nil {
			t.Fatal(err)
		}
		legal := func(b []byte) bool {
			rep, err := Verify(context.Background(), bytes.NewReader(b), int64(len(b)), nil, Trust{}, time.Unix(1.8e9, 0))
			if err != nil {
				t.Fatal(err)
			}
			return rep.Legal
		}
		if !legal(good) {
			t.Fatalf("%s is not legal to begin with", name)
		}
		gaps := regexp.MustCompile(`/Contents<[0-9a-f]*>`).FindAllIndex(good, -1)
		tried := 0
		for i := 0; i < len(good); i += 17 {
			lo, hi := max(0, i-20), min(len(good), i+20)
			if slices.ContainsFunc(gaps, func(g []int) bool { return g[0]+len("/Contents<") <= i && i < g[1]-1 }) {
				continue // the message itself: certificates and padding in it are not signed
			}
			b := bytes.Clone(good)
			b[i] ^= 0x01
			tried++
			if legal(b) {
				t.Errorf("%s: legal with byte %d changed (%q)", name, i, good[lo:hi])
			}
		}
		if tried < 50 {
			t.Errorf("%s: only %d bytes tried", name, tried)
		}
		for _, more := range []string{"x", "%", "\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n", fmt.Sprintf("startxref\n%d\n%%%%EOF\n", 9), "\n%%EOF\n%garbage\n"} {
			if legal(append(bytes.Clone(good), more...)) {
				t.Errorf("%s: legal with %q behind it", name, more)
			}
		}
		for cut := 1; cut < 400; cut += 13 {
			if legal(good[:len(good)-cut]) && cut > 2 {
				t.Errorf("%s: legal with its last %d bytes cut off", name, cut)
			}
		}
	}
}
