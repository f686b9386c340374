//go:build !linux

package pdf

import (
	"os"
	"syscall"
)

func childAttr() *syscall.SysProcAttr { return nil }

func killedBySignal(*os.ProcessState) bool { return false }

// processUsage is not known here: only the clock bounds a child.
func processUsage(int) usage { return usage{} }

func offerToOOM() {}
