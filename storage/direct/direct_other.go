//go:build !linux

package direct

import (
	"errors"
	"os"
)

func setDirect(_ *os.File, on bool) error {
	if on {
		return errors.ErrUnsupported
	}
	return nil
}

func refused(error) bool { return false }
