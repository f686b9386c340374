package register

import (
	"errors"
	"strings"
	"testing"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

// fuzzRead: every row comes back as a good line or as errors that name a place
// and speak both languages, and a good line passes its check.
func fuzzRead[T any](f *testing.F, header string, rows []string, read func(*sheet.Sheet, sheet.Mapping) (Lines[T], []*dossier.RowError, error), check func(*testing.T, T)) {
	for _, r := range rows {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, row string) {
		text := header + row + "\n"
		s, err := sheet.Open("f", strings.NewReader(text), int64(len(text)))
		if err != nil {
			var bad *dossier.RowError
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
			return
		}
		defer s.Close()
		lines, _, err := read(s, nil)
		if err != nil {
			var bad *dossier.RowError
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
			return
		}
		for line, err := range lines {
			var bad *dossier.RowError
			switch {
			case errors.As(err, &bad):
				if bad.Reason.VI == "" || bad.Reason.EN == "" {
					t.Fatalf("%+v", bad)
				}
			case err != nil:
				t.Fatal(err)
			default:
				check(t, line.Value)
			}
		}
	})
}

func must[T any](t *testing.T, v T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(v, err)
	}
}

func FuzzUnits(f *testing.F) {
	fuzzRead(f, unitHeader, []string{"H51,Tỉnh,province,,,,", "H51.1,X,xã,H51,1/7/2025,45534,H51.2"}, ReadUnits, func(t *testing.T, u dossier.Unit) {
		_, err := dossier.ParseUnitCode(string(u.Code))
		must(t, u, err)
		_, err = dossier.ParseLevel(string(u.Level))
		must(t, u, err)
		if u.Name == "" || u.Parent == u.Code || u.Successor == u.Code || u.ValidTo != 0 && u.ValidTo <= u.ValidFrom {
			t.Fatal(u)
		}
	})
}

func FuzzProcedures(f *testing.F) {
	fuzzRead(f, "code,name,returns_document\n", []string{"1.004946,X,1", "1.004946.H51,X,có"}, ReadProcedures, func(t *testing.T, p dossier.Procedure) {
		_, err := dossier.ParseProcedureCode(string(p.Code))
		must(t, p, err)
	})
}

func FuzzDossiers(f *testing.F) {
	fuzzRead(f, dossierHeader, []string{"H51.04-240830-0001,H51.04,1.004946,2,2024-08-30,resolved,30/08/2024 08:00,", "x,,,,45534,,,"}, ReadDossiers, func(t *testing.T, d dossier.Registered) {
		_, err := dossier.ParseCode(string(d.Code))
		must(t, d, err)
		_, err = dossier.ParseStatus(string(d.Status))
		must(t, d, err)
		if d.Channel < dossier.Direct || d.Channel > dossier.Postal || d.Unit == "" || d.Procedure == "" {
			t.Fatal(d)
		}
	})
}

func FuzzResults(f *testing.F) {
	fuzzRead(f, resultHeader, []string{"1/QĐ,H51,province,2020-01-02,,,0,X"}, ReadResults, func(t *testing.T, r dossier.Result) {
		if r.Number == "" || r.Unit == "" || r.AuthorityLevel == dossier.Department || r.AuthorityLevel == "" {
			t.Fatal(r)
		}
	})
}

func FuzzIndicators(f *testing.F) {
	fuzzRead(f, "row,period,value\n", []string{"1,2024-08,\"68,82%\""}, ReadIndicators, func(t *testing.T, v dossier.IndicatorValue) {
		_, err := dossier.ParsePeriod(v.Period)
		must(t, v, err)
		if v.Row < 1 || v.Row > 11 || v.Value == "" {
			t.Fatal(v)
		}
	})
}

func FuzzPortal(f *testing.F) {
	fuzzRead(f, "period,unit,indicator,numerator,denominator\n", []string{"2024-08,H51,4.2,1,2"}, ReadPortal, func(t *testing.T, p dossier.PortalFigure) {
		if p.Numerator < 0 || p.Numerator > p.Denominator || p.Unit == "" || p.Indicator == "" {
			t.Fatal(p)
		}
	})
}

func FuzzManifest(f *testing.F) {
	read := func(s *sheet.Sheet, m sheet.Mapping) (Lines[Entry], []*dossier.RowError, error) {
		return ReadManifest(s, m, false)
	}
	fuzzRead(f, "file,dossier,kind,number,unit,paper,name,issued_on,valid_from,valid_to,owner_id\n",
		[]string{"a\\b.pdf,H51-240830-0001,component,,,TK-01,X,2024-01-01,,,079123456789", "x.pdf,,,1/QĐ,H51,,,,,,", "../x,,,,,,,,,,1"}, read, func(t *testing.T, e Entry) {
			if e.File == "" || strings.HasPrefix(e.File, "/") || strings.Contains("/"+e.File+"/", "/../") || strings.Contains(e.File, "\\") {
				t.Fatal(e.File)
			}
			if e.Slip.Dossier == "" && (e.Slip.Number == "" || e.Slip.Unit == "" || e.Slip.Kind != dossier.ResultInForce) {
				t.Fatalf("%+v", e.Slip)
			}
			if e.Slip.Dossier != "" && e.Slip.Kind != dossier.Component && e.Slip.Kind != dossier.ResultKind {
				t.Fatalf("%+v", e.Slip)
			}
		})
}
