// Command start measures how long `sohoa serve` takes from its start to the first
// good answer of /readyz, on a ledger that is there: one that the ledger's
// benchmarks made, for example.
//
//	SOHOA_BENCH_DOSSIERS=10000000 SOHOA_BENCH_DATABASE=sqlite:/srv/bench.db go test -run '^$' -bench Open/sqlite -benchtime 1x -timeout 1h ./storage/ledger
//	go run ./internal/bench/start -database sqlite:/srv/bench.db [-n 5] [-sohoa bin/sohoa]
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"sohoa/internal/program"
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
	p, err := program.At(sohoa, data)
	if err != nil {
		return err
	}
	var args []string
	if database != "" {
		args = []string{"--database", database}
	}
	for i := range n {
		began := time.Now()
		server, err := p.Serve(args...)
		if err != nil {
			return err
		}
		took := time.Since(began)
		if err := server.Stop(); err != nil {
			return err
		}
		fmt.Printf("start %d: ready after %.2f s (to reach: 1 s)\n", i+1, took.Seconds())
	}
	return nil
}
