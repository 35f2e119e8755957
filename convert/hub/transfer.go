package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// transfer fetches one file.
type transfer struct {
	c       *client
	file    *remote
	address string // the endpoint's, of the file at the commit
	p       *partial
	chunk   int64
	stall   time.Duration
	slots   chan struct{} // one for every connection, of all transfers
	moved   func(n int64) // bytes that came, or that went away; safe for concurrent use

	whole bool // the server sends no ranges

	mu     sync.Mutex
	direct string // where the endpoint redirected to; empty if that is not known, or it did not
}

// errWhole says that a server sends the whole file where a range was asked for.
var errWhole = errors.New("the server sends no ranges")

// run fetches what is missing.
func (t *transfer) run(ctx context.Context) error {
	if !t.whole {
		err := t.ranges(ctx)
		if !errors.Is(err, errWhole) {
			return err
		}
		t.whole = true
	}
	// One request brings all: it begins at the first byte that is missing, and what is behind
	// that and here already comes again.
	gaps := t.p.missing(t.file.Size)
	if len(gaps) == 0 {
		return nil
	}
	all := span{gaps[0].from, t.file.Size}
	t.moved(gaps.bytes() - (all.to - all.from))
	return t.fetch(ctx, all)
}

// ranges fetches parts side by side.
func (t *transfer) ranges(ctx context.Context) error {
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(cap(t.slots))
	for _, part := range t.p.missing(t.chunk) {
		if each.Err() != nil {
			break
		}
		g.Go(func() error { return t.fetch(each, part) })
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// fetch brings one part, with as many requests as that takes.
func (t *transfer) fetch(ctx context.Context, part span) error {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	at := part.from
	kept := at // what is before is in the journal
	err := t.c.retry(ctx, func() (int64, error) {
		before := at
		err := t.get(ctx, &at, &kept, part.to)
		return at - before, err
	})
	if failed := t.p.commit(span{kept, at}); failed != nil && err == nil {
		err = failed
	}
	return err
}

// get sends one request for what is from *at, which it moves, to a position.
func (t *transfer) get(ctx context.Context, at, kept *int64, to int64) error {
	t.mu.Lock()
	direct := t.direct
	t.mu.Unlock()
	address := t.address
	if direct != "" {
		address = direct
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return t.problem("its address cannot be asked for")
	}
	req.Header.Set("Accept-Encoding", "identity")
	ranged := !t.whole && !(*at == 0 && to == t.file.Size)
	if ranged {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", *at, to-1))
	}
	resp, err := t.c.do(req)
	if err != nil {
		t.forget(direct) // the next answer may redirect to another server
		return err
	}
	defer resp.Body.Close()
	elsewhere := direct != "" || resp.Request.URL.String() != req.URL.String()
	if err := t.check(resp, *at, to, ranged, elsewhere); err != nil {
		if elsewhere {
			t.forget(direct)
		}
		return err
	}
	if direct == "" && elsewhere {
		t.mu.Lock()
		t.direct = resp.Request.URL.String()
		t.mu.Unlock()
	}
	return t.read(resp.Body, at, kept, to, resp.StatusCode == http.StatusOK)
}

// forget makes the next request ask the endpoint again.
func (t *transfer) forget(direct string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.direct == direct {
		t.direct = ""
	}
}

// check returns an error unless an answer brings the bytes from a position, up to another or
// to before that.
func (t *transfer) check(resp *http.Response, at, to int64, ranged, elsewhere bool) error {
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" && resp.StatusCode/100 == 2 {
		return t.problem(fmt.Sprintf("the server packs it, as %.20q", t.c.clean(coding)))
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if resp.ContentLength >= 0 && resp.ContentLength != t.file.Size {
			return t.lie(resp.ContentLength)
		}
		if ranged {
			return errWhole
		}
		return nil
	case http.StatusPartialContent:
		var first, last, total int64
		said := resp.Header.Get("Content-Range")
		n, err := fmt.Sscanf(said, "bytes %d-%d/%d", &first, &last, &total)
		if n == 3 && err == nil && total != t.file.Size {
			return t.lie(total)
		}
		if n < 2 || !ranged || first != at || last < first || last >= to || resp.ContentLength >= 0 && resp.ContentLength != last-first+1 {
			return transient{error: t.problem(fmt.Sprintf("the server sent the range %.60q, and bytes %d-%d were asked for", t.c.clean(said), at, to-1)), resp: resp}
		}
		return nil
	case http.StatusRequestedRangeNotSatisfiable:
		return transient{error: t.problem("the server has no such range"), resp: resp}
	case http.StatusTooManyRequests:
	default:
		// Signed addresses are valid for a while. A repository that has another name now is
		// elsewhere too, but of the hub.
		if elsewhere && resp.StatusCode/100 == 4 && resp.Header.Get("X-Error-Code") == "" {
			err := fmt.Errorf("%s: %w: the server that the hub redirects to says %s", t.file.Name, ErrUnavailable, status(resp))
			return transient{error: err, resp: resp, now: true}
		}
	}
	return t.c.refused(resp, t.file.Name)
}

func (t *transfer) problem(what string) error {
	return fmt.Errorf("%s: %w: %s", t.file.Name, ErrHub, what)
}

func (t *transfer) lie(size int64) error {
	return fmt.Errorf("%s: %w: the server has %d bytes, and the hub lists %d", t.file.Name, ErrDigest, size, t.file.Size)
}

// read writes what comes up to a position. From a server without ranges the bytes before *at
// come, too.
func (t *transfer) read(body io.ReadCloser, at, kept *int64, to int64, fromStart bool) error {
	in := newPatient(body, t.stall)
	defer in.stop()
	var skip int64
	if fromStart {
		skip = *at
	}
	buf := make([]byte, 128<<10)
	for *at < to {
		n, err := in.Read(buf)
		data := buf[:n]
		gone := min(skip, int64(n))
		data, skip = data[gone:], skip-gone
		data = data[:min(int64(len(data)), to-*at)]
		if len(data) > 0 {
			if _, err := t.p.f.WriteAt(data, *at); err != nil {
				return err
			}
			*at += int64(len(data))
			t.moved(int64(len(data)))
		}
		if *at-*kept >= t.chunk {
			if err := t.p.commit(span{*kept, *at}); err != nil {
				return err
			}
			*kept = *at
		}
		switch {
		case *at == to:
		case err == io.EOF:
			return transient{error: fmt.Errorf("%s: %w: the server sent %d bytes too few", t.file.Name, ErrUnavailable, to-*at)}
		case err != nil:
			return transient{error: fmt.Errorf("%s: %w: the connection broke: %v", t.file.Name, ErrUnavailable, err)}
		}
	}
	return nil
}
