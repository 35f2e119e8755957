package sandbox

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// open returns a sandbox of the tier, or skips the test.
func open(t *testing.T, tier Tier, python string) *Sandbox {
	t.Helper()
	s, err := New(t.Context(), Options{Tier: tier, Python: python})
	if err != nil {
		t.Skip(err)
	}
	require.Equal(t, tier, s.Tier())
	return s
}

func TestTrivial(t *testing.T) {
	for _, tier := range []Tier{Namespaces, Landlock, Unsafe} {
		for _, py := range []string{"python3", "/usr/bin/python3"} {
			t.Run(string(tier)+" "+py, func(t *testing.T) {
				s := open(t, tier, py)
				v, err := s.Run(t.Context(), Program{Source: "print(1)"})
				t.Log(s.drop, s.python, v, err)
			})
		}
	}
}
