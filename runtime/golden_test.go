package runtime_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/internal/oracle"
	"lladakit/runtime"
)

// float32 arithmetic against the oracle's float64: measured 3e-7.
const exactError = 1e-4

var bothProfiles = []runtime.Profile{runtime.Exact, runtime.Reference}

func TestGoldenLogits(t *testing.T) {
	for _, c := range golden(t) {
		for _, typ := range []gguf.Type{gguf.F32, gguf.BF16} {
			t.Run(fmt.Sprint(c.Name, "/", typ), func(t *testing.T) {
				m := load(t, c.Dir, typ)
				want := c.Expected.Logits
				rows := logits(t, m, want.IDs, want.BlockLength)
				require.Len(t, rows, len(want.IDs))
				for i, r := range want.Rows {
					assert.LessOrEqual(t, relativeRMS(rows[r], want.Values[i]), exactError, "row %d", r)
				}
				for r, token := range want.Argmax {
					assert.Equal(t, token, argmax(rows[r]), "row %d", r)
				}
			})
		}
	}
}

func TestGoldenGenerate(t *testing.T) {
	for _, c := range golden(t) {
		for _, typ := range []gguf.Type{gguf.F32, gguf.BF16} {
			m := load(t, c.Dir, typ)
			for i, want := range c.Expected.Generate {
				for _, profile := range bothProfiles {
					t.Run(fmt.Sprint(c.Name, "/", typ, "/", i, "/", profile), func(t *testing.T) {
						checkAnswer(t, m, want.Settings, want.Answer, profile)
					})
				}
			}
		}
	}
}

// checkAnswer holds one generation against the oracle's.
func checkAnswer(t *testing.T, m *runtime.Model, s oracle.Settings, want oracle.Answer, profile runtime.Profile) {
	t.Helper()
	got, err := m.Generate(t.Context(), toIDs(s.Prompt), options(m, s, profile))
	require.NoError(t, err)
	require.Equal(t, toIDs(want.Tokens), got.IDs)
	require.Equal(t, want.Forwards, got.Forwards.Denoise)
	if profile == runtime.Reference {
		require.Zero(t, got.Forwards.Prefill+got.Forwards.Commit)
	}
}
