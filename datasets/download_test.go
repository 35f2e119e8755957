package datasets

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/disk"
)

// server is a server of the made-up data set. Its answers are functions that are called
// in turn, the last one again and again.
type server struct {
	*httptest.Server
	data    []byte
	set     *Set
	mu      sync.Mutex
	answers []answer
	ranges  []string // that were asked for
}

type answer func(s *server, w http.ResponseWriter, r *http.Request)

func newServer(t testing.TB, answers ...answer) *server {
	s := &server{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
		s.mu.Lock()
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		now := s.answers[min(len(s.ranges), len(s.answers))-1]
		s.mu.Unlock()
		now(s, w, r)
	}))
	t.Cleanup(s.Close)
	s.data, s.set = fakeSet(s.URL + "/fake.jsonl")
	return s
}

func (s *server) download() *download {
	return &download{set: s.set, client: s.Client(), wait: time.Microsecond, stall: time.Minute}
}

// whole answers as servers of files do, with ranges.
func whole(s *server, w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "fake.jsonl", time.Time{}, strings.NewReader(string(s.data)))
}

// plain answers without ranges.
func plain(s *server, w http.ResponseWriter, _ *http.Request) { w.Write(s.data) }

func status(code int) answer {
	return func(_ *server, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(code)
	}
}

// torn breaks off after n more bytes.
func torn(n int) answer {
	return func(s *server, w http.ResponseWriter, r *http.Request) {
		whole(s, &limited{w, n}, r)
		panic(http.ErrAbortHandler)
	}
}

type limited struct {
	http.ResponseWriter
	n int
}

func (l *limited) Write(p []byte) (int, error) {
	n, err := l.ResponseWriter.Write(p[:min(len(p), l.n)])
	l.ResponseWriter.(http.Flusher).Flush()
	if l.n -= n; err == nil && n < len(p) {
		err = errors.New("torn")
	}
	return n, err
}

func TestDownload(t *testing.T) {
	half := func(s *server) string { return fmt.Sprintf("bytes=%d-", len(s.data)/2) }
	for name, c := range map[string]struct {
		answers []answer
		left    func(s *server) []byte   // by a download before
		ranges  func(s *server) []string // that are asked for
	}{
		"at once":        {[]answer{whole}, nil, func(*server) []string { return []string{""} }},
		"without ranges": {[]answer{plain}, nil, func(*server) []string { return []string{""} }},
		"failing at first": {[]answer{status(500), status(503), status(429), whole}, nil,
			func(*server) []string { return []string{"", "", "", ""} }},
		"redirected": {[]answer{func(s *server, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, s.URL+"/elsewhere", http.StatusFound)
		}, whole}, nil, func(*server) []string { return []string{"", ""} }},
		"torn": {[]answer{torn(1000), torn(2000), whole}, nil,
			func(*server) []string { return []string{"", "bytes=1000-", "bytes=3000-"} }},
		"torn, then without ranges": {[]answer{torn(1000), plain}, nil,
			func(*server) []string { return []string{"", "bytes=1000-"} }},
		"torn, then another range": {[]answer{torn(1000), func(s *server, w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=999-")
			whole(s, w, r)
		}, whole}, nil, func(*server) []string { return []string{"", "bytes=1000-", ""} }},
		"torn, then no range": {[]answer{torn(1000), status(416), whole}, nil,
			func(*server) []string { return []string{"", "bytes=1000-", ""} }},
		"taken up": {[]answer{whole}, func(s *server) []byte { return s.data[:len(s.data)/2] },
			func(s *server) []string { return []string{half(s)} }},
		"taken up where it is not the beginning": {[]answer{whole}, func(s *server) []byte { return make([]byte, len(s.data)/2) },
			func(s *server) []string { return []string{half(s), ""} }},
		"taken up with too much": {[]answer{whole}, func(s *server) []byte { return append(s.data, '\n') },
			func(*server) []string { return []string{""} }},
		"complete but for its name": {[]answer{whole}, func(s *server) []byte { return s.data },
			func(*server) []string { return nil }},
		"whole but another": {[]answer{whole}, func(s *server) []byte { return make([]byte, len(s.data)) },
			func(*server) []string { return []string{""} }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.answers...)
			dir := filepath.Join(t.TempDir(), "new")
			if c.left != nil {
				require.NoError(t, os.Mkdir(dir, 0o777))
				write(t, filepath.Join(dir, ".fake.jsonl.partial"), c.left(s))
			}
			path := filepath.Join(dir, "fake.jsonl")
			d := s.download()
			var last int64
			d.progress = func(done, total int64) {
				assert.Equal(t, s.set.Size, total)
				assert.LessOrEqual(t, done, total)
				last = done
			}
			require.NoError(t, d.to(t.Context(), path))
			assert.Equal(t, c.ranges(s), s.ranges)
			if len(s.ranges) > 0 {
				assert.Equal(t, s.set.Size, last)
			}
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, s.set.SHA256, sum(got))
			assert.Equal(t, []string{"fake.jsonl"}, list(t, dir))
		})
	}
}

