package bench

import (
	"context"
	"io"
	"math"
	"math/rand/v2"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// bankRows is how many random rows there are of each length, fewer where they would
// have more than bankWeights. Tensors repeat them from places of their own: what a
// processor does with weights does not depend on their values, and 9 GB of them are
// written in seconds.
const (
	bankRows    = 1024
	bankWeights = 1 << 23
)

// How large random weights are decides how alike the rows of a pass become, and with
// that how many experts they share. Left to itself a random model makes masks, which
// have one embedding, all but equal: attention that is spread over many positions is
// the same mean for each of them. In these models it is not spread, but at one or two
// positions, others for every row, since it looks at what turns fast with the
// position; and what it brings weighs more than the embedding and what experts add.
const (
	embeddingScale = 0.25 // of embeddings; all other matrices keep the size of their input
	downScale      = 0.25 // of what feed-forward parts add, beside that of attention
	scoreScale     = 11   // standard deviation of the scores of attention, before the softmax
	flatNorm       = 0.25 // of the norms of what turns slowly
	turning        = 0.1  // radians a position, which are fast
)

// banks are encoded random rows.
type banks struct {
	x      *Synthetic
	random *rand.Rand
	byRow  map[bank][]byte
}

// bank says what rows are of: their type, how long they are, and how large their
// weights.
type bank struct {
	t     gguf.Type
	cols  int
	scale float64
}

func newBanks(x *Synthetic) *banks {
	return &banks{x: x, random: rand.New(rand.NewPCG(x.Seed, 1)), byRow: map[bank][]byte{}}
}

// tensor writes size bytes, all of a tensor or whole rows of it, in type typ, and
// tells progress of the bytes.
func (b *banks) tensor(ctx context.Context, w io.Writer, t *arch.Tensor, typ gguf.Type, size int, progress func(n int)) error {
	for size > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := b.part(t, typ)
		part = part[:min(size, len(part))]
		if _, err := w.Write(part); err != nil {
			return err
		}
		size -= len(part)
		progress(len(part))
	}
	return nil
}

// part returns some rows of a tensor, encoded.
func (b *banks) part(t *arch.Tensor, typ gguf.Type) []byte {
	cols := t.Shape[len(t.Shape)-1]
	if t.Exact() {
		return encode(typ, b.exact(t, cols))
	}
	key := bank{typ, cols, 1 / math.Sqrt(float64(cols))}
	switch t.Role {
	case arch.TokenEmbedding:
		key.scale = embeddingScale
	case arch.DenseDown, arch.ExpertDown, arch.SharedDown:
		key.scale *= downScale
	}
	rows := b.byRow[key]
	row, _ := quant.Bytes(typ, cols)
	if rows == nil {
		n := min(bankRows, max(64, bankWeights/cols))
		rows = encode(typ, b.normal(n*cols, key.scale))
		b.byRow[key] = rows
	}
	return rows[b.random.IntN(len(rows)/row)*row:]
}

// exact returns the values of a tensor that is never quantized.
func (b *banks) exact(t *arch.Tensor, cols int) []float32 {
	switch t.Role {
	case arch.Router:
		return b.normal(t.Shape[0]*cols, 1/math.Sqrt(float64(cols)))
	case arch.RouterBias:
		values := make([]float32, cols)
		if b.x.offered != nil {
			bias(values, b.x.offered[t.Layer])
		}
		return values
	case arch.QueryNorm, arch.KeyNorm:
		return headNorm(&b.x.Config)
	}
	values := make([]float32, cols)
	for i := range values {
		values[i] = 1
	}
	return values
}

// headNorm returns the weights of the norm of queries and of that of keys.
func headNorm(c *arch.Config) []float32 {
	values := make([]float32, c.HeadDim)
	for i := range values {
		values[i] = flatNorm
	}
	half := c.RotaryDim / 2
	fast := 0 // pairs (i, half+i), which turn by theta^(-i/half) a position
	for fast < half && math.Pow(float64(c.RopeTheta), -float64(fast)/float64(half)) > turning {
		fast++
	}
	// A score is a sum of n = 2 fast products of values of size 1, times the square of
	// the weight, by the root of the head's dimension.
	large := float32(math.Sqrt(scoreScale * math.Sqrt(float64(c.HeadDim)/float64(2*fast))))
	for i := range fast {
		values[i], values[half+i] = large, large
	}
	return values
}

func (b *banks) normal(n int, scale float64) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(scale * b.random.NormFloat64())
	}
	return values
}

func encode(t gguf.Type, values []float32) []byte {
	size, err := quant.Bytes(t, len(values))
	if err != nil {
		panic(err) // rows are whole blocks: see Check
	}
	out := make([]byte, size)
	quant.Quantize(t, out, values, nil)
	return out
}
