package dossier

import "fmt"

// Level is the level of a unit, and of the authority a result in force belongs to.
type Level string

const (
	Province   Level = "province"
	Department Level = "department"
	District   Level = "district"
	Commune    Level = "commune"
)

// ParseLevel reads a level as the register writes it.
func ParseLevel(s string) (Level, error) {
	switch l := Level(s); l {
	case Province, Department, District, Commune:
		return l, nil
	}
	return "", fmt.Errorf("not a level: province, department, district or commune")
}

// Unit is an agency or area in the tree of units. It exists on the days of
// [ValidFrom, ValidTo); a zero bound is open. After its end its Successor, if
// it has one, answers for what it did.
type Unit struct {
	Code      UnitCode
	Name      string
	Level     Level
	Parent    UnitCode // empty at the root
	ValidFrom Date
	ValidTo   Date
	Successor UnitCode
}

// Procedure is an administrative procedure. One that returns no document has
// nothing to digitise as a result.
type Procedure struct {
	Code            ProcedureCode
	Name            string
	ReturnsDocument bool
}
