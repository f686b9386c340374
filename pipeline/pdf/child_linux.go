package pdf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childAttr puts a child into a process group of its own, so that an interrupt
// typed at the terminal reaches the parent only, which ends its children itself.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// childSlack is how late the kernel may wake a child. Go's runtime looks after its
// threads every 20 µs while any of them is in a system call; of a process that
// reads, thinks and writes nothing depends on it, and it was a tenth of what a
// child cost.
const childSlack = 2 * time.Millisecond

// start starts the process at a lower priority, and with childSlack. A process
// inherits both from the thread that starts it. No thread may raise its own
// priority again: it is thrown away with the goroutine that stays locked to it.
func start(cmd *exec.Cmd, nice int) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() == syscall.Getpid() {
			// The first thread cannot be thrown away, and its priority is taken for the
			// process's; while it waits here, another one does it.
			defer runtime.UnlockOSThread()
			started <- start(cmd, nice)
			return
		}
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(childSlack), 0, 0, 0); err != nil {
			started <- fmt.Errorf("timer slack: %w", err)
			return
		}
		now, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
		if err == nil && 20-now < nice { // the system call counts from 40 down to 1
			err = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice)
		}
		if err != nil {
			started <- fmt.Errorf("nice %d: %w", nice, err)
			return
		}
		started <- cmd.Start()
	}()
	return <-started
}

func killedBySignal(st *os.ProcessState) bool {
	ws, ok := st.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// clockTick is USER_HZ, which Linux has fixed at 100 for every architecture Go runs on.
const clockTick = time.Second / 100

// processUsage reads what a process has used; zero where it is gone.
func processUsage(pid int) usage {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}
	}
	// The name in brackets may hold anything, so fields count from its end.
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return usage{}
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 22 {
		return usage{}
	}
	n := func(i int) int64 {
		v, err := strconv.ParseInt(string(f[i]), 10, 64)
		if err != nil {
			return 0
		}
		return v
	}
	return usage{
		cpu: time.Duration(n(11)+n(12)) * clockTick,
		rss: n(21) * int64(os.Getpagesize()),
	}
}

// offerToOOM makes the kernel choose this process before any other when the
// machine runs out of memory: a child can be repeated, the server cannot.
func offerToOOM() {
	// Where /proc is not writable nothing is lost but the preference.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
}
