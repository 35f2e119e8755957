package arch

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
)

// stackOf returns an expert tensor of a model with n experts of [2, 32].
func stackOf(n int) *Tensor {
	return &Tensor{Role: ExpertUp, Layer: 3, GGUF: "blk.3.ffn_up_exps.weight", Shape: []int{n, 2, 32}}
}

// stackFile returns a file with the stacks of experts of types, the first byte of
// every expert its number, and an index.
func stackFile(t *testing.T, x *Tensor, types []gguf.Type, index []byte) *gguf.File {
	t.Helper()
	var infos []gguf.TensorInfo
	var contents []byte
	for _, s := range x.Stacks(types) {
		infos = append(infos, gguf.TensorInfo{Name: s.Name, Type: s.Type, Dims: []uint64{32, 2, uint64(len(s.Experts))}})
		size := int(infos[len(infos)-1].Bytes()) / len(s.Experts)
		for _, e := range s.Experts {
			data := make([]byte, size)
			data[0] = byte(e)
			contents = append(contents, data...)
		}
	}
	if index != nil {
		infos = append(infos, gguf.TensorInfo{Name: x.IndexName(), Type: gguf.I32, Dims: []uint64{2, uint64(len(index) / 8)}})
	}
	var out bytes.Buffer
	w, err := gguf.NewWriter(&out, gguf.Metadata{{Key: "general.architecture", Value: "llada2"}}, infos)
	require.NoError(t, err)
	for _, info := range infos {
		part := index
		if info.Type != gguf.I32 {
			part, contents = contents[:info.Bytes()], contents[info.Bytes():]
		}
		_, err := w.Write(part)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	f, err := gguf.Parse(out.Bytes())
	require.NoError(t, err)
	return f
}

func TestStacks(t *testing.T) {
	x := stackOf(5)
	stacks := x.Stacks([]gguf.Type{gguf.Q8_0, gguf.Q4_0, gguf.Q8_0, gguf.F32, gguf.Q4_0})
	assert.Equal(t, []Stack{
		{"blk.3.ffn_up_exps.0.weight", gguf.Q8_0, []int{0, 2}},
		{"blk.3.ffn_up_exps.1.weight", gguf.Q4_0, []int{1, 4}},
		{"blk.3.ffn_up_exps.2.weight", gguf.F32, []int{3}},
	}, stacks)
	assert.Equal(t, "blk.3.ffn_up_exps.index", x.IndexName())
	var places []uint32
	for index := Index(stacks); len(index) > 0; index = index[4:] {
		places = append(places, binary.LittleEndian.Uint32(index))
	}
	assert.Equal(t, []uint32{0, 0, 1, 0, 0, 1, 2, 0, 1, 1}, places)

	one := x.Stacks([]gguf.Type{gguf.Q8_0, gguf.Q8_0, gguf.Q8_0, gguf.Q8_0, gguf.Q8_0})
	assert.Equal(t, []Stack{{"blk.3.ffn_up_exps.weight", gguf.Q8_0, []int{0, 1, 2, 3, 4}}}, one, "the form of other programs")
}

func TestFindExperts(t *testing.T) {
	x := stackOf(5)
	for _, types := range [][]gguf.Type{
		{gguf.Q8_0, gguf.Q8_0, gguf.Q8_0, gguf.Q8_0, gguf.Q8_0},
		{gguf.Q8_0, gguf.Q4_0, gguf.Q8_0, gguf.F32, gguf.Q4_0},
	} {
		stacks := x.Stacks(types)
		var index []byte
		if len(stacks) > 1 {
			index = Index(stacks)
		}
		found, err := x.FindExperts(stackFile(t, x, types, index))
		require.NoError(t, err)
		require.Len(t, found, 5)
		for e, place := range found {
			assert.Equal(t, types[e], place.Tensor.Type)
			assert.EqualValues(t, e, place.Data[0])
		}
	}
}

func TestFindExpertsDamaged(t *testing.T) {
	x := stackOf(5)
	types := []gguf.Type{gguf.Q8_0, gguf.Q4_0, gguf.Q8_0, gguf.F32, gguf.Q4_0}
	good := Index(x.Stacks(types))
	with := func(i int, v uint32) []byte {
		index := append([]byte(nil), good...)
		binary.LittleEndian.PutUint32(index[4*i:], v)
		return index
	}
	for name, c := range map[string]struct {
		index []byte
		want  string
	}{
		"no index":        {nil, `tensor "blk.3.ffn_up_exps.weight" is missing`},
		"slot taken":      {with(5, 0), "expert 2 has slot 0"},
		"slot too great":  {with(5, 2), "expert 2 has slot 2"},
		"slot huge":       {with(5, 1<<31), "does not exist or is taken"},
		"stack missing":   {with(6, 3), `"blk.3.ffn_up_exps.3.weight", which`},
		"stack huge":      {with(6, 1<<31), `"blk.3.ffn_up_exps.3.weight", which`},
		"stack not used":  {with(6, 1), "does not exist or is taken"},
		"index of length": {good[:32], "is i32 [2 4], not i32 [2 5]"},
	} {
		_, err := x.FindExperts(stackFile(t, x, types, c.index))
		require.ErrorContains(t, err, c.want, name)
	}
}