// What cannot be the file leaves nothing.
func TestDownloadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		answer   answer
		err      error
		want     string
		requests int
	}{
		"404": {status(404), ErrMissing, "404 Not Found", 1},
		"403": {status(403), ErrMissing, "403 Forbidden", 1},
		"500": {status(500), ErrMissing, "500 Internal Server Error", 1 + maxRetries},
		"429": {status(429), ErrMissing, "429 Too Many Requests", 1 + maxRetries},
		"other bytes": {func(s *server, w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(strings.Replace(string(s.data), "What", "Who?", 1)))
		}, ErrChecksum, "and fake's is ", 1},
		"a page": {func(_ *server, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<html>Sign in to this network</html>")
		}, ErrChecksum, "the server has 36 bytes, and fake has ", 1},
		"one byte more": {func(s *server, w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // no length
			w.Write(append(s.data, 'x'))
		}, ErrChecksum, "the server sends more than the ", 1},
		"bytes without end": {func(s *server, w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(s.data); err != nil {
					return
				}
			}
		}, ErrChecksum, "the server sends more than the ", 1},
		"redirects without end": {func(s *server, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, s.URL+"/again", http.StatusFound)
		}, ErrMissing, "stopped after 10 redirects", 10},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.answer)
			dir := t.TempDir()
			err := s.download().to(t.Context(), filepath.Join(dir, "fake.jsonl"))
			assert.ErrorIs(t, err, c.err)
			assert.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, "fake")
			assert.NotContains(t, err.Error(), "\n")
			assert.Len(t, s.ranges, c.requests)
			assert.Empty(t, list(t, dir))
		})
	}
}

// A download that is given up is taken up by the next one.
func TestDownloadAgain(t *testing.T) {
	s := newServer(t, torn(1000))
	dir := t.TempDir()
	path := filepath.Join(dir, "fake.jsonl")
	err := s.download().to(t.Context(), path)
	assert.ErrorIs(t, err, ErrMissing)
	assert.Equal(t, []string{".fake.jsonl.partial"}, list(t, dir))
	assert.Equal(t, []string{"", "bytes=1000-", "bytes=2000-", "bytes=3000-", "bytes=4000-"}, s.ranges)

	s.answers, s.ranges = []answer{whole}, nil
	require.NoError(t, s.download().to(t.Context(), path))
	assert.Equal(t, []string{"bytes=5000-"}, s.ranges)
	assert.Equal(t, []string{"fake.jsonl"}, list(t, dir))
}

func TestDownloadCancelled(t *testing.T) {
	s := newServer(t, func(s *server, w http.ResponseWriter, r *http.Request) {
		whole(s, &limited{w, 1000}, r)
		<-r.Context().Done()
	}, whole)
	dir := t.TempDir()
	path := filepath.Join(dir, "fake.jsonl")
	ctx, cancel := context.WithCancel(t.Context())
	d := s.download()
	d.progress = func(done, _ int64) {
		if done == 1000 {
			cancel()
		}
	}
	assert.ErrorIs(t, d.to(ctx, path), context.Canceled)
	assert.Equal(t, []string{".fake.jsonl.partial"}, list(t, dir))
	require.NoError(t, s.download().to(t.Context(), path))
	assert.Equal(t, []string{"", "bytes=1000-"}, s.ranges)
	assert.Equal(t, []string{"fake.jsonl"}, list(t, dir))
}

