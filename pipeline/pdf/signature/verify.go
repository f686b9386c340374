package signature

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

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

// byteRange reads the two ranges.
func byteRange(sig dict) (r [4]int64, ok bool) {
	v, ok := sig.once("ByteRange")
	a, isArray := v.([]any)
	if !ok || !isArray || len(a) != 4 {
		return r, false
	}
	for i := range r {
		n, ok := a[i].(int64)
		if !ok || n < 0 {
			return r, false
		}
		r[i] = n
	}
	return r, true
}

var errRange = problem{"byte-range"}

// covered checks that the byte range leaves out exactly /Contents, brackets
// included, and nothing else up to its end.
func (v *verifier) covered(s *found) ([]byte, error) {
	raw, ok := s.sig.once("Contents")
	contents, isText := raw.(text)
	if !ok || !isText || !contents.hex || contents.start < 0 || len(contents.b) == 0 {
		return nil, errMalformed
	}
	// A byte range behind a reference may change under the signature.
	r, ok := byteRange(s.sig)
	if !ok {
		return nil, errRange
	}
	if r[0] != 0 || r[1] != contents.start || r[2] != contents.end || r[2]+r[3] < r[2] || r[2]+r[3] > v.size {
		return contents.b, errRange
	}
	s.ranges, s.end = r, r[2]+r[3]
	return contents.b, nil
}

// examine judges one signature by itself.
func (v *verifier) examine(s *found) {
	d := &s.verdict
	sub, _ := s.sig.get("SubFilter").(name)
	d.DocumentStamp = s.sig.get("Type") == name("DocTimeStamp") || sub == "ETSI.RFC3161"
	if t, ok := s.sig.get("M").(text); ok {
		d.SignedAt = pdfTime(plain(t.b))
	}
	s.certify = v.certification(s.sig)
	d.Certification = s.certify != 0

	raw, rangeErr := v.covered(s)
	if rangeErr != nil {
		d.Problem = codeOf(rangeErr)
	}
	if raw == nil {
		return
	}
	if rangeErr == nil {
		d.CoversWholeFile = s.end == v.size
		d.CoversRevision = v.endsRevision(s.end)
		if !d.CoversRevision {
			d.Problem = errRange.code
		}
		if v.last == nil || s.end < v.size {
			s.state, _ = v.open(s.end)
		} else {
			s.state = v.last
		}
	}
	err := v.cryptography(s, raw, sub, rangeErr == nil)
	if err != nil {
		d.Problem = firstOf(d.Problem, codeOf(err))
	}
	d.Intact = rangeErr == nil && err == nil
}

// signerName is whom the certificate names: the person, or the organisation
// where none is.
func signerName(c *x509.Certificate) string {
	if c.Subject.CommonName == "" && len(c.Subject.Organization) > 0 {
		return c.Subject.Organization[0]
	}
	return c.Subject.CommonName
}

// certification is the permission a certifying signature states.
func (v *verifier) certification(sig dict) int64 {
	if v.last == nil {
		return 0
	}
	for _, r := range v.last.array(sig.get("Reference")) {
		d := v.last.dict(r)
		if v.last.resolve(d.get("TransformMethod")) == name("DocMDP") {
			p, ok := v.last.resolve(v.last.dict(d.get("TransformParams")).get("P")).(int64)
			if !ok || p < 1 || p > 3 {
				p = 2
			}
			return p
		}
	}
	return 0
}

// endsRevision reports whether a revision ends at end: %%EOF and nothing but
// blanks behind it.
func (v *verifier) endsRevision(end int64) bool {
	b, err := v.bytes(max(0, end-64), int(min(end, 64)))
	return err == nil && bytes.HasSuffix(bytes.TrimRight(b, "\r\n\t \x00"), []byte("%%EOF"))
}

// digest hashes what the signature covers.
func (v *verifier) digest(s *found, h crypto.Hash) ([]byte, error) {
	sum := h.New()
	for _, part := range [][2]int64{{s.ranges[0], s.ranges[1]}, {s.ranges[2], s.ranges[3]}} {
		if err := hashPart(sum, v.r, part[0], part[1]); err != nil {
			return nil, err
		}
	}
	return sum.Sum(nil), nil
}

