package main

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// office is how a working day's documents spread over its hours, from midnight.
var office = [24]float64{7: 4, 8: 18, 9: 19, 10: 15, 11: 5, 12: 1, 13: 8, 14: 14, 15: 11, 16: 5}

// config is a day.
type config struct {
	seed                        uint64
	documents                   int // from counters
	day                         [24]float64
	hot, backfill               int // from hot folders over the day; of a backfill, queued at six
	single                      bool
	units                       int
	hosts, cores                int
	counterWorkers, bulkWorkers int // of a host
	cpu                         time.Duration
	pages                       float64
	wait                        time.Duration
	end                         time.Duration // since midnight
}

// result is what came of it. Times are of documents from counters.
type result struct {
	waits, verdicts []time.Duration // sorted
	longest         int             // counter documents that waited at once
	bulkDone        int             // until the end
	busy            float64         // share of the processors' time from the first document to the last, or the end
	single          time.Duration
}

func (r result) wait(q float64) time.Duration    { return quantile(r.waits, q) }
func (r result) verdict(q float64) time.Duration { return quantile(r.verdicts, q) }

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// job is a document. Instants are durations since midnight.
type job struct {
	counter  bool
	single   bool
	priority int
	place    int64 // in its queue: the arrival, or the unit's turn
	seq      int
	arrived  time.Duration
	cpu      time.Duration // still to be had
	wait     time.Duration
}

// queue is jobs in the order in which workers take them.
type queue []*job

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.place, b.place), cmp.Compare(a.seq, b.seq)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*job)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// host shares its cores evenly among the jobs that want them; a job that waits for
// store and database keeps its worker.
type host struct {
	running       []*job // want a core
	waiting       []*job // jobs whose wait is the instant at which it ends
	counter, bulk int    // workers that are free
	busy          time.Duration
}

// next is how long until something happens here if nothing comes in between.
func (h *host) next(cores int, now time.Duration) time.Duration {
	least := time.Duration(1<<62 - 1)
	if n := len(h.running); n > 0 {
		for _, j := range h.running {
			least = min(least, j.cpu)
		}
		if n > cores {
			least = time.Duration(float64(least)*float64(n)/float64(cores)) + 1
		}
	}
	for _, j := range h.waiting {
		least = min(least, max(0, j.wait-now))
	}
	return least
}

// pass lets time go by.
func (h *host) pass(cores int, d time.Duration) {
	n := len(h.running)
	if n == 0 {
		return
	}
	share := d
	if n > cores {
		share = time.Duration(float64(d) * float64(cores) / float64(n))
	}
	h.busy += share * time.Duration(n)
	for _, j := range h.running {
		j.cpu -= share
	}
}

