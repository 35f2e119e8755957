package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxRetries   = 5                // in a row without progress
	maxRedirects = 8                // of one request
	maxSaid      = 200              // bytes of what a server says, in errors
	progressed   = 64 << 10         // bytes that make a try one with progress
	maxBackoff   = 30 * time.Second // between tries, when the server asks for nothing
	maxAsked     = 5 * time.Minute  // whatever it asks for
)

// client asks one repository of a hub.
type client struct {
	http     *http.Client
	endpoint string // without a slash at its end
	repo     string
	token    bool // there is one, and it is sent
	secret   Token
	wait     time.Duration
	stall    time.Duration
	sleep    func(ctx context.Context, d time.Duration) error
	waiting  func(why error, d time.Duration) // nil is allowed
}

func newClient(o *Options) (*client, error) {
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    30 * time.Second,
		ResponseHeaderTimeout:  o.stall,
		MaxIdleConnsPerHost:    o.Parallel,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // positions are those of the file
		Protocols:              new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true) // of which every request has a connection of its own
	g := &guard{next: transport, endpoint: originOf(endpoint)}
	if g.endpoint.secret() {
		g.token = o.Token
	}
	return &client{
		http: &http.Client{Transport: g, CheckRedirect: checkRedirect}, endpoint: endpoint.String(), repo: o.Repo,
		token: g.token != "", secret: g.token, wait: o.wait, stall: o.stall, sleep: o.sleep,
	}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// guard sends the token to the endpoint and nowhere else.
type guard struct {
	next     *http.Transport
	endpoint origin
	token    Token
}

func (g *guard) CloseIdleConnections() { g.next.CloseIdleConnections() }

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Referer") // which may be a signed address
	req.Header.Del("Authorization")
	req.Header.Set("User-Agent", "llada")
	if g.token != "" && originOf(req.URL) == g.endpoint {
		req.Header.Set("Authorization", "Bearer "+string(g.token))
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// The client's own error would show the address.
	if where := resp.Header.Get("Location"); where != "" && resp.StatusCode/100 == 3 {
		if to, err := req.URL.Parse(where); err != nil || to.User != nil || len(where) > 16<<10 {
			resp.Body.Close()
			return nil, errRedirect
		}
	}
	return resp, nil
}

// errRedirect is a redirect that is not followed, without the address.
var errRedirect = errors.New("the server redirects to where nothing is fetched from")

// checkRedirect refuses what no hub does, without saying where to.
func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: too often", errRedirect)
	case req.URL.Scheme != "https" && req.URL.Scheme != "http":
		return errRedirect
	case req.URL.Scheme == "http" && via[0].URL.Scheme == "https":
		return fmt.Errorf("%w: from https to http", errRedirect)
	}
	return nil
}

// transient is an error after which trying again has sense.
type transient struct {
	error
	resp *http.Response // whose headers may say when; may be nil
	now  bool           // without waiting, the first time
}

func (t transient) Unwrap() error { return t.error }

// retry does something until it succeeds, fails for good, or fails too often without progress.
// do returns how many bytes came.
func (c *client) retry(ctx context.Context, do func() (int64, error)) error {
	for tries := 0; ; tries++ {
		n, err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		again := transient{}
		if !errors.As(err, &again) {
			return err
		}
		if n >= progressed {
			tries = 0
		}
		if tries == maxRetries {
			return fmt.Errorf("%w, after %d tries", again.error, tries+1)
		}
		if again.now && tries == 0 {
			continue
		}
		wait := retryablehttp.DefaultBackoff(c.wait, maxBackoff, tries, again.resp)
		wait = min(max(wait, 0), maxAsked)
		if c.waiting != nil {
			c.waiting(again.error, wait)
		}
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// do sends a request. An error of the network is a transient one, unless another try would
// end like that as well.
func (c *client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err == nil {
		return resp, nil
	}
	again, _ := retryablehttp.ErrorPropagatedRetryPolicy(req.Context(), nil, err)
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
		again = false // as without a network
	}
	for outer := (*url.Error)(nil); errors.As(err, &outer); { // which shows the address
		err = outer.Err
	}
	if errors.Is(err, errRedirect) {
		return nil, fmt.Errorf("%s: %w: %w", c.repo, ErrHub, err)
	}
	// Not wrapped: a time limit of the network is no interrupt.
	failed := fmt.Errorf("%s: %w: %s does not answer: %s", c.repo, ErrUnavailable, req.URL.Host, c.clean(err.Error()))
	if again {
		return nil, transient{error: failed}
	}
	return nil, failed
}

// clean returns what a server said, or an error that may show it, such that it can be printed:
// not long, and without the token, which some servers echo.
func (c *client) clean(text string) string {
	if c.secret != "" {
		text = strings.ReplaceAll(text, string(c.secret), c.secret.String())
	}
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}

// status returns what the number of a status means. The server's own words are not shown: a
// proxy for finding faults may put there what it was sent.
func status(resp *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
}

// patient reads a body, and closes it when nothing comes for too long. What is done between
// two reads, as waiting for a slow disk, does not count.
type patient struct {
	body  io.ReadCloser
	limit time.Duration
	timer *time.Timer
}

func newPatient(body io.ReadCloser, limit time.Duration) *patient {
	p := &patient{body, limit, time.AfterFunc(limit, func() { body.Close() })}
	p.timer.Stop()
	return p
}

func (p *patient) Read(b []byte) (int, error) {
	p.timer.Reset(p.limit)
	n, err := p.body.Read(b)
	if !p.timer.Stop() && err != nil {
		err = fmt.Errorf("nothing came for %v", p.limit)
	}
	return n, err
}

func (p *patient) stop() { p.timer.Stop() }

// address returns where something of the endpoint is; parts are not escaped.
func (c *client) address(parts ...string) string {
	var b strings.Builder
	b.WriteString(c.endpoint)
	for _, part := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(part))
	}
	return b.String()
}

