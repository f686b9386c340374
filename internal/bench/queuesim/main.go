// Command queuesim runs a day of a country through the queue, in memory: how long a
// document from a counter waits for a worker and for its verdict, by the number of
// hosts, while hot folders and a backfill fill what is left. The figures of
// docs/scale.md are its output.
//
//	go run ./internal/bench/queuesim [-documents 120000] [-cpu 18.5ms] [-pages 3] [-cores 2]
//
// The discipline is the one of storage/ledger: counters have workers of their own
// on every host, hot folders come before backfills, and units are served in turn.
// The cores of a host are shared evenly by what runs on it.
package main

import (
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

func main() {
	documents := flag.Int("documents", 120_000, "documents from counters on a working day")
	cpu := flag.Duration("cpu", 18500*time.Microsecond, "processor time a page of a document costs, children included (docs/benchmarks.md)")
	pages := flag.Float64("pages", 3, "pages of a document, on average")
	wait := flag.Duration("wait", 60*time.Millisecond, "time a document spends waiting for store and database")
	cores := flag.Int("cores", 2, "cores of a host")
	units := flag.Int("units", 10_000, "units")
	flag.Parse()

	c := config{seed: 1, documents: *documents, day: office, cores: *cores, counterWorkers: 2 * *cores, bulkWorkers: 2 * *cores,
		cpu: *cpu, pages: *pages, wait: *wait, units: *units}
	fmt.Printf("%d documents a day from counters, %.0f pages of %v on average, %v of waiting; hosts of %d cores\n\n", *documents, *pages, *cpu, *wait, *cores)
	for _, s := range []struct {
		name  string
		times int
		bulk  bool
		hosts []int
	}{
		{"counters alone", 1, false, []int{1, 2, 3}},
		{"four times the documents", 4, false, []int{1, 2, 3, 4, 6}},
		{"until noon, with hot folders and a backfill that never ends", 1, true, []int{1, 2, 4}},
		{"until noon, the same with four times the documents", 4, true, []int{1, 2, 4}},
	} {
		fmt.Println(s.name)
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "hosts\twait p50\tp99\tlongest\tverdict p50\tp99\tlongest queue\tbulk done\tprocessors busy\t")
		for _, hosts := range s.hosts {
			c.hosts, c.documents, c.end, c.hot, c.backfill = hosts, s.times**documents, 24*time.Hour, 0, 0
			if s.bulk { // more than the hosts can do from six to noon
				c.end, c.hot, c.backfill = 12*time.Hour, *documents/4, int(6*3600*float64(hosts**cores)/(*pages*cpu.Seconds()))
			}
			r := simulate(c)
			fmt.Fprintf(w, "%d\t%v\t%v\t%v\t%v\t%v\t%d\t%d\t%.0f %%\t\n", hosts, round(r.wait(.5)), round(r.wait(.99)), round(r.wait(1)),
				round(r.verdict(.5)), round(r.verdict(.99)), r.longest, r.bulkDone, 100*r.busy)
		}
		w.Flush()
		fmt.Println()
	}
	// One unit's backfill beside another unit's single file.
	c.hosts, c.documents, c.end, c.hot, c.backfill = 2, *documents, 24*time.Hour, 0, 100_000
	c.single = true
	r := simulate(c)
	fmt.Printf("two hosts, a unit's 100,000 files queued at eight; the single file another unit hands in ten minutes later waits %v\n", round(r.single))
}

func round(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
