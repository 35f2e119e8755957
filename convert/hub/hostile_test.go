package hub

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSaidIsClean: what a server says in the place of an answer is neither shown at length nor
// with the token that it was sent.
func TestSaidIsClean(t *testing.T) {
	for _, said := range []string{
		"HTTP/1.1 418 Bearer TOKEN\r\n\r\n",
		"HTTP/1.1 503 Bearer TOKEN\r\nRetry-After: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\x1b[31mTOKEN\a\r\n\r\n",
		"HTTP/1.1 TOKEN " + strings.Repeat("x", 100_000) + "\r\n\r\n",
		"SSH-2.0 TOKEN" + strings.Repeat("x", 100_000) + "\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http:///x?sig=TOKEN\r\n\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Read(make([]byte, 4<<10))
				io.WriteString(c, strings.ReplaceAll(said, "TOKEN", string(testToken)))
				c.Close()
			}
		}()
		o := optionsFor(filepath.Join(t.TempDir(), "x"), "http://"+l.Addr().String())
		_, err = Pull(t.Context(), o)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "verysecret")
		assert.NotContains(t, err.Error(), "\x1b")
		assert.Less(t, len(err.Error()), 500)
	}
}

// TestPatientWaitsForTheDisk: a reader that is kept waiting elsewhere between two reads is
// not one to whom nothing comes.
func TestPatientWaitsForTheDisk(t *testing.T) {
	body := stuckBody{make(chan struct{})}
	p := newPatient(body, time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	select {
	case <-body.closed:
		t.Fatal("closed though nobody waits for the server")
	default:
	}
	_, err := p.Read(nil)
	require.Error(t, err)
	require.False(t, errors.Is(err, io.EOF))
}

// TestParseListingMany: a list of very many files that are nearly nothing is refused at once.
func TestParseListingMany(t *testing.T) {
	text := `{"sha":"` + testCommit + `","siblings":[` + strings.Repeat("{},", maxListing/3-100) + "{}]}"
	_, err := parseListing([]byte(text))
	require.ErrorIs(t, err, ErrHub)
	assert.ErrorContains(t, err, "more than 200000 files")
}
