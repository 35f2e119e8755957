package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxAnswer = 16 << 20 // bytes of a server's answer
	maxModels = 4 << 20  // bytes of its list of models
	maxWait   = time.Minute
)

var errTooLarge = errors.New("too large")

// scope says what a failure tells about other requests.
type scope int

const (
	ofAnswer scope = iota // nothing
	ofAll                 // they would fail the same way
)

// endpointError is a failure of a request. It has nothing to unwrap: that a server was
// too slow must not be taken for the end of the whole run.
type endpointError struct {
	text  string
	scope scope
}

func (e *endpointError) Error() string { return e.text }

func (e *Endpoint) failf(s scope, format string, args ...any) error {
	return &endpointError{"endpoint " + e.shown + ": " + fmt.Sprintf(format, args...), s}
}

// post sends a request until it is answered, and returns a complete answer of status
// 200 and how long it took, without tries before it.
func (e *Endpoint) post(ctx context.Context, body []byte) (data []byte, contentType string, took time.Duration, err error) {
	var start time.Time
	client := retryablehttp.Client{
		HTTPClient:     &e.client,
		RetryMax:       max(e.opt.Retries, 0),
		RetryWaitMin:   e.opt.Wait,
		RetryWaitMax:   maxWait,
		CheckRetry:     mayRetry,
		Backoff:        backoff,
		ErrorHandler:   retryablehttp.PassthroughErrorHandler,
		RequestLogHook: func(retryablehttp.Logger, *http.Request, int) { start = time.Now() },
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, e.url, body)
	if err != nil {
		return nil, "", 0, e.failf(ofAll, "no request can be made to this address")
	}
	req.Header.Set("Content-Type", "application/json")
	e.setHeaders(req.Request)
	// Reading is part of a try: an answer that is cut off is asked for again.
	req.SetResponseHandler(func(resp *http.Response) (err error) {
		data, err = readBody(resp, maxAnswer)
		took = time.Since(start)
		return err
	})

	resp, err := client.Do(req)
	if resp != nil {
		defer resp.Body.Close()
	}
	switch {
	case err != nil:
		return nil, "", 0, e.unanswered(ctx, err)
	case resp.StatusCode != http.StatusOK:
		if data == nil { // the last of several tries, which nobody has read
			data, _ = readBody(resp, maxAnswer)
		}
		return nil, "", 0, e.refused(resp, data)
	}
	return data, resp.Header.Get("Content-Type"), took, nil
}

func (e *Endpoint) setHeaders(req *http.Request) {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "llada")
	if e.opt.Key != "" {
		req.Header.Set("Authorization", "Bearer "+e.opt.Key)
	}
}

func readBody(resp *http.Response, most int64) ([]byte, error) {
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if int64(len(data)) > most {
		return nil, errTooLarge
	}
	return data, err
}

// mayRetry says whether another try may end better.
func mayRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if errors.Is(err, errTooLarge) {
		return false, err
	}
	if err == nil && resp.StatusCode == http.StatusRequestTimeout {
		return ctx.Err() == nil, ctx.Err()
	}
	return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
}

// backoff returns how long to wait before try n+1: what the server asks for, or twice as
// long every time, but not longer than most, and up to a quarter more, so that requests
// that failed together do not come again together.
func backoff(least, most time.Duration, n int, resp *http.Response) time.Duration {
	wait := retryablehttp.DefaultBackoff(least, most, n, resp)
	if wait < 0 || wait > most { // a server may ask for centuries
		wait = most
	}
	wait = max(wait, least)
	return wait + rand.N(wait/4+1)
}

// unanswered is the failure of a request that no answer came to.
func (e *Endpoint) unanswered(ctx context.Context, err error) error {
	var timeout net.Error
	var outer *url.Error
	switch {
	case errors.Is(err, errTooLarge):
		return e.failf(ofAnswer, "the answer has more than %d MiB", maxAnswer>>20)
	case errors.As(err, &timeout) && timeout.Timeout():
		return e.failf(ofAnswer, "no answer within %v%s", e.opt.Timeout, e.tries())
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return e.failf(ofAnswer, "the answer was cut off%s", e.tries())
	}
	s, hint := ofAnswer, e.tries()
	if again, _ := mayRetry(ctx, nil, err); !again {
		s, hint = ofAll, "" // certificates and the like
	}
	if errors.As(err, &outer) {
		err = outer.Err // without the address, which may have a password in it
	}
	return e.failf(s, "%s%s", e.clean(err.Error()), hint)
}

func (e *Endpoint) tries() string {
	if e.opt.Retries <= 0 {
		return ""
	}
	return fmt.Sprintf(", in %d tries", e.opt.Retries+1)
}

// refused is the failure of a request that the server answered with another status
// than 200.
func (e *Endpoint) refused(resp *http.Response, body []byte) error {
	s, hint := ofAnswer, ""
	switch c := resp.StatusCode; {
	case c >= 300 && c < 400:
		if to, err := resp.Location(); err == nil {
			hint = "; give " + e.clean(shown(to)) + " if that is right"
		}
		return e.failf(ofAll, "it redirects (%d)%s", c, hint)
	case c == http.StatusUnauthorized, c == http.StatusForbidden:
		s, hint = ofAll, "; check the key"
	case c == http.StatusNotFound, c == http.StatusMethodNotAllowed:
		s, hint = ofAll, fmt.Sprintf("; check the address and the model's name (%s)", e.clean(e.opt.Model))
		if len(e.models) > 0 {
			hint += ", the server has " + e.clean(strings.Join(e.models, ", "))
		}
	case c == http.StatusRequestTimeout, c == http.StatusTooManyRequests, c >= 500:
		hint = e.tries()
	}
	said := "without a word"
	if text := e.said(body); text != "" {
		said = fmt.Sprintf("%q", text)
	}
	return e.failf(s, "status %d %s: %s%s", resp.StatusCode, http.StatusText(resp.StatusCode), said, hint)
}

// said returns the message of an error's JSON in one of the forms in use, or else the
// body as it is.
func (e *Endpoint) said(body []byte) string {
	var v struct {
		Error, Message, Detail json.RawMessage
	}
	if json.Unmarshal(body, &v) == nil {
		for _, raw := range []json.RawMessage{v.Error, v.Message, v.Detail} {
			var text string
			var object struct{ Message string }
			if json.Unmarshal(raw, &text) == nil && text != "" {
				return e.clean(text)
			}
			if json.Unmarshal(raw, &object) == nil && object.Message != "" {
				return e.clean(object.Message)
			}
		}
	}
	return e.clean(string(body))
}

// clean returns the first 200 bytes of what a server said, in one printable line and
// without the key.
func (e *Endpoint) clean(text string) string {
	for _, s := range e.secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	return printable(text)
}

// describe asks the server for its models and keeps what it says about ours.
func (e *Endpoint) describe(base *url.URL) {
	ctx, cancel := context.WithTimeout(context.Background(), min(10*time.Second, e.opt.Timeout))
	defer cancel()
	u := *base
	u.Path += "/models"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return
	}
	e.setHeaders(req)
	resp, err := e.client.Do(req)
	if err != nil {
		return
	}
	body, err := readBody(resp, maxModels)
	if err != nil || resp.StatusCode != http.StatusOK {
		return
	}
	e.models, e.identity.Type, e.identity.Size = readModels(body, e.opt.Model)
	e.identity.Type = e.clean(e.identity.Type)
}
