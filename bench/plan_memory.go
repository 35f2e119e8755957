package bench

import (
	"slices"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/runtime"
)

// PlanMemory says what memory a model takes, in bytes.
type PlanMemory struct {
	File    uint64 `json:"file"`   // all weights, as the file has them
	Packed  uint64 `json:"packed"` // copies of matrices in the order of the kernels
	Mapped  uint64 `json:"mapped"` // weights that are read where the file has them
	Vectors uint64 `json:"vectors"`
	Loaded  uint64 `json:"loaded"`  // when all of it has been used: the three above
	Loading uint64 `json:"loading"` // while they are loaded, at most

	KVPerThousand uint64 `json:"kv_per_1000"` // keys and values of 1000 positions
	KV            uint64 `json:"kv"`          // of the context
	Scratch       uint64 `json:"scratch"`     // buffers of a pass
	Program       uint64 `json:"program"`     // everything else, about
	Total         uint64 `json:"total"`       // with the model loaded and the context full

	// Pages of files that steps touch and that may be dropped when memory is short.
	// They count in Total, too, with weights that are not copied.
	WorkingSet uint64 `json:"working_set"` // all that one step reads of weights
	Experts    uint64 `json:"experts"`     // the routed experts' part of it
}

// programBytes is about what the program takes beside a model: itself, the
// vocabulary, and what the collector has not collected.
const programBytes = 48 << 20

// planRole is what the planner knows of a tensor of the table: the types and number of
// its matrices in a file.
type planRole struct {
	arch.Tensor
	matrices int // one, or as many as there are experts
	rows     int
	cols     int
	types    []typeCount
}

// typeCount says how many matrices have a type.
type typeCount struct {
	typ   kernels.Type
	count int
}

// bytes returns the size of a matrix of a type.
func (r *planRole) bytes(t kernels.Type) uint64 {
	weights, size := t.Block()
	return uint64(r.rows) * uint64(r.cols/weights) * uint64(size)
}

// planRoles finds the tensors of the table among those of a file. Those that are absent
// or not as they should be are left out.
func planRoles(c *arch.Config, tensors []gguf.TensorInfo) []planRole {
	byName := map[string]*gguf.TensorInfo{}
	for i := range tensors {
		byName[tensors[i].Name] = &tensors[i]
	}
	var all []planRole
	for _, t := range c.Tensors() {
		r := planRole{Tensor: t, matrices: 1, rows: 1, cols: t.Shape[len(t.Shape)-1]}
		if len(t.Shape) > 1 {
			r.rows = t.Shape[len(t.Shape)-2]
		}
		if len(t.Shape) == 3 {
			r.matrices = t.Shape[0]
		}
		count := 0
		add := func(info *gguf.TensorInfo) {
			weights, _ := kernels.Type(info.Type).Block()
			if weights == 0 || r.cols%weights != 0 || len(info.Dims) != len(t.Shape) {
				return
			}
			n := 1
			for i, size := range info.Dims {
				switch want := uint64(t.Shape[len(t.Shape)-1-i]); {
				case i == 2 && size <= want:
					n = int(size)
				case size != want:
					return
				}
			}
			r.types = append(r.types, typeCount{kernels.Type(info.Type), n})
			count += n
		}
		if info := byName[t.GGUF]; info != nil {
			add(info)
		} else if len(t.Shape) == 3 {
			for i := range t.Shape[0] {
				info := byName[t.StackName(i)]
				if info == nil {
					break
				}
				add(info)
			}
		}
		if count == r.matrices {
			all = append(all, r)
		}
	}
	return all
}

// copied reports whether matrices of a role and type are copied in the order of the
// kernels.
func (r *planRole) copied(t kernels.Type) bool {
	return !r.Exact() && r.Role != arch.TokenEmbedding && t.Packs()
}

// memory counts. The scratch is that of passes over rows rows, with logits of at most
// headRows of them.
func (p *planner) memory(rows, headRows int) PlanMemory {
	m := PlanMemory{Program: programBytes}
	copies := p.Pack == runtime.PackMemory
	var window uint64
	for i := range p.roles {
		r := &p.roles[i]
		for _, x := range r.types {
			size := uint64(x.count) * r.bytes(x.typ)
			m.File += size
			switch {
			case r.Exact() && r.Role != arch.Router:
				m.Vectors += uint64(x.count*r.rows*r.cols) * 4
			case copies && r.copied(x.typ):
				// As long as a tensor is copied, its pages are there as well.
				const line = 64
				m.Packed += uint64(x.count) * ((r.bytes(x.typ) + line - 1) / line * line)
				window = max(window, m.Packed+size)
			default:
				m.Mapped += size
			}
			read := size
			switch r.Role {
			case arch.TokenEmbedding:
				read = uint64(p.Rows) * r.bytes(x.typ) / uint64(r.rows)
			case arch.ExpertGate, arch.ExpertUp, arch.ExpertDown:
				read = uint64(float64(size) * p.touched(p.Rows) / float64(r.matrices))
				m.Experts += read
			}
			m.WorkingSet += read
		}
	}
	m.Loaded = m.Packed + m.Mapped + m.Vectors
	m.Loading = max(window, m.Packed) + m.Vectors
	if p.Pack == runtime.PackFile {
		m.Loading = m.File + m.Vectors // the first time, the copies are made in memory
	}
	row, _ := p.kv().RowBytes(p.Config.HeadDim)
	position := uint64(2 * p.Config.Layers * p.Config.KVHeads * row)
	m.KVPerThousand, m.KV = 1000*position, uint64(p.Context)*position
	m.Scratch = p.scratch(rows, headRows)
	m.Total = m.Loaded + m.KV + m.Scratch + m.Program
	return m
}

// scratch returns the size of a runtime.State's buffers.
func (p *planner) scratch(rows, headRows int) uint64 {
	products := 0
	for i := range p.roles {
		r := &p.roles[i]
		if len(r.Shape) > 1 && !r.Exact() && r.Role != arch.TokenEmbedding {
			for _, x := range r.types {
				products = max(products, kernels.ScratchBytes(x.typ, r.cols, max(rows, headRows)))
			}
		}
	}
	return uint64(runtime.StateBytes(&p.Config, p.kv(), p.Threads, rows, headRows, products))
}

// kv returns the type of keys and values.
func (p *planner) kv() kernels.Type {
	switch p.KV {
	case runtime.KVF32:
		return kernels.F32
	case runtime.KVQ8:
		return kernels.Q8_0
	case runtime.KVF16:
		return kernels.F16
	}
	if slices.ContainsFunc(p.roles, func(r planRole) bool {
		return !r.Exact() && r.Role != arch.TokenEmbedding && slices.ContainsFunc(r.types, func(x typeCount) bool { return x.typ.Rounds() })
	}) {
		return kernels.F16
	}
	return kernels.F32
}
