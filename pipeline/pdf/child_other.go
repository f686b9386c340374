//go:build !linux

package pdf

import (
	"os"
	"os/exec"
	"syscall"
)

func childAttr() *syscall.SysProcAttr { return nil }

// start starts the process; its priority is the system's business here.
func start(cmd *exec.Cmd, _ int) error { return cmd.Start() }

func killedBySignal(*os.ProcessState) bool { return false }

// processUsage is not known here: only the clock bounds a child.
func processUsage(int) usage { return usage{} }

func offerToOOM() {}
