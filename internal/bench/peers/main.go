// Command peers measures a document's whole way, in processor time and memory,
// beside what an office would use instead: a shell loop of OCRmyPDF (to PDF/A,
// without OCR, which sohoa does not do either) and MinIO's client, both into an S3
// server; and, where it is installed (scripts/paperless.sh), paperless-ngx, both
// into a folder. Each starts empty, is sent the same scans, and has the same number
// of documents on their way at once.
//
//	go run ./internal/bench/peers [-dir DIR] [-at-once 1,4,8] [-n 200] [-loop 6] [-sohoa bin/sohoa] [-paperless DIR]
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sohoa/internal/program"
)

func main() {
	dir := flag.String("dir", ".", "folder on the disk to be measured")
	scan := flag.String("scan", "testdata/accept/scan-a4-colour-linearised.pdf", "the scan that is sent")
	atOnce := flag.String("at-once", "1,4,8", "how many documents are on their way at once, one measurement for each")
	n := flag.Int("n", 200, "documents for sohoa")
	slow := flag.Int("loop", 6, "documents at least for the others, which take seconds for each; twice as many as are at once in any case")
	sohoa := flag.String("sohoa", "bin/sohoa", "the program")
	paperless := flag.String("paperless", "", "an installation of paperless-ngx; empty: it is left out")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	matches := []match{{ours: submitted("sohoa into an S3 server", *sohoa, true), theirs: []way{looped()}}}
	if *paperless != "" {
		theirs, err := paperlessWays(*paperless)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		matches = append(matches, match{ours: submitted("sohoa into a folder", *sohoa, false), theirs: theirs})
	} else {
		fmt.Println("left out: paperless-ngx; scripts/paperless.sh installs it, -paperless names the installation")
	}
	if err := run(ctx, *dir, *scan, *atOnce, *n, *slow, matches); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// match is our way, and what is held against it.
type match struct {
	ours   way
	theirs []way
}

// way takes documents from their files to where they are kept.
type way struct {
	name  string
	least int // documents that are needed to tell one run from another, where that is more than -loop
	// start makes it ready in an empty folder for that many documents at once.
	// All that it starts runs below this process.
	start func(dir string, jobs int) (running, error)
}

type running struct {
	send  func(ctx context.Context, files []string) error // returns when the last of them is kept
	store *minio                                          // nil: they are kept in a folder
	stop  func() error
}

func run(ctx context.Context, dir, scan, atOnce string, n, slow int, matches []match) error {
	for text := range strings.SplitSeq(atOnce, ",") {
		jobs, err := strconv.Atoi(text)
		if err != nil || jobs < 1 {
			return fmt.Errorf("-at-once %s: want numbers from 1 on, with commas between", atOnce)
		}
		for _, m := range matches {
			if err := m.run(ctx, dir, scan, jobs, n, max(slow, 2*jobs)); errors.Is(err, exec.ErrNotFound) {
				fmt.Println("left out:", err)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// run measures the ways one after the other with that many documents at once.
func (m match) run(ctx context.Context, dir, scan string, jobs, n, slow int) error {
	ours, err := measure(ctx, m.ours, dir, scan, jobs, n)
	if err != nil {
		return err
	}
	for _, way := range m.theirs {
		theirs, err := measure(ctx, way, dir, scan, jobs, max(slow, way.least))
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		fmt.Printf("%d at once: documents a CPU-second: %.0f × (to reach: 50 ×)", jobs, ours.rate(ours.all())/theirs.rate(theirs.all()))
		if ours.store != 0 {
			fmt.Printf(", without the S3 server's part %.0f ×", ours.rate(ours.own)/theirs.rate(theirs.own))
		}
		fmt.Printf("; memory: 1/%.1f (to reach: 1/5)\n", float64(theirs.memory)/float64(ours.memory))
	}
	return nil
}

// copies writes n scans that differ in their last line.
func copies(dir, scan string, n int) (paths []string, err error) {
	body, err := os.ReadFile(scan)
	if err != nil {
		return nil, err
	}
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("scan-%04d.pdf", i))
		if err := os.WriteFile(path, append(bytes.Clone(body), fmt.Sprintf("%%%d\n", i)...), 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// taken is what a way took for its documents.
type taken struct {
	documents  int
	clock      time.Duration
	own, store time.Duration // processor time: of the way's processes, and of the S3 server
	memory     int64         // of the way's processes together, at most; the S3 server's is not in it
}

func (t taken) all() time.Duration             { return t.own + t.store }
func (t taken) rate(cpu time.Duration) float64 { return float64(t.documents) / cpu.Seconds() }

func (t taken) print(name string, jobs int) {
	ms := func(d time.Duration) float64 { return 1000 * d.Seconds() / float64(t.documents) }
	fmt.Printf("%d at once, %s: %d documents, %.1f a minute; processor time a document %.1f ms and %.1f ms in the S3 server; memory at most %d MB\n",
		jobs, name, t.documents, float64(t.documents)/t.clock.Minutes(), ms(t.own), ms(t.store), t.memory>>20)
}

// measure sends the scans. One is sent before: a way's start is once and does not
// count, its memory does.
func measure(ctx context.Context, w way, dir, scan string, jobs, documents int) (t taken, err error) {
	work, err := os.MkdirTemp(dir, ".bench-")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if work, err = filepath.Abs(work); err != nil {
		return t, err
	}
	files, err := copies(work, scan, documents+1)
	if err != nil {
		return t, err
	}
	r, err := w.start(filepath.Join(work, "way"), jobs)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err := r.send(ctx, files[:1]); err != nil {
		return t, err
	}
	own, store := settled(ctx, r.store)
	t.documents = documents
	start := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- r.send(ctx, files[1:]) }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return t, err
			}
			t.clock = time.Since(start)
			ownNow, storeNow := taking(r.store)
			t.own, t.store = ownNow.Processor-own.Processor, storeNow.Processor-store.Processor
			t.print(w.name, jobs)
			return t, nil
		case <-time.After(100 * time.Millisecond):
			now, _ := taking(r.store)
			t.memory = max(t.memory, now.Memory)
		}
	}
}

// settled waits, for at most a minute, until the processes below this one do next
// to nothing: some are still at their start when the first document is through.
func settled(ctx context.Context, m *minio) (own, store program.Usage) {
	own, store = taking(m)
	for range 60 {
		select {
		case <-ctx.Done():
			return own, store
		case <-time.After(time.Second):
		}
		before := own.Processor
		if own, store = taking(m); own.Processor-before < 50*time.Millisecond {
			return own, store
		}
	}
	return own, store
}

// taking is what all processes below this one have taken so far, the S3 server's
// apart.
func taking(m *minio) (own, store program.Usage) {
	us := os.Getpid()
	own = program.UsageOf(us)
	own.Memory -= program.MemoryOf(us)
	own.Processor -= program.Spent()[0]
	if m != nil {
		store = program.UsageOf(m.pid)
		own.Memory -= store.Memory
		own.Processor -= store.Processor
	}
	return own, store
}
