package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"lladakit/internal/disk"
)

const (
	maxRetries = 4
	maxWait    = 20 * time.Second // between two of them, whatever the server asks for
)

// fetch brings the file into the cache and returns its path.
func (s *Set) fetch(ctx context.Context, opt Options) (path string, err error) {
	dir, err := opt.cache()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %v", s.Name, ErrMissing, err)
	}
	d := download{set: s, client: opt.Client, progress: opt.Progress, wait: time.Second, stall: time.Minute}
	if d.client == nil {
		d.client = newClient()
		defer d.client.CloseIdleConnections()
	}
	path = filepath.Join(dir, s.File)
	return path, d.to(ctx, path)
}

func newClient() *http.Client {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return &http.Client{}
	}
	transport = transport.Clone()
	transport.ResponseHeaderTimeout = time.Minute
	return &http.Client{Transport: transport}
}

// download fetches the file of a set.
type download struct {
	set      *Set
	client   *http.Client
	progress func(done, total int64)
	wait     time.Duration // before the first retry; twice as long before each other
	stall    time.Duration // the longest wait for bytes

	f      *partial
	hash   hash.Hash // of what f has
	n      int64     // bytes of that
	failed error     // of writing to f
}

// to fetches the file to a path, where it is complete or not at all. What an interrupted
// or broken download leaves beside it, the next one takes up.
func (d *download) to(ctx context.Context, path string) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := disk.CheckSpace(dir, uint64(d.set.Size)); err != nil {
		return err
	}
	if d.f, err = openPartial(ctx, path); err != nil || d.f == nil {
		return err
	}
	if err = d.fill(ctx); err == nil {
		err = d.f.commit(path)
	}
	if err != nil {
		d.f.leave(d.n > 0 && d.failed == nil && !errors.Is(err, ErrChecksum))
	}
	return err
}

// fill makes the partial file complete.
func (d *download) fill(ctx context.Context) error {
	if err := d.takeUp(); err != nil {
		return err
	}
	for resumed := d.n > 0; ; resumed = false {
		if d.n < d.set.Size {
			if err := d.get(ctx); err != nil {
				return err
			}
		}
		sum := hex.EncodeToString(d.hash.Sum(nil))
		if sum == d.set.SHA256 {
			return nil
		}
		if !resumed {
			return fmt.Errorf("%s: %w: sha256 is %s, and %s's is %s", d.set.URL, ErrChecksum, sum, d.set.Name, d.set.SHA256)
		}
		if err := d.restart(); err != nil {
			return err
		}
	}
}

// takeUp reads what the partial file has.
func (d *download) takeUp() error {
	d.hash = sha256.New()
	if !d.f.resumable {
		return nil
	}
	n, err := io.Copy(d.hash, io.LimitReader(d.f, d.set.Size+1))
	if err != nil {
		return err
	}
	if d.n = n; n > d.set.Size {
		return d.restart()
	}
	return nil
}

// restart empties the partial file.
func (d *download) restart() error {
	d.n = 0
	d.hash.Reset()
	if err := d.f.Truncate(0); err != nil {
		return err
	}
	_, err := d.f.Seek(0, io.SeekStart)
	return err
}

// get asks for what is missing until it has all of it.
func (d *download) get(ctx context.Context) error {
	c := retryablehttp.Client{
		HTTPClient: d.client, RetryMax: maxRetries, RetryWaitMin: d.wait, RetryWaitMax: maxWait,
		CheckRetry: checkRetry,
		Backoff: func(least, most time.Duration, retry int, resp *http.Response) time.Duration {
			return min(most, retryablehttp.DefaultBackoff(least, most, retry, resp))
		},
		ErrorHandler: func(resp *http.Response, err error, _ int) (*http.Response, error) {
			if resp != nil {
				resp.Body.Close()
			}
			return nil, err
		},
		PrepareRetry: func(req *http.Request) error {
			req.Header = req.Header.Clone() // of which the last request may still be writing
			d.setRange(req.Header)
			return nil
		},
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, d.set.URL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "identity") // positions are those of the file
	d.setRange(req.Header)
	req.SetResponseHandler(d.receive)
	_, err = c.Do(req)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case d.failed != nil:
		return d.failed
	case errors.Is(err, ErrChecksum):
		return err
	}
	// Not wrapped: a time limit of the network is no interrupt.
	return fmt.Errorf("%s: %w, and could not be fetched from %s: %v", d.set.Name, ErrMissing, d.set.URL, err)
}

func (d *download) setRange(h http.Header) {
	h.Del("Range")
	if d.n > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", d.n))
	}
}

// final is an error after which trying again has no sense.
type final struct{ error }

func (e final) Unwrap() error { return e.error }

func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if last := (final{}); errors.As(err, &last) {
		return false, last.error
	}
	retry, why := retryablehttp.ErrorPropagatedRetryPolicy(ctx, resp, err)
	switch {
	case err != nil:
		why = err
	case retry:
		why = fmt.Errorf("the server says %.80s", resp.Status)
	}
	if outer := (*url.Error)(nil); errors.As(why, &outer) { // which repeats the address
		why = outer.Err
	}
	if dns := (*net.DNSError)(nil); errors.As(why, &dns) && dns.IsNotFound {
		retry = false // as without a network
	}
	return retry, why
}

// receive writes what a server sends. What fails is tried again, unless it is final.
func (d *download) receive(resp *http.Response) error {
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK: // of a server that knows no ranges, too
		if err := d.begin(); err != nil {
			return err
		}
	case http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", d.n)) {
			return errors.Join(d.begin(), fmt.Errorf("the server sent the range %.80q", resp.Header.Get("Content-Range")))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.Join(d.begin(), errors.New("the server has no such range"))
	default:
		return final{fmt.Errorf("the server says %.80s", resp.Status)}
	}
	left := d.set.Size - d.n
	if resp.ContentLength >= 0 && resp.ContentLength != left {
		return final{fmt.Errorf("%w: the server has %d bytes, and %s has %d", ErrChecksum, d.n+resp.ContentLength, d.set.Name, d.set.Size)}
	}
	stalled := time.AfterFunc(d.stall, func() { resp.Body.Close() })
	defer stalled.Stop()
	d.tell()
	buf := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buf)
		if !stalled.Stop() && err != nil {
			err = fmt.Errorf("nothing came for %v", d.stall)
		}
		stalled.Reset(d.stall)
		if int64(n) > d.set.Size-d.n {
			return final{fmt.Errorf("%w: the server sends more than the %d bytes of %s", ErrChecksum, d.set.Size, d.set.Name)}
		}
		if err := d.write(buf[:n]); err != nil {
			return err
		}
		switch {
		case err != nil && d.n == d.set.Size: // the hash says whether that is all
			return nil
		case err == io.EOF:
			return fmt.Errorf("the server sent %d of %d bytes", d.n, d.set.Size)
		case err != nil:
			return fmt.Errorf("after %d of %d bytes: %w", d.n, d.set.Size, err)
		}
	}
}

// begin is restart for receive.
func (d *download) begin() error {
	if d.failed = d.restart(); d.failed != nil {
		return final{d.failed}
	}
	return nil
}

func (d *download) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := d.f.Write(p)
	d.hash.Write(p[:n])
	d.n += int64(n)
	d.tell()
	if err != nil {
		d.failed = err
		return final{err}
	}
	return nil
}

func (d *download) tell() {
	if d.progress != nil {
		d.progress(d.n, d.set.Size)
	}
}
