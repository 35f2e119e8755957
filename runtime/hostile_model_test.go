package runtime_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
	"lladakit/runtime"
)

// forgery is a file in memory, to be changed and written. It is a valid GGUF
// file whatever it says about the model.
type forgery struct {
	md      gguf.Metadata
	tensors []gguf.TensorInfo
	data    [][]byte
}

func forge(t testing.TB, path string) *forgery {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := gguf.Parse(raw)
	require.NoError(t, err)
	out := &forgery{md: f.Metadata}
	for _, tensor := range f.Tensors {
		out.tensors = append(out.tensors, tensor.TensorInfo)
		out.data = append(out.data, tensor.Data)
	}
	return out
}

// clone returns a copy that can be changed, but for the bytes of tensors.
func (f *forgery) clone() *forgery {
	return &forgery{slices.Clone(f.md), slices.Clone(f.tensors), slices.Clone(f.data)}
}

// at returns the index of a tensor.
func (f *forgery) at(name string) int {
	return slices.IndexFunc(f.tensors, func(t gguf.TensorInfo) bool { return t.Name == name })
}

// set changes a key, adds it, or for nil removes it.
func (f *forgery) set(key string, value any) *forgery {
	f.md = slices.DeleteFunc(f.md, func(kv gguf.KeyValue) bool { return kv.Key == key })
	if value != nil {
		f.md = append(f.md, gguf.KeyValue{Key: key, Value: value})
	}
	return f
}

// edit gives a tensor other bytes.
func (f *forgery) edit(name string, change func(data []byte)) *forgery {
	i := f.at(name)
	f.data[i] = bytes.Clone(f.data[i])
	change(f.data[i])
	return f
}

// write writes the file. Every forgery of a test has the same name.
func (f *forgery) write(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "forged.gguf")
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	w, err := gguf.NewWriter(file, f.md, f.tensors)
	require.NoError(t, err)
	for _, data := range f.data {
		_, err := w.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return path
}

// invent returns a file with random weights of any configuration.
func invent(c arch.Config, mask, eos int32) *forgery {
	f := &forgery{md: c.Metadata()}
	for _, kv := range tokenizer.NoVocab(mask, eos) {
		f.md = append(f.md, gguf.KeyValue(kv))
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, t := range c.Tensors() {
		info := gguf.TensorInfo{Name: t.GGUF, Type: gguf.F32}
		n := 1
		for _, d := range slices.Backward(t.Shape) {
			info.Dims = append(info.Dims, uint64(d))
			n *= d
		}
		var data []byte
		for range n {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(rng.NormFloat64()/4)))
		}
		f.tensors, f.data = append(f.tensors, info), append(f.data, data)
	}
	return f
}

// small is a model of a few kilobytes.
func small() arch.Config {
	return arch.Config{
		Name: "small", Vocab: 20, Hidden: 8, Layers: 2, Context: 512, Heads: 2, KVHeads: 1, HeadDim: 4, RotaryDim: 2,
		RopeTheta: 1e4, RMSEps: 1e-6, DenseLayers: 1, DenseFF: 12, Experts: 4, ExpertsUsed: 2, ExpertFF: 6,
		ExpertGroups: 2, GroupsUsed: 1, ExpertScale: 1, Shared: 1, SharedFF: 6, BlockLength: 8, Steps: 8, Threshold: 0.9,
	}
}

func TestLoadWrongTensors(t *testing.T) {
	dir := t.TempDir()
	models := map[string]*forgery{"small": invent(small(), 18, 19)}
	if os.Getenv(fullVariable) != "" {
		models["narrow"] = forge(t, load(t, golden(t)[0].Dir, gguf.F16).Paths()[0])
	}
	for name, f := range models {
		require.NoError(t, try(t, f.write(t, dir), name))
		for i, info := range f.tensors {
			missing := f.clone()
			missing.tensors, missing.data = slices.Delete(missing.tensors, i, i+1), slices.Delete(missing.data, i, i+1)
			err := try(t, missing.write(t, dir), info.Name)
			if strings.HasSuffix(info.Name, "_norm.weight") && strings.Contains(info.Name, "attn_") && !strings.Contains(info.Name, "attn_norm") {
				require.ErrorContains(t, err, "query and key norms: found")
			} else {
				require.ErrorContains(t, err, fmt.Sprintf("tensor %q is missing", info.Name))
			}

			reshape := func(dims ...uint64) {
				g := f.clone()
				g.tensors[i].Dims = dims
				g.data[i] = make([]byte, g.tensors[i].Bytes())
				err := try(t, g.write(t, dir), fmt.Sprint(info.Name, dims))
				require.ErrorContains(t, err, fmt.Sprintf("tensor %q: dimensions %v, not %v", info.Name, dims, info.Dims))
			}
			for d := range info.Dims {
				for _, n := range []uint64{info.Dims[d] * 2, info.Dims[d] + 32, 1} {
					dims := slices.Clone(info.Dims)
					if dims[d] = n; n != info.Dims[d] {
						reshape(dims...)
					}
				}
			}
			reshape(append(slices.Clone(info.Dims), 1)[:min(4, len(info.Dims)+1)]...)
			if first := info.Dims[0]; len(info.Dims) > 1 && first != info.Dims[1] {
				reshape(append([]uint64{info.Dims[1], first}, info.Dims[2:]...)...)
			}
			if len(info.Dims) > 1 {
				reshape(info.Elements())
			}

			// The right shape in a type that nothing computes with.
			for _, typ := range []gguf.Type{gguf.I8, gguf.I16, gguf.I32, gguf.I64, gguf.F64, gguf.Q8_1, gguf.Q8_K, gguf.IQ2_XXS, gguf.TQ1_0} {
				g := f.clone()
				g.tensors[i].Type = typ
				if g.tensors[i].Check() != nil {
					continue // rows that are not whole blocks
				}
				g.data[i] = make([]byte, g.tensors[i].Bytes())
				err := try(t, g.write(t, dir), fmt.Sprint(info.Name, typ))
				require.ErrorContains(t, err, fmt.Sprintf("tensor %q: ", info.Name))
			}
		}
	}
}

