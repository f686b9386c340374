package signature

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Trust is whom an installation believes: root certificates, the authorities
// below them, and lists of revoked certificates. The zero Trust asks for nothing.
type Trust struct {
	Roots         *x509.CertPool
	Intermediates []*x509.Certificate
	CRLs          []*x509.RevocationList

	roots []*x509.Certificate
	set   bool
}

// LoadTrust reads the files of dir: certificates and revocation lists, PEM or
// DER (*.pem, *.crt, *.cer, *.der, *.crl). A self-signed certificate is a root;
// another one only helps to build chains. An empty dir means that trust is not
// asked for. A folder without a root, or a file in it that cannot be read, is an
// error: to trust nobody by mistake is as bad as to trust anybody.
func LoadTrust(dir string) (Trust, error) {
	if dir == "" {
		return Trust{}, nil
	}
	t := Trust{Roots: x509.NewCertPool(), set: true}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		ext := strings.ToLower(filepath.Ext(path))
		if !slices.Contains([]string{".pem", ".crt", ".cer", ".der", ".crl"}, ext) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := t.add(b, ext == ".crl"); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		return Trust{}, fmt.Errorf("trust folder: %w", err)
	}
	if len(t.roots) == 0 {
		return Trust{}, fmt.Errorf("trust folder: no root certificate in %s", dir)
	}
	return t, nil
}

func (t *Trust) add(b []byte, crl bool) error {
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		if crl {
			return t.addCRL(b)
		}
		return t.addCert(b)
	}
	n := 0
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		var err error
		switch block.Type {
		case "CERTIFICATE", "TRUSTED CERTIFICATE":
			err = t.addCert(block.Bytes)
		case "X509 CRL":
			err = t.addCRL(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return fmt.Errorf("no certificate and no revocation list")
	}
	return nil
}

func (t *Trust) addCert(der []byte) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if selfIssued(c) {
		t.Roots.AddCert(c)
		t.roots = append(t.roots, c)
	} else {
		t.Intermediates = append(t.Intermediates, c)
	}
	return nil
}

func (t *Trust) addCRL(der []byte) error {
	l, err := x509.ParseRevocationList(der)
	if err == nil {
		t.CRLs = append(t.CRLs, l)
	}
	return err
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// standing is what the trust folder says of a certificate at a time.
type standing struct {
	trusted bool
	revoked bool
	problem string
}

// judge follows the chain of cert at the time given. more are certificates and
// told revocation lists and answers that came with the signature; one counts only
// when the authority it speaks for signed it. late says that at is only claimed, so
// that a key known to be stolen is not believed even for the time before.
func (t Trust) judge(cert *x509.Certificate, more []*x509.Certificate, told revocations, at time.Time, late bool, usage x509.ExtKeyUsage) standing {
	if !t.set {
		return standing{}
	}
	leaf := cert
	if usage == x509.ExtKeyUsageAny && len(cert.UnhandledCriticalExtensions) > 0 {
		// What is critical in a signing certificate (qualified statements and the
		// like) restricts people, not the mathematics.
		c := *cert
		c.UnhandledCriticalExtensions = nil
		leaf = &c
	}
	all := revocations{lists: t.CRLs}.and(told)
	chains := t.chains(leaf, more, at, usage)
	if len(chains) == 0 {
		st := standing{problem: t.why(cert, append(slices.Clone(more), t.Intermediates...), at)}
		// Revoked is said of an expired or unknown one too, where it is known.
		for _, issuer := range append(append(slices.Clone(more), t.Intermediates...), t.roots...) {
			if bytes.Equal(issuer.RawSubject, cert.RawIssuer) && all.revoke(cert, issuer, at, late) {
				st.revoked, st.problem = true, "revoked"
			}
		}
		return st
	}
	for _, chain := range chains {
		gone := false
		for i := 0; i+1 < len(chain); i++ {
			gone = gone || all.revoke(chain[i], chain[i+1], at, late)
		}
		if !gone {
			return standing{trusted: true}
		}
	}
	return standing{revoked: true, problem: "revoked"}
}

// why names what keeps cert from being trusted.
func (t Trust) why(cert *x509.Certificate, more []*x509.Certificate, at time.Time) string {
	outOfTime := func(c *x509.Certificate) string {
		switch {
		case at.After(c.NotAfter):
			return "expired"
		case at.Before(c.NotBefore):
			return "not-yet-valid"
		}
		return ""
	}
	if selfIssued(cert) && !slices.ContainsFunc(t.roots, cert.Equal) {
		return "self-signed"
	}
	if p := outOfTime(cert); p != "" {
		return p
	}
	c := cert
	for range 16 {
		if slices.ContainsFunc(t.roots, c.Equal) {
			return "chain-invalid" // the chain is there and one of its links does not hold
		}
		if selfIssued(c) {
			return "unknown-root"
		}
		var up *x509.Certificate
		for _, o := range append(slices.Clone(t.roots), more...) {
			if bytes.Equal(o.RawSubject, c.RawIssuer) && !o.Equal(c) {
				up = o
				break
			}
		}
		if up == nil {
			return "chain-missing"
		}
		if p := outOfTime(up); p != "" {
			return p
		}
		c = up
	}
	return "chain-invalid"
}
