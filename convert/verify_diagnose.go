package convert

import (
	"context"
	"fmt"
	"math"
	"slices"

	"lladakit/internal/arch"
	"lladakit/kernels"
)

// The second pass: what is wrong with the parts that the first has found. It
// reads those parts and, by samples, what they could hold instead.

const (
	maxSearches = 256 // parts for which the whole checkpoint is searched; beyond, only their own tensor
	sketchSize  = 128 // weights by which most candidates are ruled out
	sampleRows  = 8   // rows that stand for a matrix
)

// verdict is what is wrong with one part.
type verdict struct {
	part *part
	kind Kind
	text string
}

// diagnosis is the state of the second pass.
type diagnosis struct {
	*verifier
	meter    meter
	byShape  map[[2]int][]*part
	sketches map[*part][]float32 // of the checkpoint's parts
	searches int                 // through the whole checkpoint
}

func (v *verifier) diagnose(ctx context.Context) error {
	d := &diagnosis{verifier: v, byShape: map[[2]int][]*part{}, sketches: map[*part][]float32{}}
	for _, g := range v.groups {
		shape := [2]int{g.parts[0].rows, g.parts[0].cols}
		d.byShape[shape] = append(d.byShape[shape], g.parts...)
	}
	for _, g := range v.groups {
		var verdicts []verdict
		for _, p := range g.parts {
			if p.in == nil {
				continue
			}
			if n := p.tally.unbounded; n > 0 {
				g.findings = append(g.findings, Finding{
					Severity: Warning, Tensor: p.in.Name, Layer: g.Layer, Expert: p.expert, Kind: KindNonFinite,
					Text: fmt.Sprintf("%d weights are not finite in the checkpoint, or are too large for %s", n, p.in.Type),
				})
			}
			if !p.tally.faulty() {
				p.holds = p
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			verdicts = append(verdicts, d.judge(p))
			p.release()
			v.file.Release(p.in)
		}
		d.report(g, verdicts)
	}
	return nil
}

// judge finds out what is wrong with a part. The tests go from the certain to
// the vague.
func (d *diagnosis) judge(p *part) verdict {
	t := &p.tally
	out := func(kind Kind, format string, args ...any) verdict {
		return verdict{p, kind, fmt.Sprintf(format, args...)}
	}
	switch {
	case t.nonFinite > 0:
		return out(KindNonFinite, "has %d infinities or NaNs that the checkpoint has not", t.nonFinite)
	case t.file == 0:
		return out(KindZero, "is all zero")
	}
	if p.holds = d.search(p); p.holds != nil {
		return out(KindMisplaced, "holds %s", p.holds)
	}
	if p.rows > 1 {
		if kind, text := d.rowOrder(p); text != "" {
			return out(kind, "%s", text)
		}
	} else if p.permuted() {
		return out(KindOrder, "has its elements in another order, from element %d on", t.firstBad)
	}
	width, _ := p.in.Type.Block()
	blocks := p.rows * p.cols / width
	if n, at := t.damage(); t.local(blocks) {
		return out(KindBlock, "has damage in %d of %d blocks of %s, the first at row %d, column %d", n, blocks, p.in.Type, at/p.cols, at%p.cols)
	}
	rel := relative(t.err, t.src)
	switch p.group.Role {
	case arch.AttnNorm, arch.QueryNorm, arch.KeyNorm, arch.FFNNorm, arch.OutputNorm:
		if x := d.row(&p.stored, 0); slices.Min(x) == slices.Max(x) {
			return out(KindStale, "is %g everywhere, as before training", x[0])
		}
		return out(KindStale, "differs by %.3g of its size: of another state of the training?", rel)
	}
	return out(KindValues, "differs by %.3g of its size, where %s reaches %.3g", rel, p.in.Type, relative(t.reach, t.src))
}

// row returns a row of a matrix.
func (d *diagnosis) row(m *kernels.Matrix, i int) []float32 {
	x := make([]float32, m.Cols)
	m.Row(x, i)
	return x
}

// search returns the part of the checkpoint that the file holds in p's place, or
// nil. The nearest places come first.
func (d *diagnosis) search(p *part) *part {
	if q := d.among(p, p.group.parts, func(*part) bool { return true }); q != nil {
		return q
	}
	if d.searches++; d.searches > maxSearches {
		return nil
	}
	same := d.byShape[[2]int{p.rows, p.cols}]
	for _, near := range []func(q *part) bool{
		func(q *part) bool { return q.group.Layer == p.group.Layer && q.expert == p.expert },
		func(q *part) bool { return q.group.Role == p.group.Role && q.expert == p.expert },
		func(q *part) bool { return q.group != p.group },
	} {
		if q := d.among(p, same, near); q != nil {
			return q
		}
	}
	return nil
}

// among returns the first of those candidates that are near whose weights the
// file holds in p's place.
func (d *diagnosis) among(p *part, candidates []*part, near func(q *part) bool) *part {
	file := d.row(&p.stored, p.rows/2)
	for _, q := range candidates {
		if q == p || !near(q) {
			continue
		}
		if d.sketches[q] == nil {
			d.sketches[q] = slices.Clone(d.row(q.given(), q.rows/2)[:min(q.cols, sketchSize)])
			q.release()
		}
		if distance(file, d.sketches[q]) >= 0.8 {
			continue
		}
		var sum tally
		for i := range min(sampleRows, p.rows) {
			r := i * p.rows / min(sampleRows, p.rows)
			t := d.meter.measure(p, r, q, r, 1)
			sum.sum(&t)
		}
		if q.release(); sum.within(maxMatrix) && sum.src > 0 && (sum.reach > 0 || sum.err == 0) {
			return q
		}
	}
	return nil
}

// distance is the relative squared error of a against b, over the length of b.
func distance(a, b []float32) float64 {
	var err, src float64
	for i, x := range b {
		e := float64(a[i]) - float64(x)
		err += e * e
		src += float64(x) * float64(x)
	}
	return err / max(src, math.SmallestNonzeroFloat64)
}

// permuted reports whether a vector has the right elements.
func (p *part) permuted() bool {
	a, b := make([]float32, p.cols), make([]float32, p.cols)
	p.stored.Row(a, 0)
	p.given().Row(b, 0)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
