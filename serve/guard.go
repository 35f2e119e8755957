package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guard reports what must not be answered, before anything of it is read.
func (s *Server) guard(r *http.Request) error {
	if !s.knownHost(r) {
		return refused(http.StatusForbidden, "wrong_host", "host %.80q is not this server's: ask for localhost, or let the server know the name", r.Host)
	}
	// A page of another origin may send requests, though it cannot read the answers.
	if err := s.origins.Check(r); err != nil {
		return refused(http.StatusForbidden, "cross_origin", "pages of other origins may not use this server")
	}
	return nil
}

// knownHost reports whether a request is for a name that this server has. Over loopback
// only this machine comes, with its browsers, and in those pages of foreign names that
// have come to mean 127.0.0.1 (DNS rebinding): to the browser they are of this origin.
func (s *Server) knownHost(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return true
	}
	if at, err := netip.ParseAddrPort(local.String()); err != nil || !at.Addr().Unmap().IsLoopback() {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if slices.ContainsFunc(s.opt.Hosts, func(name string) bool { return strings.EqualFold(name, host) }) {
		return true
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// authorize compares the request's key with the server's, in a time that tells nothing
// of either.
func (s *Server) authorize(r *http.Request) error {
	if s.opt.Key == "" {
		return nil
	}
	scheme, given, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	ok = ok && strings.EqualFold(scheme, "Bearer")
	got, want := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(s.opt.Key))
	if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && ok {
		return nil
	}
	if !ok {
		return refused(http.StatusUnauthorized, "missing_api_key", "this server needs a key: send the header Authorization: Bearer KEY")
	}
	return refused(http.StatusUnauthorized, "invalid_api_key", "the key is not this server's")
}
