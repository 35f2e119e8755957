package convert_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"lladakit/internal/gguf"
)

// hfNames has the checkpoint's part of each name that differs from the file's.
var hfNames = strings.NewReplacer(
	"blk.", "model.layers.", "token_embd", "model.word_embeddings", "output_norm", "model.norm",
	"attn_norm", "input_layernorm", "attn_qkv", "attention.query_key_value", "attn_output", "attention.dense",
	"attn_q_norm", "attention.query_layernorm", "attn_k_norm", "attention.key_layernorm",
	"ffn_norm", "post_attention_layernorm", "ffn_gate_inp", "mlp.gate", "exp_probs_b.bias", "mlp.gate.expert_bias",
	"ffn_gate_exps", "mlp.experts.%d.gate_proj", "ffn_up_exps", "mlp.experts.%d.up_proj", "ffn_down_exps", "mlp.experts.%d.down_proj",
	"ffn_gate_shexp", "mlp.shared_experts.gate_proj", "ffn_up_shexp", "mlp.shared_experts.up_proj", "ffn_down_shexp", "mlp.shared_experts.down_proj",
	"ffn_gate", "mlp.gate_proj", "ffn_up", "mlp.up_proj", "ffn_down", "mlp.down_proj", "output", "lm_head",
)

// stacked returns the weights that a tensor of a GGUF file must have, the
// experts one after the other, and its shape, outermost first.
func stacked(all tensors, name string) (weights []float32, shape []uint64) {
	hf := hfNames.Replace(name)
	if !strings.Contains(hf, "%d") {
		return all[hf].floats(), all[hf].Shape
	}
	n := 0
	for ; all[fmt.Sprintf(hf, n)] != nil; n++ {
		weights = append(weights, all[fmt.Sprintf(hf, n)].floats()...)
	}
	return weights, append([]uint64{uint64(n)}, all[fmt.Sprintf(hf, 0)].Shape...)
}

// decode reads the weights of a GGUF tensor, without the code under test.
func decode(t testing.TB, tensor *gguf.Tensor) []float32 {
	t.Helper()
	le := binary.LittleEndian
	out := make([]float32, tensor.Elements())
	d := func(block []byte) float32 { return float16.Frombits(le.Uint16(block)).Float32() }
	for i := range out {
		switch tensor.Type {
		case gguf.F32:
			out[i] = math.Float32frombits(le.Uint32(tensor.Data[4*i:]))
		case gguf.F16:
			out[i] = float16.Frombits(le.Uint16(tensor.Data[2*i:])).Float32()
		case gguf.BF16:
			out[i] = math.Float32frombits(uint32(le.Uint16(tensor.Data[2*i:])) << 16)
		case gguf.Q8_0:
			b := tensor.Data[i/32*34:]
			out[i] = d(b) * float32(int8(b[2+i%32]))
		case gguf.Q4_0:
			b := tensor.Data[i/32*18:]
			out[i] = d(b) * float32(int(b[2+i%16]>>(i%32/16*4)&15)-8)
		default:
			require.Fail(t, "type "+tensor.Type.String())
		}
	}
	return out
}

// tolerance returns how far each decoded weight may be from the original.
func tolerance(typ gguf.Type, want []float32) []float64 {
	out := make([]float64, len(want))
	for i := range out {
		switch typ {
		case gguf.F16:
			out[i] = max(math.Abs(float64(want[i]))/2048, 1.0/(1<<25))
		case gguf.Q8_0, gguf.Q4_0:
			var most float64
			for _, x := range want[i/32*32 : i/32*32+32] {
				most = max(most, math.Abs(float64(x)))
			}
			// Half a step, or a whole one at the short end of q4_0's codes, and the
			// rounding of the step to half precision.
			out[i] = most/127*0.5 + most/1024 + 1e-7
			if typ == gguf.Q4_0 {
				out[i] = most/8 + most/1024 + 1e-7
			}
		}
	}
	return out
}

// checkFile compares a whole GGUF file with the checkpoint it was made from.
func checkFile(t *testing.T, f *gguf.File, all tensors, typ gguf.Type) {
	t.Helper()
	total := 0
	for i := range f.Tensors {
		tensor := &f.Tensors[i]
		want, shape := stacked(all, tensor.Name)
		dims := slices.Clone(shape)
		slices.Reverse(dims)
		require.Equal(t, dims, tensor.Dims, tensor.Name)
		total += len(want)
		wantType := typ
		if len(shape) == 1 || strings.Contains(tensor.Name, "ffn_gate_inp") {
			wantType = gguf.F32
		}
		require.Equal(t, wantType, tensor.Type, tensor.Name)
		got := decode(t, tensor)
		far := tolerance(tensor.Type, want)
		for j := range want {
			if !(math.Abs(float64(got[j])-float64(want[j])) <= far[j]) {
				require.Fail(t, "wrong weight", "%s: weight %d: %g, not %g", tensor.Name, j, got[j], want[j])
			}
		}
	}
	sum := 0
	for _, e := range all {
		sum += count(e.Shape)
	}
	assert.Equal(t, sum, total, "weights of the checkpoint and of the file")
}
