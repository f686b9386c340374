package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1" // old signatures
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A CMS library would want the whole signed file in memory and knows neither
// RSA-PSS nor Ed25519 nor signers named by key identifier; what is needed of
// RFC 5652 is small, so it stands here.

var (
	oidSignedData     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCert    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidTimestampToken = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}

	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidECKey   = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// hashOf knows the digests by object identifier.
func hashOf(oid asn1.ObjectIdentifier) crypto.Hash {
	switch oid.String() {
	case "1.3.14.3.2.26":
		return crypto.SHA1
	case "2.16.840.1.101.3.4.2.4":
		return crypto.SHA224
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512
	}
	return 0
}

// schemeOf knows the signature algorithms that name their digest.
func schemeOf(oid asn1.ObjectIdentifier) (ec bool, h crypto.Hash) {
	switch oid.String() {
	case "1.2.840.113549.1.1.5", "1.3.14.3.2.29":
		return false, crypto.SHA1
	case "1.2.840.113549.1.1.14":
		return false, crypto.SHA224
	case "1.2.840.113549.1.1.11":
		return false, crypto.SHA256
	case "1.2.840.113549.1.1.12":
		return false, crypto.SHA384
	case "1.2.840.113549.1.1.13":
		return false, crypto.SHA512
	case "1.2.840.10045.4.1":
		return true, crypto.SHA1
	case "1.2.840.10045.4.3.1":
		return true, crypto.SHA224
	case "1.2.840.10045.4.3.2":
		return true, crypto.SHA256
	case "1.2.840.10045.4.3.3":
		return true, crypto.SHA384
	case "1.2.840.10045.4.3.4":
		return true, crypto.SHA512
	}
	return false, 0
}

// problem is why a signature does not hold: a stable code.
type problem struct{ code string }

func (p problem) Error() string { return "signature: " + p.code }

var (
	errMalformed   = problem{"malformed"}
	errUnsupported = problem{"unsupported"}
	errDigest      = problem{"digest-mismatch"}
	errSignature   = problem{"signature-invalid"}
	errNoSigner    = problem{"signer-missing"}
	errCertificate = problem{"certificate-mismatch"}
)

// cms is a SignedData with its one signer.
type cms struct {
	kind    asn1.ObjectIdentifier // type of the content
	content []byte                // nil where it is detached
	certs   []*x509.Certificate
	revocations

	issuer []byte // of the signer, or
	serial *big.Int
	keyID  []byte

	hash      crypto.Hash
	signed    []byte // signed attributes as they were signed, nil for none
	attrs     attributes
	unsigned  attributes
	algorithm algorithm
	value     []byte
}

type algorithm struct {
	oid    asn1.ObjectIdentifier
	params cryptobyte.String
}

// attributes are the values of CMS attributes, the first of each.
type attributes []attribute

type attribute struct {
	oid   asn1.ObjectIdentifier
	value cryptobyte.String // the one value; several are an error
}

func (a attributes) get(oid asn1.ObjectIdentifier) cryptobyte.String {
	for _, e := range a {
		if e.oid.Equal(oid) {
			return e.value
		}
	}
	return nil
}

func readAlgorithm(s *cryptobyte.String, a *algorithm) bool {
	var in cryptobyte.String
	if !s.ReadASN1(&in, cbasn1.SEQUENCE) || !in.ReadASN1ObjectIdentifier(&a.oid) {
		return false
	}
	a.params = in
	return true
}

func readAttributes(in cryptobyte.String) (attributes, bool) {
	var all attributes
	for !in.Empty() {
		var a, values, value cryptobyte.String
		var e attribute
		if !in.ReadASN1(&a, cbasn1.SEQUENCE) || !a.ReadASN1ObjectIdentifier(&e.oid) || !a.ReadASN1(&values, cbasn1.SET) {
			return nil, false
		}
		var tag cbasn1.Tag
		if !values.Empty() && !values.ReadAnyASN1Element(&value, &tag) {
			return nil, false
		}
		for _, o := range all {
			// Twice the same: readers differ in which they take.
			if o.oid.Equal(e.oid) && (e.oid.Equal(oidMessageDigest) || e.oid.Equal(oidContentType)) {
				return nil, false
			}
		}
		e.value = value
		all = append(all, e)
	}
	return all, true
}

