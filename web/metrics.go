package web

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics names routes by their pattern, never by what was asked for.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	received prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sohoa_http_requests_total",
			Help: "Requests answered."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sohoa_http_request_seconds",
			Help:    "From the first byte of the request to the last of the answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sohoa_http_requests_in_flight",
			Help: "Requests being answered now."}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "sohoa_http_received_bytes_total",
			Help: "Bytes of documents that came in."}),
	}
	reg.MustRegister(m.requests, m.seconds, m.inFlight, m.received)
	return m
}

func (m *metrics) seen(route string, status int, d time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(d.Seconds())
}
