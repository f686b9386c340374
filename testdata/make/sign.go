package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// signing is how a signature is to be made. The hooks make it wrong on purpose.
type signing struct {
	by          *identity
	field       string
	at          time.Time
	hash        crypto.Hash // 0: SHA-256
	pss         bool
	pades       bool                              // ETSI.CAdES.detached with the certificate's hash signed
	stamp       *identity                         // adds a signature timestamp
	stampedAt   time.Time                         // zero: as at
	document    bool                              // a document timestamp (ETSI.RFC3161), made by by
	certify     int                               // DocMDP permission
	certs       [][]byte                          // nil: the signer's chain
	visible     bool                              // a widget with an appearance on page 1
	noTime      bool                              // no signing-time attribute
	dictionary  string                            // further entries of the signature dictionary
	more        []object                          // objects to change in the same revision
	catalog     string                            // further entries of the catalog in this revision
	byteRange   func(b []byte, gap [2]int) [4]int // default: all but the gap
	hashRange   func(r [4]int) [4]int             // what is really hashed
	contents    func(cms []byte) []byte
	noForm      bool      // the field stands on the page only
	stampWrong  bool      // the timestamp is of something else
	wrongCert   *identity // the certificate whose hash is signed instead (ESS)
	contentsTxt string    // written in place of the hexadecimal text
}

const gapSize = 12288

// sign adds a signature in an incremental update.
func (f *file) sign(s signing) {
	if s.hash == 0 {
		s.hash = crypto.SHA256
	}
	sig, field := f.alloc(), f.alloc()
	sub, kind, size := "adbe.pkcs7.detached", "Sig", gapSize
	switch {
	case s.document:
		sub, kind = "ETSI.RFC3161", "DocTimeStamp"
	case s.pades:
		sub = "ETSI.CAdES.detached"
	}
	const marker = "[0000000000 0000000000 0000000000 0000000000]"
	d := fmt.Sprintf("<</Type/%s/Filter/Adobe.PPKLite/SubFilter/%s/ByteRange%s/Contents<%s>", kind, sub, marker, strings.Repeat("0", size))
	if !s.document && !s.noTime {
		d += fmt.Sprintf("/M(D:%s+07'00')", s.at.UTC().Add(7*time.Hour).Format("20060102150405"))
	}
	if s.certify > 0 {
		d += fmt.Sprintf("/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P %d/V/1.2>>>>]", s.certify)
	}
	d += s.dictionary + ">>"
	for _, o := range s.more {
		f.objs[o.num] = o
	}
	page := f.pages[0]
	rect, ap := "0 0 0 0", ""
	changed := slices.DeleteFunc(slices.Clone(s.more), func(o object) bool { return o.num == page })
	if s.visible {
		n := f.alloc()
		changed = append(changed, object{num: n, packed: true, body: "/Type/XObject/Subtype/Form/BBox[0 0 120 40]/Resources<<>>", stream: []byte("1 0 0 RG 2 w 1 1 118 38 re S\n")})
		rect, ap = "60 60 180 100", fmt.Sprintf("/AP<</N %d 0 R>>", n)
	}
	f.acroForm = append(f.acroForm, field)
	changed = append(changed,
		object{num: sig, body: d},
		object{num: field, body: fmt.Sprintf("<</Type/Annot/Subtype/Widget/FT/Sig/T(%s)/V %d 0 R/P %d 0 R/Rect[%s]/F 132%s>>", s.field, sig, page, rect, ap)},
		object{num: page, body: withAnnots(f.objs[page].body, append(slices.Clone(f.acroForm), f.notes...))},
	)
	if s.certify > 0 {
		f.extra += fmt.Sprintf("/Perms<</DocMDP %d 0 R>>", sig)
	}
	f.extra += s.catalog
	if s.noForm {
		f.acroForm = f.acroForm[:len(f.acroForm)-1]
	}
	changed = append(changed, f.catalog())
	start := len(f.data)
	f.append(changed...)

	b := f.data
	open := start + bytes.Index(b[start:], []byte("/Contents<")) + len("/Contents")
	gap := [2]int{open, open + size + 2}
	r := [4]int{0, gap[0], gap[1], len(b) - gap[1]}
	if s.byteRange != nil {
		r = s.byteRange(b, gap)
	}
	at := start + bytes.Index(b[start:], []byte(marker))
	copy(b[at:], pad(fmt.Sprintf("[%d %d %d %d", r[0], r[1], r[2], r[3]), len(marker)-1)+"]")
	if s.hashRange != nil {
		r = s.hashRange(r)
	}
	h := s.hash.New()
	h.Write(b[r[0] : r[0]+r[1]])
	h.Write(b[r[2] : r[2]+r[3]])
	var cms []byte
	if s.document {
		cms = token(s.by, s.hash, h.Sum(nil), s.at)
	} else {
		cms = signedData(s, h.Sum(nil))
	}
	if s.contents != nil {
		cms = s.contents(cms)
	}
	text := fmt.Sprintf("%x", cms)
	if s.contentsTxt != "" {
		text = s.contentsTxt
	}
	if len(text) > size {
		panic("signature larger than its gap")
	}
	copy(b[gap[0]+1:], text)
}