// Numbers that are wrong, huge, negative, or of another type: refused, or a
// model that works.
func TestLoadWrongMetadata(t *testing.T) {
	dir := t.TempDir()
	f := invent(small(), 18, 19)
	if os.Getenv(fullVariable) != "" {
		f = forge(t, load(t, golden(t)[0].Dir, gguf.F16).Paths()[0])
	}
	for _, kv := range f.md {
		if kv.Key == "general.alignment" {
			continue
		}
		values := []any{
			uint32(0), uint32(1), uint32(2), uint32(math.MaxInt32), uint32(math.MaxUint32), uint64(1 << 20), uint64(1 << 40), uint64(math.MaxUint64),
			int32(-1), int64(math.MinInt64), int8(-128), uint8(255), "", "x", strings.Repeat("long\n", 1<<14), true, false, []uint32{4}, []string{"x"}, nil,
			float32(0), float32(-1), float32(math.NaN()), math.Inf(1), 1e-45, float32(1e38),
		}
		for _, v := range values {
			what := fmt.Sprintf("%s = %T %.40v", kv.Key, v, v)
			err := try(t, f.clone().set(kv.Key, v).write(t, dir), what)
			switch v := v.(type) {
			case int32, int64, int8, []uint32, uint64:
				_, number := kv.Value.(uint32)
				if number && v != uint64(1<<20) && !slices.Contains([]string{"general.file_type", "general.quantization_version"}, kv.Key) {
					require.ErrorContains(t, err, kv.Key, what)
				}
			}
		}
	}
	// The same id for mask and end: an answer could not be told from a mask.
	require.ErrorContains(t, try(t, invent(small(), 18, 18).write(t, dir), "same ids"), "same id 18")
}

// Widths that belong to no tensor of the file, and so are checked against none.
func TestLoadUnusedNumbers(t *testing.T) {
	dir := t.TempDir()
	const most = 1 << 20
	for name, change := range map[string]func(c *arch.Config){
		"dense width without dense layers": func(c *arch.Config) { c.DenseLayers, c.DenseFF = 0, most },
		"experts without layers for them": func(c *arch.Config) {
			c.DenseLayers, c.ExpertFF, c.SharedFF = 2, most, most
			c.Experts, c.ExpertsUsed, c.ExpertGroups, c.GroupsUsed = 1<<15, 1<<15, 1, 1
		},
		"shared width without shared experts": func(c *arch.Config) { c.Shared, c.SharedFF = 0, 0 },
		"context":                             func(c *arch.Config) { c.Context = math.MaxInt32 },
		"steps":                               func(c *arch.Config) { c.Steps = most },
		"one token and the mask":              func(c *arch.Config) { c.Vocab = 2 },
		"no groups":                           func(c *arch.Config) { c.ExpertGroups, c.GroupsUsed = 4, 4 },
	} {
		c := small()
		change(&c)
		require.NoError(t, c.Check(), name)
		require.NoError(t, try(t, invent(c, int32(c.Vocab-2), int32(c.Vocab-1)).write(t, dir), name))
	}
	// The block length is a number that costs memory: it is a part of what the
	// model was made for.
	c := small()
	c.Context, c.BlockLength = math.MaxInt32, most
	require.ErrorContains(t, try(t, invent(c, 1, 2).write(t, dir), "block length"), "block length")
	c = small()
	c.Vocab = 1
	require.Error(t, try(t, invent(c, 0, 0).write(t, dir), "one token"))
}

