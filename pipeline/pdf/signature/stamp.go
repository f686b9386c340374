package signature

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// stamp is an RFC 3161 timestamp whose own signature holds.
type stamp struct {
	at     time.Time
	hash   crypto.Hash
	digest []byte
	signer *x509.Certificate
	certs  []*x509.Certificate
}

var errStamp = problem{"timestamp-invalid"}

// parseStamp reads a timestamp token and checks its signature, and that its
// signer, whose certificate may be one of more, may make timestamps. What it
// stamps, the caller compares.
func parseStamp(raw []byte, more []*x509.Certificate) (stamp, error) {
	c, err := parseCMS(raw)
	if err != nil {
		return stamp{}, err
	}
	if !c.kind.Equal(oidTSTInfo) || c.content == nil || c.hash == 0 || c.signed == nil {
		return stamp{}, errStamp
	}
	cert := c.certificate(more)
	h := c.hash.New()
	h.Write(c.content)
	if err := c.verify(cert, h.Sum(nil)); err != nil {
		return stamp{}, err
	}
	may := false
	for _, u := range cert.ExtKeyUsage {
		may = may || u == x509.ExtKeyUsageTimeStamping
	}
	if !may {
		return stamp{}, errStamp
	}
	var (
		in                 = cryptobyte.String(c.content)
		info, imprint, sum cryptobyte.String
		version            int64
		policy             asn1.ObjectIdentifier
		alg                algorithm
		serial             = new(big.Int)
		s                  = stamp{signer: cert, certs: c.certs}
	)
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&version) || !info.ReadASN1ObjectIdentifier(&policy) ||
		!info.ReadASN1(&imprint, cbasn1.SEQUENCE) || !readAlgorithm(&imprint, &alg) || !imprint.ReadASN1(&sum, cbasn1.OCTET_STRING) ||
		!info.ReadASN1Integer(serial) {
		return stamp{}, errStamp
	}
	if s.at, err = readGeneralizedTime(&info); err != nil {
		return stamp{}, errStamp
	}
	s.hash, s.digest = hashOf(alg.oid), sum
	if s.hash == 0 {
		return stamp{}, errUnsupported
	}
	return s, nil
}

// readGeneralizedTime allows the fractions of a second that timestamps have.
func readGeneralizedTime(in *cryptobyte.String) (time.Time, error) {
	var v cryptobyte.String
	if !in.ReadASN1(&v, cbasn1.GeneralizedTime) {
		return time.Time{}, errStamp
	}
	t, err := time.Parse("20060102150405Z0700", string(v)) // accepts a fraction after the seconds
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %v", errStamp, err)
	}
	return t.UTC(), nil
}
