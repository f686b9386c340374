//go:build !linux && !darwin

package disk

import (
	"errors"
	"io/fs"
	"os"
)

const nonBlocking = 0

var errNoAttrs = errors.New("no extended attribute")

func setAttr(*os.File, string, []byte) error   { return errNoAttrs }
func getAttr(*os.File, string) ([]byte, error) { return nil, errNoAttrs }
func linkCount(fs.FileInfo) uint64             { return 0 }
