package convert

import (
	"fmt"
	"slices"

	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
)

// group is a tensor of the model: one part, or one for each expert.
type group struct {
	*tensor
	parts    []*part
	findings []Finding
}

// part is one matrix or vector: a whole tensor, or that of one expert.
type part struct {
	group      *group
	expert     int // -1 where the tensor has none
	rows, cols int // a vector has one row
	source     *matrix

	in     *gguf.Tensor   // the file's tensor; nil where it has none that can be compared
	stored kernels.Matrix // what the file has of it
	tally  tally
	holds  *part // whose weights the file has there; nil: nobody's
}

func (p *part) String() string {
	if p.expert < 0 {
		return p.group.GGUF
	}
	return fmt.Sprintf("expert %d of %s", p.expert, p.group.GGUF)
}

// given is the source as a matrix.
func (p *part) given() *kernels.Matrix {
	return &kernels.Matrix{Type: p.source.layout, Rows: p.rows, Cols: p.cols, Data: p.source.data}
}

// release gives the source's memory back.
func (p *part) release() { p.source.release(0, int64(len(p.source.data))) }

// findTensors collects the checkpoint's tensors and finds each in the file.
func (v *verifier) findTensors() error {
	tensors, err := v.source.list()
	if err != nil {
		return err
	}
	for i := range tensors {
		t := &tensors[i]
		g := &group{tensor: t}
		v.groups = append(v.groups, g)
		rows, cols := 1, t.Shape[len(t.Shape)-1]
		if len(t.Shape) > 1 {
			rows = t.Shape[len(t.Shape)-2]
		}
		for k := range t.matrices {
			p := &part{group: g, expert: -1, rows: rows, cols: cols, source: &t.matrices[k]}
			if t.Merged != "" {
				p.expert = k
			}
			g.parts = append(g.parts, p)
		}
		if err := v.weigh(g); err != nil {
			return err
		}
		if t.Merged != "" {
			v.findExperts(g)
		} else if found, ok := v.file.Tensor(t.GGUF); !ok {
			g.fault(KindMissing, t.GGUF, -1, "the file lacks it")
		} else if v.claim(g, found); !slices.Equal(found.Dims, g.dims()) {
			g.fault(KindShape, t.GGUF, -1, "has dimensions %v, not %v", found.Dims, g.dims())
		} else {
			v.place(g.parts[0], found, found.Data)
		}
	}
	return nil
}

// weigh gives the parts of a tensor the importance that Plan gives them.
func (v *verifier) weigh(g *group) error {
	if v.opt.Importance == nil || g.Exact() {
		return nil
	}
	if err := v.opt.Importance.Check(g.GGUF, g.parts[0].cols, len(g.parts)); err != nil {
		return err
	}
	if columns := v.opt.Importance.Entries[g.GGUF]; columns != nil {
		for i, p := range g.parts {
			p.source.importance = columns.Of(i)
		}
	}
	return nil
}

// dims returns the dimensions that the tensor has in a file, if it is one.
func (g *group) dims() []uint64 {
	var dims []uint64
	for _, n := range slices.Backward(g.Shape) {
		dims = append(dims, uint64(n))
	}
	return dims
}

func (v *verifier) findExperts(g *group) {
	experts, err := g.FindExperts(v.file)
	if err != nil {
		v.findDamagedStack(g, err)
		return
	}
	if index, ok := v.file.Tensor(g.IndexName()); ok && experts[0].Tensor.Name != g.GGUF {
		v.places[index.Name] = nil
	}
	for i, x := range experts {
		v.claim(g, x.Tensor)
		v.place(g.parts[i], x.Tensor, x.Data)
	}
	for _, x := range experts {
		slices.SortFunc(v.places[x.Tensor.Name], func(a, b *part) int { return experts[a.expert].Slot - experts[b.expert].Slot })
	}
}

// findDamagedStack says what is wrong with a stack that FindExperts refuses. One
// that has too few or too many experts is compared as far as it goes: that tells
// which are missing.
func (v *verifier) findDamagedStack(g *group, reason error) {
	t, ok := v.file.Tensor(g.GGUF)
	if !ok {
		if _, ok := v.file.Tensor(g.IndexName()); !ok {
			g.fault(KindMissing, g.GGUF, -1, "the file lacks it")
			return
		}
		v.places[g.IndexName()] = nil
		g.fault(KindIndex, g.IndexName(), -1, "%v", reason)
		return
	}
	v.claim(g, t)
	want, count := g.dims(), len(g.parts)
	if len(t.Dims) != 3 || !slices.Equal(t.Dims[:2], want[:2]) {
		g.fault(KindShape, t.Name, -1, "has dimensions %v, not %v", t.Dims, want)
		return
	}
	kind := KindShape
	if t.Dims[2] < want[2] {
		kind, count = KindMissingExpert, int(t.Dims[2])
	}
	g.fault(kind, t.Name, -1, "has %d experts, not %d", t.Dims[2], want[2])
	size := len(t.Data) / int(t.Dims[2])
	for i, p := range g.parts[:count] {
		v.place(p, t, t.Data[i*size:(i+1)*size])
	}
}

// claim says that a tensor of the file belongs to a tensor of the model, and
// checks its type.
func (v *verifier) claim(g *group, t *gguf.Tensor) {
	if _, again := v.places[t.Name]; again {
		return
	}
	v.places[t.Name] = nil
	switch {
	case g.Exact() && t.Type != gguf.F32:
		g.fault(KindType, t.Name, -1, "is %s; vectors and routers are f32 in every file", t.Type)
	case !slices.Contains(quant.Types, t.Type):
		g.fault(KindType, t.Name, -1, "is %s, which cannot be compared with its source", t.Type)
	}
}

// place says where the file keeps a part.
func (v *verifier) place(p *part, t *gguf.Tensor, data []byte) {
	stored, err := kernels.NewMatrix(kernels.Type(t.Type), p.rows, p.cols, data)
	if err != nil || !slices.Contains(quant.Types, t.Type) {
		return // claim has said so
	}
	p.in, p.stored = t, stored
	v.places[t.Name] = append(v.places[t.Name], p)
}

// fault adds a finding about the tensor.
func (g *group) fault(kind Kind, tensor string, expert int, format string, args ...any) {
	g.findings = append(g.findings, Finding{
		Severity: Fault, Tensor: tensor, Layer: g.Layer, Expert: expert, Kind: kind, Text: fmt.Sprintf(format, args...),
	})
}
