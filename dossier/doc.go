// Package dossier is the domain of sohoa: codes, units, dossiers, the papers
// that belong to them, and what can be said of a scan. It uses the standard
// library only and does no input or output, so every other package may import
// it and it imports none of them.
//
// Names follow the terms of the field: a dossier (hồ sơ) is one application; a
// component (thành phần hồ sơ) is a paper the applicant hands in; a result (kết
// quả) is the document the authority returns.
package dossier
