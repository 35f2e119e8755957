package serve

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The limit on writing is for the client's part: an answer that took longer to make is
// not lost.
func TestAnswerWholeLate(t *testing.T) {
	s := playing(t, Options{}, func(ctx context.Context, r Request, emit func(Event)) {
		time.Sleep(100 * time.Millisecond)
		says(ctx, r, emit)
	})
	s.writeTimeout = 20 * time.Millisecond
	web := httptest.NewServer(s)
	defer web.Close()
	r, err := http.Post(web.URL+"/v1/chat/completions", "application/json", strings.NewReader(hello()))
	require.NoError(t, err)
	defer r.Body.Close()
	assert.Equal(t, http.StatusOK, r.StatusCode)
}

// A body that stops coming ends its request, and with it the connection.
func TestBodyStalls(t *testing.T) {
	s := playing(t, Options{}, says)
	s.bodyTimeout = 20 * time.Millisecond
	web := httptest.NewServer(s)
	defer web.Close()
	c, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	from := bufio.NewReader(c)
	r, err := http.ReadResponse(from, nil)
	require.NoError(t, err)
	defer r.Body.Close()
	assert.Equal(t, http.StatusBadRequest, r.StatusCode)
	assert.True(t, r.Close, "the rest of the body is not the next request")
}

// A body that says that it is too large is not waited for.
func TestBodyTooLargeAtOnce(t *testing.T) {
	s := playing(t, Options{}, says)
	web := httptest.NewServer(s)
	defer web.Close()
	c, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{")
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer r.Body.Close()
	assert.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode)
	assert.True(t, r.Close)
}
