// Command make writes the files of testdata/ anew:
//
//	go run ./testdata/make [-o DIR]
//
// It is deterministic: without a change to it, git sees no change. It needs
// nothing but base/ (page images and three scans made for this project) and
// testdata/keys.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// root is testdata/.
var root = func() string {
	_, self, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(self))
}()

// out is where the files go.
var out = root

// signedAt is when the test signatures were made.
var signedAt = time.Date(2026, 1, 15, 2, 30, 0, 0, time.UTC)

func main() {
	flag.StringVar(&out, "o", root, "folder to write to, in place of testdata")
	flag.Parse()
	for _, dir := range []string{"accept", "reject", "flag", "signature"} {
		check(os.RemoveAll(filepath.Join(out, dir)))
	}
	makeIdentities()
	accept()
	reject()
	flags()
	signatures()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func base(name string) []byte {
	b, err := os.ReadFile(filepath.Join(root, "make", "base", name))
	check(err)
	return b
}

func write(path string, data []byte) {
	path = filepath.Join(out, filepath.FromSlash(path))
	check(os.MkdirAll(filepath.Dir(path), 0o755))
	check(os.WriteFile(path, data, 0o644))
}

func g4(n int) image { return g4Image(base(fmt.Sprintf("g4_%d.tif", n))) }

// onePage is a PDF of one image.
func onePage(im image, dpi float64) *file {
	f := newFile()
	f.imagePage(im, dpi, "")
	return f
}

// scan is the page most files show: A5, colour, 200 dpi.
func scan() *file { return onePage(jpegImage(base("page.jpg")), 200) }

// small is the same in black and white (50 KB), for the many files in which
// the picture does not matter.
func small() *file { return onePage(g4(1), 300) }
