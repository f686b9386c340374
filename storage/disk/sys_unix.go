//go:build linux || darwin

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonBlocking keeps a named pipe that someone put into the archive from hanging
// its reader.
const nonBlocking = unix.O_NONBLOCK

// errNoAttrs: the file has no such attribute, or its filesystem keeps none, or
// none so large.
var errNoAttrs = errors.New("no extended attribute")

func setAttr(f *os.File, name string, value []byte) error {
	err := unix.Fsetxattr(int(f.Fd()), name, value, 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ERANGE) || errors.Is(err, unix.ENOSPC) {
		return errNoAttrs
	}
	return err
}

func getAttr(f *os.File, name string) ([]byte, error) {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Fgetxattr(int(f.Fd()), name, buf)
		switch {
		case err == nil:
			return buf[:n], nil
		case errors.Is(err, unix.ERANGE) && len(buf) < 1<<16:
			buf = make([]byte, 1<<16)
		case errors.Is(err, unix.ENOTSUP) || errors.Is(err, errNoData):
			return nil, errNoAttrs
		default:
			return nil, err
		}
	}
}

func linkCount(st fs.FileInfo) uint64 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return uint64(sys.Nlink)
	}
	return 0
}
