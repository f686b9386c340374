package dossier

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
