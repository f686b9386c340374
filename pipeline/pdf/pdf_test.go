package pdf_test

import (
	"os"
	"testing"

	"sohoa/pipeline/pdf"
)

// TestMain makes the test binary its own child process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}