// catalog is the catalog with the form in it.
func (f *file) catalog() object {
	fields := refs(f.acroForm)
	return object{num: 1, body: fmt.Sprintf("<</Type/Catalog/Pages 2 0 R%s/AcroForm<</Fields[%s]/SigFlags 3>>>>", f.extra, fields)}
}

func refs(nums []int) string {
	var s []string
	for _, n := range nums {
		s = append(s, fmt.Sprintf("%d 0 R", n))
	}
	return strings.Join(s, " ")
}

func withAnnots(page string, widgets []int) string {
	if i := strings.Index(page, "/Annots["); i >= 0 {
		j := strings.IndexByte(page[i:], ']')
		page = page[:i] + page[i+j+1:]
	}
	return strings.TrimSuffix(page, ">>") + "/Annots[" + refs(widgets) + "]>>"
}

func pad(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }

var (
	oidData        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidDigest      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidTime        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidESS2        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidToken       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	oidTSTInfo     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidRSA         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidEd25519     = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidHash        = map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1},
		crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3}}
	oidECDSA = map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA1: {1, 2, 840, 10045, 4, 1}, crypto.SHA256: {1, 2, 840, 10045, 4, 3, 2},
		crypto.SHA384: {1, 2, 840, 10045, 4, 3, 3}, crypto.SHA512: {1, 2, 840, 10045, 4, 3, 4}}
)

