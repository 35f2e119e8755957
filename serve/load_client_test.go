package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"
)

// client asks questions, every time in another way.
type client struct {
	address   string
	questions []known
	tally     *tally
	random    *rand.Rand
	http      http.Client
}

// behaviours are the ways of clients, and how often they are taken.
var behaviours = map[string]struct {
	weight int
	ask    func(*client, context.Context, known)
}{
	"whole":       {6, (*client).whole},
	"streamed":    {6, (*client).streamed},
	"slow":        {2, (*client).slow},
	"never read":  {1, (*client).neverRead},
	"half-closed": {1, (*client).halfClosed},
	"cut short":   {1, (*client).cutShort},
	"oversized":   {1, (*client).oversized},
	"malformed":   {1, (*client).malformed},
	"cancelled":   {4, (*client).cancelled},
}

// ask asks a known in some way.
func (c *client) ask(ctx context.Context) {
	order := []string{"whole", "streamed", "slow", "never read", "half-closed", "cut short", "oversized", "malformed", "cancelled"}
	total := 0
	for _, name := range order {
		total += behaviours[name].weight
	}
	at := c.random.IntN(total)
	for _, name := range order {
		if at -= behaviours[name].weight; at < 0 {
			c.tally.Lock()
			c.tally.count[name]++
			c.tally.Unlock()
			behaviours[name].ask(c, ctx, c.questions[c.random.IntN(len(c.questions))])
			return
		}
	}
}

func (q known) request(stream bool) []byte {
	body := maps.Clone(q.body)
	if stream {
		body["stream"] = true
		body["stream_options"] = map[string]bool{"include_usage": true}
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return data
}

// post sends a request, again after a while when the server is busy.
func (c *client) post(ctx context.Context, body []byte) (*http.Response, error) {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.address+"/v1/chat/completions", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.http.Do(req)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.Header.Get("Retry-After") == "" {
			c.tally.fail("429 without Retry-After")
		}
		c.tally.Lock()
		c.tally.busy++
		c.tally.Unlock()
		select { // not as long as Retry-After says: the queue is to be full
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(10+c.random.IntN(50)) * time.Millisecond):
		}
	}
}

// answered takes an answer that was wanted to its end.
func (c *client) answered(q known, text, finish string, tokens int, start time.Time, first time.Duration) {
	if text != q.text || tokens != q.tokens || finish != q.finish {
		c.tally.fail("%v: got %q (%d tokens, %s), want %q (%d, %s)", q.body, text, tokens, finish, q.text, q.tokens, q.finish)
	}
	c.tally.Lock()
	defer c.tally.Unlock()
	c.tally.tokens += tokens
	c.tally.whole = append(c.tally.whole, time.Since(start))
	if first > 0 {
		c.tally.first = append(c.tally.first, first)
	}
}

func (c *client) whole(ctx context.Context, q known) {
	start := time.Now()
	resp, err := c.post(ctx, q.request(false))
	if err != nil {
		c.tally.fail("whole: %v", err)
		return
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.tally.fail("whole: %s %v %s", resp.Status, err, data)
		return
	}
	a, err := parseChunk(data)
	if err != nil || len(a.Choices) != 1 || a.Usage == nil {
		c.tally.fail("whole: %v in %s", err, data)
		return
	}
	c.answered(q, a.Choices[0].Message.Content, a.Choices[0].FinishReason, a.Usage.CompletionTokens, start, 0)
}

func (c *client) streamed(ctx context.Context, q known) { c.stream(ctx, q, 0) }

func (c *client) slow(ctx context.Context, q known) { c.stream(ctx, q, 2*time.Millisecond) }

// stream reads a stream to its end, with a pause after every few bytes.
func (c *client) stream(ctx context.Context, q known, pause time.Duration) {
	start := time.Now()
	resp, err := c.post(ctx, q.request(true))
	if err != nil {
		c.tally.fail("streamed: %v", err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		data, _ := io.ReadAll(resp.Body)
		c.tally.fail("streamed: %s %s", resp.Status, data)
		return
	}
	var body io.Reader = resp.Body
	if pause > 0 {
		body = slowly{resp.Body, pause}
	}
	var s stream
	if err := s.read(body, start); err != nil {
		c.tally.fail("streamed: %v", err)
		return
	}
	if pause > 0 {
		s.first = 0
	}
	c.answered(q, s.text, s.finish, s.tokens, start, s.first)
}

// stream is what is read of a stream.
type stream struct {
	text, finish string
	tokens       int
	first        time.Duration // until there was text
}

func (s *stream) read(body io.Reader, start time.Time) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return nil
		}
		a, err := parseChunk([]byte(data))
		switch {
		case err != nil:
			return err
		case a.Error != nil:
			return errors.New(a.Error.Message)
		case a.Usage != nil:
			s.tokens = a.Usage.CompletionTokens
		}
		for _, choice := range a.Choices {
			if choice.Delta.Content != "" && s.first == 0 {
				s.first = time.Since(start)
			}
			s.text += choice.Delta.Content
			s.finish += choice.FinishReason
		}
	}
	return errors.Join(lines.Err(), errors.New("the stream ends without [DONE]"))
}

