package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// meters are what the server counts of itself. A registry of its own, so that nothing is global.
type meters struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMeters() *meters {
	m := &meters{registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "roadbed_http_request_duration_seconds", Help: "Time to answer a request, live streams left out.",
		Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
	}, []string{"area", "method", "code"})}
	m.registry.MustRegister(m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// work tells of what is done behind the requests: jobs, and who reads the ledger.
type work struct{ house *House }

var (
	jobsMetric  = prometheus.NewDesc("roadbed_jobs", "Deferred jobs; dead ones have used up their attempts and are kept a week.", []string{"state"}, nil)
	lagMetric   = prometheus.NewDesc("roadbed_ledger_subscriber_lag", "Sealed entries of the ledger that a subscriber has not looked at.", []string{"subscriber"}, nil)
	hooksMetric = prometheus.NewDesc("roadbed_webhooks_total", "Webhooks by what became of them: stored, repeated (it was there), refused (not signed), turned away (too much waits, or it could not be stored).", []string{"outcome"}, nil)
	foundMetric = prometheus.NewDesc("roadbed_search_things", "Entities, sections of docs and runs in the search index of this server.", nil, nil)
	wordsMetric = prometheus.NewDesc("roadbed_search_bytes", "Memory of the search index of this server.", nil, nil)
	fallsMetric = prometheus.NewDesc("roadbed_ledger_subscriber_failures", "Failed attempts in a row at the entry that a subscriber is at.", []string{"subscriber"}, nil)
)

// Describe implements prometheus.Collector.
func (work) Describe(to chan<- *prometheus.Desc) {
	to <- jobsMetric
	to <- lagMetric
	to <- fallsMetric
	to <- hooksMetric
	to <- foundMetric
	to <- wordsMetric
}

// Collect implements prometheus.Collector.
func (w work) Collect(to chan<- prometheus.Metric) {
	hooks := w.house.Hooks.Counts()
	for outcome, n := range map[string]int64{"stored": hooks.Stored, "repeated": hooks.Repeated, "refused": hooks.Refused, "turned away": hooks.TurnedAway} {
		to <- prometheus.MustNewConstMetric(hooksMetric, prometheus.CounterValue, float64(n), outcome)
	}
	size := w.house.Search.Stats()
	to <- prometheus.MustNewConstMetric(foundMetric, prometheus.GaugeValue, float64(size.Things))
	to <- prometheus.MustNewConstMetric(wordsMetric, prometheus.GaugeValue, float64(size.Bytes))
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	var jobs queue.Counts
	var readers []ledger.Subscription
	err := w.house.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if jobs, err = queue.Count(ctx, tx); err != nil {
			return err
		}
		readers, err = w.house.Ledger.Subscriptions(ctx, tx)
		return err
	})
	if err != nil {
		to <- prometheus.NewInvalidMetric(jobsMetric, err)
		return
	}
	gauge := func(d *prometheus.Desc, n int64, label string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), label)
	}
	gauge(jobsMetric, jobs.Waiting, "waiting")
	gauge(jobsMetric, jobs.Running, "running")
	gauge(jobsMetric, jobs.Dead, "dead")
	for _, r := range readers {
		gauge(lagMetric, r.Lag, r.Name)
		gauge(fallsMetric, int64(r.Failures), r.Name)
	}
}

func (h *House) metrics() http.Handler {
	return promhttp.HandlerFor(h.meters.registry, promhttp.HandlerOpts{})
}

// observe counts requests. What an application answers by its host name is counted as one area.
func (h *House) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &statusWriter{ResponseWriter: w, code: http.StatusOK}
		h.survive(seen, r, next)
		if h.streams(r) {
			return
		}
		h.meters.requests.WithLabelValues(h.area(r), method(r.Method), strconv.Itoa(seen.code)).Observe(time.Since(began).Seconds())
	})
}

// survive answers with a problem document what makes a handler panic. An answer that has begun is cut off instead, so
// that nobody takes it for whole.
func (h *House) survive(w *statusWriter, r *http.Request, next http.Handler) {
	defer func() {
		why := recover()
		if why == nil {
			return
		}
		err, _ := why.(error)
		meant := errors.Is(err, http.ErrAbortHandler)
		if !meant {
			h.Log.ErrorContext(r.Context(), "a request made the server panic", "method", r.Method, "path", r.URL.Path, "panic", why, "stack", string(debug.Stack()))
		}
		if w.wrote || meant {
			panic(http.ErrAbortHandler)
		}
		h.API.WriteProblem(w, r, fault.Errorf(fault.Internal, "a panic"))
	}()
	next.ServeHTTP(w, r)
}

func (h *House) area(r *http.Request) string {
	if h.Node.Serves(r.Host) {
		return "application"
	}
	for _, area := range []string{"api/v1", "api/v2", "api/state", "api/catalog", "git", "hooks", "v2", "metrics", "healthz", "readyz"} {
		if strings.HasPrefix(r.URL.Path, "/"+area) {
			return area
		}
	}
	return "portal"
}

// method keeps the label's values few, whatever clients invent.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodPatch, "LOCK", "UNLOCK":
		return m
	}
	return "other"
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	code  int
	wrote bool
}

func (w *statusWriter) WriteHeader(code int) {
	w.code, w.wrote = code, true
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below: flushing, deadlines, taking over.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush lets live streams through.
func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:12]
}
