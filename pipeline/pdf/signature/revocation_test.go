package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// party is somebody with a certificate.
type party struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newParty(t *testing.T, serial int64, by *party, ca bool, usage ...x509.ExtKeyUsage) party {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: big.NewInt(serial).String()},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: usage}
	parent, signer := tmpl, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return party{cert, key}
}

// TestAnswers: an OCSP answer counts when it says that this certificate is revoked,
// for the time asked for, and the issuer or whom it has charged with it signed it.
func TestAnswers(t *testing.T) {
	root := newParty(t, 1, nil, true)
	leaf := newParty(t, 2, &root, false)
	other := newParty(t, 3, &root, false)
	responder := newParty(t, 4, &root, false, x509.ExtKeyUsageOCSPSigning)
	clerk := newParty(t, 5, &root, false)
	stranger := newParty(t, 6, nil, true)
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

	for name, tt := range map[string]struct {
		about  party
		by     party
		with   *x509.Certificate // sent along
		status int
		since  time.Time
		reason int
		late   bool
		want   bool
	}{
		"revoked":                        {about: leaf, by: root, status: ocsp.Revoked, since: at.AddDate(0, -1, 0), want: true},
		"revoked since":                  {about: leaf, by: root, status: ocsp.Revoked, since: at.AddDate(0, 1, 0), late: true},
		"key stolen since":               {about: leaf, by: root, status: ocsp.Revoked, since: at.AddDate(0, 1, 0), reason: ocsp.KeyCompromise, late: true, want: true},
		"key stolen, older by a stamp":   {about: leaf, by: root, status: ocsp.Revoked, since: at.AddDate(0, 1, 0), reason: ocsp.KeyCompromise},
		"good":                           {about: leaf, by: root, status: ocsp.Good},
		"unknown":                        {about: leaf, by: root, status: ocsp.Unknown},
		"about another":                  {about: other, by: root, status: ocsp.Revoked, since: at.AddDate(0, -1, 0)},
		"by a responder":                 {about: leaf, by: responder, with: responder.cert, status: ocsp.Revoked, since: at.AddDate(0, -1, 0), want: true},
		"by one not charged with it":     {about: leaf, by: clerk, with: clerk.cert, status: ocsp.Revoked, since: at.AddDate(0, -1, 0)},
		"by the certificate in question": {about: leaf, by: leaf, with: leaf.cert, status: ocsp.Revoked, since: at.AddDate(0, -1, 0)},
		"by a stranger":                  {about: leaf, by: stranger, status: ocsp.Revoked, since: at.AddDate(0, -1, 0)},
		"by a stranger's certificate":    {about: leaf, by: stranger, with: stranger.cert, status: ocsp.Revoked, since: at.AddDate(0, -1, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			der, err := ocsp.CreateResponse(root.cert, tt.by.cert, ocsp.Response{Status: tt.status, SerialNumber: tt.about.cert.SerialNumber,
				ThisUpdate: at, RevokedAt: tt.since, RevocationReason: tt.reason, Certificate: tt.with}, tt.by.key)
			if err != nil {
				t.Fatal(err)
			}
			told := revocations{answers: [][]byte{[]byte("no answer"), der}}
			if got := told.revoke(leaf.cert, root.cert, at, tt.late); got != tt.want {
				t.Errorf("revoked = %v, want %v", got, tt.want)
			}
			// The same by way of the trust folder.
			tr := Trust{Roots: x509.NewCertPool(), roots: []*x509.Certificate{root.cert}, set: true}
			tr.Roots.AddCert(root.cert)
			if st := tr.judge(leaf.cert, nil, told, at, tt.late, x509.ExtKeyUsageAny); st.revoked != tt.want || st.trusted == tt.want {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestWhereAnswersStand: in Adobe's attribute and among the revocation data of the
// message.
func TestWhereAnswersStand(t *testing.T) {
	root := newParty(t, 1, nil, true)
	der, err := ocsp.CreateResponse(root.cert, root.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: big.NewInt(9), ThisUpdate: time.Now()}, root.key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().AddDate(1, 0, 0)},
		&x509.Certificate{Subject: root.cert.Subject, KeyUsage: x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, SubjectKeyId: []byte{1}, RawSubject: root.cert.RawSubject}, root.key)
	if err != nil {
		t.Fatal(err)
	}
	build := func(f func(*cryptobyte.Builder)) []byte {
		var b cryptobyte.Builder
		f(&b)
		out, err := b.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	sequence := func(b *cryptobyte.Builder, t cbasn1.Tag, body []byte) {
		b.AddASN1(t, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(body) })
		})
	}
	for name, tt := range map[string]struct {
		lists, answers int
		body           func(*cryptobyte.Builder)
	}{
		"answers": {0, 1, func(b *cryptobyte.Builder) { sequence(b, tag(1), der) }},
		"lists":   {1, 0, func(b *cryptobyte.Builder) { sequence(b, tag(0), list) }},
		"lists and answers": {1, 2, func(b *cryptobyte.Builder) {
			sequence(b, tag(0), list)
			sequence(b, tag(1), append(append([]byte{}, der...), der...))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			value := build(func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, tt.body) })
			c := &cms{attrs: attributes{{oidRevocationInfoArchival, value}}}
			got := c.archived()
			if len(got.lists) != tt.lists || len(got.answers) != tt.answers {
				t.Errorf("%d lists, %d answers", len(got.lists), len(got.answers))
			}
		})
	}
	other := func(oid asn1.ObjectIdentifier) cryptobyte.String {
		return build(func(b *cryptobyte.Builder) {
			b.AddASN1(tag(1), func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid); b.AddBytes(der) })
		})
	}
	if a, ok := otherRevocation(other(oidOCSPResponse)); !ok || string(a) != string(der) {
		t.Error("an answer in the message is not found")
	}
	if _, ok := otherRevocation(other(oidTimestampToken)); ok {
		t.Error("something else is taken for an answer")
	}
}
