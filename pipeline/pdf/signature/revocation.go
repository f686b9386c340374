package signature

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// revocations is what is known of revoked certificates: lists (RFC 5280) and
// answers about single ones (OCSP, RFC 6960), not yet believed. Nothing is asked of
// the network: a verdict must not depend on who answers today.
type revocations struct {
	lists   []*x509.RevocationList
	answers [][]byte
}

func (r revocations) and(more revocations) revocations {
	return revocations{slices.Concat(r.lists, more.lists), slices.Concat(r.answers, more.answers)}
}

// Reasons of RFC 5280 for which a certificate is not believed before its
// revocation either, unless a timestamp shows that the signature is older.
const (
	keyCompromise = 1
	caCompromise  = 2
	aaCompromise  = 10
	removeFromCRL = 8
)

// revoke reports whether the issuer has said that cert is revoked at the time
// given. That it has said so of another, or somebody else of this one, counts for
// nothing, and neither does an answer that all is well: it proves no more than the
// chain does.
func (r revocations) revoke(cert, issuer *x509.Certificate, at time.Time, late bool) bool {
	counts := func(since time.Time, reason int) bool {
		stolen := reason == keyCompromise || reason == caCompromise || reason == aaCompromise
		return reason != removeFromCRL && (!since.After(at) || late && stolen)
	}
	for _, l := range r.lists {
		if !bytes.Equal(l.RawIssuer, issuer.RawSubject) || l.CheckSignatureFrom(issuer) != nil {
			continue
		}
		for _, e := range l.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(cert.SerialNumber) == 0 && counts(e.RevocationTime, e.ReasonCode) {
				return true
			}
		}
	}
	for _, der := range r.answers {
		a, err := ocsp.ParseResponseForCert(der, cert, issuer)
		if err != nil || a.Status != ocsp.Revoked || a.SerialNumber.Cmp(cert.SerialNumber) != 0 {
			continue
		}
		// The library has checked that the issuer signed the answer, or the
		// certificate that came with it; not that this one may speak for it.
		if a.Certificate != nil && !a.Certificate.Equal(issuer) && !slices.Contains(a.Certificate.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
			continue
		}
		if counts(a.RevokedAt, a.RevocationReason) {
			return true
		}
	}
	return false
}

var (
	oidRevocationInfoArchival = asn1.ObjectIdentifier{1, 2, 840, 113583, 1, 1, 8}
	oidOCSPResponse           = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 16, 2}
)

// maxAnswers bounds the work: each costs a signature check for each certificate.
const maxAnswers = 50

// archived is what Adobe's attribute carries: lists as [0], answers as [1].
func (c *cms) archived() (out revocations) {
	v := c.attrs.get(oidRevocationInfoArchival)
	var body cryptobyte.String
	if !v.ReadASN1(&body, cbasn1.SEQUENCE) {
		return out
	}
	each := func(tag uint8, do func(cryptobyte.String)) {
		var wrap, list cryptobyte.String
		var has bool
		if !body.ReadOptionalASN1(&wrap, &has, cbasn1.Tag(tag).ContextSpecific().Constructed()) || !has || !wrap.ReadASN1(&list, cbasn1.SEQUENCE) {
			return
		}
		for n := 0; !list.Empty() && n < maxAnswers; n++ {
			var e cryptobyte.String
			if !list.ReadASN1Element(&e, cbasn1.SEQUENCE) {
				return
			}
			do(e)
		}
	}
	each(0, func(e cryptobyte.String) {
		if l, err := x509.ParseRevocationList(e); err == nil {
			out.lists = append(out.lists, l)
		}
	})
	each(1, func(e cryptobyte.String) { out.answers = append(out.answers, e) })
	return out
}

// otherRevocation reads OtherRevocationInfoFormat (RFC 5940): an answer.
func otherRevocation(e cryptobyte.String) ([]byte, bool) {
	var body, answer cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !e.ReadASN1(&body, cbasn1.Tag(1).ContextSpecific().Constructed()) || !body.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidOCSPResponse) ||
		!body.ReadASN1Element(&answer, cbasn1.SEQUENCE) {
		return nil, false
	}
	return answer, true
}

// storedRevocations are those of the file's security store (DSS).
func (v *verifier) storedRevocations() (out revocations) {
	if v.last == nil {
		return out
	}
	dss := v.last.dict(v.last.root().get("DSS"))
	each := func(key name, do func([]byte)) {
		for i, r := range v.last.array(dss.get(key)) {
			s, ok := v.last.resolve(r).(stream)
			if !ok || i >= maxAnswers {
				continue
			}
			if der, err := v.contents(s); err == nil {
				do(der)
			}
		}
	}
	each("CRLs", func(der []byte) {
		if l, err := x509.ParseRevocationList(der); err == nil {
			out.lists = append(out.lists, l)
		}
	})
	each("OCSPs", func(der []byte) { out.answers = append(out.answers, der) })
	return out
}
