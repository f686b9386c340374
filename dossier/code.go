package dossier

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// UnitCode names a unit (đơn vị): letters and digits in groups joined by dots,
// such as H51 or H51.04. It is upper case and safe in a path.
type UnitCode string

// Code names a dossier: <unit code>-YYMMDD-NNNN, where NNNN may be longer than
// four digits. The old form writes the unit leaf first (000.00.04.H51-…), the
// new one root first (H51.04-…). It is upper case and safe in a path.
type Code string

// ProcedureCode names a procedure (thủ tục hành chính): 1.004946, or in its
// local form 1.004946.000.00.00.H51.
type ProcedureCode string

// PaperCode names the kind of a component (mã giấy tờ). Empty means that the
// paper has no code, and then it is a paper of its own.
type PaperCode string

var (
	unitCode      = regexp.MustCompile(`^[A-Z0-9]+(\.[A-Z0-9]+)*$`)
	dossierCode   = regexp.MustCompile(`^([A-Z0-9]+(?:\.[A-Z0-9]+)*)-([0-9]{6})-([0-9]{4,12})$`)
	procedureCode = regexp.MustCompile(`^[0-9]\.[0-9]{6}(\.[A-Z0-9]+)*$`)
	codeInText    = regexp.MustCompile(`[A-Z0-9]+(?:\.[A-Z0-9]+)*-[0-9]{6}-[0-9]{4,12}`)
	paperCode     = regexp.MustCompile(`^[\p{L}\p{N}._/-]+$`)
)

// ParseUnitCode reads a unit code; lower case and surrounding blanks are
// forgiven.
func ParseUnitCode(s string) (UnitCode, error) {
	c := strings.ToUpper(strings.TrimSpace(s))
	if len(c) > 64 || !unitCode.MatchString(c) {
		return "", fmt.Errorf("not a unit code: letters and digits in groups joined by dots, such as H51.04")
	}
	return UnitCode(c), nil
}

// ParseCode reads a dossier code; lower case and surrounding blanks are
// forgiven. The date in it must be a day of the calendar.
func ParseCode(s string) (Code, error) {
	c := strings.ToUpper(strings.TrimSpace(s))
	m := dossierCode.FindStringSubmatch(c)
	if m == nil || len(c) > 100 {
		return "", fmt.Errorf("not a dossier code: <unit>-YYMMDD-NNNN, such as H51.04-240830-0001")
	}
	if _, err := time.Parse("060102", m[2]); err != nil {
		return "", fmt.Errorf("not a dossier code: %s is no day (YYMMDD)", m[2])
	}
	return Code(c), nil
}

// FindCodes finds the dossier codes in what a QR code or a barcode says: the bare
// code, a look-up address, or fields with the code among them. Each once, in
// their order.
func FindCodes(text string) []Code {
	var out []Code
	for _, m := range codeInText.FindAllString(strings.ToUpper(text), -1) {
		if c, err := ParseCode(m); err == nil && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// Units returns the unit codes the dossier code may mean, the likeliest first:
// as written, and, for the old leaf-first form, root first without the filler
// groups of zeros (000.00.04.H51 is H51.04). Which of them exists, the register
// of units says.
func (c Code) Units() []UnitCode {
	m := dossierCode.FindStringSubmatch(string(c))
	if m == nil {
		return nil
	}
	out := []UnitCode{UnitCode(m[1])}
	parts := strings.Split(m[1], ".")
	if len(parts) < 2 {
		return out
	}
	var root []string
	for i := len(parts) - 1; i >= 0; i-- {
		if strings.Trim(parts[i], "0") != "" {
			root = append(root, parts[i])
		}
	}
	if r := UnitCode(strings.Join(root, ".")); r != "" && r != out[0] {
		out = append(out, r)
	}
	return out
}

// ParseProcedureCode reads a procedure code.
func ParseProcedureCode(s string) (ProcedureCode, error) {
	c := strings.ToUpper(strings.TrimSpace(s))
	if len(c) > 64 || !procedureCode.MatchString(c) {
		return "", fmt.Errorf("not a procedure code: d.dddddd, such as 1.004946")
	}
	return ProcedureCode(c), nil
}

// National returns the code without its local suffix: 1.004946.
func (p ProcedureCode) National() ProcedureCode {
	if len(p) > 8 {
		return p[:8]
	}
	return p
}

// ParsePaperCode reads a paper code; the empty string is "no code".
func ParsePaperCode(s string) (PaperCode, error) {
	c := strings.TrimSpace(s)
	if c == "" {
		return "", nil
	}
	if len(c) > 100 || !paperCode.MatchString(c) {
		return "", fmt.Errorf("not a paper code: letters, digits and . _ / - only")
	}
	return PaperCode(c), nil
}
