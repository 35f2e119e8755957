package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"lladakit/runtime"
)

// form is how an endpoint writes its answers.
type form struct {
	id           string // what ids begin with
	whole, chunk string // what documents are called
	chat         bool   // the text is a message's content
}

// document is an answer, or a chunk of one.
type document struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
	LLaDA   *beyond  `json:"llada,omitempty"`
}

type choice struct {
	Index    int      `json:"index"`
	Message  *message `json:"message,omitempty"` // of a chat
	Delta    *message `json:"delta,omitempty"`   // of a chunk of a chat
	Text     *string  `json:"text,omitempty"`    // of anything else
	Logprobs *string  `json:"logprobs"`          // always null
	Finish   *string  `json:"finish_reason"`
}

type message struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

// beyond is what OpenAI's documents do not have.
type beyond struct {
	Step *Step `json:"step,omitempty"`
}

type usage struct {
	Prompt           int              `json:"prompt_tokens"`
	Completion       int              `json:"completion_tokens"`
	Total            int              `json:"total_tokens"`
	Details          details          `json:"prompt_tokens_details"`
	Forwards         runtime.Forwards `json:"forwards"`
	TokensPerForward float64          `json:"tokens_per_forward"` // denoising ones
}

type details struct {
	Cached int `json:"cached_tokens"`
}

// usageOf returns what an answer took.
func usageOf(prompt int, d *Done) *usage {
	u := &usage{Prompt: prompt, Completion: d.Tokens, Total: prompt + d.Tokens}
	if r := d.Result; r != nil {
		u.Details.Cached, u.Forwards, u.TokensPerForward = r.Cached, r.Forwards, float64(d.Tokens)/float64(max(1, r.Forwards.Denoise))
	}
	return u
}

// writing is an answer being written.
type writing struct {
	*form
	document // without choices and usage
}

// answer has the engine answer a query, and writes what it says. Whatever ends this
// ends the answer: the client, the deadline, or a chunk that nobody takes.
func (s *Server) answer(x *exchange, r *http.Request, q *query, f *form) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if s.opt.Deadline > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.opt.Deadline, errDeadline)
		defer stop()
	}
	next, err := s.engine.submit(ctx, q.Request)
	if err != nil {
		return submitError(err)
	}
	x.prompt = len(q.Prompt)
	y := &writing{form: f, document: document{
		ID: f.id + strings.ToLower(rand.Text()), Created: x.started.Unix(), Model: s.opt.Name, Choices: []choice{},
	}}
	// Next waits, and so may the reader of a stream: each has a goroutine. While this one
	// is busy, the engine gathers what happens.
	events := make(chan Event)
	go func() {
		defer close(events)
		for {
			e, ok := next()
			if !ok {
				return
			}
			events <- e
		}
	}()
	defer func() {
		cancel()
		for e := range events { // up to the end of the goroutine
			x.note(e)
		}
	}()
	if q.stream {
		return s.stream(ctx, x, y, q, events)
	}
	return s.whole(ctx, x, y, q, events)
}

// submitError returns what an engine refuses a request with: what is not about the
// engine is about the request.
func submitError(err error) error {
	var failure *Failure
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrClosed) || errors.As(err, &failure) {
		return err
	}
	return badRequest("", "%v", err)
}

// whole writes the answer in one document.
func (s *Server) whole(ctx context.Context, x *exchange, y *writing, q *query, events <-chan Event) error {
	var b strings.Builder
	for e := range events {
		x.note(e)
		b.WriteString(e.Text)
	}
	if err := ended(ctx, x.done); err != nil {
		return err
	}
	d, text := y.document, b.String()
	d.Object, d.Usage = y.form.whole, usageOf(len(q.Prompt), x.done)
	c := choice{Finish: &x.done.Finish}
	if y.chat {
		c.Message = &message{Role: "assistant", Content: &text}
	} else {
		c.Text = &text
	}
	d.Choices = []choice{c}
	return x.json(http.StatusOK, d)
}

// ended returns why an answer has no regular end, nil if it has.
func ended(ctx context.Context, d *Done) error {
	switch {
	case d == nil:
		return ErrClosed
	case d.Finish != "interrupted":
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case d.Err != nil:
		return d.Err
	}
	return ErrClosed
}
