package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAttacks(t *testing.T) {
	for _, tier := range []Tier{Namespaces, Landlock} {
		t.Run(string(tier), func(t *testing.T) {
			t.Parallel()
			s := open(t, tier, "")
			attacks, err := s.Attacks(t.Context())
			require.NoError(t, err)
			require.Greater(t, len(attacks), 20)
			for _, a := range attacks {
				assert.True(t, a.Contained, "%s: %s", a.Name, a.Detail)
			}
		})
	}
}

// TestAttacksSeeWhatGetsThrough: what a program reads, writes and reaches without a
// sandbox is noticed.
func TestAttacksSeeWhatGetsThrough(t *testing.T) {
	s := open(t, Unsafe, "")
	_, err := s.Attacks(t.Context())
	require.ErrorContains(t, err, "tier D")
	for source, want := range map[string]string{
		`print(open(bait["File"]).read())`: "a file outside was read",
		`open(bait["File"], "w")`:          "other content",
		`os.chmod(bait["File"], 0o600)`:    "another mode",
		`open(bait["Folder"] + "/x", "w")`: "3 entries",
		`import socket; socket.create_connection(("127.0.0.1", bait["Port"])).recv(1)`: "1 connections",
		`print("got", "it")`: "got it",
		`os.fork() == 0 and (os.setsid(), time.sleep(3), os._exit(0))`: "processes are left",
	} {
		b, err := newBait()
		require.NoError(t, err)
		v, err := s.Run(t.Context(), Program{Source: strings.Split(hostile, "# attack: ")[0] + source, Input: b.text, Time: 5 * time.Second})
		require.NoError(t, err)
		assert.Contains(t, strings.Join(s.through(v, b), "; "), want, source)
		b.close()
	}
}
