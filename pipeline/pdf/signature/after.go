package signature

import (
	"bytes"
	"slices"
	"strings"
)

// followUp looks at what came after each signature. Every step from one
// signature to the next, and from the newest to the end, is judged once; a
// signature is changed after when any step behind it is not allowed.
func (v *verifier) followUp() {
	limit := markup // the strictest certification so far narrows it
	type step struct {
		level, allowed level
		vouched        bool // by the signer of the next signature
	}
	var steps []step
	var locks []lock
	for i, s := range v.sigs {
		if s.end == 0 { // nothing is known to be covered
			steps = append(steps, step{})
			continue
		}
		switch s.certify {
		case 1:
			limit = min(limit, upkeep)
		case 2:
			limit = min(limit, filling)
		}
		locks = append(locks, s.locks...)
		st := step{allowed: upkeep} // unsigned: only what keeps signatures verifiable
		var next *found
		if i+1 < len(v.sigs) {
			next = v.sigs[i+1]
		}
		switch {
		case next == nil:
			st.level = v.tail(s)
		default:
			if next.verdict.Intact && next.verdict.CoversRevision && !next.verdict.DocumentStamp {
				st.allowed, st.vouched = limit, true
			}
			var filled []string
			st.level, filled = v.between(s, next)
			for _, l := range locks {
				if slices.ContainsFunc(filled, l.holds) {
					st.level = anything
				}
			}
		}
		steps = append(steps, st)
	}
	changed := false
	v.resigned = true
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].level > steps[i].allowed {
			changed = true
			v.resigned = v.resigned && steps[i].vouched
		}
		v.sigs[i].verdict.ChangedAfter = changed
	}
	v.resigned = v.resigned && changed
}

func (v *verifier) between(a, b *found) (l level, filled []string) {
	if a.end == b.end {
		return same, nil
	}
	if a.state == nil || b.state == nil {
		return anything, nil
	}
	return compare(a.state, b.state)
}

// lock is what a signature says of fields that must stay as they are (FieldMDP).
type lock struct {
	action name // All, Include, Exclude
	fields []string
}

func (l lock) holds(field string) bool {
	named := slices.ContainsFunc(l.fields, func(f string) bool { return field == f || strings.HasPrefix(field, f+".") })
	switch l.action {
	case "Include":
		return named
	case "Exclude":
		return !named
	}
	return true // All, and what nobody knows
}

// locks reads the FieldMDP transforms of a signature.
func (v *verifier) locks(sig dict) (out []lock) {
	if v.last == nil {
		return nil
	}
	for _, r := range v.last.array(sig.get("Reference")) {
		d := v.last.dict(r)
		if v.last.resolve(d.get("TransformMethod")) != name("FieldMDP") {
			continue
		}
		p := v.last.dict(d.get("TransformParams"))
		var l lock
		l.action, _ = v.last.resolve(p.get("Action")).(name)
		for _, f := range v.last.array(p.get("Fields")) {
			if t, ok := v.last.resolve(f).(text); ok {
				l.fields = append(l.fields, plain(t.b))
			}
		}
		out = append(out, l)
	}
	return out
}

// tail judges what stands behind the newest signature.
func (v *verifier) tail(s *found) level {
	if s.end == v.size || v.blank(s.end) {
		return same
	}
	if s.state == nil || v.last == nil || !v.orderly(s) {
		return anything
	}
	l, _ := compare(s.state, v.last)
	return max(upkeep, l)
}

// blank reports whether only white space follows.
func (v *verifier) blank(from int64) bool {
	if v.size-from > 4096 {
		return false
	}
	b, err := v.bytes(from, int(v.size-from))
	return err == nil && len(bytes.Trim(b, "\r\n\t \x00")) == 0
}

// orderly reports whether what follows the signature is nothing but regular
// updates: objects that the cross-reference names where they stand, sections of
// it that lead back to the signed one. Anything else would be read differently
// by readers that repair, and we compare only one reading.
func (v *verifier) orderly(s *found) bool {
	if len(s.state.sections) == 0 || !slices.Contains(v.last.sections, s.state.sections[0]) {
		return false
	}
	if v.last.sections[0] < s.end {
		return false // no update at all, whatever it is
	}
	places := map[int64]int{}
	for n, pl := range v.last.table {
		if !pl.packed && pl.off >= s.end {
			places[pl.off] = n
		}
	}
	sections := map[int64]bool{}
	for _, off := range v.last.sections {
		sections[off] = true
	}
	off := s.end
	for range maxObjects {
		var next int64
		err := v.with(off, 4096, func(p *parser) error {
			start := p.i
			p.space()
			if p.i >= len(p.b) && !p.whole {
				return errShort
			}
			if !harmless(p.b[start:p.i]) {
				return errSyntax
			}
			if p.i >= len(p.b) {
				next = v.size
				return nil
			}
			at := p.at(p.i)
			switch {
			case p.b[p.i] == 'x' && sections[at]:
				for {
					if p.keyword("trailer") {
						break
					}
					if p.space(); p.i >= len(p.b) {
						return p.short()
					}
					if p.word() == "" {
						return errSyntax
					}
				}
				if _, err := p.value(0); err != nil {
					return err
				}
				next = p.at(p.i)
				return nil
			case p.keyword("startxref"):
				to, ok := p.integer()
				if !ok {
					return p.short()
				}
				if !sections[to] {
					return errSyntax
				}
				next = p.at(p.i) // %%EOF is a comment
				return nil
			}
			n, ok := places[at]
			if !ok && !sections[at] {
				return errSyntax
			}
			r, val, err := p.indirect()
			if err != nil {
				return err
			}
			if ok && r.num != n {
				return errSyntax
			}
			if st, isStream := val.(stream); isStream {
				length, ok := v.last.resolve(st.get("Length")).(int64)
				if !ok || length < 0 || st.data+length > v.size {
					return errSyntax
				}
				next = st.data + length
				return nil
			}
			if !p.keyword("endobj") {
				return p.short()
			}
			next = p.at(p.i)
			return nil
		})
		if err != nil {
			return false
		}
		if next >= v.size {
			return true
		}
		if next <= off {
			return false
		}
		off = v.skipStreamEnd(next)
	}
	return false
}

// harmless reports whether the comments in a piece of white space are such as
// writers leave (%%EOF, their name). Readers look for some words without caring
// for comments.
func harmless(gap []byte) bool {
	for _, word := range []string{"obj", "xref", "trailer", "stream", "<<"} {
		if bytes.Contains(gap, []byte(word)) {
			return false
		}
	}
	return true
}

// skipStreamEnd steps over "endstream endobj".
func (v *verifier) skipStreamEnd(off int64) int64 {
	b, err := v.bytes(off, 64)
	if err != nil {
		return off
	}
	p := parser{b: b, base: off, whole: true}
	if p.keyword("endstream") && p.keyword("endobj") {
		return p.at(p.i)
	}
	return off
}
