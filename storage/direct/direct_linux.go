package direct

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// setDirect turns the way past the cache on or off.
func setDirect(f *os.File, on bool) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	err = raw.Control(func(fd uintptr) {
		var flags int
		if flags, ferr = unix.FcntlInt(fd, unix.F_GETFL, 0); ferr != nil {
			return
		}
		if flags &^= unix.O_DIRECT; on {
			flags |= unix.O_DIRECT
		}
		_, ferr = unix.FcntlInt(fd, unix.F_SETFL, flags)
	})
	return errors.Join(err, ferr)
}

// refused reports whether the file system said that it cannot go past the cache.
func refused(err error) bool { return errors.Is(err, unix.EINVAL) }
