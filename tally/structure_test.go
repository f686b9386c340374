package tally_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sohoa/dossier"
	"sohoa/tally"
)

// reorganised is a small province before and after 1 July 2025: two districts
// abolished, three communes merged into one and one kept, one department merged.
func reorganised() []dossier.Unit {
	const end = 20250701
	return []dossier.Unit{
		{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province},
		{Code: "H51.20", Name: "Sở Nông nghiệp", Level: dossier.Department, Parent: "H51", ValidTo: 20250301, Successor: "H51.21"},
		{Code: "H51.21", Name: "Sở Tài nguyên", Level: dossier.Department, Parent: "H51"},
		{Code: "H51.04", Name: "Huyện Trần Đề", Level: dossier.District, Parent: "H51", ValidTo: end},
		{Code: "H51.04.1", Name: "Xã Đại Ân 2", Level: dossier.Commune, Parent: "H51.04", ValidTo: end, Successor: "H51.71"},
		{Code: "H51.04.2", Name: "Xã Trung Bình", Level: dossier.Commune, Parent: "H51.04", ValidTo: end, Successor: "H51.71"},
		{Code: "H51.04.3", Name: "Xã Liêu Tú", Level: dossier.Commune, Parent: "H51.04"},
		{Code: "H51.05", Name: "Thị xã Ngã Năm", Level: dossier.District, Parent: "H51", ValidTo: end, Successor: "H51.72"},
		{Code: "H51.05.1", Name: "Phường 1", Level: dossier.Commune, Parent: "H51.05", ValidTo: end, Successor: "H51.72"},
		{Code: "H51.05.2", Name: "Xã Tân Long", Level: dossier.Commune, Parent: "H51.05"},
		{Code: "H51.71", Name: "Xã Trần Đề", Level: dossier.Commune, Parent: "H51", ValidFrom: end},
		{Code: "H51.72", Name: "Phường Ngã Năm", Level: dossier.Commune, Parent: "H51", ValidFrom: end},
		{Code: "H51.73", Name: "Xã mới", Level: dossier.Commune, Parent: "H51", ValidFrom: end},
	}
}

func tree(s *tally.Structure, root dossier.UnitCode) []string {
	var out []string
	for _, r := range s.Rows(root) {
		out = append(out, fmt.Sprintf("%d %s", r.Depth, r.Unit))
	}
	return out
}

func TestReorganisation(t *testing.T) {
	units := reorganised()
	for _, tt := range []struct {
		day    dossier.Date
		rows   []string
		holder map[dossier.UnitCode]dossier.UnitCode
	}{
		{20240830, []string{"0 H51", "1 H51.20", "1 H51.21", "1 H51.04", "2 H51.04.1", "2 H51.04.2", "2 H51.04.3", "1 H51.05", "2 H51.05.1", "2 H51.05.2"},
			map[dossier.UnitCode]dossier.UnitCode{
				"H51.20": "H51.20",
				"H51.71": "H51.04", // of two communes of one district
				"H51.72": "H51.05", // of a district and its own commune
				"H51.73": "H51",    // of nobody
			}},
		{20250630, []string{"0 H51", "1 H51.21", "1 H51.04", "2 H51.04.1", "2 H51.04.2", "2 H51.04.3", "1 H51.05", "2 H51.05.1", "2 H51.05.2"},
			map[dossier.UnitCode]dossier.UnitCode{"H51.20": "H51.21", "H51.04": "H51.04"}},
		{20250701, []string{"0 H51", "1 H51.21", "1 H51.04.3", "1 H51.05.2", "1 H51.71", "1 H51.72", "1 H51.73"},
			map[dossier.UnitCode]dossier.UnitCode{
				"H51.20": "H51.21", "H51.04": "H51", "H51.04.1": "H51.71", "H51.04.2": "H51.71", "H51.04.3": "H51.04.3",
				"H51.05": "H51.72", "H51.05.1": "H51.72", "H51.05.2": "H51.05.2", "H51.73": "H51.73",
			}},
	} {
		s, err := tally.StructureAsOf(units, tt.day)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree(s, ""); !slices.Equal(got, tt.rows) {
			t.Errorf("%v: %v, want %v", tt.day, got, tt.rows)
		}
		for u, h := range tt.holder {
			if got := s.Holder(u); got != h {
				t.Errorf("%v: %s is answered for by %s, want %s", tt.day, u, got, h)
			}
		}
		if n := s.Notes(); len(n) != 0 {
			t.Errorf("%v: notes %v", tt.day, n)
		}
	}
	s, err := tally.StructureAsOf(units, 20250801)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Subtree("H51.71"), []dossier.UnitCode{"H51.04.1", "H51.04.2", "H51.71"}; !slices.Equal(got, want) {
		t.Errorf("the merged commune answers for %v, want %v", got, want)
	}
	if got := s.Subtree("H51"); len(got) != len(units) {
		t.Errorf("the province answers for %v", got)
	}
	if got := s.Holder("H99"); got != "" || len(s.Rows("H99")) != 0 {
		t.Errorf("an unknown unit is answered for by %q", got)
	}
}

