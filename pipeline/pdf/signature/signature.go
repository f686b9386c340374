// Package signature tells what the digital signatures of a PDF are worth. It
// reads and never writes: a signed file is kept byte for byte.
//
// A signature is looked at in three ways, and each can fail it.
//
// What it covers: the byte range starts at 0, leaves out exactly the value of
// /Contents with its brackets, and ends where a revision ends. Then the digest,
// the signed attributes and the signature value have to hold (RFC 5652; RSA
// PKCS #1 and PSS, ECDSA, Ed25519; SHA-1 to SHA-512), and where PAdES demands it
// the signed hash of the signer's certificate (RFC 5035).
//
// Who made it: the chain to the trust folder, in force when it was made, which a
// timestamp (RFC 3161) of a trusted authority proves and the signer otherwise
// claims; revocation by the lists of the folder and by the lists and OCSP answers
// that came with the file (in the signature or the security store). A certificate
// revoked later is believed for the time before, unless its key was stolen and
// nothing proves the time. The network is not asked.
//
// What came after: the states of the file at each signature and at its end are
// compared object by object, from the root. An unsigned update may only keep
// signatures verifiable (DSS, document timestamps, metadata). What the next
// signer signed may besides fill fields, add signatures and add notes, as far as
// a certification (DocMDP) and locks on fields (FieldMDP) allow it. Whatever is not known to be harmless is a
// change: content, resources, references that pointed nowhere when it was signed
// (shadow attacks), bytes outside the cross-reference.
//
// The structure of the file is read here and not by a PDF library, because no
// library shows a file as it was at an earlier revision, and because a reader
// that repairs sees what others do not.
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
