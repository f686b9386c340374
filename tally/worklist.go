package tally

import "sohoa/dossier"

// effort is what it roughly costs to mend what is lacking, in the work of one
// upload; 0 where nobody can mend it any more.
var effort = map[Why]int{
	NoComponent:   3, // several papers to scan
	NoResult:      2,
	NotSigned:     1, // the file is there, a signature is wanted
	NotReused:     4, // the applicant must have had papers digitised before
	NotInPersonal: 1,
	NotSynced:     1,
	NotOnline:     0,
}

// Effort is what it roughly costs to make good the lack, in the work of one
// upload; 0 where nobody can any more.
func (w Why) Effort() int { return effort[w] }

// Waiting reports whether a dossier that is missing can be counted only after
// something happens elsewhere: a result cannot be uploaded before the dossier is
// resolved, and what was handed in at the counter was not handed in online.
func (i Indicator) Waiting(d *dossier.Dossier) bool {
	for _, w := range i.Missing(d) {
		if effort[w] == 0 || w == NoResult && d.Status == dossier.Received {
			return true
		}
	}
	return false
}

// WorklistScore ranks missing dossiers by what lifts the rates fastest: little
// work first, and of equal work the one that lifts more indicators of the same
// version. It is 0 for what is not missing and for what has to wait.
func (i Indicator) WorklistScore(d *dossier.Dossier) int {
	lacks := i.Missing(d)
	if len(lacks) == 0 || i.Waiting(d) {
		return 0
	}
	cost := 0
	for _, w := range lacks {
		cost += effort[w]
	}
	mended := *d
	for _, w := range lacks {
		mend(&mended, w)
	}
	lifts := 0
	for _, o := range inVersion[i.Version] {
		if !o.Numerator(d) && o.Numerator(&mended) {
			lifts++
		}
	}
	return 1000*lifts/cost + lifts
}

// mend makes the dossier as it will be when the lack is made good in the best
// way: a result that is uploaded now comes with its signature.
func mend(d *dossier.Dossier, w Why) {
	switch w {
	case NoComponent:
		d.Components = max(d.Components, 1)
	case NoResult, NotSigned:
		d.Results, d.LegalResults = max(d.Results, 1), max(d.LegalResults, 1)
	case NotReused:
		d.Components, d.Reused = max(d.Components, 1), max(d.Reused, 1)
	case NotInPersonal:
		d.PersonalStore = max(d.PersonalStore, 1)
	case NotSynced:
		d.SyncedAt = d.ReceivedAt
	}
}