// parseCMS reads a SignedData of exactly one signer, which is what PDF allows.
func parseCMS(raw []byte) (*cms, error) {
	der, err := toDER(raw)
	if err != nil {
		return nil, errMalformed
	}
	var (
		c                                  = new(cms)
		in                                 = cryptobyte.String(der)
		body, wrap, sd, algs, encap, infos cryptobyte.String
		kind                               asn1.ObjectIdentifier
		version                            int64
		tag0                               = cbasn1.Tag(0).ContextSpecific().Constructed()
		tag1                               = cbasn1.Tag(1).ContextSpecific().Constructed()
	)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData) ||
		!body.ReadASN1(&wrap, tag0) || !wrap.ReadASN1(&sd, cbasn1.SEQUENCE) ||
		!sd.ReadASN1Integer(&version) || !sd.ReadASN1(&algs, cbasn1.SET) ||
		!sd.ReadASN1(&encap, cbasn1.SEQUENCE) || !encap.ReadASN1ObjectIdentifier(&c.kind) {
		return nil, errMalformed
	}
	if !encap.Empty() {
		var content, octets cryptobyte.String
		if !encap.ReadASN1(&content, tag0) || !content.ReadASN1(&octets, cbasn1.OCTET_STRING) {
			return nil, errMalformed
		}
		c.content = append([]byte{}, octets...)
	}
	var certs, crls cryptobyte.String
	var has bool
	if !sd.ReadOptionalASN1(&certs, &has, tag0) {
		return nil, errMalformed
	}
	for !certs.Empty() {
		var e cryptobyte.String
		var tag cbasn1.Tag
		if !certs.ReadAnyASN1Element(&e, &tag) {
			return nil, errMalformed
		}
		// A certificate that cannot be read is as good as missing.
		if cert, ok := parseCertificate(e); ok {
			c.certs = append(c.certs, cert)
		}
	}
	if !sd.ReadOptionalASN1(&crls, &has, tag1) {
		return nil, errMalformed
	}
	for !crls.Empty() {
		var e cryptobyte.String
		var tag cbasn1.Tag
		if !crls.ReadAnyASN1Element(&e, &tag) {
			return nil, errMalformed
		}
		if answer, ok := otherRevocation(e); ok {
			c.answers = append(c.answers, answer)
		} else if l, err := x509.ParseRevocationList(e); err == nil {
			c.lists = append(c.lists, l)
		}
	}
	var info cryptobyte.String
	if !sd.ReadASN1(&infos, cbasn1.SET) || !infos.ReadASN1(&info, cbasn1.SEQUENCE) || !infos.Empty() {
		return nil, errMalformed
	}
	if err := c.signer(info); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *cms) signer(info cryptobyte.String) error {
	var version int64
	var sid, signed, unsigned cryptobyte.String
	var digest algorithm
	var has bool
	if !info.ReadASN1Integer(&version) {
		return errMalformed
	}
	if tag := cbasn1.Tag(0).ContextSpecific(); info.PeekASN1Tag(tag) {
		if !info.ReadASN1(&sid, tag) {
			return errMalformed
		}
		c.keyID = sid
	} else {
		var issuer cryptobyte.String
		c.serial = new(big.Int)
		if !info.ReadASN1(&sid, cbasn1.SEQUENCE) || !sid.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !sid.ReadASN1Integer(c.serial) {
			return errMalformed
		}
		c.issuer = issuer
	}
	if !readAlgorithm(&info, &digest) {
		return errMalformed
	}
	c.hash = hashOf(digest.oid)
	if tag := cbasn1.Tag(0).ContextSpecific().Constructed(); info.PeekASN1Tag(tag) {
		var element cryptobyte.String
		if !info.ReadASN1Element(&element, tag) {
			return errMalformed
		}
		// RFC 5652, 5.4: what is signed is the attributes as a SET OF.
		c.signed = append([]byte{}, element...)
		c.signed[0] = 0x31
		if !element.ReadASN1(&signed, tag) {
			return errMalformed
		}
		var ok bool
		if c.attrs, ok = readAttributes(signed); !ok {
			return errMalformed
		}
	}
	var value cryptobyte.String
	if !readAlgorithm(&info, &c.algorithm) || !info.ReadASN1(&value, cbasn1.OCTET_STRING) {
		return errMalformed
	}
	c.value = value
	if !info.ReadOptionalASN1(&unsigned, &has, cbasn1.Tag(1).ContextSpecific().Constructed()) {
		return errMalformed
	}
	// Unsigned attributes are nobody's word: an odd one costs only the timestamp.
	c.unsigned, _ = readAttributes(unsigned)
	return nil
}

