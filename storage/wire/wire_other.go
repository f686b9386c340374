//go:build !linux

package wire

import "syscall"

// userTimeout has nothing to set here; keep-alives do what they can.
func userTimeout(string, string, syscall.RawConn) error { return nil }