// A server that says nothing any more is asked again.
func TestDownloadStalled(t *testing.T) {
	s := newServer(t, func(s *server, w http.ResponseWriter, r *http.Request) {
		whole(s, &limited{w, 1000}, r)
		<-r.Context().Done()
	}, whole)
	d := s.download()
	d.stall = 300 * time.Millisecond // which a busy machine may reach, too
	path := filepath.Join(t.TempDir(), "fake.jsonl")
	require.NoError(t, d.to(t.Context(), path))
	assert.GreaterOrEqual(t, len(s.ranges), 2)
	assert.FileExists(t, path)
}

// Many that want the file at the same time get it, and one of them fetches it.
func TestDownloadTogether(t *testing.T) {
	var running, most atomic.Int32
	s := newServer(t, func(s *server, w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		whole(s, w, r)
	})
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			d, err := s.set.open(t.Context(), Options{Cache: dir, Client: s.Client()})
			if assert.NoError(t, err) {
				assert.Len(t, d.Records, s.set.Records)
			}
		})
	}
	group.Wait()
	assert.Equal(t, []string{"fake.jsonl"}, list(t, dir))
	if f, err := os.Create(filepath.Join(t.TempDir(), "lock")); assert.NoError(t, err) {
		defer f.Close()
		if _, err := disk.TryLock(f); err == nil && goruntime.GOOS != "windows" {
			assert.Len(t, s.ranges, 1)
			assert.EqualValues(t, 1, most.Load())
		}
	}
}

// Where files have no locks, each download has a file of its own, and leaves nothing.
func TestDownloadWithoutLocks(t *testing.T) {
	s := newServer(t, torn(1000))
	path := filepath.Join(t.TempDir(), "fake.jsonl")
	for _, ok := range []bool{false, true} {
		f, err := disk.CreatePartial(path)
		require.NoError(t, err)
		d := s.download()
		d.f = &partial{File: f}
		err = d.fill(t.Context())
		if ok {
			require.NoError(t, err)
			require.NoError(t, d.f.commit(path))
		} else {
			assert.ErrorIs(t, err, ErrMissing)
			d.f.leave(true)
			assert.Empty(t, list(t, filepath.Dir(path)))
		}
		s.answers = []answer{whole}
	}
	assert.Equal(t, []string{"fake.jsonl"}, list(t, filepath.Dir(path)))
}

// What cannot be written is not fetched again and again.
func TestDownloadCannotWrite(t *testing.T) {
	s := newServer(t, whole)
	f, err := os.Open(write(t, filepath.Join(t.TempDir(), "read-only"), nil))
	require.NoError(t, err)
	defer f.Close()
	d := s.download()
	d.f = &partial{File: f}
	err = d.fill(t.Context())
	require.Error(t, err)
	assert.NotErrorIs(t, err, ErrMissing)
	assert.Len(t, s.ranges, 1)
}

// A link that somebody laid where the partial file is to be is not followed.
func TestDownloadOverLinks(t *testing.T) {
	s := newServer(t, whole)
	dir := t.TempDir()
	victim := write(t, filepath.Join(dir, "victim"), []byte("precious"))
	if err := os.Symlink(victim, filepath.Join(dir, ".fake.jsonl.partial")); err != nil {
		t.Skip(err)
	}
	assert.ErrorContains(t, s.download().to(t.Context(), filepath.Join(dir, "fake.jsonl")), ".fake.jsonl.partial")
	kept, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(kept))
	assert.Empty(t, s.ranges)
}

func TestNewClient(t *testing.T) {
	transport, ok := newClient().Transport.(*http.Transport)
	require.True(t, ok)
	assert.Equal(t, reflect.ValueOf(http.ProxyFromEnvironment).Pointer(), reflect.ValueOf(transport.Proxy).Pointer())
}

// TestOpenFetches goes the whole way: fetched once, then read without a network.
func TestOpenFetches(t *testing.T) {
	s := newServer(t, whole)
	opt := Options{Folder: t.TempDir(), Cache: filepath.Join(t.TempDir(), "a", "b"), Client: s.Client()}
	d, err := s.set.open(t.Context(), opt)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(opt.Cache, "fake.jsonl"), d.Path)
	assert.Equal(t, "fake/1999", d.Records[1999].ID)
	opt.Offline, opt.Client = true, noNetwork(t)
	again, err := s.set.open(t.Context(), opt)
	require.NoError(t, err)
	assert.Equal(t, d, again)
	assert.Len(t, s.ranges, 1)
}
