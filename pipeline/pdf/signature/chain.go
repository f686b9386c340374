package signature

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"slices"
	"time"
)

// The library refuses SHA-1 in certificates, and rightly today. Certificates of
// officials were issued with it for years, and the results they signed are still
// in force. A certificate issued before this day is accepted with it: forging
// one would have needed a collision prepared while the authority was issuing
// such certificates, and none was feasible before.
var lastSHA1 = time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)

const maxChain = 8

// chains returns the ways from leaf up to a root in force at the time. It asks
// the library first; what that refuses for SHA-1 alone is looked at here.
func (t Trust) chains(leaf *x509.Certificate, more []*x509.Certificate, at time.Time, usage x509.ExtKeyUsage) [][]*x509.Certificate {
	pool := x509.NewCertPool()
	for _, c := range slices.Concat(more, t.Intermediates) {
		pool.AddCert(c)
	}
	found, err := leaf.Verify(x509.VerifyOptions{Roots: t.Roots, Intermediates: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err == nil {
		return found
	}
	if usage != x509.ExtKeyUsageAny && !slices.Contains(leaf.ExtKeyUsage, usage) {
		return nil
	}
	all := slices.Concat(more, t.Intermediates)
	var climb func(chain []*x509.Certificate)
	steps := 0
	climb = func(chain []*x509.Certificate) {
		c := chain[len(chain)-1]
		if steps++; steps > 1000 || at.Before(c.NotBefore) || at.After(c.NotAfter) || len(chain) > 1 && len(c.UnhandledCriticalExtensions) > 0 {
			return
		}
		for _, root := range t.roots {
			if c.Equal(root) {
				found = append(found, slices.Clone(chain))
				return
			}
		}
		if len(chain) > maxChain {
			return
		}
		for _, up := range slices.Concat(t.roots, all) {
			if slices.ContainsFunc(chain, up.Equal) || up.MaxPathLen >= 0 && (up.MaxPathLen > 0 || up.MaxPathLenZero) && len(chain)-1 > up.MaxPathLen {
				continue
			}
			if issued(up, c) {
				climb(append(slices.Clone(chain), up))
			}
		}
	}
	climb([]*x509.Certificate{leaf})
	return found
}

// issued reports whether up signed c, with SHA-1 where that is old enough.
func issued(up, c *x509.Certificate) bool {
	if !bytes.Equal(up.RawSubject, c.RawIssuer) {
		return false
	}
	if c.CheckSignatureFrom(up) == nil {
		return true
	}
	key, ok := up.PublicKey.(*rsa.PublicKey)
	if !ok || c.SignatureAlgorithm != x509.SHA1WithRSA || !c.NotBefore.Before(lastSHA1) ||
		!up.BasicConstraintsValid || !up.IsCA || up.KeyUsage != 0 && up.KeyUsage&x509.KeyUsageCertSign == 0 || constrained(up) {
		return false
	}
	sum := sha1.Sum(c.RawTBSCertificate)
	return rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], c.Signature) == nil
}

// constrained reports whether an authority is bound to certain names, which is
// not checked here.
func constrained(c *x509.Certificate) bool {
	return len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses)+
		len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+len(c.PermittedURIDomains)+len(c.ExcludedURIDomains) > 0
}
