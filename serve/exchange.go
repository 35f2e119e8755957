package serve

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// exchange is a request and what came of it.
type exchange struct {
	http.ResponseWriter
	route   string
	started time.Time
	status  int           // 0 until something is written
	err     error         // that the answer ended with
	timeout time.Duration // for what is written at a time

	// Of a request that reached the engine.
	prompt int           // tokens
	first  time.Duration // until the first text; 0 before
	done   *Done
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// note keeps what an event says of the answer as a whole.
func (x *exchange) note(e Event) {
	if e.Text != "" && x.first == 0 {
		x.first = time.Since(x.started)
	}
	if e.Done != nil {
		x.done = e.Done
	}
}

// json writes a document.
func (x *exchange) json(status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	x.Header().Set("Content-Type", "application/json")
	x.Header().Set("Cache-Control", "no-store")
	// The time of the client begins now, whatever it took until there is something to write.
	http.NewResponseController(x).SetWriteDeadline(time.Now().Add(x.timeout))
	x.WriteHeader(status)
	x.Write(b.Bytes()) // who does not take it has gone
	return nil
}

// fail writes an error, unless an answer has been begun. Also to who seems to have gone:
// a client may have closed its own direction only, and must not take silence for an
// empty answer.
func (x *exchange) fail(err error) {
	e := asAPI(err)
	x.err = err
	if x.status != 0 {
		return
	}
	e.headers(x.Header())
	x.json(e.Status, e.body())
}