func hashPart(h hash.Hash, r io.ReaderAt, off, n int64) error {
	buf := make([]byte, 1<<18)
	for n > 0 {
		b := buf[:min(n, int64(len(buf)))]
		if m, err := r.ReadAt(b, off); m < len(b) {
			return err
		}
		h.Write(b)
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// cryptography checks the signature in raw. Where the byte range is wrong
// (ranged false) it only tells who claims to have signed.
func (v *verifier) cryptography(s *found, raw []byte, sub name, ranged bool) error {
	d := &s.verdict
	if sub == "adbe.x509.rsa_sha1" {
		return v.bareRSA(s, raw, ranged)
	}
	c, err := parseCMS(raw)
	if err != nil {
		return err
	}
	known := append(slices.Clone(v.trust.Intermediates), v.store()...)
	cert := c.certificate(known)
	if cert != nil {
		d.Signer = signerName(cert)
	}
	if t := c.signingTime(); !t.IsZero() {
		d.SignedAt = t
	}
	if !ranged {
		return errRange
	}
	if d.DocumentStamp {
		st, err := parseStamp(raw, known)
		if err != nil {
			return err
		}
		sum, err := v.digest(s, st.hash)
		if err != nil {
			return err
		}
		if !bytes.Equal(sum, st.digest) {
			return errDigest
		}
		d.SignedAt, d.TimestampedAt = st.at, st.at
		v.believe(s, st.signer, append(st.certs, v.store()...), nil, st.at, false, x509.ExtKeyUsageTimeStamping)
		return nil
	}
	if c.hash == 0 {
		return errUnsupported
	}
	hashes := c.hash
	if sub == "adbe.pkcs7.sha1" {
		hashes = crypto.SHA1 // of the file; what is signed is this digest as content
	}
	sum, err := v.digest(s, hashes)
	if err != nil {
		return err
	}
	if c.content != nil {
		// The message carries its content: the digest of the file. Anything else
		// in its place leaves the file unsigned.
		if !bytes.Equal(c.content, sum) {
			return errDigest
		}
		h := c.hash.New()
		h.Write(c.content)
		sum = h.Sum(nil)
	} else if sub == "adbe.pkcs7.sha1" {
		return errMalformed
	}
	if err := c.verify(cert, sum); err != nil {
		return err
	}
	if _, has := c.namesCertificate(cert); !has && strings.HasPrefix(string(sub), "ETSI.CAdES") {
		return errCertificate // PAdES demands it
	}
	when, late := d.SignedAt, true
	if when.IsZero() {
		when = v.at
	}
	if token := c.unsigned.get(oidTimestampToken); token != nil {
		st, err := parseStamp(token, append(known, c.certs...))
		if err == nil && !stamps(st, c.value) {
			err = errStamp
		}
		if err != nil {
			// The signature holds without its timestamp, which only proves no time.
			d.Problem = errStamp.code
			if err == errNoSigner || err == errUnsupported {
				d.Problem = "timestamp-unverified"
			}
		} else {
			d.TimestampedAt = st.at
			if !v.trust.set || v.trust.judge(st.signer, append(st.certs, v.store()...), nil, st.at, false, x509.ExtKeyUsageTimeStamping).trusted {
				when, late = st.at, false
			}
		}
	}
	v.believe(s, cert, append(c.certs, v.store()...), append(c.crls, c.archivedCRLs()...), when, late, x509.ExtKeyUsageAny)
	return nil
}

func stamps(st stamp, value []byte) bool {
	h := st.hash.New()
	h.Write(value)
	return bytes.Equal(h.Sum(nil), st.digest)
}

var oidRevocationInfoArchival = asn1.ObjectIdentifier{1, 2, 840, 113583, 1, 1, 8}

// archivedCRLs are the lists Adobe's attribute carries.
func (c *cms) archivedCRLs() (out []*x509.RevocationList) {
	v := c.attrs.get(oidRevocationInfoArchival)
	var body, wrap, list cryptobyte.String
	if !v.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&wrap, cbasn1.Tag(0).ContextSpecific().Constructed()) || !wrap.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil
	}
	for !list.Empty() {
		var e cryptobyte.String
		if !list.ReadASN1Element(&e, cbasn1.SEQUENCE) {
			return out
		}
		if l, err := x509.ParseRevocationList(e); err == nil {
			out = append(out, l)
		}
	}
	return out
}

// believe asks the trust folder about the signer.
func (v *verifier) believe(s *found, cert *x509.Certificate, certs []*x509.Certificate, crls []*x509.RevocationList, when time.Time, late bool, usage x509.ExtKeyUsage) {
	st := v.trust.judge(cert, certs, append(crls, v.storedCRLs()...), when, late, usage)
	s.verdict.Trusted, s.verdict.Revoked = st.trusted, st.revoked
	s.verdict.Problem = firstOf(s.verdict.Problem, st.problem)
}

