package signature

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// parseCertificate reads a certificate. One that the library refuses for its
// form (a negative serial number, an odd extension) is read as far as it takes
// to check a signature by its key; it cannot be trusted then, since what the
// chain is checked by is left empty.
func parseCertificate(der []byte) (*x509.Certificate, bool) {
	if c, err := x509.ParseCertificate(der); err == nil {
		return c, true
	}
	var (
		in                                     = cryptobyte.String(der)
		cert, tbs, skip, issuer, subject, spki cryptobyte.String
		validity                               cryptobyte.String
		has                                    bool
	)
	c := &x509.Certificate{Raw: der, SerialNumber: new(big.Int)}
	if !in.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.ReadOptionalASN1(&skip, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!tbs.ReadASN1Integer(c.SerialNumber) || !tbs.ReadASN1(&skip, cbasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !tbs.ReadASN1Element(&validity, cbasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&subject, cbasn1.SEQUENCE) || !tbs.ReadASN1Element(&spki, cbasn1.SEQUENCE) {
		return nil, false
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, false
	}
	c.PublicKey, c.RawIssuer, c.RawSubject = key, issuer, subject
	var names pkix.RDNSequence
	if _, err := asn1.Unmarshal(subject, &names); err == nil {
		c.Subject.FillFromRDNSequence(&names)
	}
	var span struct{ NotBefore, NotAfter asn1.RawValue }
	if _, err := asn1.Unmarshal(validity, &span); err == nil {
		// A time that cannot be read stays zero, which is long past.
		_, _ = asn1.Unmarshal(span.NotBefore.FullBytes, &c.NotBefore)
		_, _ = asn1.Unmarshal(span.NotAfter.FullBytes, &c.NotAfter)
	}
	return c, true
}
