package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// EndpointOptions say which server is asked, and how.
type EndpointOptions struct {
	// URL is the server's address with or without /v1, as http://127.0.0.1:8080, or the
	// full one, as https://host/api/paas/v4/chat/completions. A user and a password in it
	// are sent, but never shown or stored.
	URL   string
	Model string // the name that the server knows it by

	// API is "chat", which takes messages, or "completions", which takes plain text.
	// Empty: what a full URL says, else chat.
	API string

	// PrefixMode says how a server is made to begin its answer with a prompt's prefix.
	// "assistant", also if empty: the prefix is the last message of a chat, or the end of
	// a plain text, and the server continues it. "none": it is left out, and the answer
	// is the server's own from its first word on, for servers that continue nothing.
	PrefixMode string

	Key         string  // sent as a bearer token, never shown or stored; empty for none
	Concurrency int     // requests at a time; 0: 4
	Temperature float64 // 0: greedy
	TopP        float64 // 0: not sent; the server's own then holds

	// Extra has further fields of every request's JSON, as chat_template_kwargs or top_k.
	// They are stored with results. Fields that are set here anyway are an error.
	Extra map[string]any

	Timeout time.Duration // of one try to get an answer; 0: 15 minutes
	Retries int           // of a request after the first try; 0: 5, negative: none
	Wait    time.Duration // before the first retry, twice that before the next, up to a minute; 0: 1 s
	Client  *http.Client  // nil: one with the proxy of the environment. Its time limit and rule of redirects are not used
}

// Endpoint answers prompts by an OpenAI-compatible server. What it says about failures
// names the address, without credentials, and what the server said.
type Endpoint struct {
	opt      EndpointOptions
	url      string // what is posted to
	shown    string // the same without credentials and query
	extra    map[string]json.RawMessage
	client   http.Client
	models   []string // that the server says it has; nil if it does not
	identity Identity
	secrets  []string // what no message may have in it
}

// failuresInRow of answers end a run: the server is down, or cannot do what it is asked.
const failuresInRow = 10

// ownFields are those of a request that options or prompts set, or that would change
// the form of the answer.
var ownFields = []string{
	"model", "messages", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop",
	"stream", "n", "echo", "continue_final_message", "add_generation_prompt",
}

// NewEndpoint checks the options and asks the server what it has. That it does not
// answer this is no error.
func NewEndpoint(opt EndpointOptions) (*Endpoint, error) {
	e := &Endpoint{opt: opt, extra: map[string]json.RawMessage{}}
	base, err := e.address()
	if err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	for name, v := range opt.Extra {
		if slices.Contains(ownFields, name) {
			return nil, fmt.Errorf("extra field %q of the endpoint's requests is set by other options or by the task; leave it out", name)
		}
		if e.extra[name], err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("extra field %q of the endpoint's requests: %w", name, err)
		}
	}
	if opt.Client != nil {
		e.client = *opt.Client
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = e.opt.Concurrency
		e.client.Transport = t
	}
	e.client.Timeout = e.opt.Timeout
	// A redirected POST becomes a GET or takes the key elsewhere: the user is told instead.
	e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	e.identity = Identity{Model: opt.Model, Endpoint: e.shown, Settings: endpointSettings{
		API: e.opt.API, PrefixMode: e.opt.PrefixMode, Temperature: opt.Temperature, TopP: opt.TopP, Extra: e.extra,
	}}
	e.describe(base)
	return e, nil
}

// endpointSettings are what answers depend on, as results have it.
type endpointSettings struct {
	API         string                     `json:"api"`
	PrefixMode  string                     `json:"prefix_mode"`
	Temperature float64                    `json:"temperature"`
	TopP        float64                    `json:"top_p,omitempty"`
	Extra       map[string]json.RawMessage `json:"extra,omitempty"`
}

// Identity returns the server's address and the model's name with the settings. Type and
// Size are what the server said about the model when the Endpoint was made, if anything:
// descriptions that may come and go, and no part of what answers depend on.
func (e *Endpoint) Identity() Identity {
	id := e.identity
	s := id.Settings.(endpointSettings)
	s.Extra = maps.Clone(s.Extra)
	id.Settings = s
	return id
}

