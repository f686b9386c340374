// Command sohoa takes in scanned dossiers, checks and normalises them, keeps
// them in S3-compatible storage, and tallies how much each unit has digitised.
//
// This package is the only place that reads flags, environment and the clock,
// and wires the rest together: one file a subcommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes, relied on from outside.
const (
	exitGood        = 0
	exitFault       = 1   // ours
	exitUsage       = 2   // wrong usage
	exitRejected    = 3   // some input was rejected
	exitDifference  = 4   // verification found a difference
	exitInterrupted = 130 // Ctrl-C
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
	cmd := newRootCommand(app)
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitGood
	}
	var coded *exitError
	if errors.As(err, &coded) {
		if coded.err != nil {
			fmt.Fprintln(stderr, "sohoa:", coded.err)
		}
		return coded.code
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "sohoa: interrupted")
		return exitInterrupted
	}
	fmt.Fprintln(stderr, "sohoa:", err)
	return exitFault
}

// exitError ends the program with a code; err, where there is one, is said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage says that the command was called wrongly: exit 2.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func newRootCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sohoa",
		Short: "Digitise dossiers: take in, check, normalise, store, tally",
		Long: `sohoa takes in scanned dossiers and results, checks and normalises the PDFs, keeps
them in S3-compatible storage, and tallies how much each unit has digitised.

Exit codes: 0 good, 1 our fault, 2 wrong usage, 3 some input was rejected,
4 verification found a difference, 130 interrupted.

Every flag can also be set as SOHOA_<FLAG> in the environment and as <flag> in
sohoa.yaml; the command line wins, then the environment.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.settings(cmd)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%w", err) })
	a.flags(cmd.PersistentFlags())
	cmd.AddCommand(
		newServeCommand(a), newWorkCommand(a),
		newImportCommand(a), newSubmitCommand(a), newBackfillCommand(a), newWatchCommand(a),
		newReportCommand(a), newListCommand(a),
		newCloseCommand(a), newTargetCommand(a),
		newDeleteCommand(a), newRevokeCommand(a), newReverdictCommand(a), newRefileCommand(a), newHoldCommand(a), newRetainCommand(a), newCleanCommand(a),
		newInspectCommand(a), newNormaliseCommand(a),
		newVerifyCommand(a), newRebuildCommand(a), newCopyCommand(a),
		newTokenCommand(a), newUserCommand(a), newMigrateCommand(a),
		newPDFChildCommand(a), newDemoCommand(a),
	)
	needSubcommand(cmd)
	for _, c := range cmd.Commands() {
		wrapArgs(c)
		if c.HasSubCommands() {
			needSubcommand(c)
		}
	}
	return cmd
}

// needSubcommand makes a bare group of commands show its help, and an unknown
// one wrong usage.
func needSubcommand(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q; see %s --help", args[0], cmd.CommandPath())
		}
		return cmd.Help()
	}
}

// wrapArgs turns cobra's complaints about arguments into exit code 2.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage("%w", err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// release is set by the linker.
var release = "dev"

func version() string { return release }
