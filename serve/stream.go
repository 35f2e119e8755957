package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// stream writes the answer as server-sent events: the role, texts as they become final,
// why it ended, what it took if that is wanted, and [DONE]. Once the first is written, an
// error is an event, too.
func (s *Server) stream(ctx context.Context, x *exchange, y *writing, q *query, events <-chan Event) error {
	h := x.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	x.WriteHeader(http.StatusOK)
	y.document.Object = y.chunk

	w := &sse{x: x, control: http.NewResponseController(x), timeout: s.writeTimeout}
	empty := ""
	if y.chat {
		w.data(y.with(choice{Delta: &message{Role: "assistant", Content: &empty}}))
	}
	idle := time.NewTicker(s.keepAlive)
	defer idle.Stop()
	for w.err == nil {
		select {
		case <-idle.C:
			w.comment("waiting")
			continue
		case e, ok := <-events:
			if !ok {
				w.end(ctx, x, y, q)
				return nil
			}
			x.note(e)
			// The step first: it shows what the text, if that is of the same block,
			// is then to replace.
			if e.Step != nil {
				d := y.document
				d.LLaDA = &beyond{Step: e.Step}
				w.data(d)
			}
			if e.Text != "" {
				w.data(y.with(y.text(e.Text)))
			}
			idle.Reset(s.keepAlive)
		}
	}
	x.status = statusGone // there is nobody to tell
	return nil
}

// end writes what comes after the last text.
func (w *sse) end(ctx context.Context, x *exchange, y *writing, q *query) {
	if err := ended(ctx, x.done); err != nil {
		e := asAPI(err)
		x.status, x.err = e.Status, err
		w.data(e.body())
		return
	}
	c := choice{Finish: &x.done.Finish}
	if y.chat {
		c.Delta = &message{}
	} else {
		c.Text = new(string)
	}
	w.data(y.with(c))
	if q.usage {
		d := y.document
		d.Usage = usageOf(len(q.Prompt), x.done)
		w.data(d)
	}
	w.write([]byte("data: [DONE]\n\n"))
}

// with returns the chunk with a choice.
func (y *writing) with(c choice) document {
	d := y.document
	d.Choices = []choice{c}
	return d
}

// text returns the choice that has more text.
func (y *writing) text(text string) choice {
	if y.chat {
		return choice{Delta: &message{Content: &text}}
	}
	return choice{Text: &text}
}

// sse writes server-sent events, each at once and in limited time. After an error it
// writes nothing.
type sse struct {
	x       *exchange
	control *http.ResponseController
	timeout time.Duration
	err     error
}

// data writes an event.
func (w *sse) data(v any) {
	var b bytes.Buffer
	b.WriteString("data: ")
	enc := json.NewEncoder(&b) // whose output is one line
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.err = err
		return
	}
	b.WriteByte('\n')
	w.write(b.Bytes())
}

// comment writes what readers pass over, so that the connection is seen to be alive.
func (w *sse) comment(text string) { w.write([]byte(": " + text + "\n\n")) }

func (w *sse) write(p []byte) {
	if w.err != nil {
		return
	}
	w.control.SetWriteDeadline(time.Now().Add(w.timeout)) // where the connection has none, so be it
	if _, w.err = w.x.Write(p); w.err == nil {
		w.err = w.control.Flush()
	}
}