// store is the certificates of the file's own security store (DSS). They build
// chains and are believed no more than those in the signature.
func (v *verifier) store() []*x509.Certificate {
	if v.dss != nil || v.last == nil {
		return v.dss
	}
	v.dss = []*x509.Certificate{}
	for _, r := range v.last.array(v.last.dict(v.last.root().get("DSS")).get("Certs")) {
		s, ok := v.last.resolve(r).(stream)
		if !ok || len(v.dss) >= 100 {
			continue
		}
		der, err := v.contents(s)
		if err != nil {
			continue
		}
		if c, ok := parseCertificate(der); ok {
			v.dss = append(v.dss, c)
		}
	}
	return v.dss
}

// storedCRLs are the lists of the security store.
func (v *verifier) storedCRLs() (out []*x509.RevocationList) {
	if v.last == nil {
		return nil
	}
	for _, r := range v.last.array(v.last.dict(v.last.root().get("DSS")).get("CRLs")) {
		s, ok := v.last.resolve(r).(stream)
		if !ok || len(out) >= 20 {
			continue
		}
		der, err := v.contents(s)
		if err != nil {
			continue
		}
		if l, err := x509.ParseRevocationList(der); err == nil {
			out = append(out, l)
		}
	}
	return out
}

// contents returns the data of a small stream.
func (v *verifier) contents(s stream) ([]byte, error) {
	if n, ok := v.last.resolve(s.get("Length")).(int64); ok && s.get("Filter") == nil && n >= 0 && n < 1<<20 {
		return v.bytes(s.data, int(n))
	}
	return v.inflate(s)
}

// bareRSA is adbe.x509.rsa_sha1: a PKCS #1 signature in an octet string, the
// certificates beside it.
func (v *verifier) bareRSA(s *found, raw []byte, ranged bool) error {
	var certs []*x509.Certificate
	if v.last == nil {
		return errNoSigner
	}
	list := []any{v.last.resolve(s.sig.get("Cert"))}
	if a, ok := list[0].([]any); ok {
		list = a
	}
	for _, e := range list {
		if t, ok := v.last.resolve(e).(text); ok {
			if c, ok := parseCertificate(t.b); ok {
				certs = append(certs, c)
			}
		}
	}
	if len(certs) == 0 {
		return errNoSigner
	}
	s.verdict.Signer = signerName(certs[0])
	if !ranged {
		return errRange
	}
	in := cryptobyte.String(raw)
	var value cryptobyte.String
	key, ok := certs[0].PublicKey.(*rsa.PublicKey)
	if !ok || !in.ReadASN1(&value, cbasn1.OCTET_STRING) {
		return errMalformed
	}
	err := error(errSignature)
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		sum, e := v.digest(s, h)
		if e != nil {
			return e
		}
		if rsa.VerifyPKCS1v15(key, h, sum, value) == nil {
			err = nil
			break
		}
	}
	if err != nil {
		return err
	}
	when := s.verdict.SignedAt
	if when.IsZero() {
		when = v.at
	}
	v.believe(s, certs[0], certs[1:], nil, when, true, x509.ExtKeyUsageAny)
	return nil
}

// followUp looks at what came after each signature. Every step from one
// signature to the next, and from the newest to the end, is judged once; a
// signature is changed after when any step behind it is not allowed.
func (v *verifier) followUp() {
	limit := markup // the strictest certification so far narrows it
	type step struct {
		level, allowed level
		vouched        bool // by the signer of the next signature
	}
	var steps []step
	for i, s := range v.sigs {
		if s.end == 0 { // nothing is known to be covered
			steps = append(steps, step{})
			continue
		}
		switch s.certify {
		case 1:
			limit = min(limit, upkeep)
		case 2:
			limit = min(limit, filling)
		}
		st := step{allowed: upkeep} // unsigned: only what keeps signatures verifiable
		var next *found
		if i+1 < len(v.sigs) {
			next = v.sigs[i+1]
		}
		switch {
		case next == nil:
			st.level = v.tail(s)
		default:
			if next.verdict.Intact && next.verdict.CoversRevision && !next.verdict.DocumentStamp {
				st.allowed, st.vouched = limit, true
			}
			st.level = v.between(s, next)
		}
		steps = append(steps, st)
	}
	changed := false
	v.resigned = true
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].level > steps[i].allowed {
			changed = true
			v.resigned = v.resigned && steps[i].vouched
		}
		v.sigs[i].verdict.ChangedAfter = changed
	}
	v.resigned = v.resigned && changed
}

