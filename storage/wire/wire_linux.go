package wire

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// userTimeout bounds how long the kernel sends again what nobody confirms;
// keep-alives alone do not run while something is unconfirmed.
func userTimeout(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	var err error
	return errors.Join(c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(Gone.Milliseconds()))
	}), err)
}