func simulate(c config) result {
	r := rand.New(rand.NewPCG(c.seed, 1))
	pages := func() float64 { // geometric, at least one
		n := 1.0
		for r.Float64() > 1/c.pages {
			n++
		}
		return n
	}
	var seq int
	newJob := func(counter bool, priority int, at time.Duration) *job {
		seq++
		return &job{counter: counter, priority: priority, seq: seq, arrived: at, place: int64(at),
			cpu: time.Duration(pages() * float64(c.cpu)), wait: time.Duration(r.ExpFloat64() * float64(c.wait))}
	}
	var sum float64
	for _, v := range c.day {
		sum += v
	}
	at := func() time.Duration {
		x := r.Float64() * sum
		for h, v := range c.day {
			if x < v {
				return time.Duration((float64(h) + x/v) * float64(time.Hour))
			}
			x -= v
		}
		return 16 * time.Hour
	}
	var arrivals []*job
	unit := map[*job]int{}
	for range c.documents {
		arrivals = append(arrivals, newJob(true, 1, at()))
	}
	for range c.hot {
		j := newJob(false, 1, at())
		unit[j] = r.IntN(c.units)
		arrivals = append(arrivals, j)
	}
	for range c.backfill {
		j := newJob(false, 2, 6*time.Hour)
		arrivals = append(arrivals, j)
		unit[j] = 0
		if !c.single {
			unit[j] = r.IntN(20) // provinces that have their old paper scanned
		}
	}
	if c.single {
		for _, j := range arrivals {
			if !j.counter {
				j.arrived = 8 * time.Hour
			}
		}
		j := newJob(false, 2, 8*time.Hour+10*time.Minute)
		j.single = true
		unit[j] = 1
		arrivals = append(arrivals, j)
	}
	slices.SortStableFunc(arrivals, func(a, b *job) int { return cmp.Compare(a.arrived, b.arrived) })

	hosts := newHosts(c.hosts, c.counterWorkers, c.bulkWorkers)
	var counters, bulk queue
	turn := map[[2]int]int64{} // a unit's next place, by priority
	served := map[int]int64{}  // the queue's own time, by priority
	var out result
	now := time.Duration(0)
	give := func() {
		for {
			// The host with the most free workers, as whoever asks first gets it.
			var h *host
			for _, x := range hosts {
				if x.counter > 0 && (h == nil || x.counter > h.counter) {
					h = x
				}
			}
			if h == nil || len(counters) == 0 {
				break
			}
			j := heap.Pop(&counters).(*job)
			h.counter--
			h.running = append(h.running, j)
			out.waits = append(out.waits, now-j.arrived)
		}
		for {
			var h *host
			for _, x := range hosts {
				if x.bulk > 0 && (h == nil || x.bulk > h.bulk) {
					h = x
				}
			}
			if h == nil || len(bulk) == 0 {
				return
			}
			j := heap.Pop(&bulk).(*job)
			served[j.priority] = j.place
			if j.single {
				out.single = now - j.arrived
			}
			h.bulk--
			h.running = append(h.running, j)
		}
	}
	start := time.Duration(1<<62 - 1)
	if len(arrivals) > 0 {
		start = arrivals[0].arrived
	}
	for len(arrivals) > 0 || len(counters) > 0 || len(bulk) > 0 || slices.ContainsFunc(hosts, func(h *host) bool { return len(h.running)+len(h.waiting) > 0 }) {
		step := time.Duration(1<<62 - 1)
		if len(arrivals) > 0 {
			step = max(0, arrivals[0].arrived-now)
		}
		for _, h := range hosts {
			step = min(step, h.next(c.cores, now))
		}
		if now+step > c.end {
			break
		}
		for _, h := range hosts {
			h.pass(c.cores, step)
		}
		now += step
		for len(arrivals) > 0 && arrivals[0].arrived <= now {
			j := arrivals[0]
			arrivals = arrivals[1:]
			if j.counter {
				heap.Push(&counters, j)
				out.longest = max(out.longest, len(counters))
				continue
			}
			// As storage/ledger/turn.go: a tick after the unit's last, never before
			// what is being served.
			k := [2]int{unit[j], j.priority}
			j.place = max(served[j.priority], turn[k])
			turn[k] = j.place + 1
			heap.Push(&bulk, j)
		}
		for _, h := range hosts {
			h.running = slices.DeleteFunc(h.running, func(j *job) bool {
				if j.cpu > 0 {
					return false
				}
				j.wait += now
				h.waiting = append(h.waiting, j)
				return true
			})
			h.waiting = slices.DeleteFunc(h.waiting, func(j *job) bool {
				if j.wait > now {
					return false
				}
				if j.counter {
					h.counter++
					out.verdicts = append(out.verdicts, now-j.arrived)
				} else {
					h.bulk++
					out.bulkDone++
				}
				return true
			})
		}
		give()
	}
	var busy time.Duration
	for _, h := range hosts {
		busy += h.busy
	}
	out.busy = float64(busy) / float64(now-start) / float64(c.hosts*c.cores)
	slices.Sort(out.waits)
	slices.Sort(out.verdicts)
	return out
}

func newHosts(n, counter, bulk int) []*host {
	out := []*host{}
	for range n {
		out = append(out, &host{counter: counter, bulk: bulk})
	}
	return out
}
