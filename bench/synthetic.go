package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
)

// Synthetic says what random model to write. The zero value has no shape: begin
// with Shape.
type Synthetic struct {
	Config arch.Config
	Type   gguf.Type // of every matrix but the routers
	Seed   uint64

	// Favour makes the router prefer some experts, and so the tokens of a block
	// share more of them: it is the standard deviation of the router's bias, whose
	// scores are between 0 and 1. 0: no expert is preferred.
	Favour float64

	// Progress, if not nil, is called from time to time with the bytes that are
	// written, and all of them.
	Progress func(done, total int64)
}

// bankBytes is about how many bytes of random weights there are of each length of
// rows. Tensors repeat them from places of their own: what a processor does with
// weights does not depend on their values, and 9 GB of them are written in seconds.
const bankBytes = 1 << 20

// Synthesize writes a GGUF file with random weights and no vocabulary. The file
// appears when it is complete.
func Synthesize(ctx context.Context, path string, x Synthetic) (err error) {
	md := x.Config.Metadata()
	for _, kv := range tokenizer.NoVocab(int32(x.Config.Vocab-1), int32(x.Config.Vocab-2)) {
		md = append(md, gguf.KeyValue(kv))
	}
	md = append(md, gguf.KeyValue{Key: "general.file_type", Value: quant.Plain(x.Type).Target.FileType()})
	tensors := x.Config.Tensors()
	var infos []gguf.TensorInfo
	var total int64
	for _, t := range tensors {
		info := gguf.TensorInfo{Name: t.GGUF, Type: x.Type}
		if t.Exact() {
			info.Type = gguf.F32
		}
		for i := len(t.Shape) - 1; i >= 0; i-- {
			info.Dims = append(info.Dims, uint64(t.Shape[i]))
		}
		if n, _ := info.Type.Block(); info.Dims[0]%uint64(n) != 0 {
			return fmt.Errorf("tensor %q: rows of %d are no whole blocks of %s", t.GGUF, info.Dims[0], info.Type)
		}
		infos = append(infos, info)
		total += int64(info.Bytes())
	}
	// Note: os.CreateTemp would make a file that only its owner can read.
	name := fmt.Sprintf(".%s.%016x.partial", filepath.Base(path), rand.Uint64())
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w, err := gguf.NewWriter(f, md, infos)
	if err != nil {
		return err
	}
	b := banks{x: &x, random: rand.New(rand.NewPCG(x.Seed, 1)), byRow: map[bank][]byte{}}
	var done int64
	for i, t := range tensors {
		left := infos[i].Bytes()
		for left > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			part := b.part(&t, &infos[i], left)
			if _, err := w.Write(part); err != nil {
				return err
			}
			left -= uint64(len(part))
			if done += int64(len(part)); x.Progress != nil {
				x.Progress(done, total)
			}
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// banks are encoded random rows.
type banks struct {
	x      *Synthetic
	random *rand.Rand
	byRow  map[bank][]byte
}

// bank says what rows are of: how long they are, and how large their weights.
type bank struct {
	cols  uint64
	scale float64
}

// part returns the next bytes of a tensor, left or fewer.
func (b *banks) part(t *arch.Tensor, info *gguf.TensorInfo, left uint64) []byte {
	if info.Type == gguf.F32 && t.Exact() {
		return b.exact(t, info)
	}
	// By their scale products keep the size of their input. Embeddings stay large
	// beside what the layers add, or else all tokens would soon look alike.
	key := bank{info.Dims[0], 1 / math.Sqrt(float64(info.Dims[0]))}
	if t.Role == arch.TokenEmbedding {
		key.scale = 1
	}
	row, _ := quant.Bytes(info.Type, int(key.cols))
	rows := b.byRow[key]
	if rows == nil {
		rows = b.rows(info.Type, key, max(64, bankBytes/row))
		b.byRow[key] = rows
	}
	from := b.random.IntN(len(rows)/row) * row
	return rows[from:min(uint64(len(rows)), uint64(from)+left)]
}

// rows returns n encoded rows of normal weights.
func (b *banks) rows(t gguf.Type, key bank, n int) []byte {
	weights := make([]float32, n*int(key.cols))
	for i := range weights {
		weights[i] = float32(key.scale * b.random.NormFloat64())
	}
	size, _ := quant.Bytes(t, int(key.cols))
	out := make([]byte, n*size)
	quant.Quantize(t, out, weights, nil)
	return out
}

// exact returns a whole tensor that is never quantized.
func (b *banks) exact(t *arch.Tensor, info *gguf.TensorInfo) []byte {
	values := make([]float32, info.Elements())
	for i := range values {
		switch t.Role {
		case arch.Router:
			values[i] = float32(b.random.NormFloat64() / math.Sqrt(float64(info.Dims[0])))
		case arch.RouterBias:
			values[i] = float32(b.x.Favour * b.random.NormFloat64())
		default:
			values[i] = 1 // norms
		}
	}
	out := make([]byte, info.Bytes())
	quant.Quantize(gguf.F32, out, values, nil)
	return out
}
