package eval_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/eval"
)

// roundTrip answers requests without a network, so that clocks in tests can run ahead.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// posts calls f with the number of each post, from 0; other requests fail.
func posts(f func(i int, r *http.Request) (*http.Response, error)) *http.Client {
	i := 0
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost {
			return nil, errors.New("not now")
		}
		i++
		return f(i-1, r)
	})}
}

func TestEndpointRetries(t *testing.T) {
	for name, c := range map[string]struct {
		first    func() (*http.Response, error) // of the first two tries
		min, max time.Duration                  // of waiting
	}{
		"connection":  {func() (*http.Response, error) { return nil, errors.New("connection refused") }, 3 * time.Second, 4 * time.Second},
		"cut off":     {func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 3 * time.Second, 4 * time.Second},
		"torn":        {func() (*http.Response, error) { return torn(), nil }, 3 * time.Second, 4 * time.Second},
		"timeout":     {func() (*http.Response, error) { return reply(408, ""), nil }, 3 * time.Second, 4 * time.Second},
		"busy":        {func() (*http.Response, error) { return reply(429, "slow down"), nil }, 3 * time.Second, 4 * time.Second},
		"loading":     {func() (*http.Response, error) { return reply(503, "Loading model"), nil }, 3 * time.Second, 4 * time.Second},
		"bad gateway": {func() (*http.Response, error) { return reply(502, "<html>"), nil }, 3 * time.Second, 4 * time.Second},
		"told when":   {func() (*http.Response, error) { return reply(429, "", "Retry-After", "20"), nil }, 40 * time.Second, 50 * time.Second},
		"told never":  {func() (*http.Response, error) { return reply(503, "", "Retry-After", "9999999999999"), nil }, 2 * time.Minute, 150 * time.Second},
		"told now":    {func() (*http.Response, error) { return reply(429, "", "Retry-After", "0"), nil }, 2 * time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				client := posts(func(i int, r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					require.Contains(t, string(body), "1+1?", "the whole request every time")
					if tries++; i < 2 {
						return c.first()
					}
					return reply(200, two), nil
				})
				e := endpoint(t, eval.EndpointOptions{URL: "http://h", Client: client})
				start := time.Now()
				a := ask(t, e, sum)
				require.NoError(t, a.Err)
				assert.Equal(t, "2", a.Text)
				assert.Equal(t, 3, tries)
				assert.GreaterOrEqual(t, time.Since(start), c.min)
				assert.LessOrEqual(t, time.Since(start), c.max)
				assert.Zero(t, a.DecodeTime, "of the last try only")
			})
		})
	}
}

