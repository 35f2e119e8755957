package sandbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAttacks(t *testing.T) {
	for _, tier := range []Tier{Namespaces, Landlock} {
		t.Run(string(tier), func(t *testing.T) {
			s := open(t, tier, "")
			attacks, err := s.Attacks(t.Context())
			require.NoError(t, err)
			require.Greater(t, len(attacks), 20)
			for _, a := range attacks {
				assert.True(t, a.Contained, "%s: %s", a.Name, a.Detail)
				t.Log(a.Name, "-", a.Detail)
			}
		})
	}
}