// certificate finds the signer's certificate, in the message or among more.
func (c *cms) certificate(more []*x509.Certificate) *x509.Certificate {
	for _, list := range [][]*x509.Certificate{c.certs, more} {
		for _, cert := range list {
			if c.keyID != nil && bytes.Equal(cert.SubjectKeyId, c.keyID) ||
				c.issuer != nil && cert.SerialNumber.Cmp(c.serial) == 0 && bytes.Equal(cert.RawIssuer, c.issuer) {
				return cert
			}
		}
	}
	return nil
}

// verify checks that the signer's key signed content, given by its digest
// (computed under c.hash), and that the signed certificate hash, where there is
// one, is the certificate's.
func (c *cms) verify(cert *x509.Certificate, digest []byte) error {
	if c.hash == 0 || !c.hash.Available() {
		return errUnsupported
	}
	message := c.signed
	if message == nil {
		if cert == nil {
			return errNoSigner
		}
		return c.check(cert, digest, nil)
	}
	var kind asn1.ObjectIdentifier
	v := c.attrs.get(oidContentType)
	if !v.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(c.kind) {
		return errMalformed
	}
	var md cryptobyte.String
	v = c.attrs.get(oidMessageDigest)
	if !v.ReadASN1(&md, cbasn1.OCTET_STRING) {
		return errMalformed
	}
	if !bytes.Equal(md, digest) {
		return errDigest // even where we cannot tell who signed
	}
	if cert == nil {
		return errNoSigner
	}
	h := c.signatureHash().New()
	h.Write(message)
	if err := c.check(cert, h.Sum(nil), message); err != nil {
		return err
	}
	if ok, _ := c.namesCertificate(cert); !ok {
		return errCertificate
	}
	return nil
}

// signatureHash is the digest the signature is made over: that of the signature
// algorithm where it names one.
func (c *cms) signatureHash() crypto.Hash {
	if _, h := schemeOf(c.algorithm.oid); h != 0 {
		return h
	}
	if c.algorithm.oid.Equal(oidPSS) {
		if opts, err := pssOptions(c.algorithm.params); err == nil {
			return opts.Hash
		}
	}
	return c.hash
}

// check verifies the signature value. message is nil where there are no signed
// attributes.
func (c *cms) check(cert *x509.Certificate, digest, message []byte) error {
	hash := c.signatureHash()
	if message == nil && hash != c.hash {
		return errUnsupported // the digest was computed under another algorithm
	}
	ec, named := schemeOf(c.algorithm.oid)
	ok := false
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		switch {
		case c.algorithm.oid.Equal(oidPSS):
			opts, err := pssOptions(c.algorithm.params)
			if err != nil {
				return errUnsupported
			}
			ok = rsa.VerifyPSS(key, hash, digest, c.value, opts) == nil
		case c.algorithm.oid.Equal(oidRSA), named != 0 && !ec:
			ok = rsa.VerifyPKCS1v15(key, hash, digest, c.value) == nil
		default:
			return errUnsupported
		}
	case *ecdsa.PublicKey:
		if !c.algorithm.oid.Equal(oidECKey) && !ec {
			return errUnsupported
		}
		ok = ecdsa.VerifyASN1(key, digest, c.value)
	case ed25519.PublicKey:
		if !c.algorithm.oid.Equal(oidEd25519) || message == nil {
			return errUnsupported
		}
		ok = ed25519.Verify(key, message, c.value)
	default:
		return errUnsupported
	}
	if !ok {
		return errSignature
	}
	return nil
}

