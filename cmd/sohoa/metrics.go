package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/ledger"
)

// metrics are what the house counts beside the doors' own. Units are codes of
// offices; nothing here names a person.
type metrics struct {
	stages      *prometheus.HistogramVec
	documents   *prometheus.CounterVec
	storeErrors *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, l *ledger.Ledger, log zerolog.Logger) *metrics {
	m := &metrics{
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sohoa_stage_seconds",
			Help:    "Time a document spent in a stage of the pipeline, by how the stage ended.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30},
		}, []string{"stage", "outcome"}),
		documents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sohoa_documents_total",
			Help: "Tries to bring a document to its verdict, by unit, door and how they ended.",
		}, []string{"unit", "door", "outcome"}),
		storeErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sohoa_store_errors_total",
			Help: "Stages that failed because the object store could not be reached, after its own retries.",
		}, []string{"stage"}),
	}
	r.MustRegister(m.stages, m.documents, m.storeErrors, &queueMetrics{l, log},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(o pipeline.Observation) {
	m.stages.WithLabelValues(o.Stage, string(o.Outcome)).Observe(o.End.Sub(o.Start).Seconds())
	if errors.Is(o.Err, storage.ErrUnavailable) {
		m.storeErrors.WithLabelValues(o.Stage).Inc()
	}
	if o.Stage == "settle" {
		m.documents.WithLabelValues(string(o.Unit), string(o.Door), string(o.Outcome)).Inc()
	}
}

// queueMetrics asks the ledger when it is asked: every process of a cluster
// says the same.
type queueMetrics struct {
	ledger *ledger.Ledger
	log    zerolog.Logger
}

var (
	queueDocuments = prometheus.NewDesc("sohoa_queue_documents", "Documents without a verdict: pending (of these, running) and faulted.", []string{"state"}, nil)
	queueJobs      = prometheus.NewDesc("sohoa_queue_jobs", "Jobs that wait or run, by queue: counter, where somebody waits, and bulk.", []string{"queue"}, nil)
	queueOldest    = prometheus.NewDesc("sohoa_queue_oldest_seconds", "How long ago the oldest of them was queued; 0 where there is none.", []string{"queue"}, nil)
)

func (q *queueMetrics) Describe(c chan<- *prometheus.Desc) {
	c <- queueDocuments
	c <- queueJobs
	c <- queueOldest
}

func (q *queueMetrics) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := q.ledger.QueueStats(ctx)
	var queues []ledger.Waiting
	if err == nil {
		queues, err = q.ledger.Waiting(ctx)
	}
	if err != nil { // no sample is what alerts look for; the other metrics stand
		q.log.Warn().Err(err).Msg("the queue could not be measured")
		return
	}
	for state, n := range map[string]int{"pending": s.Pending, "running": s.Running, "faulted": s.Faulted} {
		c <- prometheus.MustNewConstMetric(queueDocuments, prometheus.GaugeValue, float64(n), state)
	}
	for _, w := range queues {
		c <- prometheus.MustNewConstMetric(queueJobs, prometheus.GaugeValue, float64(w.Jobs), w.Queue)
		c <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, w.Oldest.Seconds(), w.Queue)
	}
}
