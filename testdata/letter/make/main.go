// Make writes the files of testdata/letter: go run ./testdata/letter/make.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sohoa/testdata/letter"
)

func main() {
	r, err := letter.Make()
	if err == nil {
		err = r.Write(filepath.Join("testdata", "letter"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
