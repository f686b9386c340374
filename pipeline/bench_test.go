package pipeline_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest/servers"
)

// BenchmarkCluster takes documents from received to settled and tallied on an S3
// server and PostgreSQL, eight senders, beside `rclone copy` of the same files
// into the same server. Each iteration is a round of both; the ratio is of the
// last one.
//
//	go test -run '^$' -bench Cluster -benchtime 3x ./pipeline
func BenchmarkCluster(b *testing.B) {
	rclone := testneed.Tool(b, "rclone", "apt-get install rclone")
	body, err := os.ReadFile(filepath.Join(testneed.Root(b), "testdata/accept/scan-a4-colour-linearised.pdf"))
	if err != nil {
		b.Fatal(err)
	}
	const n, senders = 300, 8
	files := b.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(files, fmt.Sprintf("%04d.pdf", i)), body, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	on := base{S3: newBucket(b), DSN: postgresDSN(b)}
	r, err := openRig(b.TempDir(), rigOptions{base: on})
	if err != nil {
		b.Fatal(err)
	}
	defer r.close()
	if err := r.register(); err != nil {
		b.Fatal(err)
	}
	defer r.workWith(b, ledger.WorkOptions{Workers: 8})()
	var round atomic.Int64
	for b.Loop() {
		k := round.Add(1)
		start := time.Now()
		cmd := exec.CommandContext(b.Context(), rclone, "copy", files, fmt.Sprintf("kho:%s/rclone-%d", on.S3.Bucket, k), "--transfers", fmt.Sprint(senders))
		cmd.Env = servers.Rclone(b.TempDir(), on.S3.Endpoint, on.S3.AccessKey, on.S3.SecretKey)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("rclone: %v\n%s", err, out)
		}
		peer := time.Since(start)

		start = time.Now()
		g, ctx := errgroup.WithContext(b.Context())
		g.SetLimit(senders)
		for i := range n {
			g.Go(func() error {
				code := dossier.Code(fmt.Sprintf("H51.10-2408%02d-%04d", k, i))
				st, err := r.pipe.Receive(ctx, dossier.Slip{Kind: dossier.Component, Dossier: code, By: "bench", Door: dossier.DoorAPI}, bytes.NewReader(body), pipeline.ReceiveOptions{})
				if err == nil {
					st, err = r.pipe.Wait(ctx, st.Intake.ID, time.Minute)
				}
				if err == nil && st.State != dossier.Stored {
					err = fmt.Errorf("document %d is %s: %s", i, st.State, st.Fault)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		ours := time.Since(start)
		b.ReportMetric(n/peer.Seconds(), "rclone/s")
		b.ReportMetric(n/ours.Seconds(), "settled/s")
		b.ReportMetric(peer.Seconds()/ours.Seconds(), "ratio")
		b.Logf("round %d: rclone %.1f/s, received to settled %.1f/s, ratio %.2f", k, n/peer.Seconds(), n/ours.Seconds(), peer.Seconds()/ours.Seconds())
	}
}