// torn is an answer whose body ends early.
func torn() *http.Response {
	r := reply(200, "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(two[:20]), errReader{io.ErrUnexpectedEOF}))
	return r
}

type errReader struct{ error }

func (r errReader) Read([]byte) (int, error) { return 0, r.error }

func TestEndpointGivesUp(t *testing.T) {
	const at = "endpoint http://h/v1/chat/completions: "
	for name, c := range map[string]struct {
		answer  func(r *http.Request) (*http.Response, error)
		retries int
		tries   int
		want    string
	}{
		"status": {func(*http.Request) (*http.Response, error) {
			return reply(503, `{"error":{"message":"Loading\nmodel"}}`), nil
		}, 2, 3, `status 503 Service Unavailable: "Loading model", in 3 tries`},
		"no retries": {func(*http.Request) (*http.Response, error) { return reply(500, ""), nil },
			-1, 1, `status 500 Internal Server Error: without a word`},
		"connection": {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection\nrefused") },
			0, 6, `connection refused, in 6 tries`},
		"torn": {func(*http.Request) (*http.Response, error) { return torn(), nil }, 1, 2, `the answer was cut off, in 2 tries`},
		"silence": {func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
			1, 2, `no answer within 15m0s, in 2 tries`},
		"huge": {func(*http.Request) (*http.Response, error) {
			r := reply(200, "")
			r.Body = io.NopCloser(io.LimitReader(spaces{}, 1<<40))
			return r, nil
		}, 2, 1, `the answer has more than 16 MiB`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				client := posts(func(_ int, r *http.Request) (*http.Response, error) {
					tries++
					return c.answer(r)
				})
				e := endpoint(t, eval.EndpointOptions{URL: "http://me:hunter2@h", Retries: c.retries, Client: client})
				var answers []eval.Answer
				require.NoError(t, e.Generate(t.Context(), requests(sum, 1), collect(&answers)))
				require.Len(t, answers, 1)
				require.EqualError(t, answers[0].Err, at+c.want)
				assert.NotErrorIs(t, answers[0].Err, context.DeadlineExceeded, "the run goes on")
				assert.Equal(t, c.tries, tries)
			})
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestEndpointCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := posts(func(int, *http.Request) (*http.Response, error) {
			return reply(429, "", "Retry-After", "60"), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		e := endpoint(t, eval.EndpointOptions{URL: "http://h", Client: client, Concurrency: 1})
		err := e.Generate(ctx, requests(sum, 9), func(eval.Answer) error { t.Error("an answer"); return nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestEndpointRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		ends   bool // the run
		want   string
	}{
		"bad request":  {400, `{"error":{"message":"too long","code":400}}`, false, `status 400 Bad Request: "too long"`},
		"validation":   {422, `{"detail":[{"loc":["body"],"msg":"bad"}]}`, false, `status 422 Unprocessable Entity: "{\"detail\":`},
		"wrong key":    {401, `{"error":"Incorrect API key: sk-secret."}`, true, `status 401 Unauthorized: "Incorrect API key: ***."; check the key`},
		"forbidden":    {403, ``, true, `status 403 Forbidden: without a word; check the key`},
		"no such path": {404, `{"detail":"Not Found"}`, true, `status 404 Not Found: "Not Found"; check the address and the model's name (m), the server has a, b`},
		"no model":     {404, `{"object":"error","message":"The model m does not exist."}`, true, `"The model m does not exist."; check the address`},
		"page":         {404, "<html>\n\x1b[2J" + strings.Repeat("é", 300), true, `"<html> [2J` + strings.Repeat("é", 94)},
		"redirect":     {307, ``, true, `it redirects (307); give http://other/v1 if that is right`},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			refuseFrom := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					io.WriteString(w, `{"data":[{"id":"a"},{"id":"b"}]}`)
					return
				}
				if n++; n <= refuseFrom {
					io.WriteString(w, two)
					return
				}
				w.Header().Set("Location", "http://me:hunter2@other/v1?q=1")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			}))
			defer s.Close()
			e := endpoint(t, eval.EndpointOptions{URL: s.URL, Key: "sk-secret", Concurrency: 1})
			var answers []eval.Answer
			err := e.Generate(t.Context(), requests(sum, 3), collect(&answers))
			if !c.ends { // of these documents: there may be others
				require.NoError(t, err)
				require.Len(t, answers, 3)
				require.ErrorContains(t, answers[0].Err, c.want)
				assert.Equal(t, 3, n, "no second try")
				oneLine(t, answers[0].Err)
				return
			}
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, 1, n, "no second try, no other request")
			assert.Empty(t, answers)
			oneLine(t, err)

			n, refuseFrom = 0, 1
			err = e.Generate(t.Context(), requests(sum, 3), collect(&answers))
			require.ErrorContains(t, err, c.want)
			assert.Len(t, answers, 1)
		})
	}
}

// oneLine checks that a message shows no secrets and is one short line.
func oneLine(t *testing.T, err error) {
	t.Helper()
	assert.Less(t, len(err.Error()), 500)
	for _, bad := range []string{"\n", "\x1b", "sk-secret", "hunter2", "q=1"} {
		assert.NotContains(t, err.Error(), bad)
	}
}

func TestEndpointEndsAfterFailuresInRow(t *testing.T) {
	run := func(good func(i int) bool) ([]eval.Answer, error) {
		client := posts(func(i int, _ *http.Request) (*http.Response, error) {
			if good(i) {
				return reply(200, two), nil
			}
			return reply(500, fmt.Sprint("broken ", i)), nil
		})
		e := endpoint(t, eval.EndpointOptions{URL: "http://h", Client: client, Retries: -1, Concurrency: 1})
		var answers []eval.Answer
		err := e.Generate(t.Context(), requests(sum, 40), collect(&answers))
		return answers, err
	}
	answers, err := run(func(i int) bool { return i < 5 })
	require.ErrorContains(t, err, `10 answers in a row failed, the last one so: endpoint http://h/v1/chat/completions: status 500 Internal Server Error: "broken 14"`)
	assert.Len(t, answers, 15)

	answers, err = run(func(i int) bool { return i%10 == 9 })
	require.NoError(t, err)
	assert.Len(t, answers, 40)
}

func TestEndpointUnknownCertificate(t *testing.T) {
	n := 0
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n++ }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	e := endpoint(t, eval.EndpointOptions{URL: s.URL, Concurrency: 1})
	err := e.Generate(t.Context(), requests(sum, 2), func(eval.Answer) error { t.Error("an answer"); return nil })
	require.ErrorContains(t, err, "certificate")
	assert.NotContains(t, err.Error(), "tries")
	assert.Zero(t, n)
}