// pssOptions reads RSASSA-PSS-params (RFC 4055).
func pssOptions(in cryptobyte.String) (*rsa.PSSOptions, error) {
	opts := &rsa.PSSOptions{Hash: crypto.SHA1, SaltLength: 20}
	var body, part cryptobyte.String
	var has bool
	if in.Empty() {
		return opts, nil
	}
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) {
		return nil, errMalformed
	}
	explicit := func(n uint8) bool {
		return body.ReadOptionalASN1(&part, &has, cbasn1.Tag(n).ContextSpecific().Constructed())
	}
	mgf := crypto.SHA1
	if !explicit(0) {
		return nil, errMalformed
	}
	if has {
		var a algorithm
		if !readAlgorithm(&part, &a) {
			return nil, errMalformed
		}
		opts.Hash = hashOf(a.oid)
	}
	if !explicit(1) {
		return nil, errMalformed
	}
	if has {
		var a, h algorithm
		if !readAlgorithm(&part, &a) || !a.oid.Equal(oidMGF1) || !readAlgorithm(&a.params, &h) {
			return nil, errMalformed
		}
		mgf = hashOf(h.oid)
	}
	if !explicit(2) {
		return nil, errMalformed
	}
	if has && !part.ReadASN1Integer(&opts.SaltLength) {
		return nil, errMalformed
	}
	if opts.Hash == 0 || mgf != opts.Hash || opts.SaltLength < 1 || opts.SaltLength > 1024 {
		return nil, errUnsupported // the library knows one digest for both
	}
	return opts, nil
}

// namesCertificate reports whether the signed certificate hash (ESS, RFC 5035)
// is that of cert; has is false where there is none, and then ok is true.
func (c *cms) namesCertificate(cert *x509.Certificate) (ok, has bool) {
	hash := crypto.SHA256
	v := c.attrs.get(oidSigningCertV2)
	if v == nil {
		hash = crypto.SHA1
		if v = c.attrs.get(oidSigningCert); v == nil {
			return true, false
		}
	}
	var attr, list, id, sum cryptobyte.String
	if !v.ReadASN1(&attr, cbasn1.SEQUENCE) || !attr.ReadASN1(&list, cbasn1.SEQUENCE) || !list.ReadASN1(&id, cbasn1.SEQUENCE) {
		return false, true
	}
	if id.PeekASN1Tag(cbasn1.SEQUENCE) {
		var a algorithm
		if !readAlgorithm(&id, &a) {
			return false, true
		}
		hash = hashOf(a.oid)
	}
	if !id.ReadASN1(&sum, cbasn1.OCTET_STRING) || hash == 0 {
		return false, true
	}
	h := hash.New()
	h.Write(cert.Raw)
	return bytes.Equal(sum, h.Sum(nil)), true
}

// signingTime is the time the signer claims, zero for none.
func (c *cms) signingTime() time.Time {
	var t time.Time
	v := c.attrs.get(oidSigningTime)
	if v.PeekASN1Tag(cbasn1.UTCTime) {
		if !v.ReadASN1UTCTime(&t) {
			return time.Time{}
		}
	} else if !v.ReadASN1GeneralizedTime(&t) {
		return time.Time{}
	}
	return t.UTC()
}

func codeOf(err error) string {
	var p problem
	if errors.As(err, &p) {
		return p.code
	}
	return errMalformed.code
}
