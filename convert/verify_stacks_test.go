package convert_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// Damage to a single block, in every format that has blocks, in files made with
// and without importance.
func TestVerifyFindsDamagedBlocks(t *testing.T) {
	dir := verified(t)["wide"]
	exact, importance := load(t, dir, gguf.F32), importanceOf(t, dir)
	types := []gguf.Type{gguf.Q8_0, gguf.Q4_0, gguf.Q2_K}
	if os.Getenv(fullVariable) != "" {
		types = quant.Types[3:]
	}
	for _, typ := range types {
		weights, size := typ.Block()
		damages := []func(b []byte){
			func(b []byte) { b[size/2] ^= 0x88 }, // the upper bits of two nibbles
			func(b []byte) { clear(b) },
			func(b []byte) { scaleOf(typ, b)[0] ^= 8 }, // a scale four times as large, or a quarter
			nil,
			func(b []byte) { slices.Reverse(b[size/3:]) },
		}
		for _, weighted := range []bool{false, true} {
			m := exact.clone()
			s := m.get(up1)
			all := s.floats()
			each := len(all) / int(s.Dims[2])
			s.Type, s.data = typ, nil
			for e := range s.Dims[2] {
				var columns []float32
				if weighted {
					columns = importance.Entries[up1].Of(int(e))
				}
				n, err := quant.Bytes(typ, each)
				require.NoError(t, err)
				one := make([]byte, n)
				quant.Quantize(typ, one, all[int(e)*each:int(e+1)*each], columns)
				s.data = append(s.data, one...)
			}
			opt := convert.VerifyOptions{}
			if weighted {
				opt.Importance = importance
			}
			require.Empty(t, verify(t, dir, m.file(t), opt).Findings)
			var want []found
			at := 7 * weights
			cols := int(s.Dims[0])
			for e, damage := range damages {
				if damage != nil {
					damage(s.expert(e)[7*size : 8*size])
					want = append(want, found{convert.KindBlock, up1, e, fmt.Sprintf("damage in 1 of %d blocks of %s, the first at row %d, column %d",
						each/weights, typ, at/cols, at%cols)})
				}
			}
			require.Empty(t, missed(verify(t, dir, m.file(t), opt), want), "%s, importance: %v", typ, weighted)
			if weighted { // without it the file may have been made by anybody; an empty block is none of anybody's
				findings := verify(t, dir, m.file(t), convert.VerifyOptions{}).Findings
				require.True(t, slices.ContainsFunc(findings, func(f convert.Finding) bool { return f.Expert == 1 && f.Kind == convert.KindBlock }), typ)
			}
		}
	}
}

// scaleOf returns the upper byte of a block's scale: sign and exponent.
func scaleOf(typ gguf.Type, block []byte) []byte {
	at := map[gguf.Type]int{gguf.Q6_K: 209, gguf.Q3_K: 109, gguf.Q2_K: 81, gguf.MXFP4: 0}[typ]
	if at == 0 && typ != gguf.MXFP4 {
		at = 1
	}
	return block[at:]
}

// mixedNarrow returns narrow with experts of three types.
func mixedNarrow(t *testing.T, dir string) *model {
	m, cfg := load(t, dir, gguf.F32), configOf(t, dir)
	m.mix(t, m.clone(), &cfg, gguf.Q8_0, gguf.Q4_0, gguf.F16)
	return m
}

func TestVerifyFindsFaultsOfMixedStacks(t *testing.T) {
	dir := verified(t)["narrow"]
	honest := mixedNarrow(t, dir)
	stack := func(m *model, i string) *stored { return m.get("blk.1.ffn_up_exps." + i + ".weight") }
	const index = "blk.1.ffn_up_exps.index"
	place := func(m *model, e int) []byte { return m.get(index).data[8*e : 8*e+8] }
	types := map[string]int{} // the first expert of every stack
	for e := range 32 {
		p := place(honest, e)
		if name := "blk.1.ffn_up_exps." + string('0'+rune(p[0])) + ".weight"; p[4] == 0 {
			types[name] = e
		}
	}
	first := types["blk.1.ffn_up_exps.1.weight"]
	for _, c := range []struct {
		name   string
		damage func(m *model)
		want   []found
	}{
		{"weights swapped", func(m *model) { s := stack(m, "1"); swap(s.expert(0), s.expert(2)) }, []found{
			{convert.KindSwapped, "blk.1.ffn_up_exps.1.weight", first, ""}, {convert.KindSwapped, "blk.1.ffn_up_exps.1.weight", first + 6, ""}}},
		{"places swapped", func(m *model) { swap(place(m, 0), place(m, 1)) }, []found{
			{convert.KindSwapped, "blk.1.ffn_up_exps.0.weight", 1, ""}, {convert.KindSwapped, "blk.1.ffn_up_exps.1.weight", 0, ""}}},
		{"one place for two", func(m *model) { copy(place(m, 5), place(m, 8)) }, []found{{convert.KindIndex, index, -1, "slot"}}},
		{"place outside", func(m *model) { place(m, 5)[4] = 99 }, []found{{convert.KindIndex, index, -1, "slot"}}},
		{"no such stack", func(m *model) { place(m, 5)[0] = 7 }, []found{{convert.KindIndex, index, -1, "missing"}}},
		{"zero", func(m *model) { clear(stack(m, "2").expert(0)) },
			[]found{{convert.KindZero, "blk.1.ffn_up_exps.2.weight", types["blk.1.ffn_up_exps.2.weight"], ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := honest.clone()
			c.damage(m)
			v := verify(t, dir, m.file(t), convert.VerifyOptions{})
			if c.want[0].kind == convert.KindIndex { // its stacks are then nobody's
				kept := v.Findings[:0]
				for _, f := range v.Findings {
					if f.Kind != convert.KindExtra {
						kept = append(kept, f)
					}
				}
				v.Findings, v.Faults = kept, len(kept)
			}
			require.Empty(t, missed(v, c.want))
		})
	}
	m := honest.clone()
	m.remove(index)
	v := verify(t, dir, m.file(t), convert.VerifyOptions{})
	require.Contains(t, fmt.Sprint(v.Findings), "fault: missing: "+up1)
}

// Verifying takes no more memory with a larger model.
func TestVerifyMemory(t *testing.T) {
	if os.Getenv(fullVariable) == "" {
		t.Skip("verifies gigabytes; set " + fullVariable)
	}
	f := toy()
	for field, v := range map[string]int{
		"hidden_size": 2048, "intermediate_size": 5120, "num_hidden_layers": 12, "num_attention_heads": 16,
		"num_key_value_heads": 4, "head_dim": 128, "rotary_dim": 64, "vocab_size": 32768,
		"num_experts": 256, "moe_intermediate_size": 128,
	} {
		f.config[field] = v
	}
	dir := sparse(t, f)
	path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0)})
	file := open(t, path)
	grown := peak(t, func() {
		v := verify(t, dir, file, convert.VerifyOptions{Threads: 32})
		require.Zero(t, v.Faults)
	})
	t.Logf("%d MiB above the start", grown>>20)
	require.Less(t, grown, int64(512<<20))
}
