package program

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what processes take of the machine.
type Usage struct {
	Memory    int64         // resident bytes; pages that processes share count in parts (PSS)
	Processor time.Duration // of the processes, and of their children that have ended
}

// UsageOf adds up what the process and all below it take now.
func UsageOf(pid int) Usage {
	u := Usage{Memory: MemoryOf(pid), Processor: processor(pid)}
	for _, child := range childrenOf(pid) {
		c := UsageOf(child)
		u.Memory += c.Memory
		u.Processor += c.Processor
	}
	return u
}

// ByCommand adds up the processor time of the process and all below it, by the
// names of their commands, which the kernel cuts to 15 bytes.
func ByCommand(pid int) map[string]time.Duration {
	out := map[string]time.Duration{}
	byCommand(pid, out)
	return out
}

func byCommand(pid int, out map[string]time.Duration) {
	if name, spent := stat(pid); name != "" {
		out[name] += spent
	}
	for _, child := range childrenOf(pid) {
		byCommand(child, out)
	}
}

// Spent is the processor time of this process, and of its children that have ended.
func Spent() (out [2]time.Duration) {
	for i, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			panic(err) // the arguments are constants
		}
		out[i] = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return out
}

// childrenOf answers none for a process that is gone.
func childrenOf(pid int) (out []int) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for _, f := range bytes.Fields(b) {
			if n, err := strconv.Atoi(string(f)); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// MemoryOf is the memory of one process, counted as in Usage; 0: it is gone.
func MemoryOf(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "Pss:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// tickTime is the unit of /proc/PID/stat on every Linux.
const tickTime = time.Second / 100

func processor(pid int) time.Duration {
	_, spent := stat(pid)
	return spent
}

// stat answers no name for a process that is gone.
func stat(pid int) (name string, spent time.Duration) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	// The name, in brackets, may hold anything. Behind it the 12th to the 15th are
	// the times of the process and of the children it has waited for.
	from, to := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	_, rest, ok := strings.Cut(string(b[to:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return "", 0
	}
	for _, f := range fields[11:15] {
		n, _ := strconv.ParseInt(f, 10, 64)
		spent += time.Duration(n) * tickTime
	}
	return string(b[from+1 : to]), spent
}
