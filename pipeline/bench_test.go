package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/internal/program"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest/servers"
)

// BenchmarkCluster takes documents from received to settled and tallied on an S3
// server and a durable PostgreSQL, eight senders, beside `rclone copy` of the same
// files into the same server, and beside rclone with the three objects that each
// document becomes. Each iteration is a round of all; the ratios are of the last one.
//
//	go test -run '^$' -bench Cluster -benchtime 3x ./pipeline
func BenchmarkCluster(b *testing.B) {
	rclone := testneed.Tool(b, "rclone", "apt-get install rclone")
	body, err := os.ReadFile(filepath.Join(testneed.Root(b), "testdata/accept/scan-a4-colour-linearised.pdf"))
	if err != nil {
		b.Fatal(err)
	}
	const n, senders = 300, 8
	on := base{S3: newBucket(b), DSN: servers.OwnPostgres(b).DSN("postgres")}
	r, err := openRig(b.TempDir(), rigOptions{base: on})
	if err != nil {
		b.Fatal(err)
	}
	defer r.close()
	if err := r.register(); err != nil {
		b.Fatal(err)
	}
	defer r.workWith(b, ledger.WorkOptions{Workers: senders, Hands: senders})()
	copied := func(files, to string) lap {
		return timed(b, n, func() error {
			cmd := exec.CommandContext(b.Context(), rclone, "copy", files, "kho:"+on.S3.Bucket+"/"+to, "--transfers", fmt.Sprint(senders))
			cmd.Env = servers.Rclone(b.TempDir(), on.S3.Endpoint, on.S3.AccessKey, on.S3.SecretKey)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("rclone: %w\n%s", err, out)
			}
			return nil
		})
	}
	settle := func(ctx context.Context, code dossier.Code) (dossier.Standing, error) {
		st, err := r.pipe.Receive(ctx, dossier.Slip{Kind: dossier.Component, Dossier: code, By: "bench", Door: dossier.DoorAPI}, bytes.NewReader(body), pipeline.ReceiveOptions{})
		if err == nil {
			st, err = r.pipe.Wait(ctx, st.Intake.ID, time.Minute)
		}
		if err == nil && st.State != dossier.Stored {
			err = fmt.Errorf("a document is %s: %s", st.State, st.Fault)
		}
		return st, err
	}
	code := func(round, i int) dossier.Code { return dossier.Code(fmt.Sprintf("H51.10-2408%02d-%04d", round, i)) }
	first, err := settle(b.Context(), code(31, 0))
	if err != nil {
		b.Fatal(err)
	}
	scans, threes := b.TempDir(), b.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(scans, fmt.Sprintf("%04d.pdf", i)), body, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for info, err := range r.store.List(b.Context(), pipeline.Folder(first.Intake)+"/") {
		if err != nil {
			b.Fatal(err)
		}
		bytes, _ := object(b, r.store, info.Key)
		for i := range n {
			folder := filepath.Join(threes, fmt.Sprint(i))
			if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, path.Base(string(info.Key))), bytes, 0o600)); err != nil {
				b.Fatal(err)
			}
		}
	}
	for k := 1; b.Loop(); k++ {
		known := make([]dossier.Registered, n)
		for i := range known {
			known[i] = dossier.Registered{Code: code(k, i), Unit: "H51.10", Procedure: "1.000001", Channel: 1, Status: dossier.Received, ReceivedAt: fixedNow}
		}
		if _, err := r.ledger.ImportDossiers(b.Context(), known); err != nil {
			b.Fatal(err)
		}
		peer := copied(scans, fmt.Sprintf("one-%d", k))
		ours := timed(b, n, func() error {
			g, ctx := errgroup.WithContext(b.Context())
			g.SetLimit(senders)
			for i := range n {
				g.Go(func() error {
					_, err := settle(ctx, code(k, i))
					return err
				})
			}
			return g.Wait()
		})
		floor := copied(threes, fmt.Sprintf("three-%d", k))
		b.ReportMetric(peer.rate, "rclone/s")
		b.ReportMetric(ours.rate, "settled/s")
		b.ReportMetric(ours.rate/peer.rate, "ratio")
		b.ReportMetric(ours.rate/floor.rate, "of-three-objects")
		b.Logf("round %d: rclone %.1f/s, received to settled %.1f/s, ratio %.2f; rclone with the three objects of each %.1f/s, ratio %.2f",
			k, peer.rate, ours.rate, ours.rate/peer.rate, floor.rate, ours.rate/floor.rate)
		b.Logf("processor ms of one: rclone%s; received to settled%s; rclone with three objects%s", peer.spent, ours.spent, floor.spent)
	}
}

// lap is how fast something was done n times.
type lap struct {
	rate  float64 // a second
	spent string  // of the processor by each program, in milliseconds for one
}

func timed(b *testing.B, n int, f func() error) lap {
	b.Helper()
	before, start := program.ByCommand(os.Getpid()), time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	out := lap{rate: float64(n) / time.Since(start).Seconds()}
	now := program.ByCommand(os.Getpid())
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if ms := float64((now[name] - before[name]).Microseconds()) / 1000 / float64(n); ms >= 0.05 {
			out.spent += fmt.Sprintf(" %s %.1f", name, ms)
		}
	}
	return out
}
