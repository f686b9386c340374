package signature_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf/signature"
)

// judgedAt is the time at which the test files are looked at.
var judgedAt = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func folder(t testing.TB) string { return filepath.Join(testneed.Root(t), "testdata", "signature") }

func trust(t testing.TB) signature.Trust {
	t.Helper()
	tr, err := signature.LoadTrust(filepath.Join(folder(t), "trust"))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func verify(t testing.TB, path string, tr signature.Trust) signature.Report {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	rep, err := signature.Verify(context.Background(), f, st.Size(), nil, tr, judgedAt)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// verdicts says what each folder of testdata/signature must come to. problem is
// that of one of the signatures.
var verdicts = map[string]struct {
	legal, legalWithoutTrust, changed, broken bool
	problem                                   string
}{
	"good":                 {legal: true, legalWithoutTrust: true},
	"timestamp-only":       {},
	"timestamp-invalid":    {legal: true, legalWithoutTrust: true, problem: "timestamp-invalid"},
	"tampered":             {broken: true, problem: "digest-mismatch"},
	"signature-invalid":    {broken: true, problem: "signature-invalid"},
	"certificate-mismatch": {broken: true, problem: "certificate-mismatch"},
	"signer-missing":       {problem: "signer-missing"},
	"malformed":            {broken: true, problem: "malformed"},
	"byte-range":           {broken: true, problem: "byte-range"},
	"changed-after":        {changed: true, problem: "changed-after"},
	"expired":              {legalWithoutTrust: true, problem: "expired"},
	"revoked":              {legalWithoutTrust: true, problem: "revoked"},
	"unknown-root":         {legalWithoutTrust: true, problem: "unknown-root"},
	"self-signed":          {legalWithoutTrust: true, problem: "self-signed"},
	"chain-missing":        {legalWithoutTrust: true, problem: "chain-missing"},
}

func TestVerdicts(t *testing.T) {
	dirs, err := os.ReadDir(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	tr := trust(t)
	seen := map[string]bool{}
	for _, d := range dirs {
		if d.Name() == "trust" {
			continue
		}
		want, ok := verdicts[d.Name()]
		if !ok {
			t.Errorf("testdata/signature/%s: no such verdict", d.Name())
			continue
		}
		files, err := filepath.Glob(filepath.Join(folder(t), d.Name(), "*.pdf"))
		if err != nil || len(files) == 0 {
			t.Errorf("testdata/signature/%s has no file (%v)", d.Name(), err)
		}
		seen[d.Name()] = true
		for _, f := range files {
			t.Run(d.Name()+"/"+strings.TrimSuffix(filepath.Base(f), ".pdf"), func(t *testing.T) {
				rep := verify(t, f, tr)
				if !rep.Signed || len(rep.Signatures) == 0 {
					t.Fatal("not seen as signed")
				}
				if rep.Legal != want.legal {
					t.Errorf("legal = %v, want %v", rep.Legal, want.legal)
				}
				// What is not intact may look changed besides: nobody vouches for the rest.
				if rep.Changed != want.changed && !rep.Broken {
					t.Errorf("changed = %v, want %v", rep.Changed, want.changed)
				}
				if rep.Broken != want.broken {
					t.Errorf("broken = %v, want %v", rep.Broken, want.broken)
				}
				hasProblem := want.problem == ""
				for _, s := range rep.Signatures {
					hasProblem = hasProblem || s.Problem == want.problem
					if want.problem == "" && s.Problem != "" {
						t.Errorf("problem %q", s.Problem)
					}
					if (want.problem == "revoked") != s.Revoked {
						t.Errorf("revoked = %v", s.Revoked)
					}
				}
				if !hasProblem {
					t.Errorf("no signature has the problem %q: %+v", want.problem, rep.Signatures)
				}
				if t.Failed() {
					for _, s := range rep.Signatures {
						t.Logf("%+v", s)
					}
				}
				if rep := verify(t, f, signature.Trust{}); rep.Legal != want.legalWithoutTrust {
					t.Errorf("legal without a trust folder = %v, want %v", rep.Legal, want.legalWithoutTrust)
				}
			})
		}
	}
	for name := range verdicts {
		if !seen[name] {
			t.Errorf("testdata/signature/%s is missing", name)
		}
	}
}

// The details of a few files, field by field.
func TestDetails(t *testing.T) {
	rep := verify(t, filepath.Join(folder(t), "good", "dss-and-document-timestamp.pdf"), trust(t))
	if len(rep.Signatures) != 2 {
		t.Fatalf("%d signatures, want 2", len(rep.Signatures))
	}
	a, b := rep.Signatures[0], rep.Signatures[1]
	signed := time.Date(2026, 1, 15, 2, 30, 0, 0, time.UTC)
	if a.Field != "Signature1" || a.Signer != "Cơ Quan Thử" || !a.SignedAt.Equal(signed) || !a.TimestampedAt.Equal(signed) ||
		!a.Intact || a.CoversWholeFile || !a.CoversRevision || a.ChangedAfter || !a.Trusted || a.DocumentStamp {
		t.Errorf("signature: %+v", a)
	}
	if !b.DocumentStamp || !b.Intact || !b.CoversWholeFile || !b.TimestampedAt.Equal(signed.AddDate(0, 1, 0)) {
		t.Errorf("document timestamp: %+v", b)
	}

	rep = verify(t, filepath.Join(folder(t), "good", "certified-2-then-signed.pdf"), trust(t))
	if len(rep.Signatures) != 2 || !rep.Signatures[0].Certification || rep.Signatures[1].Certification {
		t.Errorf("certification: %+v", rep.Signatures)
	}

	rep = verify(t, filepath.Join(folder(t), "changed-after", "two-signatures-shadow.pdf"), trust(t))
	for i, s := range rep.Signatures {
		if !s.ChangedAfter || !s.Intact || s.CoversWholeFile || !s.CoversRevision {
			t.Errorf("signature %d under a shadow: %+v", i, s)
		}
	}
	rep = verify(t, filepath.Join(folder(t), "changed-after", "shadow-then-signed.pdf"), trust(t))
	if s := rep.Signatures; len(s) != 2 || !s[0].ChangedAfter || s[1].ChangedAfter {
		t.Errorf("a change between two signatures concerns the first: %+v", s)
	}
	rep = verify(t, filepath.Join(folder(t), "changed-after", "signature-removed.pdf"), trust(t))
	if s := rep.Signatures; len(s) != 1 || s[0].Field != "Signature1" {
		t.Errorf("a signature taken out of the form: %+v", s)
	}
}

// A change that the next signer signed is told from one that nobody did.
func TestResigned(t *testing.T) {
	want := map[string]bool{"shadow-then-signed": true, "certified-1-then-signed": true, "certified-2-note-then-signed": true,
		"locked-all-then-filled": true, "locked-field-then-filled": true}
	files, err := filepath.Glob(filepath.Join(folder(t), "*", "*.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".pdf")
		if want[name] {
			seen++
		}
		if rep := verify(t, f, trust(t)); rep.Resigned != want[name] {
			t.Errorf("%s: resigned %v", name, rep.Resigned)
		}
	}
	if seen != len(want) {
		t.Errorf("%d of the files are there, want %d", seen, len(want))
	}
}

// An error of the reader or of the context is no verdict.
func TestFaults(t *testing.T) {
	path := filepath.Join(folder(t), "good", "ec.pdf")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := signature.Verify(ctx, strings.NewReader(string(b)), int64(len(b)), nil, signature.Trust{}, judgedAt); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := errors.New("disk on fire")
	for after := range 40 {
		r := &failing{b: b, after: after, err: broken}
		rep, err := signature.Verify(context.Background(), r, int64(len(b)), nil, signature.Trust{}, judgedAt)
		if r.failed != (err != nil) || err != nil && !errors.Is(err, broken) {
			t.Errorf("after %d reads: failed %v, error %v, report %+v", after, r.failed, err, rep)
		}
	}
	// Shorter than said: ours, too.
	if _, err := signature.Verify(context.Background(), strings.NewReader(string(b[:100])), int64(len(b)), nil, signature.Trust{}, judgedAt); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short: %v", err)
	}
}

type failing struct {
	b      []byte
	after  int
	err    error
	failed bool
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if f.after--; f.after < 0 {
		f.failed = true
		return 0, f.err
	}
	return strings.NewReader(string(f.b)).ReadAt(p, off)
}

func TestUnsigned(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testneed.Root(t), "testdata", "accept", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("testdata/accept is empty", err)
	}
	for _, f := range files {
		want := strings.HasPrefix(filepath.Base(f), "signed-")
		if rep := verify(t, f, trust(t)); rep.Signed != want || rep.Legal != want {
			t.Errorf("%s: signed %v, legal %v, want %v", filepath.Base(f), rep.Signed, rep.Legal, want)
		}
		if got := detect(t, f); got != want {
			t.Errorf("%s: Detect = %v, want %v", filepath.Base(f), got, want)
		}
	}
}

func detect(t testing.TB, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	ok, err := signature.Detect(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Names are found wherever they lie, and however they are escaped.
func TestDetectPlaces(t *testing.T) {
	found := func(b []byte) bool {
		ok, err := signature.Detect(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for _, text := range []string{"/ByteRange[0 1 2 3]", "/Byte#52ange [", "/#42#79#74#65#52#61#6e#67#65 7 0 R", "/Type /DocTimeStamp ", "/FT/Sig/V 3 0 R", "/SubFilter/ETSI.CAdES.detached", "/Sig"} {
		for at := 65536 - 80; at < 65536+300; at++ {
			b := append(bytes.Repeat([]byte("x"), at), text...)
			if !found(b) {
				t.Fatalf("%q at the end, at %d", text, at)
			}
			if !found(append(b, bytes.Repeat([]byte(" y"), 200)...)) {
				t.Fatalf("%q at %d", text, at)
			}
		}
	}
	for _, text := range []string{"/SigX ", "/ByteRanges ", "/Sign ", "ByteRange[0 1]", "/Type/Page "} {
		for at := 65536 - 80; at < 65536+300; at++ {
			if found(append(append(bytes.Repeat([]byte("x"), at), text...), bytes.Repeat([]byte(" y"), 200)...)) {
				t.Fatalf("%q at %d is no signature", text, at)
			}
		}
	}
	// A signature field in an object stream, its value elsewhere.
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	if _, err := io.WriteString(w, "4 0 <</FT/Sig/T(a)>>"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !found(append([]byte("3 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length 99>>\nstream\r\n"), z.Bytes()...)) {
		t.Error("a field in an object stream")
	}
}
