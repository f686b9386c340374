// Command archive measures what goes over a whole archive, each beside the plain
// tool that does the least of it, in the same run and on the same files:
// verify --deep beside sha256sum, copy beside rclone copy, and the rate of
// rebuild.
//
//	go run ./internal/bench/archive [-dir DIR] [-n 2000] [-size 300000] [-rebuild 100000] [-sohoa bin/sohoa]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sohoa/dossier"
	"sohoa/pipeline/pipelinetest"
	"sohoa/storage/disk"
	"sohoa/storage/ledger"
)

func main() {
	dir := flag.String("dir", ".", "folder on the disk to be measured")
	n := flag.Int("n", 2000, "documents to verify and copy")
	size := flag.Int64("size", 300_000, "bytes of an original")
	rebuild := flag.Int("rebuild", 100_000, "records to rebuild from; 0: not")
	rounds := flag.Int("rounds", 3, "rounds; the median is the figure")
	sohoa := flag.String("sohoa", "bin/sohoa", "the program")
	flag.Parse()
	if err := run(*dir, *sohoa, *n, *size, *rebuild, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, sohoa string, n int, size int64, rebuild, rounds int) error {
	sohoa, err := filepath.Abs(sohoa)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, ".bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if work, err = filepath.Abs(work); err != nil {
		return err
	}
	data := filepath.Join(work, "data")
	if err := makeHouse(data, n, size, true); err != nil {
		return err
	}
	archive := filepath.Join(data, "archive")
	fmt.Printf("%d documents, originals of %d bytes, every third with a copy\n", n, size)

	var sums, verifies, ratios []float64
	for range rounds {
		// Both read what the other has just read: the same state of the cache.
		plain, err := timed("sh", "-c", `cd "$0" && find . -type f ! -path './.*' -print0 | xargs -0 sha256sum >/dev/null`, archive)
		if err != nil {
			return err
		}
		deep, err := timed(sohoa, "verify", "--deep", "--anew", "--data", data)
		if err != nil {
			return err
		}
		sums, verifies, ratios = append(sums, plain), append(verifies, deep), append(ratios, deep/plain)
	}
	fmt.Printf("sha256sum %.2f s, verify --deep %.2f s, ratio %.2f (to reach: 1.50)\n", median(sums), median(verifies), median(ratios))

	if _, err := exec.LookPath("rclone"); err != nil {
		fmt.Println("SKIPPED: rclone is missing: apt-get install rclone")
	} else {
		var plains, copies, ratios []float64
		for i := range rounds {
			a, b := filepath.Join(work, fmt.Sprintf("rclone-%d", i)), filepath.Join(work, fmt.Sprintf("copy-%d", i))
			// sync: rclone leaves its bytes to the kernel, copy brings them to the disk.
			plain, err := timed("sh", "-c", `rclone copy --config /dev/null --transfers 4 "$0" "$1" --exclude '.*/**' && sync -f "$1"`, archive, a)
			if err != nil {
				return err
			}
			ours, err := timed(sohoa, "copy", "--from", "disk:"+archive, "--to", "disk:"+b)
			if err != nil {
				return err
			}
			plains, copies, ratios = append(plains, plain), append(copies, ours), append(ratios, ours/plain)
			if err := errors.Join(os.RemoveAll(a), os.RemoveAll(b)); err != nil {
				return err
			}
		}
		fmt.Printf("rclone copy and sync %.2f s, copy %.2f s (each object durable and its digest compared), ratio %.2f\n", median(plains), median(copies), median(ratios))
	}
	if rebuild == 0 {
		return nil
	}
	// The units come back from the register in the archive, as after a real loss.
	data = filepath.Join(work, "rebuild")
	units := filepath.Join(work, "units.csv")
	if err := os.WriteFile(units, []byte("code,name,level,parent,valid_from,valid_to,successor\nH51,Tỉnh Sóc Trăng,province,,,,\n"), 0o600); err != nil {
		return err
	}
	if _, err := timed(sohoa, "import", "units", units, "--data", data); err != nil {
		return err
	}
	if err := makeHouse(data, rebuild, 200, false); err != nil {
		return err
	}
	if err := removeLedger(data); err != nil {
		return err
	}
	took, err := timed(sohoa, "rebuild", "--data", data)
	if err != nil {
		return err
	}
	fmt.Printf("rebuild of %d records %.1f s, %.0f a second\n", rebuild, took, float64(rebuild)/took)
	return nil
}

// makeHouse makes an archive of n documents and, if entered, its ledger.
func makeHouse(data string, n int, size int64, entered bool) error {
	ctx := context.Background()
	store, err := disk.Open(filepath.Join(data, "archive"))
	if err != nil {
		return err
	}
	m := pipelinetest.Made{Store: store, Unit: "H51", Size: size}
	if entered {
		l, err := ledger.Open(ctx, "sqlite:"+filepath.Join(data, "ledger.db"), ledger.Options{Log: zerolog.Nop()})
		if err != nil {
			return err
		}
		defer l.Close()
		if err := l.Migrate(ctx); err != nil {
			return err
		}
		if _, err := l.ImportUnits(ctx, []dossier.Unit{{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province}}); err != nil {
			return err
		}
		m.Ledger = l
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error {
			_, err := m.Document(ctx, i)
			return err
		})
	}
	return errors.Join(g.Wait(), store.Close())
}

func removeLedger(data string) error {
	found, err := filepath.Glob(filepath.Join(data, "ledger.db*"))
	if err != nil {
		return err
	}
	for _, f := range found {
		err = errors.Join(err, os.RemoveAll(f))
	}
	return err
}

// timed runs a command and returns the seconds it took.
func timed(name string, args ...string) (float64, error) {
	cmd := exec.Command(name, args...)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return time.Since(start).Seconds(), nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
