package quant

import (
	"fmt"
	"strings"

	"lladakit/internal/gguf"
)

// Class is what matters about a tensor for the choice of its format.
type Class int

const (
	Exact     Class = iota // vectors and the router: always float32
	Embedding              // the matrix that tokens are looked up in
	Output                 // the matrix that makes logits
	ValueLike              // the projection to values, alone or fused with queries and keys
	Down                   // the last matrix of a feed-forward part: dense, routed or shared
	Other                  // any other matrix
)

// Tensor is a tensor to be given a format.
type Tensor struct {
	Name    string // GGUF name
	Class   Class
	Layer   int    // -1 outside the layers
	Layers  int    // of the model
	Cols    int    // weights of a row
	Rows    int    // rows of one matrix, 1 for a vector
	Experts int    // matrices in the stack, 0 for a tensor that is no stack of experts
	Matrix  string // of a stack of experts: "gate", "up" or "down"; else empty
}

// Target is what a whole file is made into: one format as far as possible, or
// a mixture of formats. The zero value is f32.
type Target int

// The targets that are named in code, by their places in the table.
const (
	targetQ4_0  Target = 3
	targetQ5_0  Target = 5
	targetMXFP4 Target = 14
	targetQ4_KS Target = 15
	targetQ4_KM Target = 16
	targetQ5_KM Target = 18
)

// targets gives for each target its name, the format of most matrices, and the
// number by which llama.cpp knows the file (LLAMA_FTYPE). llama.cpp has no
// plain q3_k, q4_k and q5_k; their numbers are those of its small mixtures,
// which come nearest.
var targets = [...]struct {
	name     string
	base     gguf.Type
	fileType uint32
}{
	0:           {"f32", gguf.F32, 0},
	1:           {"f16", gguf.F16, 1},
	2:           {"bf16", gguf.BF16, 32},
	targetQ4_0:  {"q4_0", gguf.Q4_0, 2},
	4:           {"q4_1", gguf.Q4_1, 3},
	targetQ5_0:  {"q5_0", gguf.Q5_0, 8},
	6:           {"q5_1", gguf.Q5_1, 9},
	7:           {"q8_0", gguf.Q8_0, 7},
	8:           {"q2_k", gguf.Q2_K, 10},
	9:           {"q3_k", gguf.Q3_K, 11},
	10:          {"q4_k", gguf.Q4_K, 14},
	11:          {"q5_k", gguf.Q5_K, 16},
	12:          {"q6_k", gguf.Q6_K, 18},
	13:          {"iq4_nl", gguf.IQ4_NL, 25},
	targetMXFP4: {"mxfp4", gguf.MXFP4, 38},
	targetQ4_KS: {"q4_k_s", gguf.Q4_K, 14},
	targetQ4_KM: {"q4_k_m", gguf.Q4_K, 15},
	17:          {"q5_k_s", gguf.Q5_K, 16},
	targetQ5_KM: {"q5_k_m", gguf.Q5_K, 17},
}

// plainTargets is how many of the targets have the name of a format.
const plainTargets = int(targetQ4_KS)

// TargetNames returns the names of all targets.
func TargetNames() []string {
	names := make([]string, len(targets))
	for i := range targets {
		names[i] = targets[i].name
	}
	return names
}

// ParseTarget reads the name of a target, upper or lower case.
func ParseTarget(name string) (Target, error) {
	for i := range targets {
		if strings.EqualFold(targets[i].name, name) {
			return Target(i), nil
		}
	}
	return 0, fmt.Errorf("type %.80q is not one of %s", name, strings.Join(TargetNames(), ", "))
}

// Plain returns the recipe of a file whose matrices all have format t. It panics
// for a format that is not one of Types.
func Plain(t gguf.Type) Recipe {
	for i := range plainTargets {
		if targets[i].base == t {
			return Recipe{Target: Target(i), Pure: true}
		}
	}
	panic("quant: no recipe for " + t.String())
}

// String returns the name of the target.
func (t Target) String() string {
	if !t.valid() {
		return fmt.Sprintf("target(%d)", int(t))
	}
	return targets[t].name
}

// Base returns the format of most matrices.
func (t Target) Base() gguf.Type { return targets[t].base }

// FileType returns general.file_type, the number by which llama.cpp knows a
// file of this target.
func (t Target) FileType() uint32 { return targets[t].fileType }

func (t Target) valid() bool { return t >= 0 && int(t) < len(targets) }

// place is the rank of a layer among n. What it counts depends on the class of
// a tensor: see planner.place.
type place struct{ i, n int }

// early reports whether the layer is in the first eighth.
func (p place) early() bool { return p.i < p.n/8 }

// moreBits reports whether the layer is one of those whose sensitive matrices
// get more bits: the first and the last eighth and every third in between.
// Divisions round down.
func (p place) moreBits() bool {
	return p.early() || p.i >= 7*p.n/8 || (p.i-p.n/8)%3 == 2
}

// choose returns the format that a matrix should have in a file of target t.
// The choice is llama.cpp's for the targets that it also has; weighted says
// that the file is made with an importance matrix.
//
// Note: llama.cpp's q2_k and iq4_nl also raise some matrices of attention, by
// a rule about the number of heads that share keys, and its q3_k and q4_k are
// other names of mixtures. Here a plain name means that format in every matrix
// but the output.
func (t Target) choose(x *Tensor, p place, weighted bool) gguf.Type {
	base := t.Base()
	switch base {
	case gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0:
		return base
	case gguf.MXFP4:
		if x.Experts > 1 {
			return gguf.MXFP4
		}
		return gguf.Q8_0
	}
	switch x.Class {
	case Output:
		return gguf.Q6_K
	case ValueLike:
		switch {
		case t == targetQ4_KS && p.i < 4:
			return gguf.Q5_K
		case (t == targetQ4_KM || t == targetQ5_KM) && p.moreBits():
			return gguf.Q6_K
		}
	case Down:
		switch {
		case t == targetQ4_0 && weighted && p.early():
			return gguf.Q4_1
		case t == targetQ5_0 && weighted && p.early():
			return gguf.Q5_1
		case t == targetQ4_KS && p.early():
			return gguf.Q5_K
		case (t == targetQ4_KM || t == targetQ5_KM) && p.moreBits():
			return gguf.Q6_K
		}
	}
	return base
}

// encodable returns the format nearest to t that takes rows of cols weights: t
// itself where they are whole blocks, else a format of short blocks, else f16.
func encodable(t gguf.Type, cols int) gguf.Type {
	if wholeBlocks(t, cols) {
		return t
	}
	short := gguf.F16
	switch t {
	case gguf.Q2_K, gguf.Q3_K:
		short = gguf.Q4_0
	case gguf.Q4_K:
		short = gguf.Q5_0
	case gguf.Q5_K:
		short = gguf.Q5_1
	case gguf.Q6_K:
		short = gguf.Q8_0
	}
	if !wholeBlocks(short, cols) {
		return gguf.F16
	}
	return short
}

func wholeBlocks(t gguf.Type, cols int) bool {
	n, _ := t.Block()
	return n > 0 && cols%n == 0
}

// recipeTypes lists the formats that a recipe may name.
func recipeTypes() []gguf.Type {
	types := make([]gguf.Type, plainTargets)
	for i := range types {
		types[i] = targets[i].base
	}
	return types
}

// ParseType reads the name of a format that a recipe may name, upper or lower
// case.
func ParseType(name string) (gguf.Type, error) {
	for _, t := range recipeTypes() {
		if strings.EqualFold(t.String(), name) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("type %.80q is not one of %s", name, strings.Join(TargetNames()[:plainTargets], ", "))
}
