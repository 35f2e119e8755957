package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"lladakit/kernels/peak"
)

// measure runs f, which does work billionths, as often as the benchmark wants, and
// reports the rate of the best run, which is the least disturbed one, in units and, if
// there is a limit, as a share of what is measured for that just now.
func measure(b *testing.B, work float64, unit string, limit func(trials int) float64, f func()) {
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	rate := work / float64(best.Nanoseconds())
	b.ReportMetric(rate, unit)
	if limit != nil {
		if most := limit(1000); most > 0 {
			b.ReportMetric(rate/most, "of-peak")
		}
	}
}

var benchTypes = []struct {
	name  string
	typ   Type
	limit func(int) float64
}{
	{"q4_0", Q4_0, peak.Int4}, {"q4_1", Q4_1, peak.Int4}, {"q5_0", Q5_0, peak.Int4}, {"q5_1", Q5_1, peak.Int4},
	{"q8_0", Q8_0, peak.Int8}, {"q4_k", Q4_K, peak.Int4}, {"q5_k", Q5_K, peak.Int4}, {"q6_k", Q6_K, peak.Int4}, {"iq4_nl", IQ4_NL, peak.Int8},
	{"f32", F32, peak.Float}, {"f16", F16, peak.Float}, {"bf16", BF16, peak.Float},
}

// BenchmarkProduct multiplies 32 rows of 2048 weights, which fit into the caches
// next to a core, with one to six rows of activations, and with 32.
func BenchmarkProduct(b *testing.B) {
	const rows, cols = 32, 2048
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range benchTypes {
		for _, packs := range []bool{true, false} {
			m := randomMatrix(b, r, c.typ, rows, cols)
			layout := "file"
			if packs {
				if !c.typ.Packs() {
					continue
				}
				m, layout = packed(b, &m), "packed"
			}
			for _, n := range []int{1, 2, 3, 4, 6, 32} {
				b.Run(fmt.Sprintf("type=%s/layout=%s/n=%d", c.name, layout, n), func(b *testing.B) {
					a := randomActivations(r, n, cols)
					dst, s := make([]float32, n*rows), new(Scratch)
					measure(b, float64(n*rows*cols), "GMAC/s", c.limit, func() { m.Product(dst, rows, a, nil, 0, rows, s) })
				})
			}
		}
	}
}

// BenchmarkStream reads weights from memory, 2048 a row, and multiplies them with
// one to four rows of activations.
func BenchmarkStream(b *testing.B) {
	const cols, rows = 2048, 64 << 10
	r := rand.New(rand.NewPCG(1, 1))
	whole := make([]byte, 4*rows*cols/2)
	for i := range whole {
		whole[i] = byte(i)
	}
	limit := func(n int) float64 { return peak.Memory(whole, n) }
	for _, c := range benchTypes {
		for _, layout := range []string{"packed", "file"} {
			if layout == "packed" && !c.typ.Packs() {
				continue
			}
			size, err := c.typ.RowBytes(cols)
			if err != nil {
				b.Fatal(err)
			}
			rows := len(whole) / size / TileRows() * TileRows()
			m, err := NewMatrix(c.typ, rows, cols, whole[:rows*size])
			if err != nil {
				b.Fatal(err)
			}
			if layout == "packed" {
				m.Packed = TileRows()
			}
			for _, n := range []int{1, 2, 3, 4} {
				b.Run(fmt.Sprintf("type=%s/layout=%s/n=%d", c.name, layout, n), func(b *testing.B) {
					const part = 512 // rows at a time
					a := randomActivations(r, n, cols)
					dst, s, lo := make([]float32, n*part), new(Scratch), 0
					measure(b, float64(part*size), "GB/s", limit, func() {
						m.Product(dst, part, a, nil, lo, lo+part, s)
						if lo += part; lo+part > rows {
							lo = 0
						}
					})
				})
			}
		}
	}
}
