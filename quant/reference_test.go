package quant_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/quant"
)

// blockFormats are the formats of blocks of weights.
var blockFormats = []gguf.Type{
	gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0, gguf.IQ4_NL, gguf.MXFP4,
	gguf.Q2_K, gguf.Q3_K, gguf.Q4_K, gguf.Q5_K, gguf.Q6_K,
}

// TestReference holds Dequantize to the vectors of testdata/reference.py, bit for
// bit.
func TestReference(t *testing.T) {
	for _, typ := range blockFormats {
		data, err := os.ReadFile(filepath.Join("testdata", typ.String()+".bin"))
		require.NoError(t, err)
		n, size := typ.Block()
		blocks := len(data) / (size + 4*n)
		require.Equal(t, len(data), blocks*(size+4*n), typ)
		src, want := data[:blocks*size], data[blocks*size:]
		got := make([]float32, blocks*n)
		quant.Dequantize(typ, got, src)
		for i, w := range got {
			bits := binary.LittleEndian.Uint32(want[4*i:])
			if math.Float32bits(w) != bits {
				assert.Failf(t, "differs", "%s: weight %d is %v, not %v", typ, i, w, math.Float32frombits(bits))
				break
			}
		}
	}
}
