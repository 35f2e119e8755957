package serve

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestKey(t *testing.T) {
	s := playing(t, Options{Key: "secret"}, says)
	for _, c := range []struct{ header, code string }{
		{"", "missing_api_key"}, {"secret", "missing_api_key"}, {"Basic secret", "missing_api_key"}, {"Bearersecret", "missing_api_key"},
		{"Bearer ", "invalid_api_key"}, {"Bearer wrong", "invalid_api_key"}, {"Bearer secret2", "invalid_api_key"}, {"Bearer Secret", "invalid_api_key"},
		{"Bearer secret", ""}, {"bearer secret", ""}, {"BEARER  secret", ""},
	} {
		for _, path := range []string{"/v1/models", "/v1/models/tiny", "/v1/chat/completions", "/v1/completions", "/v1/other", "/metrics"} {
			w := get(s, path, "Authorization", c.header)
			if c.code == "" {
				assert.NotEqual(t, http.StatusUnauthorized, w.Code, path)
				continue
			}
			assert.Equal(t, http.StatusUnauthorized, w.Code, path)
			assert.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			assert.Equal(t, c.code, complaintOf(t, w.Body.Bytes()).code())
		}
		assert.Equal(t, http.StatusOK, get(s, "/health", "Authorization", c.header).Code)
		assert.NotEqual(t, http.StatusUnauthorized, get(s, "/", "Authorization", c.header).Code)
	}
}

// Names that mean this machine by somebody else's doing are refused.
func TestHost(t *testing.T) {
	s := playing(t, Options{Hosts: []string{"llm.example", "192.168.1.3", "fd00::3"}}, says)
	for host, known := range map[string]bool{
		"localhost": true, "localhost:8080": true, "LOCALHOST:1": true, "a.localhost": true, "localhost.": true,
		"127.0.0.1": true, "127.0.0.1:8080": true, "127.1.2.3:1": true, "[::1]:8080": true, "::1": true, "[::ffff:127.0.0.1]:80": true,
		"llm.example": true, "LLM.example:443": true, "192.168.1.3:443": true, "[fd00::3]:443": true,
		"": false, "evil.example": false, "evil.example:8080": false, "192.168.1.2:8080": false, "localhost.evil.example": false,
		"notlocalhost": false, "evil.llm.example": false, "[::2]:1": false,
	} {
		for _, local := range []string{"127.0.0.1:8080", "[::1]:8080", "192.168.1.2:8080"} {
			addr, err := net.ResolveTCPAddr("tcp", local)
			assert.NoError(t, err)
			r := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr))
			r.Host = host
			want := http.StatusOK
			if !known && !strings.HasPrefix(local, "192") {
				want = http.StatusForbidden
			}
			assert.Equal(t, want, send(s, r).Code, "%q over %s", host, local)
		}
	}
}

func TestOrigin(t *testing.T) {
	s := playing(t, Options{}, says)
	for _, c := range []struct {
		header, value string
		status        int
	}{
		{"Sec-Fetch-Site", "same-origin", 200}, {"Sec-Fetch-Site", "none", 200}, {"Origin", "http://example.com", 200},
		{"Sec-Fetch-Site", "cross-site", 403}, {"Sec-Fetch-Site", "same-site", 403}, {"Origin", "http://evil.example", 403}, {"Origin", "null", 403},
	} {
		w := post(s, "http://example.com/v1/chat/completions", hello(), c.header, c.value)
		assert.Equal(t, c.status, w.Code, "%s: %s", c.header, c.value)
		if c.status == 403 {
			assert.Equal(t, "cross_origin", complaintOf(t, w.Body.Bytes()).code())
		}
		assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	}
}

func TestMethods(t *testing.T) {
	s := playing(t, Options{}, says)
	for path, allow := range map[string]string{
		"/v1/chat/completions": "POST", "/v1/completions": "POST", "/v1/models": "GET", "/v1/models/tiny": "GET", "/health": "GET", "/metrics": "GET", "/": "GET",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "ODD"} {
			if method == allow {
				continue
			}
			w := send(s, httptest.NewRequest(method, path, nil))
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
			assert.Equal(t, allow, w.Header().Get("Allow"))
			complaintOf(t, w.Body.Bytes())
		}
	}
	w := get(s, "/v1/embeddings")
	assert.Equal(t, http.StatusNotFound, w.Code)
	complaintOf(t, w.Body.Bytes())
}
