package serve

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// mostConnections are open at a time; others wait until the system has them.
const mostConnections = 1024

// Serve answers the requests that come to l until ctx ends. Then it takes no more,
// finishes the answers in the making, closes the engine and l, and returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.bodyTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	if s.opt.Log != nil {
		h.ErrorLog = slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelWarn)
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(netutil.LimitListener(l, mostConnections)) }()
	var err error
	select {
	case err = <-failed:
		failed <- nil
	case <-ctx.Done():
	}
	s.closing.Store(true)
	end := context.WithoutCancel(ctx)
	if err != nil { // there is nobody left to answer
		var cancel context.CancelFunc
		end, cancel = context.WithCancel(end)
		cancel()
	}
	closed := s.engine.close(end)
	// What is left to do is to write what is answered.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.writeTimeout)
	defer cancel()
	if h.Shutdown(last) != nil {
		h.Close()
	}
	<-failed
	if err == nil {
		err = closed
	}
	return err
}
