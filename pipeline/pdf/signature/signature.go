// Package signature tells what the digital signatures of a PDF are worth. It
// reads and never writes: a signed file is kept byte for byte.
package signature

import "sohoa/dossier"

// Report is what Verify found.
type Report struct {
	// Signed: the file bears at least one signature or document timestamp.
	Signed bool
	// Signatures in the order in which they were made.
	Signatures []dossier.Signature
	// Legal: signed by someone (a timestamp alone is nobody's signature), every
	// signature intact, nothing after any of them but signed revisions, and,
	// where a trust folder is set, all of them trusted and none revoked.
	Legal bool
	// Changed: after a signature something was changed that its signer or the
	// next one did not sign.
	Changed bool
	// Broken: a signature is shown not to be intact, or not to cover what it has
	// to. One that cannot be checked (its certificate is missing, its algorithm
	// unknown) is not Intact, keeps the file from being Legal, and is not Broken.
	Broken bool
}