// TestProvinceMerged: a province merged into another, whose departments and
// communes went over.
func TestProvinceMerged(t *testing.T) {
	units := []dossier.Unit{
		{Code: "H13", Name: "Cần Thơ", Level: dossier.Province},
		{Code: "H13.1", Name: "Sở A", Level: dossier.Department, Parent: "H13"},
		{Code: "H51", Name: "Sóc Trăng", Level: dossier.Province, ValidTo: 20250701, Successor: "H13"},
		{Code: "H51.1", Name: "Sở A cũ", Level: dossier.Department, Parent: "H51", ValidTo: 20250701, Successor: "H13.1"},
		{Code: "H51.2", Name: "Xã B", Level: dossier.Commune, Parent: "H51"},
	}
	before, err := tally.StructureAsOf(units, 20250630)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tree(before, ""), []string{"0 ", "1 H13", "2 H13.1", "1 H51", "2 H51.1", "2 H51.2"}; !slices.Equal(got, want) {
		t.Errorf("before: %v", got)
	}
	if got, want := tree(before, "H51"), []string{"0 H51", "1 H51.1", "1 H51.2"}; !slices.Equal(got, want) {
		t.Errorf("before, H51: %v", got)
	}
	after, err := tally.StructureAsOf(units, 20250701)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tree(after, "H51"), []string{"0 H13", "1 H13.1", "1 H51.2"}; !slices.Equal(got, want) {
		t.Errorf("after: %v", got)
	}
	if after.Holder("H51.1") != "H13.1" {
		t.Errorf("Sở A cũ: %s", after.Holder("H51.1"))
	}
}

