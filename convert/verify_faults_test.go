package convert_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
)

// found is what must be found: nothing else may be.
type found struct {
	kind   convert.Kind
	tensor string
	expert int
	text   string // a part of it
}

const (
	gate1, up1, down1 = "blk.1.ffn_gate_exps.weight", "blk.1.ffn_up_exps.weight", "blk.1.ffn_down_exps.weight"
	down2             = "blk.2.ffn_down_exps.weight"
	qkv1, out1        = "blk.1.attn_qkv.weight", "blk.1.attn_output.weight"
	norm1, ffnNorm1   = "blk.1.attn_norm.weight", "blk.1.ffn_norm.weight"
	router1, bias1    = "blk.1.ffn_gate_inp.weight", "blk.1.exp_probs_b.bias"
)

// order returns f of 0 to n-1.
func order(n int, f func(i int) int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = f(i)
	}
	return rows
}

// qkvRows returns the rows of narrow's projection in an order: 4 query heads, 2
// key heads and 2 value heads of 16 rows each, given by head.
func qkvRows(heads ...int) []int {
	var rows []int
	for _, h := range heads {
		for r := range 16 {
			rows = append(rows, 16*h+r)
		}
	}
	return rows
}

// The damage that is done to narrow: 32 experts in layers 1 and 2, layer 0 is
// dense, all in the given type.
var damages = []struct {
	name   string
	damage func(m *model)
	want   []found
}{
	{"swapped", func(m *model) { swap(m.get(gate1).expert(5), m.get(gate1).expert(9)) },
		[]found{{convert.KindSwapped, gate1, 5, "expert 9"}, {convert.KindSwapped, gate1, 9, "expert 5"}}},
	{"duplicate", func(m *model) { copy(m.get(up1).expert(5), m.get(up1).expert(9)) },
		[]found{{convert.KindDuplicate, up1, 5, "holds expert 9's weights, as expert 9 does"}}},
	{"triplicate", func(m *model) {
		copy(m.get(up1).expert(5), m.get(up1).expert(9))
		copy(m.get(up1).expert(31), m.get(up1).expert(9))
	}, []found{{convert.KindDuplicate, up1, 5, "expert 9"}, {convert.KindDuplicate, up1, 31, "expert 9"}}},
	{"zero expert", func(m *model) { clear(m.get(down2).expert(31)) }, []found{{convert.KindZero, down2, 31, "is all zero"}}},
	{"zero stack", func(m *model) { clear(m.get(down2).data) }, []found{{convert.KindZero, down2, -1, "32 of 32 experts likewise"}}},
	{"reversed", func(m *model) { m.get(down1).reorder(order(32, func(i int) int { return 31 - i })) },
		[]found{{convert.KindOrder, down1, -1, "expert 0 holds expert 31, expert 1 holds expert 30"}}},
	{"rotated", func(m *model) { m.get(down1).reorder(order(32, func(i int) int { return (i + 1) % 32 })) },
		[]found{{convert.KindOrder, down1, -1, "32 experts in other places: expert 0 holds expert 1, "}}},
	{"three in a circle", func(m *model) {
		swap(m.get(down1).expert(1), m.get(down1).expert(2))
		swap(m.get(down1).expert(2), m.get(down1).expert(3))
	}, []found{{convert.KindOrder, down1, -1, "3 experts in other places: expert 1 holds expert 2, expert 2 holds expert 3, expert 3 holds expert 1"}}},
	{"groups stacked the other way", func(m *model) {
		m.get(gate1).reorder(order(32, func(i int) int { return i%8*4 + i/8 }))
	}, []found{{convert.KindOrder, gate1, -1, "expert 1 holds expert 4"}}},
	{"rows of experts mixed", func(m *model) { // [out, experts, in] instead of [experts, out, in]
		m.get(gate1).reorder(order(32*32, func(i int) int { return i%32*32 + i/32 }))
	}, []found{{convert.KindOrder, gate1, -1, "row 0 of every expert before"}}},
	{"missing expert", func(m *model) {
		s := m.get(gate1)
		size := len(s.expert(0))
		s.data = slices.Delete(s.data, 3*size, 4*size)
		s.Dims[2] = 31
	}, []found{
		{convert.KindMissingExpert, gate1, -1, "has 31 experts, not 32"},
		{convert.KindOrder, gate1, -1, "expert 3 holds expert 4"},
		{convert.KindMissingExpert, gate1, 3, ""},
	}},
	{"last expert missing", func(m *model) {
		s := m.get(gate1)
		s.data = s.data[:len(s.data)-len(s.expert(0))]
		s.Dims[2] = 31
	}, []found{{convert.KindMissingExpert, gate1, -1, "31"}, {convert.KindMissingExpert, gate1, 31, ""}}},
	{"one expert too many", func(m *model) {
		s := m.get(gate1)
		s.data = append(s.data, s.expert(0)...)
		s.Dims[2] = 33
	}, []found{{convert.KindShape, gate1, -1, "has 33 experts, not 32"}}},
	{"gate and up exchanged", func(m *model) { m.exchange(gate1, up1) },
		[]found{{convert.KindMisplaced, gate1, -1, up1}, {convert.KindMisplaced, up1, -1, gate1}}},
	{"gate and up of one expert exchanged", func(m *model) { swap(m.get(gate1).expert(7), m.get(up1).expert(7)) },
		[]found{{convert.KindMisplaced, gate1, 7, "expert 7 of " + up1}, {convert.KindMisplaced, up1, 7, "expert 7 of " + gate1}}},
	{"gate twice", func(m *model) { copy(m.get(up1).expert(7), m.get(gate1).expert(7)) },
		[]found{{convert.KindMisplaced, up1, 7, "holds expert 7 of " + gate1}}},
	{"layers exchanged", func(m *model) { m.exchange(down1, down2) },
		[]found{{convert.KindMisplaced, down1, -1, down2}, {convert.KindMisplaced, down2, -1, down1}}},
	{"expert of another layer", func(m *model) { copy(m.get(down1).expert(4), m.get(down2).expert(6)) },
		[]found{{convert.KindMisplaced, down1, 4, "expert 6 of " + down2}}},
	{"shared gate and up", func(m *model) { m.exchange("blk.2.ffn_gate_shexp.weight", "blk.2.ffn_up_shexp.weight") },
		[]found{{convert.KindMisplaced, "blk.2.ffn_gate_shexp.weight", -1, ""}, {convert.KindMisplaced, "blk.2.ffn_up_shexp.weight", -1, ""}}},
	{"shared expert is a routed one", func(m *model) { copy(m.get("blk.2.ffn_gate_shexp.weight").data, m.get(gate1).expert(2)) },
		[]found{{convert.KindMisplaced, "blk.2.ffn_gate_shexp.weight", -1, "expert 2 of " + gate1}}},
	{"dense gate and up", func(m *model) { m.exchange("blk.0.ffn_gate.weight", "blk.0.ffn_up.weight") },
		[]found{{convert.KindMisplaced, "blk.0.ffn_gate.weight", -1, ""}, {convert.KindMisplaced, "blk.0.ffn_up.weight", -1, ""}}},
	{"embedding and head", func(m *model) { m.exchange("token_embd.weight", "output.weight") },
		[]found{{convert.KindMisplaced, "token_embd.weight", -1, ""}, {convert.KindMisplaced, "output.weight", -1, ""}}},
	{"head tied", func(m *model) { copy(m.get("output.weight").data, m.get("token_embd.weight").data) },
		[]found{{convert.KindMisplaced, "output.weight", -1, "token_embd.weight"}}},

	{"norm of another layer", func(m *model) { copy(m.get(norm1).data, m.get("blk.2.attn_norm.weight").data) },
		[]found{{convert.KindMisplaced, norm1, -1, "blk.2.attn_norm.weight"}}},
	{"norms exchanged", func(m *model) { m.exchange(norm1, ffnNorm1) },
		[]found{{convert.KindMisplaced, norm1, -1, ffnNorm1}, {convert.KindMisplaced, ffnNorm1, -1, norm1}}},
	{"query and key norms", func(m *model) { m.exchange("blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight") },
		[]found{{convert.KindMisplaced, "blk.0.attn_q_norm.weight", -1, ""}, {convert.KindMisplaced, "blk.0.attn_k_norm.weight", -1, ""}}},
	{"norm of ones", func(m *model) {
		m.get("output_norm.weight").edit(func(x []float32) {
			for i := range x {
				x[i] = 1
			}
		})
	}, []found{{convert.KindStale, "output_norm.weight", -1, "is 1 everywhere"}}},
	{"stale norm", func(m *model) {
		m.get(norm1).edit(func(x []float32) {
			for i := range x {
				x[i] += 0.01 * float32(i%7-3) * x[(i+1)%len(x)]
			}
		})
	}, []found{{convert.KindStale, norm1, -1, "another state"}}},
	{"norm minus one", func(m *model) { // stored as what is added to 1
		m.get(norm1).edit(func(x []float32) {
			for i := range x {
				x[i]--
			}
		})
	}, []found{{convert.KindStale, norm1, -1, "another state"}}},
	{"one element of a norm", func(m *model) {
		m.get(norm1).edit(func(x []float32) { x[17] = math.Nextafter32(x[17], 9) })
	}, []found{{convert.KindBlock, norm1, -1, "damage in 1 of 64 blocks of f32, the first at row 0, column 17"}}},
	{"norm reversed", func(m *model) { m.get(norm1).edit(func(x []float32) { slices.Reverse(x) }) },
		[]found{{convert.KindOrder, norm1, -1, ""}}},
	{"bias of experts swapped", func(m *model) { m.get(bias1).edit(func(x []float32) { x[5], x[9] = x[9], x[5] }) },
		[]found{{convert.KindOrder, bias1, -1, "from element 5 on"}}},
	{"bias zero", func(m *model) { clear(m.get(bias1).data) }, []found{{convert.KindZero, bias1, -1, ""}}},
	{"router rows swapped", func(m *model) {
		m.get(router1).reorder(order(32, func(i int) int { return map[int]int{5: 9, 9: 5}[i] + i*btoi(i != 5 && i != 9) }))
	}, []found{{convert.KindRows, router1, -1, "row 5 holds row 9"}}},

	{"keys and values exchanged", func(m *model) { m.get(qkv1).reorder(qkvRows(0, 1, 2, 3, 6, 7, 4, 5)) },
		[]found{{convert.KindQKV, qkv1, -1, "row 0 of key head 0 holds row 0 of value head 0"}}},
	{"values first", func(m *model) { m.get(qkv1).reorder(qkvRows(6, 7, 0, 1, 2, 3, 4, 5)) },
		[]found{{convert.KindQKV, qkv1, -1, "row 0 of query head 0 holds row 0 of value head 0"}}},
	{"by groups", func(m *model) { m.get(qkv1).reorder(qkvRows(0, 1, 4, 6, 2, 3, 5, 7)) },
		[]found{{convert.KindQKV, qkv1, -1, "row 0 of query head 2 holds row 0 of key head 0"}}},
	{"rotation by neighbours", func(m *model) { // of the 8 rows that rotate
		m.get(qkv1).reorder(order(128, func(i int) int {
			if h, r := i/16, i%16; h < 6 && r < 8 {
				return 16*h + r%2*4 + r/2
			}
			return i
		}))
	}, []found{{convert.KindQKV, qkv1, -1, "row 1 of query head 0 holds row 4 of query head 0"}}},
	{"rotation of whole heads, back", func(m *model) {
		m.get(qkv1).reorder(order(128, func(i int) int {
			if h, r := i/16, i%16; h < 6 {
				return 16*h + r%8*2 + r/8
			}
			return i
		}))
	}, []found{{convert.KindQKV, qkv1, -1, "row 1 of query head 0 holds row 2 of query head 0"}}},
	{"two heads swapped", func(m *model) { m.get(qkv1).reorder(qkvRows(1, 0, 2, 3, 4, 5, 6, 7)) },
		[]found{{convert.KindQKV, qkv1, -1, "row 0 of query head 0 holds row 0 of query head 1"}}},
	{"rows shifted", func(m *model) { m.get(out1).reorder(order(64, func(i int) int { return (i + 63) % 64 })) },
		[]found{{convert.KindRows, out1, -1, "row 0 holds row 63"}}},
	{"half of the rows zero", func(m *model) { s := m.get(out1); clear(s.data[len(s.data)/2:]) },
		[]found{{convert.KindBlock, out1, -1, "the first at row 32, column 0"}}},
	{"another state of the training", func(m *model) {
		r := rand.New(rand.NewPCG(3, 4))
		s := m.get(down1)
		s.edit(func(x []float32) {
			for i := range x[:2*2048] { // of experts 11 and 12
				x[i+11*2048] *= 1 + 0.4*float32(r.NormFloat64())
			}
		})
	}, []found{{convert.KindValues, down1, 11, "differs by 0.4"}, {convert.KindValues, down1, 12, "differs by 0.4"}}},
	{"random", func(m *model) {
		r := rand.New(rand.NewPCG(3, 4))
		m.get("blk.0.ffn_down.weight").edit(func(x []float32) {
			for i := range x {
				x[i] = 0.02 * float32(r.NormFloat64())
			}
		})
	}, []found{{convert.KindValues, "blk.0.ffn_down.weight", -1, "differs by"}}},

	{"tensor missing", func(m *model) { m.remove(out1) }, []found{{convert.KindMissing, out1, -1, ""}}},
	{"stack missing", func(m *model) { m.remove(down1) }, []found{{convert.KindMissing, down1, -1, ""}}},
	{"norm missing", func(m *model) { m.remove("blk.2.attn_k_norm.weight") },
		[]found{{convert.KindMissing, "blk.2.attn_k_norm.weight", -1, ""}}},
	{"tensor renamed", func(m *model) { m.get(out1).Name = "blk.1.attn_out.weight" },
		[]found{{convert.KindMissing, out1, -1, ""}, {convert.KindExtra, "blk.1.attn_out.weight", -1, ""}}},
	{"tensor too many", func(m *model) {
		c := *m.get(down1)
		c.Name = "blk.3.ffn_down_exps.weight"
		m.tensors = append(m.tensors, &c)
	}, []found{{convert.KindExtra, "blk.3.ffn_down_exps.weight", -1, ""}}},
	{"index too many", func(m *model) {
		m.tensors = append(m.tensors, &stored{gguf.TensorInfo{Name: "blk.1.ffn_down_exps.index", Type: gguf.I32, Dims: []uint64{2, 32}}, make([]byte, 256)})
	}, []found{{convert.KindExtra, "blk.1.ffn_down_exps.index", -1, ""}}},
	{"dimensions exchanged", func(m *model) { slices.Reverse(m.get("blk.0.ffn_gate.weight").Dims) },
		[]found{{convert.KindShape, "blk.0.ffn_gate.weight", -1, "[96 64], not [64 96]"}}},
	{"experts in the middle", func(m *model) { s := m.get("blk.1.ffn_gate_exps.weight"); s.Dims = []uint64{32, 64, 32} },
		[]found{{convert.KindShape, gate1, -1, "[32 64 32], not [64 32 32]"}}},
	{"vector flat", func(m *model) { m.get(norm1).Dims = []uint64{32, 2} }, []found{{convert.KindShape, norm1, -1, ""}}},
	{"router rounded", func(m *model) { s := m.get(router1); s.encode(gguf.F16, s.floats(), nil) },
		[]found{{convert.KindType, router1, -1, "f16"}}},
	{"type without arithmetic", func(m *model) {
		s := m.get(out1)
		s.Type, s.data = gguf.I8, make([]byte, 64*64)
	}, []found{{convert.KindType, out1, -1, "i8"}}},
	{"nothing finite", func(m *model) {
		m.get(norm1).edit(func(x []float32) { x[3], x[4] = float32(math.NaN()), float32(math.Inf(1)) })
	}, []found{{convert.KindNonFinite, norm1, -1, "2 infinities"}}},
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestVerifyFindsFaults(t *testing.T) {
	dir := verified(t)["narrow"]
	types := []gguf.Type{gguf.Q4_0}
	if os.Getenv(fullVariable) != "" {
		types = append(types, gguf.F32, gguf.BF16, gguf.Q8_0, gguf.Q5_0)
	}
	for _, typ := range types {
		honest := load(t, dir, typ)
		for _, c := range damages {
			t.Run(typ.String()+" "+c.name, func(t *testing.T) {
				m := honest.clone()
				c.damage(m)
				require.Empty(t, missed(verify(t, dir, m.file(t), convert.VerifyOptions{}), c.want))
			})
		}
	}
}

// missed says how the faults differ from the wanted ones; "" if they do not.
func missed(v *convert.Verification, want []found) string {
	ok := v.Faults == len(want) && len(v.Findings) == len(want)
	for _, w := range want {
		ok = ok && slices.ContainsFunc(v.Findings, func(f convert.Finding) bool {
			layer := -1
			if len(f.Tensor) > 4 && f.Tensor[:4] == "blk." && f.Kind != convert.KindExtra {
				layer = int(f.Tensor[4] - '0')
			}
			return f.Severity == convert.Fault && f.Kind == w.kind && f.Tensor == w.tensor && f.Expert == w.expert &&
				f.Layer == layer && strings.Contains(f.Text, w.text)
		})
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("found: %v", v.Findings)
}

// The faults that checkpoints really get, all in one file, of every checkpoint
// and in formats of all kinds.
func TestVerifyFindsFaultsTogether(t *testing.T) {
	dirs := verified(t)
	for name, types := range map[string][]gguf.Type{
		"narrow": {gguf.MXFP4, gguf.IQ4_NL, gguf.Q5_1},
		"wide":   {gguf.Q3_K, gguf.BF16, gguf.Q6_K, gguf.Q4_K, gguf.Q2_K},
		"tiny":   {gguf.F16, gguf.Q4_1},
	} {
		cfg := configOf(t, dirs[name])
		kv, last := cfg.KVHeads*cfg.HeadDim, cfg.Experts-1
		if os.Getenv(fullVariable) == "" {
			types = types[:1]
		}
		for _, typ := range types {
			t.Run(name+" "+typ.String(), func(t *testing.T) {
				m := load(t, dirs[name], typ)
				up := m.get(up1)
				swap(up.expert(0), up.expert(1))
				clear(up.expert(2))
				copy(up.expert(3), up.expert(4))
				m.get(gate1).reorder(order(cfg.Experts, func(i int) int { return last - i }))
				down := m.get(down1)
				down.data = down.data[:len(down.data)-len(down.expert(0))]
				down.Dims[2]--
				m.get(qkv1).reorder(order(cfg.QKVDim(), func(i int) int {
					switch k := cfg.Heads * cfg.HeadDim; {
					case i >= k+kv:
						return i - kv
					case i >= k:
						return i + kv
					}
					return i
				}))
				m.get(norm1).edit(func(x []float32) {
					for i := range x {
						x[i] = 1
					}
				})
				m.get("blk.0.ffn_norm.weight").edit(func(x []float32) {
					for i := range x {
						x[i] *= 1.01
					}
				})
				v := verify(t, dirs[name], m.file(t), convert.VerifyOptions{})
				require.Empty(t, missed(v, []found{
					{convert.KindSwapped, up1, 0, "expert 1"},
					{convert.KindSwapped, up1, 1, "expert 0"},
					{convert.KindZero, up1, 2, ""},
					{convert.KindDuplicate, up1, 3, "holds expert 4's weights, as expert 4 does"},
					{convert.KindOrder, gate1, -1, fmt.Sprintf("expert 0 holds expert %d, ", last)},
					{convert.KindMissingExpert, down1, -1, fmt.Sprintf("has %d experts, not", last)},
					{convert.KindMissingExpert, down1, last, "no place"},
					{convert.KindQKV, qkv1, -1, "row 0 of key head 0 holds row 0 of value head 0"},
					{convert.KindStale, norm1, -1, "is 1 everywhere"},
					{convert.KindStale, "blk.0.ffn_norm.weight", -1, "differs by 0.01 "},
				}))
			})
		}
	}
}
