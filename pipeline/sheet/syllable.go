package sheet

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// score counts how many of the words with letters beyond ASCII are Vietnamese
// syllables: that is how the right encoding is told from a wrong one.
type score struct{ words, good int }

func (s *score) add(text string) {
	text = norm.NFC.String(text)
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool {
		// What a wrong encoding makes of a letter is often a sign (· ¸ ¶ ®), which
		// must stay with its word to spoil it.
		return r < 0x80 && !unicode.IsLetter(r) || unicode.IsSpace(r) || r == '–' || r == '—' || r == '“' || r == '”' || r == '‘' || r == '’' || r == '…'
	}) {
		if isASCII(word) {
			continue
		}
		s.words++
		if syllable(word) {
			s.good++
		}
	}
}

func (s score) share() float64 {
	if s.words == 0 {
		return 0
	}
	return float64(s.good) / float64(s.words)
}

// syllable reports whether the word can be a Vietnamese syllable: an onset, a
// rhyme and at most one tone, a rhyme that ends in a stop with the sharp or the
// heavy tone only.
func syllable(word string) bool {
	if len(word) > 24 {
		return false
	}
	var base strings.Builder
	tone := rune(0)
	for _, r := range norm.NFD.String(strings.ToLower(word)) {
		switch r {
		case 0x300, 0x301, 0x303, 0x309, 0x323:
			if tone != 0 {
				return false
			}
			tone = r
		default:
			base.WriteRune(r)
		}
	}
	w := norm.NFC.String(base.String())
	for _, onset := range onsets {
		rhyme, ok := strings.CutPrefix(w, onset)
		if !ok || !rhymes[rhyme] {
			continue
		}
		if strings.HasSuffix(rhyme, "c") || strings.HasSuffix(rhyme, "ch") || strings.HasSuffix(rhyme, "p") || strings.HasSuffix(rhyme, "t") {
			if tone != 0x301 && tone != 0x323 {
				continue
			}
		}
		return true
	}
	return false
}

var onsets = strings.Fields("b c ch d đ g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x")

var rhymes = func() map[string]bool {
	m := map[string]bool{}
	for _, r := range strings.Fields(`
a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên êng ênh êp êt êu
i ia ich iêc iêm iên iêng iêp iêt iêu im in inh ip it iu
o oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oc oe oen oeo oet oi om on ong ooc oong op ot
ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt
u ua uân uâng uât uây uc uê uêch uênh ui um un ung uôc uôi uôm uôn uông uôt uơ up ut uy uya uych uynh uyn uyu uyêt uyên uyt
ư ưa ưc ưi ưm ưn ưng ươc ươi ươm ươn ương ươp ươt ươu ưt ưu y yêm yên yêng yêt yêu ych ynh yt`) {
		m[r] = true
	}
	return m
}()
