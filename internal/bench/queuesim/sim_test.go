package main

import (
	"math"
	"testing"
	"time"
)

// TestErlang holds the simulation against what is known of a queue with arrivals
// by chance and c workers (Erlang's C formula), where cores are not shared.
func TestErlang(t *testing.T) {
	const workers, documents = 4, 200_000
	var flat [24]float64
	for h := range flat {
		flat[h] = 1
	}
	service := time.Duration(0.8 * workers * 24 * float64(time.Hour) / documents) // load 0.8
	r := simulate(config{seed: 3, documents: documents, day: flat, units: 1, hosts: 1, cores: 1, counterWorkers: workers, pages: 1, wait: service, end: 48 * time.Hour})
	a := 0.8 * workers
	term, sum := 1.0, 1.0
	for k := 1; k < workers; k++ {
		term *= a / float64(k)
		sum += term
	}
	term *= a / workers / (1 - 0.8)
	c := term / (sum + term)
	want := c * service.Seconds() / (workers * (1 - 0.8))
	mean, waited := 0.0, 0
	for _, w := range r.waits {
		mean += w.Seconds() / float64(len(r.waits))
		if w > 0 {
			waited++
		}
	}
	if math.Abs(mean/want-1) > 0.1 {
		t.Errorf("the mean wait is %.3f s, by Erlang %.3f s", mean, want)
	}
	if p := float64(waited) / documents; math.Abs(p/c-1) > 0.05 {
		t.Errorf("%.3f wait, by Erlang %.3f", p, c)
	}
}

// TestDiscipline: hot folders before a backfill, and a unit with one file is not
// behind another's many.
func TestDiscipline(t *testing.T) {
	c := config{seed: 1, documents: 1000, day: office, units: 100, hosts: 1, cores: 2, counterWorkers: 4, bulkWorkers: 4,
		cpu: 50 * time.Millisecond, pages: 2, wait: 20 * time.Millisecond, backfill: 50_000, single: true, end: 24 * time.Hour}
	r := simulate(c)
	if len(r.waits) != 1000 || len(r.verdicts) != 1000 || r.bulkDone != 50_001 {
		t.Errorf("%d counter documents began, %d ended, %d in bulk", len(r.waits), len(r.verdicts), r.bulkDone)
	}
	if r.single == 0 || r.single > 2*time.Second {
		t.Errorf("the single file waited %v", r.single)
	}
	if w := r.wait(.99); w > time.Second {
		t.Errorf("a counter waits %v beside a backfill", w)
	}
}
