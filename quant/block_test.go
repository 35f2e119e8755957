package quant_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
)

const sampleRows, sampleCols = 64, 1024

// sample returns normal weights and log-normal importance, the same ones always.
func sample() (weights, importance []float32) {
	r := rand.New(rand.NewPCG(20, 26))
	weights, importance = make([]float32, sampleRows*sampleCols), make([]float32, sampleCols)
	for i := range weights {
		weights[i] = float32(0.02 * r.NormFloat64())
	}
	for i := range importance {
		importance[i] = float32(math.Exp(1.5 * r.NormFloat64()))
	}
	return weights, importance
}

// roundTrip quantizes and dequantizes.
func roundTrip(t *testing.T, typ gguf.Type, src, importance []float32) (dst []float32, overflows int) {
	t.Helper()
	block := pack(t, typ, src, importance)
	overflows = quant.Quantize(typ, block, src, importance)
	dst = make([]float32, len(src))
	quant.Dequantize(typ, dst, block)
	return dst, overflows
}

func pack(t *testing.T, typ gguf.Type, src, importance []float32) []byte {
	t.Helper()
	size, err := quant.Bytes(typ, len(src))
	require.NoError(t, err)
	block := make([]byte, size)
	for i := range block {
		block[i] = 0xa5 // every bit must be written
	}
	quant.Quantize(typ, block, src, importance)
	return block
}

// relativeError returns the RMS of y - x over the RMS of x, each square counted
// importance times.
func relativeError(x, y, importance []float32) float64 {
	var e, s float64
	for i, v := range x {
		w := 1.0
		if importance != nil {
			w = float64(importance[i%len(importance)])
		}
		d := float64(y[i]) - float64(v)
		e += w * d * d
		s += w * float64(v) * float64(v)
	}
	return math.Sqrt(e / s)
}

// TestError fails when the search has become worse by more than rounding noise.
func TestError(t *testing.T) {
	// Relative RMS error of the sample without importance, and weighted with it.
	measured := map[gguf.Type][2]float64{
		gguf.Q4_0:   {0.08574, 0.07090},
		gguf.Q4_1:   {0.07028, 0.05602},
		gguf.Q5_0:   {0.04018, 0.03495},
		gguf.Q5_1:   {0.03375, 0.02714},
		gguf.Q8_0:   {0.00537, 0.00540},
		gguf.IQ4_NL: {0.07336, 0.06146},
		gguf.MXFP4:  {0.11135, 0.11086},
		gguf.Q2_K:   {0.26461, 0.20235},
		gguf.Q3_K:   {0.14345, 0.12062},
		gguf.Q4_K:   {0.07064, 0.05689},
		gguf.Q5_K:   {0.03472, 0.02873},
		gguf.Q6_K:   {0.01703, 0.01437},
	}
	x, importance := sample()
	for _, typ := range blockFormats {
		y, _ := roundTrip(t, typ, x, nil)
		plain := relativeError(x, y, nil)
		unaware := relativeError(x, y, importance)
		y, _ = roundTrip(t, typ, x, importance)
		weighted := relativeError(x, y, importance)
		t.Logf("%s: %.5f, weighted %.5f (%.5f without importance)", typ, plain, weighted, unaware)
		assert.LessOrEqual(t, plain, 1.02*measured[typ][0], typ)
		assert.LessOrEqual(t, weighted, 1.02*measured[typ][1], typ)
		if typ == gguf.Q8_0 || typ == gguf.MXFP4 {
			assert.Equal(t, unaware, weighted, "%s takes no notice of importance", typ)
		} else {
			assert.Less(t, weighted, 0.97*unaware, "%s: importance must lower the weighted error", typ)
		}
	}
}

// TestStable requires weights that come from a block to go into the same block
// again. That is certain where the greatest magnitude fixes the scale, and nearly
// so elsewhere: a search need not come back to where it was, but then finds
// scales that are about as good.
func TestStable(t *testing.T) {
	x, importance := sample()
	for _, typ := range blockFormats {
		for _, importance := range [][]float32{nil, importance} {
			y, _ := roundTrip(t, typ, x, importance)
			z, _ := roundTrip(t, typ, y, importance)
			exact := typ == gguf.Q8_0 || typ == gguf.MXFP4 || typ == gguf.Q4_0 && importance == nil
			if exact {
				assert.Equal(t, y, z, typ)
			}
			assert.Less(t, relativeError(y, z, importance), 0.15*relativeError(x, y, importance), typ)
		}
	}
}

// TestRows requires every row of a matrix to be what it is alone, and a block
// without importance what it is without its neighbours.
func TestRows(t *testing.T) {
	x, importance := sample()
	for _, typ := range blockFormats {
		n, _ := typ.Block()
		for step, importance := range map[int][]float32{n: nil, sampleCols: importance} {
			var parts []byte
			for part := range slices.Chunk(x, step) {
				parts = append(parts, pack(t, typ, part, importance)...)
			}
			assert.Equal(t, parts, pack(t, typ, x, importance), typ)
		}
	}
}

// TestNotFinite requires infinities and NaNs to be zeros, in weights as in
// importance, where negative values are too.
func TestNotFinite(t *testing.T) {
	x, importance := sample()
	broken, zeroed := slices.Clone(x), slices.Clone(x)
	brokenImportance, zeroedImportance := slices.Clone(importance), slices.Clone(importance)
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	for i := 0; i < len(x); i += 7 {
		broken[i], zeroed[i] = bad[i%3], 0
	}
	for i := 0; i < len(importance); i += 5 {
		brokenImportance[i], zeroedImportance[i] = append(bad, -1)[i%4], 0
	}
	for _, typ := range blockFormats {
		assert.Equal(t, pack(t, typ, zeroed, nil), pack(t, typ, broken, nil), typ)
		assert.Equal(t, pack(t, typ, zeroed, zeroedImportance), pack(t, typ, broken, brokenImportance), typ)
	}
}

