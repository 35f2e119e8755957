package convert

import (
	"bytes"
	"math"

	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
)

// Note on what a type can reach. The source is quantized anew, and the file's
// error is held against that error. Where most blocks of a matrix equal ours to
// the last bit, the file was rounded as we do, and a block with more error is
// damaged. Elsewhere a file may have more error and be honest: another program may
// search less for its scales, and an importance that was not given makes some
// columns better at the cost of others. Importances spread over a factor of
// 10^10 cost a matrix three times our error, and single blocks more.

// How many times the error of our own rounding a matrix and a block may have, as
// root of mean squares, where the file is not rounded as we do.
const (
	maxMatrix = 3
	maxBlock  = 12
)

// nearTies is how many times the mean square of a weight's error a block may have
// more than ours where the file is rounded as we do: weights between two codes
// may go the other way, which costs little. A code that is one too high or too low
// costs twelve times that on average.
const nearTies = 6.4

// tally sums up how a run of weights compares with its source.
type tally struct {
	err, reach float64 // Σ(file-source)², and Σ(ours-source)² for our own rounding
	src, file  float64 // Σ of squares
	most       float64 // the greatest |file-source|

	nonFinite int // weights that are not finite and should be
	unbounded int // weights that are not finite in the source, or as the file's type

	// Blocks; of a float type, weights.
	lossy int // those that do not come out exact from our rounding
	same  int // of these, equal to ours to the last bit
	bad   int // with an error that no rounding makes
	worse int // else, with more error than ours

	badErr float64 // the share of err in bad ones

	firstBad, firstWorse int // the first weight of the first of them
}

// add adds the tally of the weights from one on.
func (t *tally) add(u *tally, from int) {
	if t.bad == 0 {
		t.firstBad = from + u.firstBad
	}
	if t.worse == 0 {
		t.firstWorse = from + u.firstWorse
	}
	t.sum(u)
	t.lossy += u.lossy
	t.same += u.same
	t.bad += u.bad
	t.badErr += u.badErr
	t.worse += u.worse
}

// sum adds what is about weights.
func (t *tally) sum(u *tally) {
	t.err += u.err
	t.reach += u.reach
	t.src += u.src
	t.file += u.file
	t.most = max(t.most, u.most)
	t.nonFinite += u.nonFinite
	t.unbounded += u.unbounded
}

// weight adds one weight.
func (t *tally) weight(source, ours, file float32) {
	x, r, y := float64(source), float64(ours), float64(file)
	if x-x != 0 || r-r != 0 {
		t.unbounded++
		return
	}
	t.src += x * x
	t.reach += (r - x) * (r - x)
	if y-y != 0 {
		t.nonFinite++
		t.err += x * x
		return
	}
	t.file += y * y
	t.err += (y - x) * (y - x)
	t.most = max(t.most, math.Abs(y-x))
}

// within reports whether the error can come from rounding: whether it is at most
// ratio times ours, and less than between unrelated weights. A scale is a half
// float, which another program may have rounded otherwise.
func (t *tally) within(ratio float64) bool {
	return t.err <= ratio*ratio*t.reach+1e-6*t.src && t.err <= 0.8*t.src+4*t.reach
}

// damage returns how many blocks cannot be honest, and the first weight of the
// first.
func (t *tally) damage() (blocks, first int) {
	switch {
	case t.worse == 0 || 2*t.same < t.lossy:
		return t.bad, t.firstBad
	case t.bad == 0:
		return t.worse, t.firstWorse
	}
	return t.bad + t.worse, min(t.firstBad, t.firstWorse)
}

// local reports whether there is damage, and little beside it.
func (t *tally) local(blocks int) bool {
	rest := *t
	rest.err -= t.badErr
	n, _ := t.damage()
	return n == 1 || n > 0 && 2*n <= blocks && rest.within(maxMatrix)
}

// faulty reports whether the weights are not those of the source.
func (t *tally) faulty() bool {
	damage, _ := t.damage()
	return t.nonFinite > 0 || damage > 0 || !t.within(maxMatrix)
}

// meter compares rows. It holds the buffers of one goroutine.
type meter struct {
	source, ours, file []float32
	rounded            []byte
}

// measure compares n rows that the file has of p, from row on, with rows of the
// source of q, which as a rule is p.
func (m *meter) measure(p *part, row int, q *part, from, n int) (sum tally) {
	t := p.in.Type
	size, given := len(p.stored.Data)/p.rows, len(q.source.data)/q.rows
	data := p.stored.Data[row*size : (row+n)*size]
	weights := n * p.cols
	m.source, m.ours, m.rounded = grow(m.source, weights), grow(m.ours, weights), grow(m.rounded, len(data))
	kernels.Dequantize(q.source.layout, m.source, q.source.data[from*given:(from+n)*given])
	quant.Quantize(t, m.rounded, m.source, q.source.importance)
	quant.Dequantize(t, m.ours, m.rounded)
	file := m.ours
	if !bytes.Equal(m.rounded, data) {
		m.file = grow(m.file, weights)
		file = m.file
		quant.Dequantize(t, file, data)
	}
	width, bytes := t.Block()
	for i, at := 0, 0; at < weights; i, at = i+1, at+width {
		sum.block(t, m.source[at:at+width], m.ours[at:at+width], file[at:at+width],
			m.rounded[i*bytes:(i+1)*bytes], data[i*bytes:(i+1)*bytes], at)
	}
	return sum
}

// block adds a block, or a single weight of a float type.
func (t *tally) block(typ gguf.Type, source, ours, file []float32, rounded, data []byte, at int) {
	var b tally
	for i, x := range source {
		if x-x != 0 && len(source) > 1 { // there is no code for it, so zero is written
			b.unbounded++
			x = 0
		}
		b.weight(x, ours[i], file[i])
	}
	t.sum(&b)
	if b.reach > 0 {
		t.lossy++
	}
	switch {
	case bytes.Equal(rounded, data):
		if b.reach > 0 {
			t.same++
		}
	case len(source) == 1 && ours[0] != ours[0] && file[0] != file[0]: // some other NaN
	case len(source) == 1, b.nonFinite > 0, !b.within(maxBlock), b.file == 0 && b.reach < b.src/2:
		if t.bad == 0 {
			t.firstBad = at
		}
		t.bad++
		t.badErr += b.err
	case b.err > (1+nearTies/float64(len(source)))*b.reach+1e-6*b.src:
		if t.worse == 0 {
			t.firstWorse = at
		}
		t.worse++
	}
}
