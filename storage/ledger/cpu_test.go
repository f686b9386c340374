package ledger

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is what this process has computed for so far.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
