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
	"sohoa/storage"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest/servers"
)

// BenchmarkCluster takes documents from received to settled and tallied on an S3
// server and a durable PostgreSQL, eight senders, beside `rclone copy` of the same
// files into the same server; and beside what the three objects cost that each
// document becomes, put by rclone and by our store with nothing around it. Each
// iteration is a round of all; the ratios are of the last one.
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
	type spooled struct {
		name string
		temp *storage.Temp
		info storage.Info
	}
	var three []spooled
	for i := range n {
		if err := os.WriteFile(filepath.Join(scans, fmt.Sprintf("%04d.pdf", i)), body, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for info, err := range r.store.List(b.Context(), pipeline.Folder(first.Intake)+"/") {
		if err != nil {
			b.Fatal(err)
		}
		data, info := object(b, r.store, info.Key)
		temp, err := storage.Spool(b.TempDir(), bytes.NewReader(data), 0)
		if err != nil {
			b.Fatal(err)
		}
		defer temp.Close()
		name := path.Base(string(info.Key))
		three = append(three, spooled{name, temp, info})
		for i := range n {
			folder := filepath.Join(threes, fmt.Sprint(i))
			if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, name), data, 0o600)); err != nil {
				b.Fatal(err)
			}
		}
	}
	sent := func(send func(ctx context.Context, i int) error) lap {
		return timed(b, n, func() error {
			g, ctx := errgroup.WithContext(b.Context())
			g.SetLimit(senders)
			for i := range n {
				g.Go(func() error { return send(ctx, i) })
			}
			return g.Wait()
		})
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
		ours := sent(func(ctx context.Context, i int) error {
			_, err := settle(ctx, code(k, i))
			return err
		})
		alone := sent(func(ctx context.Context, i int) error {
			for _, o := range three {
				key := storage.Key(fmt.Sprintf("alone-%d/%d/%s", k, i, o.name))
				if err := r.store.Put(ctx, key, o.temp, storage.Info{ContentType: o.info.ContentType, Meta: o.info.Meta}); err != nil {
					return err
				}
			}
			return nil
		})
		peerThree := copied(threes, fmt.Sprintf("three-%d", k))
		b.ReportMetric(peer.rate, "rclone/s")
		b.ReportMetric(ours.rate, "settled/s")
		b.ReportMetric(ours.rate/peer.rate, "ratio")
		b.ReportMetric(alone.rate/peer.rate, "objects-alone-ratio")
		b.ReportMetric(peerThree.rate/peer.rate, "rclone-three-ratio")
		b.Logf("round %d: rclone %s", k, peer)
		b.Logf("round %d: received to settled %s; ratio %.2f", k, ours, ours.rate/peer.rate)
		b.Logf("round %d: the three objects alone %s; ratio %.2f", k, alone, alone.rate/peer.rate)
		b.ReportMetric(ours.rate/peerThree.rate, "ratio-all-bytes")
		b.Logf("round %d: the three objects by rclone %s; ratio %.2f", k, peerThree, peerThree.rate/peer.rate)
		b.Logf("round %d: received to settled beside all objects and bytes that are stored, by rclone: ratio %.2f", k, ours.rate/peerThree.rate)
	}
}

// lap is how fast something was done n times.
type lap struct {
	rate  float64 // a second
	spent string  // of the processor by each program, in milliseconds for one
}

func (l lap) String() string { return fmt.Sprintf("%.1f/s, processor ms of one:%s", l.rate, l.spent) }

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
