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
	// Changed: after a signature more was changed than a signature allows for:
	// anything but upkeep (DSS, document timestamps) in what nobody signed; page
	// content, or what a certification forbids, in what the next signer signed.
	Changed bool
	// Resigned: Changed, but whoever signed next signed every change: someone
	// answers for what is shown now, though the earlier signer does not. The file
	// is not Legal, and yet no forgery that has to be refused.
	Resigned bool
	// Broken: a signature is shown not to be intact, or not to cover what it has
	// to. One that cannot be checked (its certificate is missing, its algorithm
	// unknown) is not Intact, keeps the file from being Legal, and is not Broken.
	Broken bool
}
