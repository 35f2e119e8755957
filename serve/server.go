package serve

import (
	"log/slog"
	"net/http"
	"time"
)

// Options say what a server allows.
type Options struct {
	Name     string        // of the model, as clients call it
	Key      string        // that requests must bring, but those of /health and of the page; "": none
	MaxBody  int64         // bytes of a request; 0: 1 MiB
	Deadline time.Duration // of an answer from its request on; 0: none
	Log      *slog.Logger  // of requests, without their contents; nil: none
}

// Server is the HTTP side of an engine.
type Server struct {
	engine *Engine
	opt    Options
}

// NewServer returns a server for the requests of an engine.
func NewServer(e *Engine, opt Options) *Server { return &Server{engine: e, opt: opt} }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
