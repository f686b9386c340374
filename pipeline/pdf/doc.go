// Package pdf judges and normalises scanned documents: PDFs and images.
//
// All work on foreign bytes happens in child processes of the same binary. A
// Pool keeps them; a Session leases one for one file. The parent never parses
// what it was sent: it hands the child a path and gets a dossier.Verdict, a
// *dossier.Rejection or an error, and kills a child that leaves its limits.
//
// Two kinds of answer are kept apart. A *dossier.Rejection says that the scan is
// at fault, which the child has positively established. Every other error is
// ours, and cancellation says nothing about the document.
//
// The one inference is this: a child that dies twice, in two fresh processes, on
// the same bytes, by running into its own limits or by crashing, is taken as the
// document's fault: too-complex. A child killed from outside, or starved by a
// busy machine, is not.
package pdf
