package telemetry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Metrics are numbers of this process, in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats).
// They are read when they are asked for: what counts them keeps its own count. Their names begin with the product's.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics returns the metrics of Go's runtime and of the process. Add the others before they are served.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// namespace begins the name of every metric of ours.
const namespace = "omnistack"

// Gauge adds a number that goes up and down. Read is called whenever somebody asks.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read))
}

// Counts adds counts that only grow, one for each combination of the labels' values. Read is called whenever somebody asks, and
// tells each count with its values in the order of the labels. No value may come from a client: each is a series for ever.
func (m *Metrics) Counts(name, help string, labels []string, read func(tell func(count int64, values ...string))) {
	m.registry.MustRegister(counts{prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil), read})
}

type counts struct {
	desc *prometheus.Desc
	read func(tell func(count int64, values ...string))
}

// Describe sends the description.
func (c counts) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect sends the counts.
func (c counts) Collect(to chan<- prometheus.Metric) {
	c.read(func(count int64, values ...string) {
		to <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(count), values...)
	})
}

// The patience with who asks for metrics.
const (
	scrapeTimeout = 10 * time.Second
	scrapesAtOnce = 4
)

// Serve answers GET /metrics at the address until ctx ends. It is for a network of one's own: there is nothing secret in the
// numbers, and nobody is asked who he is. If the address can't be had, because another process has it for example, that is
// logged and the product goes on without.
func (m *Metrics) Serve(ctx context.Context, address string, log *zap.Logger) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		log.Warn("metrics aren't served: choose another METRICS_ADDR, or off", zap.Error(err))
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeTimeout}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: scrapeTimeout, WriteTimeout: 2 * scrapeTimeout, IdleTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // nobody minds a scrape that breaks off
	log.Info("metrics are served", zap.Stringer("address", listener.Addr()))
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("metrics are served no more", zap.Error(err))
	}
}
