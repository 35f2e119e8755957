package quant

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
)

// FuzzReadImportance looks for panics, for errors of several lines, and for
// importances that change when written and read again.
func FuzzReadImportance(f *testing.F) {
	small := &Importance{
		Datasets: []string{"a"}, Chunks: 3, Rows: []uint64{1, 2, 3, 4},
		Entries: map[string]*Columns{
			"output.weight":              {Cols: 3, Sum2: []float32{1, 0, 2}, Counts: []float32{7}},
			"blk.1.ffn_gate_exps.weight": {Cols: 2, Sum2: []float32{1, 2, 3, 4, 0, 0}, Counts: []float32{1, 2, 0}},
		},
	}
	var b bytes.Buffer
	require.NoError(f, small.Write(&b))
	f.Add(b.Bytes())
	for _, part := range []string{sumSuffix, countSuffix, imatrixType, "output.weight"} {
		f.Add(bytes.ReplaceAll(b.Bytes(), []byte(part), []byte(strings.Repeat("x", len(part)))))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := gguf.Parse(data)
		if err != nil {
			return
		}
		m, err := readImportance(file)
		if err != nil {
			require.ErrorIs(t, err, ErrImportance)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		for name, c := range m.Entries {
			require.Len(t, c.Sum2, c.Cols*len(c.Counts), name)
			require.NoError(t, m.Check(name, c.Cols, len(c.Counts)))
			require.Error(t, m.Check(name, c.Cols+1, len(c.Counts)))
			for i := range c.Counts {
				_ = c.Of(i)
			}
		}
		var out bytes.Buffer
		if err := m.Write(&out); err != nil {
			require.NotContains(t, err.Error(), "\n")
			return // a name that has no room for the suffix, say
		}
		file, err = gguf.Parse(out.Bytes())
		require.NoError(t, err)
		again, err := readImportance(file)
		require.NoError(t, err)
		require.Equal(t, m.Entries, again.Entries)
		require.Equal(t, []any{m.Chunks, len(m.Datasets), len(m.Rows)}, []any{again.Chunks, len(again.Datasets), len(again.Rows)})
	})
}
