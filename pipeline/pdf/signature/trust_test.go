package signature

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sohoa/internal/testneed"
)

func TestLoadTrust(t *testing.T) {
	dir := filepath.Join(testneed.Root(t), "testdata", "signature", "trust")
	tr, err := LoadTrust(dir)
	if err != nil || !tr.set || len(tr.roots) != 1 || len(tr.CRLs) != 1 {
		t.Fatalf("%v: %d roots, %d lists", err, len(tr.roots), len(tr.CRLs))
	}
	if tr, err := LoadTrust(""); err != nil || tr.set {
		t.Errorf("no folder: %+v, %v", tr, err)
	}

	rootPEM, err := os.ReadFile(filepath.Join(dir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	crl, err := os.ReadFile(filepath.Join(dir, "issuing-ca.crl"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(rootPEM)
	crlPEM := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl})
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		ok    bool
		lists int
	}{
		{"DER", map[string][]byte{"a.cer": block.Bytes}, true, 0},
		{"bundle", map[string][]byte{"all.PEM": append(append([]byte("# trusted\n"), rootPEM...), crlPEM...)}, true, 1},
		{"in folders", map[string][]byte{"vn/root.crt": rootPEM, "vn/lists/a.crl": crlPEM}, true, 1},
		{"other files", map[string][]byte{"root.pem": rootPEM, "README.txt": []byte("hello")}, true, 0},
		{"empty", nil, false, 0},
		{"a list only", map[string][]byte{"a.crl": crl}, false, 0},
		{"not a certificate", map[string][]byte{"root.pem": rootPEM, "b.pem": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, false, 0},
		{"nothing in it", map[string][]byte{"root.pem": rootPEM, "b.der": []byte("what is this")}, false, 0},
		{"a key", map[string][]byte{"root.pem": rootPEM, "key.pem": []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, b := range tt.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			tr, err := LoadTrust(dir)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if len(tr.CRLs) != tt.lists {
				t.Errorf("%d lists, want %d", len(tr.CRLs), tt.lists)
			}
		})
	}
	if _, err := LoadTrust(filepath.Join(dir, "is-not-there")); err == nil {
		t.Error("a missing folder is no error")
	}
}

// oldStyle makes a certificate signed with SHA-1, which the library no longer
// makes: the algorithm's identifier is changed and the rest signed anew.
func oldStyle(t *testing.T, cn string, from time.Time, ca bool, pub *rsa.PublicKey, parent *x509.Certificate, by *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(from.Unix()), Subject: pkix.Name{CommonName: cn}, NotBefore: from, NotAfter: from.AddDate(30, 0, 0),
		BasicConstraintsValid: true, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature, SignatureAlgorithm: x509.SHA256WithRSA}
	if ca {
		tmpl.KeyUsage = x509.KeyUsageCertSign
	}
	if parent == nil {
		parent = tmpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, by)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		TBS asn1.RawValue
		Alg asn1.RawValue
		Sig asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		t.Fatal(err)
	}
	sha256RSA, sha1RSA := []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11}, []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 5}
	tbs := bytes.Replace(c.TBS.FullBytes, sha256RSA, sha1RSA, 1)
	sum := sha1.Sum(tbs)
	sig, err := rsa.SignPKCS1v15(nil, by, crypto.SHA1, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err = asn1.Marshal(struct {
		TBS, Alg asn1.RawValue
		Sig      asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, asn1.RawValue{FullBytes: bytes.Replace(c.Alg.FullBytes, sha256RSA, sha1RSA, 1)}, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Officials' certificates of the years before 2019 were signed with SHA-1.
func TestOldCertificates(t *testing.T) {
	key := func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	day := func(y int) time.Time { return time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC) }
	rootKey, subKey, leafKey := key(), key(), key()
	root := oldStyle(t, "Root", day(2008), true, &rootKey.PublicKey, nil, rootKey)
	sub := oldStyle(t, "Sub", day(2010), true, &subKey.PublicKey, root, rootKey)
	leaf := oldStyle(t, "Leaf", day(2015), false, &leafKey.PublicKey, sub, subKey)
	late := oldStyle(t, "Late", day(2021), false, &leafKey.PublicKey, sub, subKey)
	notCA := oldStyle(t, "Sub", day(2010), false, &subKey.PublicKey, root, rootKey)
	impostor := oldStyle(t, "Sub", day(2010), true, &leafKey.PublicKey, nil, leafKey)
	forged := oldStyle(t, "Leaf", day(2015), false, &leafKey.PublicKey, impostor, leafKey)

	tr := Trust{Roots: x509.NewCertPool(), roots: []*x509.Certificate{root}, set: true}
	tr.Roots.AddCert(root)
	for _, tt := range []struct {
		name    string
		leaf    *x509.Certificate
		more    []*x509.Certificate
		at      time.Time
		trusted bool
	}{
		{"in force", leaf, []*x509.Certificate{sub}, day(2016), true},
		{"before it was issued", leaf, []*x509.Certificate{sub}, day(2014), false},
		{"SHA-1 after its time", late, []*x509.Certificate{sub}, day(2022), false},
		{"issuer missing", leaf, nil, day(2016), false},
		{"issuer no authority", leaf, []*x509.Certificate{notCA}, day(2016), false},
		{"signed by an impostor", forged, []*x509.Certificate{sub, impostor}, day(2016), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := tr.judge(tt.leaf, tt.more, revocations{}, tt.at, true, x509.ExtKeyUsageAny)
			if st.trusted != tt.trusted || !st.trusted && st.problem == "" {
				t.Errorf("%+v", st)
			}
		})
	}
}
