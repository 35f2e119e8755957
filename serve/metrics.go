package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what Prometheus reads.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec // by route and status
	answers  *prometheus.CounterVec // by how they ended
	tokens   *prometheus.CounterVec // by what they are
	forwards *prometheus.CounterVec // by what they are for
	seconds  prometheus.Histogram
	first    prometheus.Histogram
	waited   prometheus.Histogram
}

// newMetrics has a registry of its own, so that a program may have several servers.
func newMetrics(stats func() EngineStats) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.05, 2, 15)})
	}
	m := &metrics{
		requests: counter("llada_http_requests_total", "Requests that were answered.", "route", "code"),
		answers:  counter("llada_answers_total", "Answers by how they ended: stop, length or interrupted.", "finish"),
		tokens:   counter("llada_tokens_total", "Tokens: of prompts, of those found in the prompt cache, and of answers.", "kind"),
		forwards: counter("llada_forwards_total", "Forwards of answers, as in their usage.", "kind"),
		seconds:  histogram("llada_answer_seconds", "From a request to the end of its answer."),
		first:    histogram("llada_first_text_seconds", "From a request to the first text of its answer."),
		waited:   histogram("llada_queue_seconds", "That answers waited for a place in the batch."),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.answers, m.tokens, m.forwards, m.seconds, m.first, m.waited, newEngineMetrics(stats),
		collectors.NewBuildInfoCollector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	return m
}

// write is GET /metrics.
func (m *metrics) write(x *exchange, r *http.Request) error {
	m.handler.ServeHTTP(x, r)
	return nil
}

// request counts a request.
func (m *metrics) request(x *exchange, took time.Duration) {
	m.requests.WithLabelValues(x.route, strconv.Itoa(x.status)).Inc()
	d := x.done
	if d == nil {
		return
	}
	m.answers.WithLabelValues(d.Finish).Inc()
	m.seconds.Observe(took.Seconds())
	m.waited.Observe(d.Waited.Seconds())
	if x.first > 0 {
		m.first.Observe(x.first.Seconds())
	}
	r := d.Result
	if r == nil {
		return
	}
	m.tokens.WithLabelValues("prompt").Add(float64(x.prompt))
	m.tokens.WithLabelValues("cached").Add(float64(r.Cached))
	m.tokens.WithLabelValues("answer").Add(float64(d.Tokens))
	m.forwards.WithLabelValues("prefill").Add(float64(r.Forwards.Prefill))
	m.forwards.WithLabelValues("denoise").Add(float64(r.Forwards.Denoise))
	m.forwards.WithLabelValues("commit").Add(float64(r.Forwards.Commit))
	m.forwards.WithLabelValues("fused").Add(float64(r.Forwards.Fused))
}

// engineMetrics reads the engine's counts when they are asked for, all at one time.
type engineMetrics struct {
	stats                                                        func() EngineStats
	waiting, running, positions, busy, passes, sequences, second *prometheus.Desc
}

func newEngineMetrics(stats func() EngineStats) *engineMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &engineMetrics{
		stats:     stats,
		waiting:   desc("llada_queue_length", "Requests that wait for a place in the batch."),
		running:   desc("llada_running", "Answers in the making."),
		positions: desc("llada_kv_positions", "Positions of keys and values that answers in the making have."),
		busy:      desc("llada_busy_total", "Requests that were refused since the queue was full."),
		passes:    desc("llada_passes_total", "Passes of the model."),
		sequences: desc("llada_pass_sequences_total", "Sequences in passes; by llada_passes_total, how full batches are."),
		second:    desc("llada_pass_seconds_total", "Time in passes."),
	}
}

func (m *engineMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.waiting, m.running, m.positions, m.busy, m.passes, m.sequences, m.second} {
		to <- d
	}
}

func (m *engineMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.stats()
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(m.waiting, float64(s.Waiting))
	gauge(m.running, float64(s.Running))
	gauge(m.positions, float64(s.Positions))
	counter(m.busy, float64(s.Busy))
	counter(m.passes, float64(s.Passes))
	counter(m.sequences, float64(s.Sequences))
	counter(m.second, s.Seconds)
}
