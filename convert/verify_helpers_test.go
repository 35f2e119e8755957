package convert_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// model is a GGUF file in memory, to be damaged.
type model struct {
	md      gguf.Metadata
	tensors []*stored
}

// stored is one tensor of a model.
type stored struct {
	gguf.TensorInfo
	data []byte
}

// load converts a folder and reads the result.
func load(t testing.TB, dir string, typ gguf.Type) *model {
	t.Helper()
	path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(typ)})
	f := open(t, path)
	m := &model{md: f.Metadata}
	for _, one := range f.Tensors {
		m.tensors = append(m.tensors, &stored{one.TensorInfo, bytes.Clone(one.Data)})
	}
	return m
}

func (m *model) clone() *model {
	out := &model{md: slices.Clone(m.md)}
	for _, s := range m.tensors {
		c := *s
		c.Dims, c.data = slices.Clone(s.Dims), bytes.Clone(s.data)
		out.tensors = append(out.tensors, &c)
	}
	return out
}

// file writes the model and parses it.
func (m *model) file(t testing.TB) *gguf.File {
	t.Helper()
	var b bytes.Buffer
	var infos []gguf.TensorInfo
	for _, s := range m.tensors {
		infos = append(infos, s.TensorInfo)
	}
	w, err := gguf.NewWriter(&b, m.md, infos)
	require.NoError(t, err)
	for _, s := range m.tensors {
		_, err := w.Write(s.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	f, err := gguf.Parse(b.Bytes())
	require.NoError(t, err)
	return f
}

func (m *model) index(name string) int {
	return slices.IndexFunc(m.tensors, func(s *stored) bool { return s.Name == name })
}

func (m *model) get(name string) *stored { return m.tensors[m.index(name)] }

func (m *model) remove(name string) {
	m.tensors = slices.Delete(m.tensors, m.index(name), m.index(name)+1)
}

// set gives a key a value; nil removes it.
func (m *model) set(key string, value any) {
	i := slices.IndexFunc(m.md, func(kv gguf.KeyValue) bool { return kv.Key == key })
	switch {
	case value == nil:
		m.md = slices.Delete(m.md, i, i+1)
	case i < 0:
		m.md = append(m.md, gguf.KeyValue{Key: key, Value: value})
	default:
		m.md[i].Value = value
	}
}

// exchange gives each of two tensors the bytes of the other.
func (m *model) exchange(a, b string) {
	x, y := m.get(a), m.get(b)
	x.data, y.data = y.data, x.data
}

// floats widens the weights.
func (s *stored) floats() []float32 {
	x := make([]float32, s.Elements())
	quant.Dequantize(s.Type, x, s.data)
	return x
}

// encode replaces the weights, and the type.
func (s *stored) encode(typ gguf.Type, x []float32, importance []float32) {
	s.Type = typ
	s.data = make([]byte, s.Bytes())
	quant.Quantize(typ, s.data, x, importance)
}

// edit changes the weights in place. Rows that stay as they are keep their bytes.
func (s *stored) edit(f func(x []float32)) {
	x, old := s.floats(), bytes.Clone(s.data)
	before := slices.Clone(x)
	f(x)
	s.encode(s.Type, x, nil)
	cols := int(s.Dims[0])
	size := len(old) / (len(x) / cols)
	for r := range len(x) / cols {
		if slices.Equal(x[r*cols:(r+1)*cols], before[r*cols:(r+1)*cols]) {
			copy(s.data[r*size:], old[r*size:(r+1)*size])
		}
	}
}

// expert returns the bytes of expert e of a stack of n.
func (s *stored) expert(e int) []byte {
	size := len(s.data) / int(s.Dims[2])
	return s.data[e*size : (e+1)*size]
}

func swap(a, b []byte) {
	c := bytes.Clone(a)
	copy(a, b)
	copy(b, c)
}

// reorder puts row order[i] of the tensor to row i.
func (s *stored) reorder(order []int) {
	rows := bytes.Clone(s.data)
	size := len(s.data) / len(order)
	for i, r := range order {
		copy(s.data[i*size:], rows[r*size:(r+1)*size])
	}
}

// mix gives the experts of every stack one of the types, in turn, as separate
// stacks with an index. The weights come from exact, the same model in f32.
func (m *model) mix(t testing.TB, exact *model, cfg *arch.Config, types ...gguf.Type) {
	t.Helper()
	table := cfg.Tensors()
	for i := range table {
		entry := &table[i]
		if entry.Merged == "" {
			continue
		}
		at := m.index(entry.GGUF)
		source := exact.get(entry.GGUF)
		weights := source.floats()
		each := len(weights) / entry.Shape[0]
		perExpert := make([]gguf.Type, entry.Shape[0])
		for e := range perExpert {
			perExpert[e] = types[(e+i)%len(types)]
		}
		var made []*stored
		stacks := entry.Stacks(perExpert)
		for _, stack := range stacks {
			s := &stored{TensorInfo: gguf.TensorInfo{
				Name: stack.Name, Dims: []uint64{source.Dims[0], source.Dims[1], uint64(len(stack.Experts))},
			}}
			var all []float32
			for _, e := range stack.Experts {
				all = append(all, weights[e*each:(e+1)*each]...)
			}
			s.encode(stack.Type, all, nil)
			made = append(made, s)
		}
		if len(stacks) > 1 {
			made = append(made, &stored{
				TensorInfo: gguf.TensorInfo{Name: entry.IndexName(), Type: gguf.I32, Dims: []uint64{2, uint64(entry.Shape[0])}},
				data:       arch.Index(stacks),
			})
		}
		m.tensors = slices.Replace(m.tensors, at, at+1, made...)
	}
}

// verify compares a file with a folder.
func verify(t testing.TB, dir string, f *gguf.File, opt convert.VerifyOptions) *convert.Verification {
	t.Helper()
	c, err := convert.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	v, err := c.Verify(t.Context(), f, opt)
	require.NoError(t, err)
	return v
}

func configOf(t testing.TB, dir string) arch.Config {
	t.Helper()
	c, err := convert.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	return c.Config
}