// TestParentToCome: a unit whose parent, as the register has it, has not begun
// stands under the one whose place that parent takes, if it is one only.
func TestParentToCome(t *testing.T) {
	units := []dossier.Unit{
		{Code: "H51", Level: dossier.Province},
		{Code: "H51.1", Level: dossier.District, Parent: "H51", ValidTo: 20250701, Successor: "H51.5"},
		{Code: "H51.5", Level: dossier.District, Parent: "H51", ValidFrom: 20250701},
		{Code: "C", Level: dossier.Commune, Parent: "H51.5"},
	}
	for _, tt := range []struct {
		name  string
		units []dossier.Unit
		want  dossier.UnitCode
	}{
		{"of one", units, "H51.1"},
		{"of two", append(units, dossier.Unit{Code: "H51.2", Level: dossier.District, Parent: "H51", ValidTo: 20250701, Successor: "H51.5"}), "H51"},
		{"of none", append([]dossier.Unit{units[0], {Code: "H51.1", Level: dossier.District, Parent: "H51"}}, units[2:]...), "H51"},
	} {
		s, err := tally.StructureAsOf(tt.units, 20240830)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Ancestors("C")[1]; got != tt.want {
			t.Errorf("%s: it stands under %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestGap: between the end of a unit and the beginning of its successor its
// parent answers for it, whoever else is waiting for the same successor.
func TestGap(t *testing.T) {
	units := []dossier.Unit{
		{Code: "H51", Level: dossier.Province},
		{Code: "A", Level: dossier.Commune, Parent: "H51", ValidTo: 20240101, Successor: "S"},
		{Code: "B", Level: dossier.Commune, Parent: "H51", ValidTo: 20250101, Successor: "S"},
		{Code: "S", Level: dossier.Commune, Parent: "H51", ValidFrom: 20250101},
	}
	for day, want := range map[dossier.Date]dossier.UnitCode{20231231: "A", 20240101: "H51", 20241231: "H51", 20250101: "S"} {
		s, err := tally.StructureAsOf(units, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Holder("A"); got != want {
			t.Errorf("%v: %s answers for A, want %s", day, got, want)
		}
	}
}

// TestVersionsOfACode: a unit that keeps its code and changes name and parent.
func TestVersionsOfACode(t *testing.T) {
	units := []dossier.Unit{
		{Code: "H51", Level: dossier.Province},
		{Code: "H51.1", Level: dossier.District, Parent: "H51", ValidTo: 20250701},
		{Code: "C", Name: "Thị trấn", Level: dossier.Commune, Parent: "H51.1", ValidTo: 20250701},
		{Code: "C", Name: "Xã", Level: dossier.Commune, Parent: "H51", ValidFrom: 20250701},
	}
	for _, rows := range [][]dossier.Unit{units, {units[3], units[2], units[1], units[0]}} {
		for day, want := range map[dossier.Date]string{20250630: "Thị trấn H51.1", 20250701: "Xã H51"} {
			s, err := tally.StructureAsOf(rows, day)
			if err != nil {
				t.Fatal(err)
			}
			u, _ := s.Unit("C")
			if got := fmt.Sprint(u.Name, " ", s.Ancestors("C")[1]); got != want {
				t.Errorf("%v: %s, want %s", day, got, want)
			}
		}
	}
}

// TestFaultyRegister: what the register gets wrong is noted and nothing is lost.
func TestFaultyRegister(t *testing.T) {
	for _, tt := range []struct {
		name  string
		units []dossier.Unit
		rows  []string
		noted []dossier.UnitCode
	}{
		{"unknown parent", []dossier.Unit{{Code: "P", Level: dossier.Province}, {Code: "A", Level: dossier.Commune, Parent: "X"}},
			[]string{"0 P", "1 A"}, []dossier.UnitCode{"A"}},
		{"no parent", []dossier.Unit{{Code: "P", Level: dossier.Province}, {Code: "A", Level: dossier.District}},
			[]string{"0 P", "1 A"}, []dossier.UnitCode{"A"}},
		{"parents in a circle", []dossier.Unit{{Code: "P", Level: dossier.Province}, {Code: "A", Level: dossier.District, Parent: "B"}, {Code: "B", Level: dossier.District, Parent: "A"}, {Code: "C", Level: dossier.Commune, Parent: "B"}},
			[]string{"0 P", "1 A", "2 B", "3 C"}, []dossier.UnitCode{"A", "A"}},
		{"successors in a circle", []dossier.Unit{{Code: "P", Level: dossier.Province}, {Code: "A", Level: dossier.District, Parent: "P", ValidTo: 20200101, Successor: "B"}, {Code: "B", Level: dossier.District, Parent: "P", ValidTo: 20200101, Successor: "A"}},
			[]string{"0 P"}, nil},
		{"its own parent and successor", []dossier.Unit{{Code: "P", Level: dossier.Province, Parent: "P"}, {Code: "A", Level: dossier.District, Parent: "A", ValidTo: 20200101, Successor: "A"}},
			[]string{"0 P"}, []dossier.UnitCode{"A"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tally.StructureAsOf(tt.units, 20240830)
			if err != nil {
				t.Fatal(err)
			}
			if got := tree(s, ""); !slices.Equal(got, tt.rows) {
				t.Errorf("%v, want %v", got, tt.rows)
			}
			var noted []dossier.UnitCode
			for _, n := range s.Notes() {
				noted = append(noted, n.Unit)
			}
			if !slices.Equal(noted, tt.noted) {
				t.Errorf("notes on %v, want %v", noted, tt.noted)
			}
			if got := s.Subtree("P"); len(got) != len(tt.units) {
				t.Errorf("the root answers for %v", got)
			}
		})
	}
	if _, err := tally.StructureAsOf(nil, 20240830); err == nil {
		t.Error("a structure of no units")
	}
}

// TestAnyStructure: whatever the register says, on every day each unit of all
// times has one holder, which is in force and has one row, the order of the
// register's rows changes nothing, and a parent's row comes before its children's.
func TestAnyStructure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		code := rapid.Custom(func(t *rapid.T) dossier.UnitCode {
			return dossier.UnitCode(string(rune('A' + rapid.IntRange(0, n).Draw(t, "code")))) // one beyond: unknown
		})
		day := rapid.SampledFrom([]dossier.Date{0, 0, 20200101, 20220101, 20240101, 20250701})
		units := make([]dossier.Unit, n)
		for i := range units {
			units[i] = dossier.Unit{
				Code:      dossier.UnitCode(string(rune('A' + i))),
				Level:     rapid.SampledFrom([]dossier.Level{dossier.Province, dossier.Department, dossier.District, dossier.Commune}).Draw(t, "level"),
				ValidFrom: day.Draw(t, "from"), ValidTo: day.Draw(t, "to"),
			}
			if rapid.Bool().Draw(t, "has parent") {
				units[i].Parent = code.Draw(t, "parent")
			}
			if rapid.Bool().Draw(t, "has successor") {
				units[i].Successor = code.Draw(t, "successor")
			}
		}
		for _, d := range []dossier.Date{20190101, 20200101, 20211231, 20230101, 20240601, 20260101} {
			s, err := tally.StructureAsOf(units, d)
			if err != nil {
				continue // nobody in force
			}
			rows := map[dossier.UnitCode]int{}
			seen := map[dossier.UnitCode]bool{"": true}
			all := s.Rows("")
			for k, r := range all {
				rows[r.Unit]++
				if k > 0 && !seen[r.Parent] {
					t.Fatalf("row %s comes before its parent %s", r.Unit, r.Parent)
				}
				seen[r.Unit] = true
			}
			held := map[dossier.UnitCode]int{}
			for _, root := range s.Roots() {
				for _, u := range s.Subtree(root) {
					held[u]++
				}
			}
			for _, u := range units {
				h := s.Holder(u.Code)
				x, _ := s.Unit(h)
				if rows[h] != 1 || x.ValidFrom > d || x.ValidTo != 0 && x.ValidTo <= d {
					t.Fatalf("%v: %s is answered for by %q, which has %d rows", d, u.Code, h, rows[h])
				}
				if held[u.Code] != 1 {
					t.Fatalf("%v: %s is counted %d times", d, u.Code, held[u.Code])
				}
			}
			other, err := tally.StructureAsOf(rapid.Permutation(units).Draw(t, "order"), d)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range units {
				if s.Holder(u.Code) != other.Holder(u.Code) {
					t.Fatalf("%v: the holder of %s hangs on the order of rows", d, u.Code)
				}
			}
			if !slices.Equal(tree(s, ""), tree(other, "")) {
				t.Fatalf("%v: the tree hangs on the order of rows", d)
			}
		}
	})
}
