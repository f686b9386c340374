package pdf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
)

func TestZZ(t *testing.T) {
	pool := newPool(t, pdf.Options{Children: 1})
	root := os.Getenv("ZZ")
	filepath.Walk(root, func(p string, st os.FileInfo, err error) error {
		if st.IsDir() {
			return nil
		}
		s, err := pool.Open(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		v, err := s.Inspect(t.Context(), pdf.Question{Kind: dossier.Component, Profile: dossier.Profiles()[0]})
		rel, _ := filepath.Rel(root, p)
		if err != nil {
			fmt.Printf("%-50s %v\n", rel, err)
			return nil
		}
		fl := ""
		for _, f := range v.Findings {
			fl += fmt.Sprint(" ", f.Flag, f.Page, f.Detail.EN)
		}
		c, err := s.Normalise(t.Context(), filepath.Join(t.TempDir(), "o"), pdf.Label{})
		fc := ""
		for _, f := range c.Findings {
			fc += fmt.Sprint(" ", f.Flag, f.Page, f.Detail.EN)
		}
		fmt.Printf("%-50s ok %dp scan=%v %ddpi %s %s signed=%v legal=%v%s => %v %v %s\n", rel, v.Pages, v.Scan, v.MinDPI, v.Colour, v.PageSize, v.Signed, v.LegalValue, fl, c.Conforms, err, fc)
		return nil
	})
}
