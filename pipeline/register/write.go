package register

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

// WriteUnits writes units.csv as pinned. Reading what Write… writes gives the
// same values.
func WriteUnits(w io.Writer, rows []dossier.Unit) error {
	return write(w, unitColumns, rows, func(u dossier.Unit) []string {
		return []string{string(u.Code), u.Name, string(u.Level), string(u.Parent), u.ValidFrom.String(), u.ValidTo.String(), string(u.Successor)}
	})
}

// WriteProcedures writes procedures.csv.
func WriteProcedures(w io.Writer, rows []dossier.Procedure) error {
	return write(w, procedureColumns, rows, func(p dossier.Procedure) []string {
		return []string{string(p.Code), p.Name, bit(p.ReturnsDocument)}
	})
}

// WriteDossiers writes dossiers.csv, with both optional columns.
func WriteDossiers(w io.Writer, rows []dossier.Registered) error {
	return write(w, dossierColumns, rows, func(d dossier.Registered) []string {
		return []string{string(d.Code), string(d.Unit), string(d.Procedure), strconv.Itoa(int(d.Channel)), instant(d.ReceivedAt),
			string(d.Status), instant(d.ResolvedAt), instant(d.SyncedAt), instant(d.PersonalStoreAt)}
	})
}

// WriteResults writes results.csv.
func WriteResults(w io.Writer, rows []dossier.Result) error {
	return write(w, resultColumns, rows, func(r dossier.Result) []string {
		return []string{r.Number, string(r.Unit), string(r.AuthorityLevel), r.IssuedOn.String(), r.ValidFrom.String(), r.ValidTo.String(), bit(r.Revoked), r.Name}
	})
}

// WriteIndicators writes indicators.csv.
func WriteIndicators(w io.Writer, rows []dossier.IndicatorValue) error {
	return write(w, indicatorColumns, rows, func(v dossier.IndicatorValue) []string {
		return []string{strconv.Itoa(v.Row), v.Period, v.Value}
	})
}

// WritePortal writes portal.csv.
func WritePortal(w io.Writer, rows []dossier.PortalFigure) error {
	return write(w, portalColumns, rows, func(f dossier.PortalFigure) []string {
		return []string{f.Period, string(f.Unit), f.Indicator, strconv.FormatInt(f.Numerator, 10), strconv.FormatInt(f.Denominator, 10)}
	})
}

// Files are registers to be written.
type Files struct {
	Units      []dossier.Unit
	Procedures []dossier.Procedure
	Dossiers   []dossier.Registered
	Results    []dossier.Result
	Indicators []dossier.IndicatorValue
	Portal     []dossier.PortalFigure
}

// WriteFiles writes the registers that are not empty into dir, each as
// <kind>.csv, and returns their paths by kind.
func WriteFiles(dir string, f Files) (map[Kind]string, error) {
	paths := map[Kind]string{}
	for _, one := range []struct {
		kind  Kind
		rows  int
		write func(io.Writer) error
	}{
		{Units, len(f.Units), func(w io.Writer) error { return WriteUnits(w, f.Units) }},
		{Procedures, len(f.Procedures), func(w io.Writer) error { return WriteProcedures(w, f.Procedures) }},
		{Dossiers, len(f.Dossiers), func(w io.Writer) error { return WriteDossiers(w, f.Dossiers) }},
		{Results, len(f.Results), func(w io.Writer) error { return WriteResults(w, f.Results) }},
		{Indicators, len(f.Indicators), func(w io.Writer) error { return WriteIndicators(w, f.Indicators) }},
		{Portal, len(f.Portal), func(w io.Writer) error { return WritePortal(w, f.Portal) }},
	} {
		if one.rows == 0 {
			continue
		}
		path := filepath.Join(dir, string(one.kind)+".csv")
		if err := writeFile(path, one.write); err != nil {
			return nil, err
		}
		paths[one.kind] = path
	}
	return paths, nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	return nil
}

func write[T any](w io.Writer, columns []sheet.Column, rows []T, cells func(T) []string) error {
	c := csv.NewWriter(w)
	header := make([]string, len(columns))
	for i, column := range columns {
		header[i] = column.Name
	}
	if err := c.Write(header); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	for _, row := range rows {
		if err := c.Write(cells(row)); err != nil {
			return fmt.Errorf("register: %w", err)
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	return nil
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(dossier.Zone).Format(time.RFC3339Nano)
}
