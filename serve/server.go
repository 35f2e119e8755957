package serve

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"lladakit/runtime"
)

// Options say what a server allows.
type Options struct {
	Name     string        // of the model, as clients call it
	Key      string        // that requests must bring, but those of /health and of the page; "": none
	MaxBody  int64         // bytes of a request; 0: 1 MiB
	Deadline time.Duration // of an answer from its request on; 0: none
	Log      *slog.Logger  // of requests, without their contents; nil: none

	// Hosts are names or addresses, without ports, that requests over loopback may be for,
	// beside localhost: those of a proxy on this machine.
	Hosts []string
}

// Server is the HTTP side of an engine.
type Server struct {
	opt     Options
	model   *runtime.Model
	mux     *http.ServeMux
	origins *http.CrossOriginProtection
	metrics *metrics
	started time.Time
	closing atomic.Bool

	engine backend

	bodyTimeout  time.Duration // for the body of a request
	writeTimeout time.Duration // for each piece that is written
	keepAlive    time.Duration // between comments in a stream without events
}

// backend is what a server needs of an Engine. Tests have others.
type backend struct {
	submit func(context.Context, Request) (next func() (Event, bool), err error)
	stats  func() EngineStats
	err    func() error
	close  func(context.Context) error
}

// NewServer returns a server for the requests of an engine.
func NewServer(e *Engine, opt Options) *Server {
	submit := func(ctx context.Context, r Request) (func() (Event, bool), error) {
		a, err := e.Submit(ctx, r)
		if err != nil {
			return nil, err
		}
		return a.Next, nil
	}
	return newServer(e.Model, opt, backend{submit: submit, stats: e.Stats, err: e.Err, close: e.Close})
}

func newServer(m *runtime.Model, opt Options, engine backend) *Server {
	if opt.MaxBody == 0 {
		opt.MaxBody = 1 << 20
	}
	s := &Server{
		opt: opt, model: m, mux: http.NewServeMux(), origins: http.NewCrossOriginProtection(), started: time.Now(),
		engine: engine, metrics: newMetrics(engine.stats),
		bodyTimeout: 30 * time.Second, writeTimeout: 30 * time.Second, keepAlive: 15 * time.Second,
	}
	s.handle("/v1/chat/completions", http.MethodPost, true, s.chat)
	s.handle("/v1/completions", http.MethodPost, true, s.completion)
	s.handle("/v1/models", http.MethodGet, true, s.models)
	s.handle("/v1/models/{id...}", http.MethodGet, true, s.modelByID)
	s.handle("/metrics", http.MethodGet, true, s.metrics.write)
	s.handle("/health", http.MethodGet, false, s.health)
	s.handle("/v1/", "", true, func(x *exchange, r *http.Request) error {
		return refused(http.StatusNotFound, "", "there is no %.60q here", r.URL.Path)
	})
	page := pageHandler()
	s.handle("/", http.MethodGet, false, func(x *exchange, r *http.Request) error {
		page.ServeHTTP(x, r)
		return nil
	})
	return s
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// The one before on this connection may have left a deadline.
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.writeTimeout))
	s.mux.ServeHTTP(w, r)
}

// handle has f answer the requests of a path, by one method, of those who have the key
// if that is asked for. An error that f returns is what the client gets.
func (s *Server) handle(path, method string, key bool, f func(*exchange, *http.Request) error) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, route: path, started: time.Now(), timeout: s.writeTimeout}
		defer s.record(x, r)
		err := s.guard(r)
		if err == nil && key {
			err = s.authorize(r)
		}
		if err == nil && method != "" && r.Method != method && !(r.Method == http.MethodHead && method == http.MethodGet) {
			w.Header().Set("Allow", method)
			err = refused(http.StatusMethodNotAllowed, "", "%s takes %s only", path, method)
		}
		if err == nil {
			err = f(x, r)
		}
		if err != nil {
			x.fail(err)
		}
	})
}

// record counts a request, and logs it without a word of what it said.
func (s *Server) record(x *exchange, r *http.Request) {
	took := time.Since(x.started)
	if x.status == 0 { // a handler that panics
		x.status = http.StatusInternalServerError
	}
	s.metrics.request(x, took)
	if s.opt.Log == nil {
		return
	}
	args := []any{"method", methodOf(r), "route", x.route, "status", x.status, "took", took.Round(time.Millisecond), "from", r.RemoteAddr}
	if d := x.done; d != nil {
		args = append(args, "waited", d.Waited.Round(time.Millisecond), "prompt_tokens", x.prompt, "tokens", d.Tokens, "finish", d.Finish)
	}
	s.opt.Log.Info("request", args...)
	var failure *Failure
	switch {
	case errors.As(x.err, &failure):
		s.opt.Log.Error("the model failed", "error", failure, "stack", string(failure.Stack))
	case x.status == http.StatusInternalServerError && x.err != nil:
		s.opt.Log.Error("an answer failed", "error", x.err)
	}
}

// methodOf returns the method for the log, where anything else would be the client's to
// choose.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return r.Method
	}
	return "other"
}
