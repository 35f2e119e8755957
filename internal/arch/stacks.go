package arch

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"lladakit/internal/gguf"
)

// Experts may have types of their own, while a GGUF tensor has one type. So the
// experts of one layer and matrix that share a type form one stacked tensor,
//
//	blk.3.ffn_gate_exps.0.weight  [in, out, experts of the first type]
//	blk.3.ffn_gate_exps.1.weight  [in, out, experts of the second type]
//
// and an int32 tensor says where each expert is:
//
//	blk.3.ffn_gate_exps.index     [2, experts]: stack, slot
//
// Where all experts share a type there is the one tensor that other programs
// read, blk.3.ffn_gate_exps.weight, and no index.

// Stack is one stacked tensor of experts of the same type.
type Stack struct {
	Name    string
	Type    gguf.Type
	Experts []int // in the order of their slots, ascending
}

// Stacks divides the experts of t by their types, one for each expert. Stacks
// stand in the order of their lowest experts.
func (t *Tensor) Stacks(types []gguf.Type) []Stack {
	var stacks []Stack
	for e, typ := range types {
		i := slices.IndexFunc(stacks, func(s Stack) bool { return s.Type == typ })
		if i < 0 {
			i = len(stacks)
			stacks = append(stacks, Stack{Name: t.StackName(i), Type: typ})
		}
		stacks[i].Experts = append(stacks[i].Experts, e)
	}
	if len(stacks) == 1 {
		stacks[0].Name = t.GGUF
	}
	return stacks
}

// StackName returns the name of the i-th stack of a tensor that has several.
func (t *Tensor) StackName(i int) string {
	return fmt.Sprintf("%s.%d.weight", strings.TrimSuffix(t.GGUF, ".weight"), i)
}

// IndexName returns the name of the tensor that says where each expert is.
func (t *Tensor) IndexName() string { return strings.TrimSuffix(t.GGUF, ".weight") + ".index" }

// Index returns the contents of that tensor for more than one stack: int32,
// little endian, [experts][stack, slot].
func Index(stacks []Stack) []byte {
	experts := 0
	for _, s := range stacks {
		experts += len(s.Experts)
	}
	index := make([]byte, 8*experts)
	for i, s := range stacks {
		for slot, e := range s.Experts {
			binary.LittleEndian.PutUint32(index[8*e:], uint32(i))
			binary.LittleEndian.PutUint32(index[8*e+4:], uint32(slot))
		}
	}
	return index
}

// Expert is where a file keeps one matrix of one expert.
type Expert struct {
	Tensor *gguf.Tensor // the stack
	Slot   int
	Data   []byte // its bytes: a view
}

// FindExperts returns where f keeps the experts of t, in their order, and
// checks that every expert has a place of its own and every place an expert.
func (t *Tensor) FindExperts(f *gguf.File) ([]Expert, error) {
	count := t.Shape[0]
	if found, ok := f.Tensor(t.GGUF); ok {
		if err := t.checkStack(found, count); err != nil {
			return nil, err
		}
		experts := make([]Expert, count)
		for e := range experts {
			experts[e] = expert(found, e)
		}
		return experts, nil
	}
	index, ok := f.Tensor(t.IndexName())
	if !ok {
		return nil, fmt.Errorf("tensor %q is missing", t.GGUF)
	}
	if index.Type != gguf.I32 || !slices.Equal(index.Dims, []uint64{2, uint64(count)}) {
		return nil, fmt.Errorf("tensor %q is %v %v, not i32 [2 %d]", index.Name, index.Type, index.Dims, count)
	}
	return t.findIndexed(f, index)
}

func (t *Tensor) findIndexed(f *gguf.File, index *gguf.Tensor) ([]Expert, error) {
	experts := make([]Expert, t.Shape[0])
	var stacks []*gguf.Tensor
	taken := map[[2]uint32]bool{}
	slots := 0
	for e := range experts {
		place := [2]uint32{binary.LittleEndian.Uint32(index.Data[8*e:]), binary.LittleEndian.Uint32(index.Data[8*e+4:])}
		for int(place[0]) >= len(stacks) {
			name := t.StackName(len(stacks))
			s, ok := f.Tensor(name)
			if !ok {
				return nil, fmt.Errorf("tensor %q, which %q refers to, is missing", name, index.Name)
			}
			if err := t.checkStack(s, int(min(s.Dims[len(s.Dims)-1], uint64(len(experts))))); err != nil {
				return nil, err
			}
			stacks = append(stacks, s)
			slots += int(s.Dims[2])
		}
		s := stacks[place[0]]
		if uint64(place[1]) >= s.Dims[2] || taken[place] {
			return nil, fmt.Errorf("tensor %q: expert %d has slot %d of %q, which does not exist or is taken", index.Name, e, place[1], s.Name)
		}
		taken[place] = true
		experts[e] = expert(s, int(place[1]))
	}
	if slots != len(experts) {
		return nil, fmt.Errorf("tensor %q: its stacks have %d slots for %d experts", index.Name, slots, len(experts))
	}
	return experts, nil
}

// checkStack checks the dimensions of a stack of count experts.
func (t *Tensor) checkStack(found *gguf.Tensor, count int) error {
	want := []uint64{uint64(t.Shape[2]), uint64(t.Shape[1]), uint64(count)}
	if !slices.Equal(found.Dims, want) {
		return fmt.Errorf("tensor %q: dimensions %v, not %v", found.Name, found.Dims, want)
	}
	return nil
}

// expert returns a slot of a stack whose dimensions are checked.
func expert(stack *gguf.Tensor, slot int) Expert {
	size := len(stack.Data) / int(stack.Dims[2])
	return Expert{Tensor: stack, Slot: slot, Data: stack.Data[slot*size : (slot+1)*size]}
}
