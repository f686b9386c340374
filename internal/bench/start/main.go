// Command start measures how long `sohoa serve` takes from its start to the first
// good answer of /readyz, on a ledger that is there: one that the ledger's
// benchmarks made, for example.
//
//	SOHOA_BENCH_DOSSIERS=10000000 SOHOA_BENCH_DATABASE=sqlite:/srv/bench.db go test -run '^$' -bench Open/sqlite -benchtime 1x -timeout 1h ./storage/ledger
//	go run ./internal/bench/start -database sqlite:/srv/bench.db [-n 5] [-sohoa bin/sohoa]
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

func main() {
	database := flag.String("database", "", "the ledger, as serve takes it; empty: a new one")
	n := flag.Int("n", 5, "starts")
	sohoa := flag.String("sohoa", "bin/sohoa", "the program")
	flag.Parse()
	if err := run(*sohoa, *database, *n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(sohoa, database string, n int) error {
	data, err := os.MkdirTemp("", "sohoa-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error"}
	if database != "" {
		args = append(args, "--database", database)
	}
	for i := range n {
		took, err := start(sohoa, args)
		if err != nil {
			return err
		}
		fmt.Printf("start %d: ready after %.2f s (to reach: 1 s)\n", i+1, took.Seconds())
	}
	return nil
}

// start starts the server, waits until it is ready, and ends it.
func start(sohoa string, args []string) (took time.Duration, err error) {
	server := exec.Command(sohoa, args...)
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Process.Signal(syscall.SIGTERM), server.Wait()) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the server says no address: %w", err)
	}
	_, base, _ := strings.Cut(strings.TrimSpace(line), "serves at ")
	for time.Since(began) < time.Minute {
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return 0, err
		}
		if err := resp.Body.Close(); err != nil {
			return 0, err
		}
		if resp.StatusCode == http.StatusOK {
			return time.Since(began), nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0, errors.New("not ready after a minute")
}
