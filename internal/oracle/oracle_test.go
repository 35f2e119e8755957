package oracle_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/oracle"
)

// wide holds the arguments with which golden/wide was made.
var wide = []string{
	"--seed", "2", "--layers", "2", "--hidden", "256", "--ffn", "512", "--moe-ffn", "256", "--experts", "8",
	"--groups", "4", "--top-groups", "2", "--top-k", "2", "--heads", "4", "--kv-heads", "1",
	"--head-dim", "64", "--vocab", "288", "--scale", "0.05",
}

func golden(t *testing.T) []oracle.Checkpoint {
	t.Helper()
	checkpoints, err := oracle.Golden()
	require.NoError(t, err)
	return checkpoints
}

// available skips the test where the oracle cannot be asked.
func available(t *testing.T) {
	t.Helper()
	if _, err := oracle.Python(); errors.Is(err, oracle.ErrUnavailable) {
		t.Skip(err)
	}
}

func TestGolden(t *testing.T) {
	vocabulary := map[string]int{"narrow": 320, "wide": 288}
	checkpoints := golden(t)
	require.Len(t, checkpoints, len(vocabulary))
	for _, c := range checkpoints {
		w := c.Expected.Logits
		require.FileExists(t, filepath.Join(c.Dir, "config.json"), c.Name)
		require.Len(t, w.IDs, 64, c.Name)
		require.Len(t, w.Argmax, 64, c.Name)
		require.Len(t, w.Values, len(w.Rows), c.Name)
		for i, row := range w.Rows {
			require.Len(t, w.Values[i], vocabulary[c.Name], "%s, row %d", c.Name, row)
			assert.Equal(t, w.Argmax[row], argmax(w.Values[i]), "%s, row %d", c.Name, row)
		}
		require.NotEmpty(t, c.Expected.Generate, c.Name)
		for i, g := range c.Expected.Generate {
			assert.NotEmpty(t, g.Prompt, "%s, answer %d", c.Name, i)
			assert.Positive(t, g.Steps, "%s, answer %d", c.Name, i)
			assert.Positive(t, g.BlockLength, "%s, answer %d", c.Name, i)
			assert.Positive(t, g.Forwards, "%s, answer %d", c.Name, i)
			assert.Positive(t, g.SmallestMargin, "%s, answer %d", c.Name, i)
			assert.NotEmpty(t, g.Tokens, "%s, answer %d", c.Name, i)
			assert.LessOrEqual(t, len(g.Tokens), g.GenLength, "%s, answer %d", c.Name, i)
		}
	}
}

func TestUnavailable(t *testing.T) {
	t.Setenv(oracle.PythonVariable, "")
	dir := filepath.Join(t.TempDir(), "checkpoint")
	require.ErrorIs(t, oracle.Make(dir), oracle.ErrUnavailable)
	require.NoDirExists(t, dir)
	_, err := oracle.Logits(dir, []int{1}, 32)
	require.ErrorIs(t, err, oracle.ErrUnavailable)
	_, err = oracle.Generate(dir, oracle.Settings{})
	require.ErrorIs(t, err, oracle.ErrUnavailable)
}

func TestProgramFails(t *testing.T) {
	available(t)
	_, err := oracle.Logits(t.TempDir(), []int{1}, 32)
	require.ErrorContains(t, err, "config.json")
}

func TestMake(t *testing.T) {
	available(t)
	for _, c := range golden(t) {
		var args []string // those of narrow are the defaults
		if c.Name == "wide" {
			args = wide
		}
		dir := t.TempDir()
		require.NoError(t, oracle.Make(dir, args...))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 4, c.Name)
		for _, e := range entries {
			want, err := os.ReadFile(filepath.Join(c.Dir, e.Name()))
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "%s/%s", c.Name, e.Name())
		}
	}
}

func TestLogits(t *testing.T) {
	available(t)
	for _, c := range golden(t) {
		w := c.Expected.Logits
		logits, err := oracle.Logits(c.Dir, w.IDs, w.BlockLength)
		require.NoError(t, err)
		require.Len(t, logits, len(w.IDs), c.Name)
		for i, row := range w.Rows {
			require.InDeltaSlice(t, w.Values[i], logits[row], 1e-6, "%s, row %d", c.Name, row)
		}
	}
}

func TestGenerate(t *testing.T) {
	available(t)
	for _, c := range golden(t) {
		for i, g := range c.Expected.Generate {
			answer, err := oracle.Generate(c.Dir, g.Settings)
			require.NoError(t, err)
			require.Equal(t, g.Tokens, answer.Tokens, "%s, answer %d", c.Name, i)
			require.Equal(t, g.Forwards, answer.Forwards, "%s, answer %d", c.Name, i)
			require.InDelta(t, g.SmallestMargin, answer.SmallestMargin, 1e-9, "%s, answer %d", c.Name, i)
		}
	}
}

// MinimalTopK is no more than a cap on the steps.
func TestGenerateMinimalTopK(t *testing.T) {
	available(t)
	c := golden(t)[0]
	s := c.Expected.Generate[0].Settings
	s.MinimalTopK, s.Steps = 4, 32
	got, err := oracle.Generate(c.Dir, s)
	require.NoError(t, err)
	s.MinimalTopK, s.Steps = 0, s.GenLength/4
	want, err := oracle.Generate(c.Dir, s)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// Stopping early saves forwards and changes no token.
func TestGenerateEarlyStop(t *testing.T) {
	available(t)
	c := golden(t)[0]
	plain := c.Expected.Generate[0]
	s := plain.Settings
	s.EOS = plain.Tokens[1]
	want, err := oracle.Generate(c.Dir, s)
	require.NoError(t, err)
	require.Equal(t, s.EOS, want.Tokens[len(want.Tokens)-1])

	s.EarlyStop = true
	got, err := oracle.Generate(c.Dir, s)
	require.NoError(t, err)
	require.Equal(t, want.Tokens, got.Tokens)
	require.Less(t, got.Forwards, want.Forwards)
}

func argmax(row []float64) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}
