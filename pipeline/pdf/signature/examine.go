package signature

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sohoa/dossier"
)

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
	s.locks = v.locks(s.sig)

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
		v.believe(s, st.signer, append(st.certs, v.store()...), v.storedRevocations(), st.at, false, x509.ExtKeyUsageTimeStamping)
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
			if !v.trust.set || v.trust.judge(st.signer, append(st.certs, v.store()...), v.storedRevocations(), st.at, false, x509.ExtKeyUsageTimeStamping).trusted {
				when, late = st.at, false
			}
		}
	}
	v.believe(s, cert, append(c.certs, v.store()...), c.revocations.and(c.archived()), when, late, x509.ExtKeyUsageAny)
	return nil
}

func stamps(st stamp, value []byte) bool {
	h := st.hash.New()
	h.Write(value)
	return bytes.Equal(h.Sum(nil), st.digest)
}

// believe asks the trust folder about the signer.
func (v *verifier) believe(s *found, cert *x509.Certificate, certs []*x509.Certificate, told revocations, when time.Time, late bool, usage x509.ExtKeyUsage) {
	st := v.trust.judge(cert, certs, told.and(v.storedRevocations()), when, late, usage)
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
	v.believe(s, certs[0], certs[1:], revocations{}, when, true, x509.ExtKeyUsageAny)
	return nil
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
