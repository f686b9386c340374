package signature

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"io"
	"slices"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sohoa/dossier"
)

// maxSignatures bounds the work: each signature costs a digest of what it covers.
const maxSignatures = 200

// Verify judges the signatures of the file. at is the moment of judging (the
// time of reception), at which a signature that claims no time is looked at.
//
// src is the file as pdfcpu read it, nil where it could not; it only helps to
// notice that a signature escaped us, which makes the file broken rather than
// unsigned.
//
// Whatever the file holds, the answer is a report. An error means that r could
// not be read or ctx is done; it says nothing about the file.
func Verify(ctx context.Context, r io.ReaderAt, size int64, src *model.Context, trust Trust, at time.Time) (rep Report, err error) {
	w := &watched{ctx: ctx, r: r}
	defer func() {
		// What a reader of ours stumbles over was put there on purpose: no verdict
		// but the worst one would be safe.
		if p := recover(); p != nil {
			rep = Report{Signed: true, Broken: true, Signatures: []dossier.Signature{{Problem: errMalformed.code}}}
		}
		if w.err != nil {
			rep, err = Report{}, w.err
		}
	}()
	v := &verifier{file: newFile(w, size), trust: trust, at: at}
	v.run()
	if len(v.sigs) == 0 && seenBy(src) {
		v.sigs = append(v.sigs, &found{verdict: dossier.Signature{Problem: errMalformed.code}})
	}
	return v.report(), nil
}

// seenBy reports whether pdfcpu found a field that is signed. (Its
// SignatureExist only repeats /SigFlags, which outlives the signatures.)
func seenBy(src *model.Context) bool {
	if src == nil || src.XRefTable == nil {
		return false
	}
	for _, increment := range src.Signatures {
		for _, s := range increment {
			if s.Signed {
				return true
			}
		}
	}
	return false
}

// verifier is one run of Verify.
type verifier struct {
	*file
	trust Trust
	at    time.Time

	last *doc // the file as it is now, nil where its structure cannot be followed
	sigs []*found
	dss  []*x509.Certificate // nil: not looked at yet

	resigned bool // see Report
}

// found is a signature with what is known of it.
type found struct {
	field
	verdict dossier.Signature
	ranges  [4]int64
	end     int64 // what it covers ends here; 0 where the byte range is wrong
	locks   []lock
	certify int64 // 1, 2, 3: permission of a certification; 0: none
	state   *doc  // the file as it was when this was made; nil where that cannot be told
}

func (v *verifier) run() {
	var err error
	if v.last, err = v.open(v.size); err != nil {
		v.last = nil
	}
	known := map[int64]bool{}
	add := func(f field) {
		if f.at >= 0 && known[f.at] || len(v.sigs) >= maxSignatures {
			return
		}
		known[f.at] = true
		v.sigs = append(v.sigs, &found{field: f, verdict: dossier.Signature{Field: f.name}})
	}
	if v.last != nil {
		for _, f := range v.last.fields() {
			add(f)
		}
		v.removed(add)
	} else {
		for _, f := range v.strays() {
			add(f)
		}
	}
	for _, s := range v.sigs {
		v.examine(s)
	}
	slices.SortStableFunc(v.sigs, func(a, b *found) int { return cmp.Compare(a.end, b.end) })
	v.followUp()
	for _, s := range v.sigs {
		s.verdict.Problem = firstOf(s.verdict.Problem, s.afterwards())
	}
}

// afterwards is the problem of a signature that is good in itself.
func (s *found) afterwards() string {
	if s.verdict.ChangedAfter {
		return "changed-after"
	}
	return ""
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// removed finds signatures that a later revision took out of the form: they
// were made, and someone would rather they had not been.
func (v *verifier) removed(add func(field)) {
	const step, overlap = 1 << 18, 64
	key := []byte("/ByteRange")
	tried := 0
	for off := int64(0); off < v.size; off += step {
		b, err := v.bytes(off, step+overlap)
		if err != nil {
			return
		}
		for i := 0; ; {
			j := bytes.Index(b[i:], key)
			if j < 0 || i+j >= step {
				break
			}
			i += j + len(key)
			if tried++; tried > 4*maxSignatures {
				return
			}
			sig, ok := v.around(off + int64(i))
			if !ok {
				continue
			}
			r, ok := byteRange(sig)
			if !ok || r[2]+r[3] > v.size || r[2]+r[3] < r[2] {
				continue
			}
			state, err := v.open(r[2] + r[3])
			if err != nil {
				continue
			}
			for _, f := range state.fields() {
				if f.at == contentsAt(sig) && f.at >= 0 {
					add(f)
				}
			}
		}
	}
}

// around reads the dictionary object in which pos lies.
func (v *verifier) around(pos int64) (dict, bool) {
	base := max(0, pos-1<<20)
	b, err := v.bytes(base, int(pos-base))
	if err != nil {
		return nil, false
	}
	for tries := 0; tries < 4; tries++ {
		i := bytes.LastIndex(b, []byte("obj"))
		if i < 0 {
			return nil, false
		}
		b = b[:i]
		if start, ok := objectStart(b, i); ok {
			d, ok := v.object(base + int64(start)).val.(dict)
			return d, ok
		}
	}
	return nil, false
}

// unknowable tells the problems that are ours: the signature may be good, and
// we cannot tell. That is no reason to refuse a file, and none to call it legal.
func unknowable(problem string) bool {
	return problem == errUnsupported.code || problem == errNoSigner.code
}

// report sums up.
func (v *verifier) report() Report {
	rep := Report{Signed: len(v.sigs) > 0, Resigned: v.resigned}
	people, good := 0, true
	for _, s := range v.sigs {
		d := s.verdict
		rep.Signatures = append(rep.Signatures, d)
		rep.Changed = rep.Changed || d.ChangedAfter
		rep.Broken = rep.Broken || !d.CoversRevision || !d.Intact && !unknowable(d.Problem)
		good = good && d.Intact
		if d.DocumentStamp {
			continue
		}
		people++
		if v.trust.set && (!d.Trusted || d.Revoked) {
			good = false
		}
	}
	rep.Legal = people > 0 && good && !rep.Changed && !rep.Broken
	return rep
}
