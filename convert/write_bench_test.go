package convert_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// randomFolder returns a checkpoint of 150 MB in matrices of mini's widths.
func randomFolder(b *testing.B) *folder {
	f := toy()
	for field, v := range map[string]int{
		"hidden_size": 2048, "intermediate_size": 5120, "num_attention_heads": 16, "num_key_value_heads": 4,
		"head_dim": 128, "rotary_dim": 64, "vocab_size": 2048, "num_experts": 8, "moe_intermediate_size": 512,
	} {
		f.config[field] = v
	}
	config, err := json.Marshal(f.config)
	require.NoError(b, err)
	hf, err := arch.ParseHF(config)
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(1, 2))
	var random []byte
	for range 1 << 16 {
		random = binary.LittleEndian.AppendUint16(random, bf16(0.02*r.NormFloat64()))
	}
	f.shards = map[string]tensors{"model.safetensors": {}}
	for _, tensor := range hf.Tensors() {
		shape := tensor.Shape
		if tensor.Merged != "" {
			shape = shape[1:]
		}
		e := entry{DType: "BF16"}
		for _, n := range shape {
			e.Shape = append(e.Shape, uint64(n))
		}
		size := 2 * count(e.Shape)
		e.data = bytes.Repeat(random, size/len(random)+1)[:size]
		for _, name := range tensor.HF {
			f.shards["model.safetensors"][name] = &e
		}
	}
	return f
}

// BenchmarkWrite converts a BF16 checkpoint from the page cache. MB/s are of the
// input.
func BenchmarkWrite(b *testing.B) {
	dir := randomFolder(b).write(b)
	for _, typ := range []gguf.Type{gguf.BF16, gguf.F32, gguf.Q8_0, gguf.Q4_0, gguf.Q4_K, gguf.Q6_K} {
		b.Run(typ.String(), func(b *testing.B) {
			c, err := convert.Open(dir)
			require.NoError(b, err)
			defer c.Close()
			plan, err := c.Plan(convert.Options{Recipe: quant.Plain(typ)})
			require.NoError(b, err)
			exact, err := c.Plan(convert.Options{Recipe: quant.Plain(gguf.BF16)})
			require.NoError(b, err)
			b.SetBytes(int64(exact.Bytes()))
			path := filepath.Join(b.TempDir(), "out.gguf")
			for b.Loop() {
				_, err := plan.Write(b.Context(), path)
				require.NoError(b, err)
			}
		})
	}
}
