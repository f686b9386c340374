// Command backfill measures what a backfill costs the counters: how long an
// upload to a server takes to its verdict on an idle server, and while a backfill
// of the same server's archive runs, straight into the data folder and through
// the HTTP door.
//
//	go run ./internal/bench/backfill [-dir DIR] [-n 300] [-sohoa bin/sohoa]
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sohoa/internal/program"
)

func main() {
	dir := flag.String("dir", ".", "folder on the disk to be measured")
	n := flag.Int("n", 300, "uploads in a row")
	sohoa := flag.String("sohoa", "bin/sohoa", "the program")
	counter := flag.String("counter", "testdata/accept/scan-a4-colour-linearised.pdf", "the scan that a counter sends")
	bulk := flag.String("bulk", "testdata/accept/scan-a5-grey.pdf", "the scan that the backfill sends")
	flag.Parse()
	if err := run(*dir, *n, *sohoa, *counter, *bulk); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is a server and what is sent to it.
type bench struct {
	program.Program
	dir, base, token string
	scan             []byte
	sent             int
}

func run(dir string, n int, sohoa, counter, bulk string) (err error) {
	work, err := os.MkdirTemp(dir, ".bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b := &bench{dir: work}
	if b.Program, err = program.At(sohoa, filepath.Join(work, "data")); err != nil {
		return err
	}
	if b.scan, err = os.ReadFile(counter); err != nil {
		return err
	}
	small, err := os.ReadFile(bulk)
	if err != nil {
		return err
	}
	if b.token, err = b.Found(); err != nil {
		return err
	}
	server, err := b.Serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	b.base = server.Base

	fmt.Printf("a counter's scan of %d bytes, %d in a row; a backfill of scans of %d bytes\n", len(b.scan), n, len(small))
	if _, err := b.uploads(5); err != nil { // the first ones start the children
		return err
	}
	for _, way := range []struct {
		name string
		args []string
	}{{"into the data folder", nil}, {"through the server", []string{"--server", b.base, "--token", b.token}}} {
		idle, err := b.uploads(n)
		if err != nil {
			return err
		}
		rows, busy, err := b.whileFilling(n, small, way.args)
		if err != nil {
			return err
		}
		fmt.Printf("backfill %s: %.1f rows/s meanwhile\n", way.name, rows)
		for _, q := range []struct {
			name  string
			share float64
			limit float64
		}{{"median", 0.5, 2}, {"9th of 10", 0.9, 0}, {"99th of 100", 0.99, 3}} {
			i, m := quantile(idle, q.share), quantile(busy, q.share)
			fmt.Printf("  upload to verdict, %-12s idle %4.0f ms, meanwhile %4.0f ms, ratio %.2f", q.name+":", ms(i), ms(m), m.Seconds()/i.Seconds())
			if q.limit > 0 {
				fmt.Printf(" (to stay under: %.2f)", q.limit)
			}
			fmt.Println()
		}
	}
	return nil
}

// uploads sends n scans one after the other and returns how long each took to its
// verdict.
func (b *bench) uploads(n int) ([]time.Duration, error) {
	var took []time.Duration
	for range n {
		b.sent++
		body := append(bytes.Clone(b.scan), fmt.Sprintf("%%%d\n", b.sent)...)
		start := time.Now()
		req, err := http.NewRequest("PUT", fmt.Sprintf("%s/api/v1/dossiers/H51-240801-%06d/documents?kind=component", b.base, b.sent), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+b.token)
		req.Header.Set("Prefer", "wait=60")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusCreated {
			return nil, fmt.Errorf("an upload: %d %.200s %w", resp.StatusCode, answer, err)
		}
		took = append(took, time.Since(start))
		time.Sleep(20 * time.Millisecond) // a clerk turns the page
	}
	return took, nil
}

// whileFilling sends n scans while a backfill runs; rows is how many of its rows
// went in a second.
func (b *bench) whileFilling(n int, scan []byte, args []string) (rows float64, took []time.Duration, err error) {
	all := 20 * n // more than go in meanwhile
	files := filepath.Join(b.dir, fmt.Sprintf("files-%d", b.sent))
	if err := os.Mkdir(files, 0o700); err != nil {
		return 0, nil, err
	}
	var text strings.Builder
	text.WriteString("file,dossier,kind\n")
	for i := range all {
		name := fmt.Sprintf("%05d.pdf", i)
		if err := os.WriteFile(filepath.Join(files, name), append(bytes.Clone(scan), fmt.Sprintf("%%%d-%d\n", b.sent, i)...), 0o600); err != nil {
			return 0, nil, err
		}
		fmt.Fprintf(&text, "%s,H51-230801-%06d,component\n", name, b.sent*all+i)
	}
	manifest := filepath.Join(files, "manifest.csv")
	if err := os.WriteFile(manifest, []byte(text.String()), 0o600); err != nil {
		return 0, nil, err
	}
	outcome := filepath.Join(files, "outcome.csv")
	cmd := b.Command(append([]string{"backfill", manifest, "--outcome", outcome}, args...)...)
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for lines(outcome) < 20 { // until it runs well
		select {
		case err := <-ended:
			return 0, nil, fmt.Errorf("the backfill ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	before, start := lines(outcome), time.Now()
	took, err = b.uploads(n)
	rows = float64(lines(outcome)-before) / time.Since(start).Seconds()
	select {
	case e := <-ended:
		return 0, nil, fmt.Errorf("the backfill ended before the uploads: %w", e)
	default:
	}
	if serr := cmd.Process.Signal(syscall.SIGINT); err == nil {
		err = serr
	}
	<-ended
	return rows, took, err
}

func lines(name string) int {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0 // not there yet
	}
	return bytes.Count(b, []byte("\n"))
}

// quantile is the time that so great a share of them stayed within.
func quantile(d []time.Duration, share float64) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[min(len(s)-1, int(float64(len(s))*share))]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