// Weights that are no numbers give an error, not an answer.
func TestGenerateNonFiniteWeights(t *testing.T) {
	dir := t.TempDir()
	f := forge(t, load(t, golden(t)[0].Dir, gguf.Q8_0).Paths()[0])
	for i, info := range f.tensors {
		block, size := info.Type.Block()
		for name, bad := range map[string]struct {
			half   uint16
			single uint32
		}{"NaN": {0x7e00, 0x7fc00000}, "infinity": {0x7c00, 0x7f800000}} {
			g := f.clone()
			g.edit(info.Name, func(data []byte) {
				for at := 0; at < len(data); at += size {
					if block > 1 {
						binary.LittleEndian.PutUint16(data[at:], bad.half)
					} else {
						binary.LittleEndian.PutUint32(data[at:], bad.single)
					}
				}
			})
			what := fmt.Sprint(info.Name, " of ", name)
			path := g.write(t, dir)
			require.NoError(t, try(t, path, what))
			if name != "NaN" || strings.Contains(info.Name, "exps") || strings.Contains(info.Name, "exp_probs") || i == 0 {
				continue // may be chosen, or saturate
			}
			m, err := runtime.Load(path, runtime.LoadOptions{})
			require.NoError(t, err)
			o := m.Defaults()
			o.GenLength = 4
			_, err = m.Generate(t.Context(), []int32{1, 2, 3}, o)
			require.ErrorContains(t, err, "not finite", what)
			require.NoError(t, m.Close())
		}
	}
}

// Where the experts of a mixed stack are is said by a tensor.
func TestLoadWrongExpertIndex(t *testing.T) {
	dir := t.TempDir()
	rule, err := quant.ParseExpertRule("experts=0-9,20:q8_0 rest:q4_0")
	require.NoError(t, err)
	checkpoint, err := convert.Open(golden(t)[0].Dir)
	require.NoError(t, err)
	defer checkpoint.Close()
	plan, err := checkpoint.Plan(convert.Options{Recipe: quant.Recipe{Experts: []quant.ExpertRule{rule}}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "mixed.gguf")
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, try(t, path, "mixed"))

	f := forge(t, path)
	indices := 0
	for i, info := range f.tensors {
		if !strings.HasSuffix(info.Name, ".index") {
			continue
		}
		indices++
		for _, expert := range []int{0, 5, 20, 31} {
			for _, place := range [][2]uint32{
				{0, 11}, {1, 21}, {2, 0}, {0, math.MaxUint32}, {math.MaxUint32, 0}, {1 << 31, 1 << 31},
				{0, uint32(expert+1) % 8}, {1, uint32(expert+1) % 8}, // taken by another
			} {
				g := f.clone().edit(info.Name, func(data []byte) {
					binary.LittleEndian.PutUint32(data[8*expert:], place[0])
					binary.LittleEndian.PutUint32(data[8*expert+4:], place[1])
				})
				err := try(t, g.write(t, dir), fmt.Sprint(info.Name, expert, place))
				require.ErrorContains(t, err, info.Name)
			}
		}
		for _, data := range [][]byte{make([]byte, 256), bytes.Repeat([]byte{0xff}, 256)} {
			require.ErrorContains(t, try(t, f.clone().edit(info.Name, func(b []byte) { copy(b, data) }).write(t, dir), info.Name), info.Name)
		}
		g := f.clone()
		g.tensors[i].Type = gguf.F32
		require.ErrorContains(t, try(t, g.write(t, dir), info.Name), info.Name)
		g = f.clone()
		g.tensors[i].Dims = []uint64{32, 2}
		require.ErrorContains(t, try(t, g.write(t, dir), info.Name), info.Name)
		g = f.clone()
		g.tensors, g.data = slices.Delete(g.tensors, i, i+1), slices.Delete(g.data, i, i+1)
		require.ErrorContains(t, try(t, g.write(t, dir), info.Name), "is missing")
	}
	require.Equal(t, 6, indices) // three matrices of two layers
	for i, info := range f.tensors {
		if !strings.Contains(info.Name, "exps.") || strings.HasSuffix(info.Name, ".index") {
			continue
		}
		g := f.clone()
		g.tensors, g.data = slices.Delete(g.tensors, i, i+1), slices.Delete(g.data, i, i+1)
		require.ErrorContains(t, try(t, g.write(t, dir), info.Name), info.Name)
		g = f.clone()
		g.tensors[i].Dims = slices.Clone(info.Dims)
		g.tensors[i].Dims[2]++
		g.data[i] = append(slices.Clone(g.data[i]), g.data[i][:g.tensors[i].Bytes()-info.Bytes()]...)
		require.ErrorContains(t, try(t, g.write(t, dir), info.Name), strings.TrimSuffix(info.Name, ".weight")[:len("blk.1.ffn_")])
	}
}
