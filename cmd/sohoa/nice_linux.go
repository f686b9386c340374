package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// standBack lowers the priority of this process, and of what it starts, beneath
// that of a server on the same machine. Linux keeps priorities by thread; those
// to come inherit it.
func standBack(nice int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("stand back: %w", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		now, err := unix.Getpriority(unix.PRIO_PROCESS, id)
		if errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		// The system call counts from 40 down to 1.
		if err == nil && 20-now < nice {
			err = unix.Setpriority(unix.PRIO_PROCESS, id, nice)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("stand back: %w", err)
		}
	}
	return nil
}
