package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ocsp"
)

// identity is a certificate with its key. The keys are made once and kept in
// testdata/keys; everything else follows from them.
type identity struct {
	key    crypto.Signer
	cert   *x509.Certificate
	issuer *identity
}

// chain is what goes into a signature: the certificate and those above it,
// without the root.
func (id *identity) chain() (der [][]byte) {
	for i := id; i != nil; i = i.issuer {
		if i.issuer == nil && i != id {
			break
		}
		der = append(der, i.cert.Raw)
	}
	return der
}

func key(name, kind string) crypto.Signer {
	path := filepath.Join(root, "keys", name+".pem")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var k crypto.Signer
		switch kind {
		case "rsa":
			k, err = rsa.GenerateKey(rand.Reader, 2048)
		case "p256":
			k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		case "p384":
			k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		case "ed25519":
			_, k, err = ed25519.GenerateKey(rand.Reader)
		}
		check(err)
		der, err := x509.MarshalPKCS8PrivateKey(k)
		check(err)
		b = append([]byte("Test only: signs the files of testdata/ and is trusted nowhere else.\n"),
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
		check(os.MkdirAll(filepath.Dir(path), 0o755))
		check(os.WriteFile(path, b, 0o644))
	} else {
		check(err)
	}
	block, _ := pem.Decode(b)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(err)
	return k.(crypto.Signer)
}

type role int

const (
	ca role = iota
	person
	stamper
)

var serial int64 = 1000

func issue(k crypto.Signer, cn string, issuer *identity, r role, from, to string) *identity {
	serial++
	pub, err := x509.MarshalPKIXPublicKey(k.Public())
	check(err)
	skid := sha1.Sum(pub)
	t := &x509.Certificate{
		SerialNumber: big.NewInt(serial), SubjectKeyId: skid[:],
		Subject:   pkix.Name{Country: []string{"VN"}, Organization: []string{"sohoa test only"}, CommonName: cn},
		NotBefore: day(from), NotAfter: day(to), BasicConstraintsValid: true,
	}
	switch r {
	case ca:
		t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	case person:
		t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	case stamper:
		t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
	}
	parent, signer := t, k
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(nil, t, parent, k.Public(), signer)
	check(err)
	c, err := x509.ParseCertificate(der)
	check(err)
	return &identity{k, c, issuer}
}

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	check(err)
	return t
}

// people of the test province.
var (
	rootCA, subCA, otherCA                      *identity
	signerRSA, signerEC, signerEC384, signerEd  *identity
	tsa, expired, revoked, stranger, selfSigned *identity
	retired, stolen, withdrawn                  *identity
)

func makeIdentities() {
	rootCA = issue(key("root", "rsa"), "Test Root CA", nil, ca, "2020-01-01", "2050-01-01")
	subCA = issue(key("sub", "p256"), "Test Issuing CA", rootCA, ca, "2020-01-01", "2049-01-01")
	otherCA = issue(key("other", "p256"), "Other Root CA", nil, ca, "2020-01-01", "2050-01-01")
	signerRSA = issue(key("signer-rsa", "rsa"), "Người Ký Thử", subCA, person, "2024-01-01", "2045-01-01")
	signerEC = issue(key("signer-ec", "p256"), "Cơ Quan Thử", subCA, person, "2024-01-01", "2045-01-01")
	signerEC384 = issue(key("signer-ec384", "p384"), "Văn Thư Thử", subCA, person, "2024-01-01", "2045-01-01")
	signerEd = issue(key("signer-ed", "ed25519"), "Test Ed25519", subCA, person, "2024-01-01", "2045-01-01")
	tsa = issue(key("tsa", "p256"), "Test Time Stamping", subCA, stamper, "2024-01-01", "2045-01-01")
	expired = issue(key("expired", "p256"), "Hết Hạn Thử", subCA, person, "2022-01-01", "2023-01-01")
	revoked = issue(key("revoked", "p256"), "Thu Hồi Thử", subCA, person, "2024-01-01", "2045-01-01")
	stranger = issue(key("stranger", "p256"), "Người Lạ Thử", otherCA, person, "2024-01-01", "2045-01-01")
	retired = issue(key("retired", "p256"), "Về Hưu Thử", subCA, person, "2024-01-01", "2045-01-01")
	stolen = issue(key("stolen", "p256"), "Lộ Khóa Thử", subCA, person, "2024-01-01", "2045-01-01")
	selfSigned = issue(key("self", "p256"), "Tự Ký Thử", nil, person, "2024-01-01", "2045-01-01")
	withdrawn = issue(key("withdrawn", "p256"), "Thu Hồi OCSP Thử", subCA, person, "2024-01-01", "2045-01-01")
}

// answer is an OCSP answer of the issuing CA about a certificate, revoked since the
// day given, or good where there is none. Like the keys it is made once and kept:
// the library puts the time of making into it.
func answer(file string, about *identity, revokedSince string) []byte {
	path := filepath.Join(root, "keys", file+".ocsp")
	if b, err := os.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		check(err)
		return b
	}
	a := ocsp.Response{Status: ocsp.Good, SerialNumber: about.cert.SerialNumber, ThisUpdate: day("2026-03-02"), NextUpdate: day("2049-01-01")}
	if revokedSince != "" {
		a.Status, a.RevokedAt, a.RevocationReason = ocsp.Revoked, day(revokedSince), ocsp.CessationOfOperation
	}
	der, err := ocsp.CreateResponse(subCA.cert, subCA.cert, a, subCA.key)
	check(err)
	check(os.WriteFile(path, der, 0o644))
	return der
}

// revocations is the list of the issuing CA: one certificate revoked before the
// test signatures were made, two after.
func revocations() []byte {
	der, err := x509.CreateRevocationList(nil, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: day("2026-03-02"), NextUpdate: day("2049-01-01"),
		RevokedCertificateEntries: []x509.RevocationListEntry{
			{SerialNumber: revoked.cert.SerialNumber, RevocationTime: day("2025-12-01")},
			{SerialNumber: retired.cert.SerialNumber, RevocationTime: day("2026-03-01"), ReasonCode: 5}, // cessation of operation
			{SerialNumber: stolen.cert.SerialNumber, RevocationTime: day("2026-03-01"), ReasonCode: 1},  // key compromise
		},
	}, subCA.cert, subCA.key)
	check(err)
	return der
}
