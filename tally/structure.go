package tally

import (
	"cmp"
	"fmt"
	"slices"

	"sohoa/dossier"
)

// Structure is the tree of units as it stood on one day, together with who, on
// that day, answers for each unit of other times. Every unit has exactly one
// holder, so that whatever the structure nothing is lost and nothing counted
// twice.
//
//   - A unit in force answers for itself. Its parent is the one the register
//     names; where that one is not in force, the successor that outranks or
//     equals it, else the nearest ancestor in force.
//   - A unit that has ended is answered for by its successor, followed through
//     chains as far as they have begun; without one, by its parent.
//   - A unit that has not begun is answered for by the nearest common ancestor of
//     those it will succeed (by the one itself, if there is one only); without
//     any, by its parent.
//
// What the register gets wrong (an unknown parent, a cycle, a second root that is
// no province) does not stop a report: such a unit hangs under the root, and a
// note says so.
type Structure struct {
	day      dossier.Date
	units    map[dossier.UnitCode]dossier.Unit
	codes    []dossier.UnitCode // sorted
	preds    map[dossier.UnitCode][]dossier.UnitCode
	parent   map[dossier.UnitCode]dossier.UnitCode // of units in force; "" for a root
	children map[dossier.UnitCode][]dossier.UnitCode
	holder   map[dossier.UnitCode]dossier.UnitCode
	held     map[dossier.UnitCode][]dossier.UnitCode
	notes    []Note
}

// Note says what had to be decided about a unit that the register leaves open.
type Note struct {
	Unit dossier.UnitCode
	Text dossier.Text
}

// Row is a unit's place in the tree.
type Row struct {
	Unit   dossier.UnitCode
	Name   string
	Level  dossier.Level
	Parent dossier.UnitCode // "" for the first row
	Depth  int              // 0 for the first row
}

// StructureAsOf builds the structure of the day. The register may hold several
// rows of one code with periods that do not overlap (a unit whose name or parent
// changed). It is an error when no unit at all is in force on that day.
func StructureAsOf(units []dossier.Unit, day dossier.Date) (*Structure, error) {
	s := &Structure{
		day:      day,
		units:    make(map[dossier.UnitCode]dossier.Unit, len(units)),
		preds:    map[dossier.UnitCode][]dossier.UnitCode{},
		parent:   map[dossier.UnitCode]dossier.UnitCode{},
		children: map[dossier.UnitCode][]dossier.UnitCode{},
		holder:   make(map[dossier.UnitCode]dossier.UnitCode, len(units)),
		held:     map[dossier.UnitCode][]dossier.UnitCode{},
	}
	for _, u := range units {
		if have, ok := s.units[u.Code]; !ok || s.tells(u, have) {
			s.units[u.Code] = u
		}
		if u.Successor != "" && u.Successor != u.Code && !slices.Contains(s.preds[u.Successor], u.Code) {
			s.preds[u.Successor] = append(s.preds[u.Successor], u.Code)
		}
	}
	inForce := false
	for c, u := range s.units {
		s.codes = append(s.codes, c)
		inForce = inForce || s.phase(u) == current
	}
	if !inForce {
		return nil, fmt.Errorf("no unit is in force on %v", day)
	}
	slices.Sort(s.codes)
	for _, p := range s.preds {
		slices.Sort(p)
	}
	s.plant()
	for _, c := range s.codes {
		h := s.answers(c, map[dossier.UnitCode]bool{})
		if h == "" {
			h = s.root()
			s.note(c, "không rõ đơn vị kế thừa: tính vào đơn vị gốc", "nobody answers for it: counted under the root")
		}
		s.holder[c] = h
		s.held[h] = append(s.held[h], c)
	}
	return s, nil
}

type phase int

const (
	past phase = iota
	current
	future
)

func (s *Structure) phase(u dossier.Unit) phase {
	switch {
	case u.ValidTo != 0 && u.ValidTo <= s.day:
		return past
	case u.ValidFrom != 0 && u.ValidFrom > s.day:
		return future
	}
	return current
}

// tells reports whether, of two register rows of one code, a says more about
// the day than b: the one in force, else the last that ended, else the first to
// come.
func (s *Structure) tells(a, b dossier.Unit) bool {
	pa, pb := s.phase(a), s.phase(b)
	if pa != pb {
		return pa == current || pb == future
	}
	if c := cmp.Or(cmp.Compare(a.ValidFrom, b.ValidFrom), cmp.Compare(a.ValidTo, b.ValidTo)); c != 0 {
		return (c > 0) == (pa != future)
	}
	// The same period twice: any rule that does not hang on the order of rows.
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Successor, b.Successor)) < 0
}