// DER, written out.
func der(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	n := len(body)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	case n < 0x10000:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
	return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

func seq(parts ...[]byte) []byte { return der(0x30, parts...) }
func set(parts ...[]byte) []byte {
	slices.SortFunc(parts, bytes.Compare)
	return der(0x31, parts...)
}
func oct(b []byte) []byte                { return der(4, b) }
func ctx(n byte, parts ...[]byte) []byte { return der(0xA0|n, parts...) }

func marshal(v any) []byte {
	b, err := asn1.Marshal(v)
	check(err)
	return b
}

func algorithm(oid asn1.ObjectIdentifier, params ...[]byte) []byte {
	return seq(append([][]byte{marshal(oid)}, params...)...)
}

var null = []byte{5, 0}

func attribute(oid asn1.ObjectIdentifier, value []byte) []byte { return seq(marshal(oid), set(value)) }

func signedData(s signing, digest []byte) []byte {
	attrs := [][]byte{attribute(oidContentType, marshal(oidData)), attribute(oidDigest, oct(digest))}
	if !s.pades && !s.noTime {
		attrs = append(attrs, attribute(oidTime, marshal(s.at.UTC())))
	}
	if s.pades {
		c := s.by.cert.Raw
		if s.wrongCert != nil {
			c = s.wrongCert.cert.Raw
		}
		h := crypto.SHA256.New()
		h.Write(c)
		attrs = append(attrs, attribute(oidESS2, seq(seq(seq(oct(h.Sum(nil)))))))
	}
	certs := s.certs
	if certs == nil {
		certs = s.by.chain()
	}
	return cms(s.by, s.hash, s.pss, marshal(oidData), nil, attrs, certs, func(value []byte) []byte {
		if s.stamp == nil {
			return nil
		}
		at := s.stampedAt
		if at.IsZero() {
			at = s.at
		}
		h := crypto.SHA256.New()
		h.Write(value)
		if s.stampWrong {
			h.Write(value)
		}
		return attribute(oidToken, token(s.stamp, crypto.SHA256, h.Sum(nil), at))
	})
}

// token is an RFC 3161 timestamp over the digest.
func token(by *identity, hash crypto.Hash, digest []byte, at time.Time) []byte {
	gt, err := asn1.MarshalWithParams(at.UTC(), "generalized")
	check(err)
	info := seq([]byte{2, 1, 1}, marshal(asn1.ObjectIdentifier{1, 2, 3, 4}), seq(algorithm(oidHash[hash], null), oct(digest)), []byte{2, 1, 7}, gt)
	h := crypto.SHA256.New()
	h.Write(info)
	c := crypto.SHA256.New()
	c.Write(by.cert.Raw)
	attrs := [][]byte{attribute(oidContentType, marshal(oidTSTInfo)), attribute(oidDigest, oct(h.Sum(nil))), attribute(oidESS2, seq(seq(seq(oct(c.Sum(nil))))))}
	return cms(by, crypto.SHA256, false, marshal(oidTSTInfo), ctx(0, oct(info)), attrs, by.chain(), nil)
}

func cms(by *identity, hash crypto.Hash, pss bool, kind, content []byte, attrs, certs [][]byte, unsigned func(value []byte) []byte) []byte {
	h := hash.New()
	h.Write(set(attrs...))
	value, alg := rawSign(by.key, hash, pss, h.Sum(nil), set(attrs...))
	signed := set(attrs...)
	signed[0] = 0xA0
	info := [][]byte{{2, 1, 1}, seq(by.cert.RawIssuer, marshal(by.cert.SerialNumber)), algorithm(oidHash[hash], null), signed, alg, oct(value)}
	if unsigned != nil {
		if u := unsigned(value); u != nil {
			info = append(info, ctx(1, u))
		}
	}
	version := byte(1)
	if content != nil {
		version = 3
	}
	return seq(marshal(oidSignedData), ctx(0, seq([]byte{2, 1, version}, set(algorithm(oidHash[hash], null)), seq(kind, content), ctx(0, certs...), set(seq(info...)))))
}

func rawSign(k crypto.Signer, hash crypto.Hash, pss bool, digest, message []byte) (value, alg []byte) {
	var err error
	switch k := k.(type) {
	case *rsa.PrivateKey:
		if pss {
			ha := ctx(0, algorithm(oidHash[hash], null))
			mgf := ctx(1, algorithm(oidMGF1, algorithm(oidHash[hash], null)))
			return signPSS(k, hash, digest), algorithm(oidPSS, seq(ha, mgf, ctx(2, marshal(hash.Size()))))
		}
		value, err = rsa.SignPKCS1v15(nil, k, hash, digest)
		alg = algorithm(oidRSA, null)
	case *ecdsa.PrivateKey:
		value, err = k.Sign(nil, digest, hash) // without chance: RFC 6979
		alg = algorithm(oidECDSA[hash])
	case ed25519.PrivateKey:
		value, err = k.Sign(nil, message, crypto.Hash(0))
		alg = algorithm(oidEd25519)
	}
	check(err)
	return value, alg
}

// signPSS is RSASSA-PSS with a salt that is always the same, which the library
// rightly does not offer: the files have to come out equal each time.
func signPSS(k *rsa.PrivateKey, hash crypto.Hash, digest []byte) []byte {
	salt := bytes.Repeat([]byte{0x5A}, hash.Size())
	h := hash.New()
	h.Write(make([]byte, 8))
	h.Write(digest)
	h.Write(salt)
	sum := h.Sum(nil)
	em := make([]byte, k.Size())
	db := em[:len(em)-len(sum)-1]
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)
	var mask []byte
	for i := uint32(0); len(mask) < len(db); i++ {
		g := hash.New()
		g.Write(sum)
		g.Write([]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		mask = g.Sum(mask)
	}
	for i := range db {
		db[i] ^= mask[i]
	}
	db[0] &= 0x7F
	copy(em[len(db):], sum)
	em[len(em)-1] = 0xBC
	return new(big.Int).Exp(new(big.Int).SetBytes(em), k.D, k.N).FillBytes(make([]byte, k.Size()))
}
