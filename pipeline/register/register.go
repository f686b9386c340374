// Package register reads the registers that the provincial system hands over
// (units, procedures, dossiers, results in force, figures from elsewhere) and
// brings them into the ledger. A bad row is named by file, row and column; the
// good rows go in.
package register

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

// Kind is what a register file holds.
type Kind string

const (
	Units      Kind = "units"
	Procedures Kind = "procedures"
	Dossiers   Kind = "dossiers"
	Results    Kind = "results"
	Indicators Kind = "indicators"
	Portal     Kind = "portal"
)

// Kinds lists every kind, in the order in which they are imported: what later
// ones refer to comes first.
func Kinds() []Kind { return []Kind{Units, Procedures, Dossiers, Results, Indicators, Portal} }

// ParseKind reads the name of a kind.
func ParseKind(s string) (Kind, error) {
	for _, k := range Kinds() {
		if string(k) == s {
			return k, nil
		}
	}
	return "", fmt.Errorf("not a register: units, procedures, dossiers, results, indicators or portal")
}

// Line is a good row: its value and where it stands.
type Line[T any] struct {
	Row   int
	Value T
}

// Lines is a register being read: good rows, and for each bad cell a
// *dossier.RowError; any other error ends it and is of the machine.
type Lines[T any] = iter.Seq2[Line[T], error]

// ReadUnits reads units.csv. The error says that the header will not do; the
// row errors beside it name columns that are passed over. So in all Read….
func ReadUnits(s *sheet.Sheet, m sheet.Mapping) (Lines[dossier.Unit], []*dossier.RowError, error) {
	return read(s, m, unitColumns, parseUnit)
}

// ReadProcedures reads procedures.csv.
func ReadProcedures(s *sheet.Sheet, m sheet.Mapping) (Lines[dossier.Procedure], []*dossier.RowError, error) {
	return read(s, m, procedureColumns, parseProcedure)
}

// ReadDossiers reads dossiers.csv.
func ReadDossiers(s *sheet.Sheet, m sheet.Mapping) (Lines[dossier.Registered], []*dossier.RowError, error) {
	return read(s, m, dossierColumns, parseDossier)
}

// ReadResults reads results.csv.
func ReadResults(s *sheet.Sheet, m sheet.Mapping) (Lines[dossier.Result], []*dossier.RowError, error) {
	return read(s, m, resultColumns, parseResult)
}

// ReadIndicators reads indicators.csv.
func ReadIndicators(s *sheet.Sheet, m sheet.Mapping) (Lines[dossier.IndicatorValue], []*dossier.RowError, error) {
	return read(s, m, indicatorColumns, parseIndicator)
}

// ReadPortal reads portal.csv.
func ReadPortal(s *sheet.Sheet, m sheet.Mapping) (Lines[dossier.PortalFigure], []*dossier.RowError, error) {
	return read(s, m, portalColumns, parsePortal)
}

func read[T any](s *sheet.Sheet, m sheet.Mapping, columns []sheet.Column, parse func(*cells) T) (Lines[T], []*dossier.RowError, error) {
	unknown, err := s.Bind(columns, m)
	if err != nil {
		return nil, nil, err
	}
	// A sheet that went through an American spreadsheet program has months before
	// days. One value that can be nothing else gives its column away; the others of
	// the column are then not taken for days first. Who reads the lines twice, as
	// imports do, knows it before the first row goes in.
	monthFirst := map[string]bool{}
	return func(yield func(Line[T], error) bool) {
		for row, err := range s.Rows() {
			var bad *dossier.RowError
			if err != nil {
				if !yield(Line[T]{Row: row.Number}, err) || !errors.As(err, &bad) {
					return
				}
				continue
			}
			c := &cells{file: s.Name(), row: row, monthFirst: monthFirst}
			v := parse(c)
			if len(c.bad) == 0 {
				if !yield(Line[T]{row.Number, v}, nil) {
					return
				}
				continue
			}
			for _, e := range c.bad {
				if !yield(Line[T]{Row: row.Number}, e) {
					return
				}
			}
		}
	}, unknown, nil
}

// cells reads the cells of one row and keeps what is wrong with them.
type cells struct {
	file string
	row  sheet.Row
	bad  []*dossier.RowError

	monthFirst map[string]bool // columns, of the whole file
}

func (c *cells) refuse(column, vi, en string) {
	c.bad = append(c.bad, &dossier.RowError{File: c.file, Row: c.row.Number, Column: column, Reason: dossier.Text{VI: vi, EN: en}})
}

// text is a cell of at most limit bytes.
func (c *cells) text(column string, limit int) string {
	v := c.row.Get(column)
	if len(v) > limit {
		c.refuse(column, fmt.Sprintf("Ô dài hơn %d byte.", limit), fmt.Sprintf("The cell is longer than %d bytes.", limit))
		return ""
	}
	return v
}

// needed is a cell that must not be empty.
func (c *cells) needed(column string, limit int) string {
	v := c.text(column, limit)
	if v == "" && c.row.Get(column) == "" {
		c.refuse(column, "Ô trống, cần có giá trị.", "The cell is empty; a value is needed.")
	}
	return v
}

func (c *cells) unit(column string, must bool) dossier.UnitCode {
	v := c.row.Get(column)
	if v == "" {
		if must {
			c.needed(column, 64)
		}
		return ""
	}
	u, err := dossier.ParseUnitCode(v)
	if err != nil {
		c.refuse(column, "Không phải mã đơn vị: chữ cái và chữ số thành nhóm, cách nhau bằng dấu chấm, ví dụ H51.04.",
			"Not a unit code: letters and digits in groups joined by dots, such as H51.04.")
	}
	return u
}

func (c *cells) procedure(column string) dossier.ProcedureCode {
	v := c.needed(column, 100)
	if v == "" {
		return ""
	}
	p, err := dossier.ParseProcedureCode(whole(v))
	if err != nil {
		c.refuse(column, "Không phải mã thủ tục: d.dddddd, ví dụ 1.004946.", "Not a procedure code: d.dddddd, such as 1.004946.")
	}
	return p
}

// whole gives a procedure code the zeros back that a spreadsheet program took
// for the end of a number: 1.00492 is 1.004920, 1,004946 the same with a comma.
func whole(v string) string {
	s := strings.Replace(v, ",", ".", 1)
	if len(s) >= 5 && len(s) < 8 && s[1] == '.' && strings.Trim(s[:1]+s[2:], "0123456789") == "" {
		s += strings.Repeat("0", 8-len(s))
	}
	if len(s) == 8 {
		return s
	}
	return v
}

func (c *cells) code(column string) dossier.Code {
	v := c.needed(column, 200)
	if v == "" {
		return ""
	}
	code, err := dossier.ParseCode(v)
	if err != nil {
		c.refuse(column, "Không phải mã hồ sơ: <đơn vị>-NNTTNN-SSSS, ví dụ H51.04-240830-0001, với NNTTNN là một ngày có thật.",
			"Not a dossier code: <unit>-YYMMDD-NNNN, such as H51.04-240830-0001, where YYMMDD is a day.")
	}
	return code
}

// word reads a cell of a closed set, as pinned or as people write it.
func word[T any](c *cells, column string, words map[string]T, must bool, vi, en string) T {
	var zero T
	v := c.row.Get(column)
	if v == "" && must {
		c.needed(column, 100)
		return zero
	}
	if w, ok := words[strings.ToLower(v)]; ok {
		return w
	}
	if w, ok := words[sheet.Fold(v)]; ok {
		return w
	}
	c.refuse(column, vi, en)
	return zero
}