// TestZeroImportance requires weights that count for nothing to be rounded
// sensibly all the same.
func TestZeroImportance(t *testing.T) {
	x, importance := sample()
	none, ones := make([]float32, sampleCols), make([]float32, sampleCols)
	partly := slices.Clone(importance)
	for i := range ones {
		ones[i] = 1
		if i%3 == 0 || i < 300 { // single columns, and a whole block
			partly[i] = 0
		}
	}
	for _, typ := range blockFormats {
		y, _ := roundTrip(t, typ, x, ones)
		alike := relativeError(x, y, nil)
		y, _ = roundTrip(t, typ, x, none)
		assert.InEpsilon(t, alike, relativeError(x, y, nil), 1e-3, "%s: no importance at all", typ)
		y, _ = roundTrip(t, typ, x, partly)
		var unlit, whole []float32
		for i := range partly {
			w := float32(0)
			if partly[i] == 0 {
				w = 1
			}
			unlit = append(unlit, w)
			w = 0
			if i < 256 {
				w = 1
			}
			whole = append(whole, w)
		}
		assert.Less(t, relativeError(x, y, unlit), 1.6*alike, "%s: columns without", typ)
		assert.InEpsilon(t, alike, relativeError(x, y, whole), 0.05, "%s: blocks without", typ)
	}
}

// TestExtremes: zeros, subnormals, scales that are subnormal halfs, one weight
// far out, weights beyond half precision.
func TestExtremes(t *testing.T) {
	x, importance := sample()
	x = x[:2*sampleCols]
	scaled := func(by float32) []float32 {
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = by * v
		}
		return y
	}
	for _, typ := range blockFormats {
		n, _ := typ.Block()
		for _, importance := range [][]float32{nil, importance} {
			y, overflows := roundTrip(t, typ, make([]float32, len(x)), importance)
			assert.Zero(t, overflows, typ)
			for _, v := range y {
				require.Zero(t, v, typ)
			}

			for _, by := range []float32{1e-43, 1e-38, 1e-20, 1e-6, 1e-5, 1e-4, 1e-3, 1e5} {
				y, overflows := roundTrip(t, typ, scaled(by), importance)
				assert.Zero(t, overflows, typ)
				// Nothing may be worse than writing zeros.
				assert.LessOrEqual(t, relativeError(scaled(by), y, importance), 1.0, "%s times %g", typ, by)
			}

			for _, far := range []float32{1000, -1000} {
				out := slices.Clone(x)
				out[700] = far
				y, overflows = roundTrip(t, typ, out, nil)
				assert.Zero(t, overflows, typ)
				assert.InEpsilon(t, far, y[700], 0.05, typ)
			}

			for _, far := range []float32{math.MaxFloat32, -math.MaxFloat32} {
				out := slices.Clone(x)
				out[700] = far
				y, overflows = roundTrip(t, typ, out, importance)
				if typ == gguf.MXFP4 { // has the exponents of a single
					assert.Zero(t, overflows)
					assert.InEpsilon(t, far, y[700], 0.3)
				} else {
					assert.Equal(t, n, overflows, typ)
				}
				for i, v := range y {
					if i/n != 700/n {
						require.Less(t, math.Abs(float64(v)), 1.0, typ) // also not a NaN
					}
				}
			}
		}
	}
}

// TestNearest requires the codes that are looked up to be nearest: no value of
// the table, times the scale, is closer to the weight.
func TestNearest(t *testing.T) {
	x, _ := sample()
	for typ, table := range map[gguf.Type][16]int8{
		gguf.IQ4_NL: kernels.ValuesIQ4_NL, gguf.MXFP4: kernels.ValuesMXFP4,
	} {
		blocks := pack(t, typ, x, nil)
		y := make([]float32, len(x))
		quant.Dequantize(typ, y, blocks)
		_, size := typ.Block()
		for i, v := range x {
			head := blocks[i/32*size:]
			d := math.Ldexp(1, int(head[0])-128)
			if typ == gguf.IQ4_NL {
				d = float64(kernels.FromF16(uint16(head[0]) | uint16(head[1])<<8))
			}
			for _, value := range table {
				if other := d * float64(value); math.Abs(other-float64(v)) < math.Abs(float64(y[i]-v))-1e-9 {
					t.Fatalf("%s: weight %d is %v for %v, farther than %v", typ, i, y[i], v, other)
				}
			}
		}
	}
}

// TestLengths requires importance that is not a row of blocks to be refused.
func TestLengths(t *testing.T) {
	x, importance := sample()
	dst := make([]byte, 4*len(x))
	assert.Panics(t, func() { quant.Quantize(gguf.Q4_K, dst, x[:512], importance) })
	assert.Panics(t, func() { quant.Quantize(gguf.Q4_K, dst, x[:512], importance[:128]) })
	for _, typ := range quant.Types {
		weights, bytes := kernels.Type(typ).Block()
		n, size := typ.Block()
		assert.Equal(t, []int{n, size}, []int{weights, bytes}, typ)
	}
}

// BenchmarkQuantize measures float32 input on one worker.
func BenchmarkQuantize(b *testing.B) {
	x, importance := sample()
	for _, typ := range blockFormats {
		for name, importance := range map[string][]float32{"plain": nil, "importance": importance} {
			b.Run("type="+typ.String()+"/"+name, func(b *testing.B) {
				size, err := quant.Bytes(typ, len(x))
				if err != nil {
					b.Fatal(err)
				}
				dst := make([]byte, size)
				for b.Loop() {
					quant.Quantize(typ, dst, x, importance)
				}
				b.ReportMetric(4*float64(len(x))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
	}
}