func (s *Structure) note(c dossier.UnitCode, vi, en string) {
	s.notes = append(s.notes, Note{c, dossier.Text{VI: vi, EN: en}})
}

// rank orders levels from the top; units of a lower level never stand over those
// of a higher one in place of somebody else.
func rank(l dossier.Level) int {
	switch l {
	case dossier.Province:
		return 0
	case dossier.Department, dossier.District:
		return 1
	}
	return 2
}

// plant sets the parents and children of the units in force.
func (s *Structure) plant() {
	var tops []dossier.UnitCode
	for _, c := range s.codes {
		u := s.units[c]
		if s.phase(u) != current {
			continue
		}
		p := s.above(u)
		s.parent[c] = p
		if p == "" {
			tops = append(tops, c)
		}
	}
	s.breakCycles(&tops)
	// Provinces are roots; where there is one, other units without a parent hang
	// under the first.
	slices.SortFunc(tops, func(a, b dossier.UnitCode) int {
		return cmp.Or(cmp.Compare(rank(s.units[a].Level), rank(s.units[b].Level)), cmp.Compare(a, b))
	})
	main := tops[0]
	for _, c := range tops[1:] {
		if s.units[main].Level == dossier.Province && s.units[c].Level != dossier.Province {
			s.parent[c] = main
			s.note(c, "không có đơn vị cấp trên đang hoạt động: xếp dưới đơn vị gốc", "it has no parent in force: placed under the root")
		}
	}
	for _, c := range s.codes {
		if p, ok := s.parent[c]; ok {
			s.children[p] = append(s.children[p], c)
		}
	}
	for _, list := range s.children {
		slices.SortStableFunc(list, func(a, b dossier.UnitCode) int {
			return cmp.Or(cmp.Compare(order(s.units[a].Level), order(s.units[b].Level)), cmp.Compare(a, b))
		})
	}
}

func order(l dossier.Level) int {
	switch l {
	case dossier.Province:
		return 0
	case dossier.Department:
		return 1
	case dossier.District:
		return 2
	}
	return 3
}

// above finds the unit in force under which u stands; "" for none.
func (s *Structure) above(u dossier.Unit) dossier.UnitCode {
	seen := map[dossier.UnitCode]bool{u.Code: true}
	for p := u.Parent; p != ""; {
		pu, known := s.units[p]
		if !known || seen[p] {
			return ""
		}
		seen[p] = true
		switch s.phase(pu) {
		case current:
			return p
		case past:
			if c := s.successor(p); c != "" && c != u.Code && rank(s.units[c].Level) <= rank(pu.Level) {
				return c
			}
		case future: // one that only takes another's place is stood for by that one
			if list := s.preds[p]; len(list) == 1 && list[0] != u.Code {
				if q, ok := s.units[list[0]]; ok && s.phase(q) == current && rank(q.Level) <= rank(pu.Level) {
					return q.Code
				}
			}
		}
		p = pu.Parent
	}
	return ""
}

// breakCycles makes a top of one unit of every cycle of parents.
func (s *Structure) breakCycles(tops *[]dossier.UnitCode) {
	rooted := map[dossier.UnitCode]bool{"": true}
	for _, c := range s.codes {
		if _, ok := s.parent[c]; !ok {
			continue
		}
		var path []dossier.UnitCode
		on := map[dossier.UnitCode]bool{}
		at := c
		for !rooted[at] {
			if on[at] {
				s.parent[at] = ""
				*tops = append(*tops, at)
				s.note(at, "các đơn vị cấp trên nối vòng: xếp dưới đơn vị gốc", "its parents form a cycle: placed under the root")
				break
			}
			on[at] = true
			path = append(path, at)
			at = s.parent[at]
		}
		for _, p := range path {
			rooted[p] = true
		}
	}
}