// check sets what is zero and refuses what makes no sense.
func (e *Endpoint) check() error {
	o := &e.opt
	switch {
	case o.Model == "":
		return errors.New("name the endpoint's model")
	case o.PrefixMode != "" && o.PrefixMode != "assistant" && o.PrefixMode != "none":
		return fmt.Errorf("prefix mode %q of the endpoint is not known; it is assistant or none", o.PrefixMode)
	case o.Concurrency < 0 || o.Concurrency > 1024:
		return fmt.Errorf("%d requests at a time to the endpoint: give 1 to 1024", o.Concurrency)
	case math.IsNaN(o.Temperature) || o.Temperature < 0 || o.Temperature > 100:
		return fmt.Errorf("temperature %v of the endpoint: give 0 to 100", o.Temperature)
	case math.IsNaN(o.TopP) || o.TopP < 0 || o.TopP > 1:
		return fmt.Errorf("top-p %v of the endpoint: give 0 to 1", o.TopP)
	case o.Timeout < 0 || o.Wait < 0:
		return errors.New("time limits of the endpoint are negative")
	case strings.ContainsFunc(o.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the endpoint's key has spaces or other characters that no key has")
	}
	if o.PrefixMode == "" {
		o.PrefixMode = "assistant"
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Minute
	}
	if o.Retries == 0 {
		o.Retries = 5
	}
	if o.Wait == 0 {
		o.Wait = time.Second
	}
	e.hide(o.Key)
	return nil
}

// hide keeps secrets out of messages, except those that are too short for one.
func (e *Endpoint) hide(secrets ...string) {
	for _, s := range secrets {
		if len(s) > 3 {
			e.secrets = append(e.secrets, s)
		}
	}
}

// address sets what is posted to and returns the address that all of the server's
// begin with. Errors do not show what was given: it may have a password in it.
func (e *Endpoint) address() (*url.URL, error) {
	u, err := url.Parse(e.opt.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the endpoint's address is not one such as http://127.0.0.1:8080/v1")
	}
	u.Fragment, u.RawFragment, u.RawPath = "", "", ""
	if u.User != nil {
		word, _ := u.User.Password()
		e.hide(u.User.String(), u.User.Username(), word)
	}

	u.Path = strings.TrimRight(u.Path, "/")
	api, said := "", e.opt.API
	if p, ok := strings.CutSuffix(u.Path, "/chat/completions"); ok {
		u.Path, api = p, "chat"
	} else if p, ok := strings.CutSuffix(u.Path, "/completions"); ok {
		u.Path, api = p, "completions"
	} else if last := u.Path[strings.LastIndexByte(u.Path, '/')+1:]; len(last) < 2 || last[0] != 'v' || last[1] < '0' || last[1] > '9' {
		u.Path += "/v1"
	}
	switch {
	case said != "" && said != "chat" && said != "completions":
		return nil, fmt.Errorf("interface %q of the endpoint is not known; it is chat or completions", said)
	case api != "" && said != "" && api != said:
		return nil, fmt.Errorf("the endpoint's address is that of %s, not of %s", api, said)
	case api == "" && said == "":
		api = "chat"
	case api == "":
		api = said
	}
	e.opt.API = api

	full := *u
	full.Path += "/completions"
	if api == "chat" {
		full.Path = u.Path + "/chat/completions"
	}
	e.url, e.shown = full.String(), shown(&full)
	return u, nil
}

// shown returns an address without what may be a secret.
func shown(u *url.URL) string {
	s := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return s.String()
}

// Generate asks for the answers, as many at a time as options say. A request that fails
// after all retries is an answer with Err; failures that all requests would meet, as of a
// wrong key or model, and ten in a row end it.
func (e *Endpoint) Generate(ctx context.Context, next func() (Request, bool), done func(Answer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer e.client.CloseIdleConnections()
	defer work.Wait()
	defer cancel()

	answers := make(chan Answer, e.opt.Concurrency)
	inWork, failed := 0, 0
	for more := true; ; {
		for more && inWork < e.opt.Concurrency && ctx.Err() == nil {
			r, ok := next()
			if more = ok; !ok {
				break
			}
			inWork++
			work.Go(func() { answers <- e.answer(ctx, r) })
		}
		if inWork == 0 {
			return ctx.Err()
		}
		var a Answer
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a = <-answers:
			inWork--
		}

		var failure *endpointError
		if errors.As(a.Err, &failure) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed++
			if failure.scope == ofAll {
				return failure
			}
		} else {
			failed = 0
		}
		if err := done(a); err != nil {
			return err
		}
		if failed == failuresInRow {
			return fmt.Errorf("%d answers in a row failed, the last one so: %w", failed, a.Err)
		}
	}
}

// ReadKey returns the key that a file has, without white space around it.
func ReadKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("key of the endpoint: %w", err)
	}
	defer f.Close()
	const most = 16 << 10
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", fmt.Errorf("key of the endpoint: %w", err)
	}
	key := strings.TrimSpace(string(data))
	switch {
	case len(data) > most:
		return "", fmt.Errorf("key of the endpoint: %s has more than %d bytes", path, most)
	case key == "":
		return "", fmt.Errorf("key of the endpoint: %s is empty", path)
	case strings.ContainsAny(key, "\r\n"):
		return "", fmt.Errorf("key of the endpoint: %s has more than one line", path)
	}
	return key, nil
}