func (v *verifier) between(a, b *found) level {
	if a.end == b.end {
		return same
	}
	if a.state == nil || b.state == nil {
		return anything
	}
	return compare(a.state, b.state)
}

// tail judges what stands behind the newest signature.
func (v *verifier) tail(s *found) level {
	if s.end == v.size || v.blank(s.end) {
		return same
	}
	if s.state == nil || v.last == nil || !v.orderly(s) {
		return anything
	}
	return max(upkeep, compare(s.state, v.last))
}

// blank reports whether only white space follows.
func (v *verifier) blank(from int64) bool {
	if v.size-from > 4096 {
		return false
	}
	b, err := v.bytes(from, int(v.size-from))
	return err == nil && len(bytes.Trim(b, "\r\n\t \x00")) == 0
}

// orderly reports whether what follows the signature is nothing but regular
// updates: objects that the cross-reference names where they stand, sections of
// it that lead back to the signed one. Anything else would be read differently
// by readers that repair, and we compare only one reading.
func (v *verifier) orderly(s *found) bool {
	if len(s.state.sections) == 0 || !slices.Contains(v.last.sections, s.state.sections[0]) {
		return false
	}
	if v.last.sections[0] < s.end {
		return false // no update at all, whatever it is
	}
	places := map[int64]int{}
	for n, pl := range v.last.table {
		if !pl.packed && pl.off >= s.end {
			places[pl.off] = n
		}
	}
	sections := map[int64]bool{}
	for _, off := range v.last.sections {
		sections[off] = true
	}
	off := s.end
	for range maxObjects {
		var next int64
		err := v.with(off, 4096, func(p *parser) error {
			start := p.i
			p.space()
			if p.i >= len(p.b) && !p.whole {
				return errShort
			}
			if !harmless(p.b[start:p.i]) {
				return errSyntax
			}
			if p.i >= len(p.b) {
				next = v.size
				return nil
			}
			at := p.at(p.i)
			switch {
			case p.b[p.i] == 'x' && sections[at]:
				for {
					if p.keyword("trailer") {
						break
					}
					if p.space(); p.i >= len(p.b) {
						return p.short()
					}
					if p.word() == "" {
						return errSyntax
					}
				}
				if _, err := p.value(0); err != nil {
					return err
				}
				next = p.at(p.i)
				return nil
			case p.keyword("startxref"):
				to, ok := p.integer()
				if !ok {
					return p.short()
				}
				if !sections[to] {
					return errSyntax
				}
				next = p.at(p.i) // %%EOF is a comment
				return nil
			}
			n, ok := places[at]
			if !ok && !sections[at] {
				return errSyntax
			}
			r, val, err := p.indirect()
			if err != nil {
				return err
			}
			if ok && r.num != n {
				return errSyntax
			}
			if st, isStream := val.(stream); isStream {
				length, ok := v.last.resolve(st.get("Length")).(int64)
				if !ok || length < 0 || st.data+length > v.size {
					return errSyntax
				}
				next = st.data + length
				return nil
			}
			if !p.keyword("endobj") {
				return p.short()
			}
			next = p.at(p.i)
			return nil
		})
		if err != nil {
			return false
		}
		if next >= v.size {
			return true
		}
		if next <= off {
			return false
		}
		off = v.skipStreamEnd(next)
	}
	return false
}

// harmless reports whether the comments in a piece of white space are such as
// writers leave (%%EOF, their name). Readers look for some words without caring
// for comments.
func harmless(gap []byte) bool {
	for _, word := range []string{"obj", "xref", "trailer", "stream", "<<"} {
		if bytes.Contains(gap, []byte(word)) {
			return false
		}
	}
	return true
}

// skipStreamEnd steps over "endstream endobj".
func (v *verifier) skipStreamEnd(off int64) int64 {
	b, err := v.bytes(off, 64)
	if err != nil {
		return off
	}
	p := parser{b: b, base: off, whole: true}
	if p.keyword("endstream") && p.keyword("endobj") {
		return p.at(p.i)
	}
	return off
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

// pdfTime reads D:YYYYMMDDHHmmSSOHH'mm'; what it cannot read is no time.
func pdfTime(s string) time.Time {
	s = strings.TrimPrefix(s, "D:")
	s = strings.ReplaceAll(s, "'", "")
	for _, layout := range []string{"20060102150405-0700", "20060102150405Z0700", "20060102150405-07", "20060102150405", "200601021504", "20060102"} {
		if t, err := time.ParseInLocation(layout, strings.TrimSuffix(s, "Z0000"), dossier.Zone); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