type slowly struct {
	io.Reader
	pause time.Duration
}

func (r slowly) Read(p []byte) (int, error) {
	time.Sleep(r.pause)
	return r.Reader.Read(p[:min(len(p), 64)])
}

// cancelled goes away some time after it asked.
func (c *client) cancelled(ctx context.Context, q known) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.random.IntN(150))*time.Millisecond)
	defer cancel()
	resp, err := c.post(ctx, q.request(c.random.IntN(2) == 0))
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if c.random.IntN(2) == 0 {
		io.Copy(io.Discard, resp.Body)
	}
}

// dial sends bytes over a connection of its own.
func (c *client) dial(send []byte) *net.TCPConn {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		c.tally.fail("%v", err)
		return nil
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	conn.Write(send) // which may fail where the server has closed already
	return conn.(*net.TCPConn)
}

func (c *client) raw(body []byte) []byte {
	head := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", c.address, len(body))
	return append([]byte(head), body...)
}

// neverRead asks for a stream and does not look at it.
func (c *client) neverRead(_ context.Context, q known) {
	conn := c.dial(c.raw(q.request(true)))
	if conn == nil {
		return
	}
	time.Sleep(time.Duration(c.random.IntN(300)) * time.Millisecond)
	conn.Close()
}

// halfClosed says that it will send no more: the server may answer, or take that for a
// farewell, but not answer wrong.
func (c *client) halfClosed(_ context.Context, q known) {
	conn := c.dial(c.raw(q.request(false)))
	if conn == nil {
		return
	}
	defer conn.Close()
	conn.CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return
	}
	if a, err := parseChunk(data); err != nil || len(a.Choices) != 1 || a.Choices[0].Message.Content != q.text {
		c.tally.fail("half-closed: %s", data)
	}
}

// cutShort closes in the middle of its request.
func (c *client) cutShort(_ context.Context, q known) {
	all := c.raw(q.request(true))
	if conn := c.dial(all[:1+c.random.IntN(len(all)-1)]); conn != nil {
		conn.Close()
	}
}

// oversized sends more than the server takes.
func (c *client) oversized(ctx context.Context, q known) {
	body := append(q.request(false), bytes.Repeat([]byte(" "), 80<<10)...)
	c.refused(ctx, body, http.StatusRequestEntityTooLarge)
}

// malformed sends what is no request.
func (c *client) malformed(ctx context.Context, q known) {
	good := string(q.request(false))
	bad := []string{
		good[:len(good)/2], good + "{}", "", "null", "[]", `{"messages":{}}`, strings.Repeat(`{"messages":[`, 5000),
		strings.Replace(good, `"messages"`, `"massages"`, 1), strings.Replace(good, `"tiny"`, `7`, 1),
		strings.Replace(good, `"max_tokens":`, `"max_tokens":-`, 1), strings.Replace(good, `"max_tokens":`, `"max_tokens":1e99,"seed":`, 1),
		strings.Replace(good, `"role":"user"`, `"role":"root"`, 1), "\xff\xfe" + good,
	}
	c.refused(ctx, []byte(bad[c.random.IntN(len(bad))]), http.StatusBadRequest)
}

// refused sends what must be answered by an error of a status.
func (c *client) refused(ctx context.Context, body []byte, status int) {
	resp, err := c.post(ctx, body)
	if err != nil {
		if status != http.StatusRequestEntityTooLarge { // then the server may close before it has read all
			c.tally.fail("%.100s: %v", body, err)
		}
		return
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	a, err := parseChunk(data)
	if resp.StatusCode != status || err != nil || a.Error == nil || a.Error.Message == "" || a.Error.Type == "" {
		c.tally.fail("%.100s: %s %.300s", body, resp.Status, data)
	}
}
