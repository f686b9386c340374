// Command mainjob measures the main job on the directory store: documents
// settled a second beside a plain durable write of the same bytes (the three
// objects that a document becomes) to the same store in the same run, and beside
// one of the scans alone; and the memory of a server that takes in large files
// from eight clients at once.
//
//	go run ./internal/bench/mainjob [-dir DIR] [-n 300] [-rounds 3] [-sohoa bin/sohoa]
//	go run ./internal/bench/mainjob -ledgers sqlite:SMALL,sqlite:LARGE
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/internal/program"
	"sohoa/pipeline"
	"sohoa/pipeline/pdf"
	"sohoa/storage"
	"sohoa/storage/disk"
	"sohoa/storage/ledger"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "pdf-child" {
		os.Exit(pdf.ChildMain(os.Stdin, os.Stdout))
	}
	dir := flag.String("dir", ".", "folder on the disk to be measured")
	scan := flag.String("scan", "testdata/accept/scan-a4-colour-linearised.pdf", "the scan that is sent")
	n := flag.Int("n", 300, "documents a round")
	rounds := flag.Int("rounds", 3, "rounds; the median is the figure")
	clients := flag.Int("clients", 8, "senders at once")
	sohoa := flag.String("sohoa", "bin/sohoa", "program whose memory is measured; empty: not measured")
	profile := flag.String("cpuprofile", "", "file for a profile of the server's part")
	latency := flag.Duration("latency", 0, "measure one, two and four workers against a store that answers so late, and nothing else")
	databases := flag.String("ledgers", "", "measure documents of dossiers that these ledgers have, in turns, and nothing else")
	flag.Parse()
	var err error
	switch {
	case *latency > 0:
		err = workers(*dir, *scan, *n, *latency)
	case *databases != "":
		err = onLedgers(*dir, *scan, strings.Split(*databases, ","), *n, *rounds, *clients)
	default:
		err = profiled(*profile, func() error { return run(*dir, *scan, *n, *rounds, *clients, *sohoa) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// profiled calls f, and writes what the processors did meanwhile into the file, if
// one is named.
func profiled(name string, f func() error) error {
	if name == "" {
		return f()
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return errors.Join(err, out.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

func run(dir, scan string, n, rounds, clients int, sohoa string) error {
	body, err := os.ReadFile(scan)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, ".bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fmt.Printf("scan of %d bytes, %d documents a round, %d senders at once\n", len(body), n, clients)
	var scans, objects, whole, toScans, toObjects []float64
	var mu sync.Mutex
	spent := map[string]time.Duration{}
	var used [2]time.Duration
	for i := range rounds {
		p, err := plainWrites(filepath.Join(work, fmt.Sprintf("plain-%d", i)), n, clients, map[string][]byte{"original.pdf": body})
		if err != nil {
			return err
		}
		o, err := plainWrites(filepath.Join(work, fmt.Sprintf("objects-%d", i)), n, clients, map[string][]byte{
			"original.pdf": body, "archive.pdf": body, "record.json": body[:2<<10]})
		if err != nil {
			return err
		}
		before := program.Spent()
		w, err := mainJob(filepath.Join(work, fmt.Sprintf("whole-%d", i)), body, n, clients, func(_ context.Context, o pipeline.Observation) {
			mu.Lock()
			spent[o.Stage] += o.End.Sub(o.Start)
			mu.Unlock()
		})
		if err != nil {
			return err
		}
		fmt.Printf("round %d: received to settled %.1f/s; plain durable write of all their bytes %.1f/s, ratio %.2f; of the scans alone %.1f/s, ratio %.2f\n", i+1, w, o, w/o, p, w/p)
		for i, d := range program.Spent() {
			used[i] += d - before[i]
		}
		scans, objects, whole, toScans, toObjects = append(scans, p), append(objects, o), append(whole, w), append(toScans, w/p), append(toObjects, w/o)
	}
	fmt.Printf("median: received to settled %.1f/s; plain durable write of all their bytes %.1f/s, ratio %.2f (to reach: 0.40); of the scans alone %.1f/s, ratio %.2f\n",
		median(whole), median(objects), median(toObjects), median(scans), median(toScans))
	for _, stage := range []string{"receive", "open", "validate", "normalise", "store", "settle"} {
		fmt.Printf("  %-10s %6.2f ms a document (waiting for disk and for each other included)\n", stage, spent[stage].Seconds()*1000/float64(n*rounds))
	}
	per := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(n*rounds) }
	fmt.Printf("  processor  %6.2f ms a document in the server, %.2f ms in the children\n", per(used[0]), per(used[1]))
	if sohoa == "" {
		return nil
	}
	return memory(work, sohoa)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// each runs f n times, by so many senders, and returns how many a second.
func each(n, clients int, f func(i int) error) (float64, error) {
	start := time.Now()
	var next atomic.Int64
	var g errgroup.Group
	for range clients {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := f(i); err != nil {
					return err
				}
			}
		})
	}
	err := g.Wait()
	return float64(n) / time.Since(start).Seconds(), err
}

// plainWrites puts the bodies into n folders, durably.
func plainWrites(dir string, n, clients int, bodies map[string][]byte) (float64, error) {
	s, err := disk.Open(dir)
	if err != nil {
		return 0, err
	}
	return each(n, clients, func(i int) error {
		for name, body := range bodies {
			key := storage.Key(fmt.Sprintf("plain/%06d/%s", i, name))
			if err := s.Put(context.Background(), key, bytes.NewReader(body), storage.Info{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// house is a ledger, by default one of its own, and a pipeline; late, where it is
// given, is put before the store.
func house(ctx context.Context, dir, database string, late func(storage.Store) storage.Store, observe func(context.Context, pipeline.Observation)) (p *pipeline.Pipeline, l *ledger.Ledger, done func() error, err error) {
	store, err := disk.Open(filepath.Join(dir, "archive"))
	if err != nil {
		return nil, nil, nil, err
	}
	l, err = ledger.Open(ctx, cmp.Or(database, "sqlite:"+filepath.Join(dir, "ledger.db")), ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if err := l.Migrate(ctx); err != nil {
		return nil, nil, nil, err
	}
	judge, err := pdf.NewPool(pdf.Options{Executable: []string{"/proc/self/exe", "pdf-child"}, Log: zerolog.Nop()})
	if err != nil {
		return nil, nil, nil, err
	}
	var kept storage.Store = store
	if late != nil {
		kept = late(store)
	}
	return pipeline.New(pipeline.Options{Store: kept, Ledger: l, Judge: judge, SpoolDir: store.SpoolDir(),
		Profile: func(d dossier.Date) dossier.Profile { return dossier.ProfileFor(d) }, Limit: 1 << 30, DPI: 200,
		Tool: "sohoa bench", Now: time.Now, Log: zerolog.Nop(), Observe: observe}), l, func() error { return errors.Join(judge.Close(), l.Close()) }, nil
}

// register enters n dossiers of one unit, received on one day.
func register(ctx context.Context, l *ledger.Ledger, n int) ([]dossier.Code, error) {
	if _, err := l.ImportUnits(ctx, []dossier.Unit{{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province}}); err != nil {
		return nil, err
	}
	if _, err := l.ImportProcedures(ctx, []dossier.Procedure{{Code: "1.000001", Name: "Cấp bản sao"}}); err != nil {
		return nil, err
	}
	codes := make([]dossier.Code, n)
	for i := range codes {
		codes[i] = dossier.Code(fmt.Sprintf("H51-240801-%06d", i))
	}
	for some := range slices.Chunk(codes, 500) {
		var rows []dossier.Registered
		for _, code := range some {
			rows = append(rows, dossier.Registered{Code: code, Unit: "H51", Procedure: "1.000001", Channel: dossier.Direct,
				ReceivedAt: dossier.Date(20240801).Time(), Status: dossier.Received})
		}
		if _, err := l.ImportDossiers(ctx, rows); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

func mainJob(dir string, body []byte, n, clients int, observe func(context.Context, pipeline.Observation)) (rate float64, err error) {
	ctx := context.Background()
	p, l, done, err := house(ctx, dir, "", nil, observe)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	codes, err := register(ctx, l, n)
	if err != nil {
		return 0, err
	}
	return settle(ctx, p, l, codes, body, clients)
}

// settle hands the scan in for each dossier, by so many senders, waits for the
// verdicts and returns how many a second there were.
func settle(ctx context.Context, p *pipeline.Pipeline, l *ledger.Ledger, codes []dossier.Code, body []byte, clients int) (rate float64, err error) {
	ctx, stop := context.WithCancel(ctx)
	working := make(chan error, 1)
	go func() { working <- l.Work(ctx, ledger.WorkOptions{Workers: 6, Hands: 6}, p.Process) }()
	defer func() {
		stop()
		err = errors.Join(err, <-working)
	}()
	return each(len(codes), clients, func(i int) error {
		st, err := p.Receive(ctx, dossier.Slip{Kind: dossier.Component, Dossier: codes[i], By: "bench", Door: dossier.DoorAPI}, bytes.NewReader(body), pipeline.ReceiveOptions{})
		if err != nil {
			return err
		}
		if st, err = p.Wait(ctx, st.Intake.ID, time.Minute); err != nil {
			return err
		}
		if st.State != dossier.Stored || st.Again {
			return fmt.Errorf("document %d is %s", i, st.State)
		}
		return nil
	})
}