// successor follows a unit that has ended to the one in force that answers for
// it, through as many as have ended since; "" where the chain stops before or
// runs in a circle.
func (s *Structure) successor(c dossier.UnitCode) dossier.UnitCode {
	seen := map[dossier.UnitCode]bool{}
	for !seen[c] {
		seen[c] = true
		u, known := s.units[c]
		if !known {
			return ""
		}
		switch s.phase(u) {
		case current:
			return c
		case future:
			return ""
		}
		c = u.Successor
	}
	return ""
}

// answers finds the holder of a unit; "" where every way ends or leads back.
// seen keeps one search from going in circles.
func (s *Structure) answers(c dossier.UnitCode, seen map[dossier.UnitCode]bool) dossier.UnitCode {
	u, known := s.units[c]
	if !known || seen[c] {
		return ""
	}
	seen[c] = true
	switch s.phase(u) {
	case current:
		seen[c] = false // an answer, not a way: several searches may end here
		return c
	case past:
		if next, ok := s.units[u.Successor]; ok && s.phase(next) != future {
			if h := s.answers(u.Successor, seen); h != "" {
				return h
			}
		}
	case future:
		h := dossier.UnitCode("")
		for _, p := range s.preds[c] {
			if x := s.answers(p, seen); x != "" {
				h = s.common(h, x)
			}
		}
		if h != "" {
			return h
		}
	}
	return s.answers(u.Parent, seen)
}

// common returns the nearest unit that is a or b or above both; where they have
// none in common, the root of a. An empty a is b.
func (s *Structure) common(a, b dossier.UnitCode) dossier.UnitCode {
	if a == "" {
		return b
	}
	above := map[dossier.UnitCode]bool{}
	last := a
	for x := a; x != ""; x = s.parent[x] {
		above[x] = true
		last = x
	}
	for x := b; x != ""; x = s.parent[x] {
		if above[x] {
			return x
		}
	}
	return last
}

// root is the first root.
func (s *Structure) root() dossier.UnitCode { return s.children[""][0] }

// Roots lists the units in force that have nobody above them; usually one.
func (s *Structure) Roots() []dossier.UnitCode { return slices.Clone(s.children[""]) }

// Day is the day the structure is of.
func (s *Structure) Day() dossier.Date { return s.day }

// Notes lists what had to be decided against or beyond the register.
func (s *Structure) Notes() []Note { return slices.Clone(s.notes) }

// Holder returns the unit in force that answers for the unit; "" for a code the
// register does not have.
func (s *Structure) Holder(c dossier.UnitCode) dossier.UnitCode { return s.holder[c] }

// Unit returns the register's row of the code that says most about the day.
func (s *Structure) Unit(c dossier.UnitCode) (dossier.Unit, bool) {
	u, ok := s.units[c]
	return u, ok
}

// Ancestors returns the unit's holder and the units above it, nearest first.
func (s *Structure) Ancestors(c dossier.UnitCode) []dossier.UnitCode {
	var out []dossier.UnitCode
	for x := s.holder[c]; x != ""; x = s.parent[x] {
		out = append(out, x)
	}
	return out
}

// Rows lists the holder of root and all units in force below it, in tree order:
// departments before districts before communes, each by code. An empty root is
// the whole tree; where it has several roots, a row without code or level comes
// first. A root the register does not have gives no rows.
func (s *Structure) Rows(root dossier.UnitCode) []Row {
	var out []Row
	var walk func(c, parent dossier.UnitCode, depth int)
	walk = func(c, parent dossier.UnitCode, depth int) {
		u := s.units[c]
		out = append(out, Row{Unit: c, Name: u.Name, Level: u.Level, Parent: parent, Depth: depth})
		for _, k := range s.children[c] {
			walk(k, c, depth+1)
		}
	}
	switch roots := s.children[""]; {
	case root != "":
		if h := s.holder[root]; h != "" {
			walk(h, "", 0)
		}
	case len(roots) == 1:
		walk(roots[0], "", 0)
	default:
		out = append(out, Row{Name: "Tất cả"})
		for _, r := range roots {
			walk(r, "", 1)
		}
	}
	return out
}

// Subtree lists, sorted, every unit of all times whose figures belong to the row
// of root: the units below it and those they answer for. An empty root is all.
func (s *Structure) Subtree(root dossier.UnitCode) []dossier.UnitCode {
	if root == "" {
		return slices.Clone(s.codes)
	}
	var out []dossier.UnitCode
	for _, r := range s.Rows(root) {
		out = append(out, s.held[r.Unit]...)
	}
	slices.Sort(out)
	return out
}