// resolve returns the endpoint's address of a file.
func (c *client) resolve(commit, name string) string {
	parts := append(strings.Split(c.repo, "/"), "resolve", commit)
	return c.address(append(parts, strings.Split(name, "/")...)...)
}

// list asks what the repository has at a revision.
func (c *client) list(ctx context.Context, revision string) (*listing, error) {
	parts := append([]string{"api", "models"}, strings.Split(c.repo, "/")...)
	address := c.address(append(parts, "revision", revision)...) + "?blobs=true"
	var data []byte
	err := c.retry(ctx, func() (int64, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return 0, mistakef("%q cannot be asked for", c.repo)
		}
		resp, err := c.do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return 0, c.refused(resp, revision)
		}
		in := newPatient(resp.Body, c.stall)
		defer in.stop()
		if data, err = io.ReadAll(io.LimitReader(in, maxListing+1)); err != nil {
			return 0, transient{error: fmt.Errorf("%s: %w: the list of files broke off: %v", c.repo, ErrUnavailable, err)}
		}
		if len(data) > maxListing {
			return 0, fmt.Errorf("%s: %w: the list of files has more than %d MiB", c.repo, ErrHub, maxListing>>20)
		}
		return 0, nil
	})
	if err != nil {
		return nil, err
	}
	l, err := parseListing(data)
	if err == nil && commitForm.MatchString(revision) && l.Commit != revision {
		err = fmt.Errorf("%w: it is for another commit, %s", ErrHub, l.Commit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", c.repo, revision, err)
	}
	return l, nil
}

// refused returns an error that says what to do about an answer that is none.
func (c *client) refused(resp *http.Response, what string) error {
	why := ""
	switch code := resp.Header.Get("X-Error-Code"); {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode >= 500:
		err := fmt.Errorf("%s, %s: %w: the server says %s", c.repo, what, ErrUnavailable, status(resp))
		return transient{error: err, resp: resp}
	case code == "GatedRepo" && c.token:
		why = "it is gated: accept its licence at " + c.endpoint + "/" + c.repo + " with the account of the token"
	case code == "GatedRepo":
		why = "it is gated: accept its licence at " + c.endpoint + "/" + c.repo + " and set HF_TOKEN"
	case code == "RevisionNotFound":
		why = "there is no such revision; --revision names a branch, tag or commit"
	case code == "EntryNotFound":
		why = "there is no such file any more; pull again"
	case resp.StatusCode == http.StatusUnauthorized && c.token:
		why = "there is no such repository, or the token is not valid; see " + c.endpoint + "/settings/tokens"
	case resp.StatusCode == http.StatusUnauthorized:
		why = "there is no such repository, or it is private or gated and needs a token: set HF_TOKEN (it is never sent over http, except to this machine)"
	case resp.StatusCode == http.StatusForbidden:
		why = "the token may not read it: accept its licence at " + c.endpoint + "/" + c.repo + ", or give the token the right to"
	case resp.StatusCode == http.StatusNotFound && c.token:
		why = "there is no such repository or revision, or the token may not see it"
	case resp.StatusCode == http.StatusNotFound:
		why = "there is no such repository or revision, or it is private and needs a token: set HF_TOKEN"
	default:
		why = "the server says " + status(resp)
	}
	return fmt.Errorf("%s, %s: %w (%d): %s", c.repo, what, ErrUnavailable, resp.StatusCode, why)
}
