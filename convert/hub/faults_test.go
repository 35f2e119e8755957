package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPullFaults(t *testing.T) {
	flip := func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
		bad := slices.Clone(data)
		for i := range bad {
			bad[i] ^= 1
		}
		whole(h, w, r, bad)
	}
	other := func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
		r.Header.Set("Range", "bytes=1-2")
		whole(h, w, r, data)
	}
	total := func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) { // shorter than asked for
		if first, _, ok := strings.Cut(r.Header.Get("Range"), "-"); ok {
			n, _ := strconv.Atoi(strings.TrimPrefix(first, "bytes="))
			r.Header.Set("Range", first+"-"+strconv.Itoa(n+9))
		}
		whole(h, w, r, data)
	}
	stuck := func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	silent := func(_ *fakeHub, _ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }
	expire := func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
		h.mu.Lock()
		h.expired = h.signed
		h.mu.Unlock()
		whole(h, w, r, data)
	}
	for name, answers := range map[string][]answer{
		"torn":                         {torn(1000, whole), torn(0, whole), torn(70_000, whole), torn(1, whole), whole},
		"throttled":                    {says(429, "Retry-After", "0"), says(503), says(500), whole},
		"without ranges":               {plain},
		"without ranges, torn":         {torn(1000, plain), torn(150_000, plain), torn(200_000, plain), plain},
		"without ranges after a while": {whole, whole, torn(10, plain), plain},
		"wrong ranges":                 {other, other, other, whole},
		"short ranges":                 {total, total, total, whole},
		"no ranges there":              {says(416), says(416), whole},
		"corrupt once":                 {whole, flip, whole},
		"expiring":                     {expire, whole, expire, whole, expire, whole},
		"stalling":                     {stuck, silent, whole},
		"errors elsewhere":             {says(400), says(403), says(404), whole},
		"redirected again": {func(_ *fakeHub, w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, r.URL.String()+"&again=1", http.StatusTemporaryRedirect)
		}, whole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t, answers...)
			h.files["two.safetensors"] = nil // all requests are for the large one, so that they meet their answers
			dir := t.TempDir()
			o := h.options(dir)
			if name == "stalling" {
				o.stall = time.Second
			}
			var done, total int64
			o.Progress = func(_ Stage, d, t int64) { done, total = d, t }
			result, err := Pull(t.Context(), o)
			require.NoError(t, err)
			h.pulled(dir, result)
			assert.Equal(t, total, done)
		})
	}
}

func TestPullRetryAfter(t *testing.T) {
	h := newHub(t, says(429, "Retry-After", "7"), says(503, "Retry-After", "100000"), whole)
	o := h.options(t.TempDir())
	o.Include = []string{large}
	o.Parallel = 1
	var waits []time.Duration
	o.sleep = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	var told []string
	o.Waiting = func(why error, d time.Duration) { told = append(told, fmt.Sprint(d, ": ", why)) }
	_, err := Pull(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{7 * time.Second, maxAsked}, waits)
	require.Len(t, told, 2)
	assert.Regexp(t, `^7s: .*not available.*429 Too Many Requests`, told[0])
	assert.Regexp(t, `^5m0s: .*503 Service Unavailable`, told[1])
}

func TestPullFails(t *testing.T) {
	flip := func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
		bad := slices.Clone(data)
		bad[len(bad)-1] ^= 1
		whole(h, w, r, bad)
	}
	size := func(by int) func(all []map[string]any) {
		return func(all []map[string]any) {
			for _, f := range all {
				if lfs, ok := f["lfs"].(map[string]any); ok && f["rfilename"] == large {
					f["size"] = f["size"].(int) + by
					lfs["size"] = f["size"]
				}
			}
		}
	}
	field := func(name string, v any) func(all []map[string]any) {
		return func(all []map[string]any) { all[1][name] = v } // of config.json
	}
	endless := func(_ *fakeHub, w http.ResponseWriter, r *http.Request, _ []byte) {
		http.Redirect(w, r, r.URL.String(), http.StatusFound)
	}
	nowhere := func(_ *fakeHub, w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Location", "http://%zz/?sig="+signature)
		w.WriteHeader(http.StatusFound)
	}
	for name, c := range map[string]struct {
		answers []answer
		listed  func(all []map[string]any)
		kind    error
		want    string
	}{
		"corrupt":            {[]answer{flip}, nil, ErrDigest, "it came twice with a wrong sha256"},
		"larger than listed": {nil, size(-1), ErrDigest, "the server has " + strconv.Itoa(5*testChunk+1234) + " bytes, and the hub lists " + strconv.Itoa(5*testChunk+1233)},
		"smaller":            {nil, size(+testChunk), ErrDigest, "bytes, and the hub lists"},
		"smaller, no ranges": {[]answer{plain}, size(+1), ErrUnavailable, "the server sent 1 bytes too few, after 6 tries"},
		"other blob":         {nil, field("blobId", strings.Repeat("0", 40)), ErrDigest, "config.json: not the file that the hub lists: it came twice with a wrong gitblob"},
		"always torn":        {[]answer{torn(10, whole)}, nil, ErrUnavailable, "after 6 tries"},
		"always expired":     {[]answer{says(403)}, nil, ErrUnavailable, `redirects to says 403 Forbidden, after 6 tries`},
		"always throttled":   {[]answer{says(429)}, nil, ErrUnavailable, "429 Too Many Requests"},
		"always wrong range": {[]answer{says(206, "Content-Range", "bytes 5-4/3")}, nil, nil, ""},
		"endless redirects":  {[]answer{endless}, nil, ErrHub, "too often"},
		"no address":         {[]answer{nowhere}, nil, ErrHub, "redirects to where nothing is fetched from"},
		"packed":             {[]answer{says(200, "Content-Encoding", "gzip")}, nil, ErrHub, `packs it, as "gzip"`},
		"no size":            {nil, field("size", nil), ErrHub, `no size or no digest of "config.json"`},
		"negative size":      {nil, field("size", -1), ErrHub, `the size of "config.json" is -1`},
		"no digest":          {nil, field("blobId", nil), ErrHub, "no digest"},
		"a bad digest":       {nil, field("blobId", "../../x"), ErrHub, "no digest"},
		"same name":          {nil, field("rfilename", "README.MD"), nil, "collide"},
		"no list":            {nil, field("size", "x"), ErrHub, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t, c.answers...)
			h.listed = c.listed
			if name == "same name" {
				h.files["README.MD"] = nil
			}
			dir := t.TempDir()
			_, err := Pull(t.Context(), h.options(dir))
			require.Error(t, err)
			if c.kind != nil {
				require.ErrorIs(t, err, c.kind)
			}
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "verysecret")
			assert.NotContains(t, err.Error(), "\n")
			assert.False(t, errors.Is(err, context.Canceled), "it is no interrupt")
			h.sound(dir)
			if errors.Is(err, ErrDigest) && strings.Contains(err.Error(), "came twice") {
				assert.NoFileExists(t, filepath.Join(dir, strings.SplitN(err.Error(), ":", 2)[0]))
			}
		})
	}
}
