package dossier

import "regexp"

// Text is one sentence in the two languages of the product. Vietnamese comes
// first wherever people read it.
type Text struct {
	VI string `json:"vi" yaml:"vi"`
	EN string `json:"en" yaml:"en"`
}

// In returns the sentence in the language asked for ("en"; anything else is
// Vietnamese).
func (t Text) In(lang string) string {
	if lang == "en" {
		return t.EN
	}
	return t.VI
}

var choice = regexp.MustCompile(`\{([^{}|]*)\|([^{}|]*)\}`)

// For is the sentence as it is said of one thing, or of any other number of them:
// of each {one|other} it keeps the half that fits.
func (t Text) For(one bool) Text {
	half := "$2"
	if one {
		half = "$1"
	}
	return Text{VI: choice.ReplaceAllString(t.VI, half), EN: choice.ReplaceAllString(t.EN, half)}
}
