package pdf_test

import (
	"fmt"
	"os"
	"testing"

	"sohoa/pipeline/pdf"
)

// TestMain makes the test binary its own child process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 2 && os.Args[1] == parentMode {
		if err := parentMain(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
