package hub

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// DefaultEndpoint is the hub itself.
const DefaultEndpoint = "https://huggingface.co"

const maxToken = 4 << 10 // bytes

// Token is a secret that says who asks. It does not print.
type Token string

func (Token) String() string   { return "(token)" }
func (Token) GoString() string { return "(token)" }

// MarshalText keeps it out of JSON.
func (Token) MarshalText() ([]byte, error) { return []byte("(token)"), nil }

// Environment returns the endpoint and the token that the environment names, as the hub's own
// programs read it: HF_ENDPOINT; HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the file HF_TOKEN_PATH, by
// default token in HF_HOME, by default ~/.cache/huggingface. Both may be empty.
func Environment() (endpoint string, token Token, err error) {
	endpoint = os.Getenv("HF_ENDPOINT")
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if text := strings.TrimSpace(os.Getenv(name)); text != "" {
			return endpoint, Token(text), checkToken(name, text)
		}
	}
	path := tokenFile()
	if path == "" {
		return endpoint, "", nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint, "", nil
	}
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", "", err
	}
	text := strings.TrimSpace(string(data))
	return endpoint, Token(text), checkToken(path, text)
}

func tokenFile() string {
	if path := os.Getenv("HF_TOKEN_PATH"); path != "" {
		return atHome(path)
	}
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return filepath.Join(atHome(dir), "token")
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(atHome(dir), "huggingface", "token")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface", "token")
}

// atHome replaces a leading ~.
func atHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		if home, err := os.UserHomeDir(); err == nil {
			return home + rest
		}
	}
	return path
}

// checkToken returns an error unless text, which the error does not show, can stand in a header.
func checkToken(where, text string) error {
	if len(text) > maxToken || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return mistakef("%s: this is not a token; set it to one from the hub's settings, or remove it", where)
	}
	return nil
}

// parseEndpoint checks the address of a hub.
func parseEndpoint(text string) (*url.URL, error) {
	if text == "" {
		text = DefaultEndpoint
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, mistakef("HF_ENDPOINT is not an address such as %s, without user, ? and #", DefaultEndpoint)
	}
	return u, nil
}

// origin is what a token is for.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return origin{u.Scheme, strings.ToLower(u.Hostname()), port}
}

// secret says whether nobody on the way reads what is sent to it.
func (o origin) secret() bool {
	if o.scheme == "https" || o.host == "localhost" {
		return o.scheme == "https" || o.scheme == "http"
	}
	ip := net.ParseIP(o.host)
	return o.scheme == "http" && ip != nil && ip.IsLoopback()
}
