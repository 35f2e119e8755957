//go:build (amd64 || arm64) && !purego

package kernels

import (
	"math"
	"unsafe"
)

// attendSix is how many queries are computed at once: with 16 keys or columns of
// values, as many sums as there are registers for.
const attendSix = 6

// wordProducts are the products of whole numbers of an implementation.
type wordProducts struct {
	// score may take panels two by two, and then read and write what lies behind the last
	// of an odd number of them in scales and dst, which are those of a whole tile.
	score  func(dst *float32, q *int16, stride int, k *int16, steps, panels int, of, scales *float32)
	gather func(dst *float32, stride int, p *int16, v *int16, steps, panels int, of, scales *float32)
}

func attendFast(dst []float32, a *Activations, rows []int32, keys, values *Matrix, n int, s *AttendScratch) {
	attendWith(&wordProducts{scoreWords, gatherWords}, dst, a, rows, keys, values, n, s)
}

// attendWith takes queries by sixes, the last ones of which may be nobody's, and
// columns by sixteens.
func attendWith(w *wordProducts, dst []float32, a *Activations, rows []int32, keys, values *Matrix, n int, s *AttendScratch) {
	t := fastTile{wordProducts: w, cols: keys.Cols, wide: (keys.Cols + 15) &^ 15, words: keys.Type != F32, AttendScratch: s}
	t.queries(a, rows)
	for lo := 0; lo < n; lo += attendTile {
		t.n = min(attendTile, n-lo)
		t.loadKeys(keys, lo)
		t.loadValues(values, lo)
		for i := range s.six[:t.sixes] {
			t.add(i)
		}
	}
	clear(dst)
	for r := range rows {
		inverse := 1 / s.six[r/attendSix].sum[r%attendSix]
		addScaledFast(dst[r*t.cols:(r+1)*t.cols], t.acc[r*t.wide:][:t.cols], inverse)
	}
}

// fastTile is a tile of n positions, and the queries.
type fastTile struct {
	n, cols int
	wide    int // cols, or the next multiple of 16
	words   bool
	sixes   int
	*wordProducts
	*AttendScratch
}

// queries prepares queries.
func (t *fastTile) queries(a *Activations, rows []int32) {
	t.sixes = (len(rows) + attendSix - 1) / attendSix
	n := t.sixes * attendSix
	q, state := grown(&t.query, n*t.wide), grown(&t.six, t.sixes)
	clear(grown(&t.acc, n*t.wide))
	if t.cols < t.wide || len(rows) < n {
		clear(q)
	}
	for r, from := range rows {
		copy(q[r*t.wide:], a.X[int(from)*t.cols:][:t.cols])
	}
	var words []int16
	if t.words {
		words = grown(&t.AttendScratch.words, n*t.wide)
	}
	for i := range state {
		state[i] = six{}
		for r := range state[i].high {
			state[i].high[r] = float32(math.Inf(-1))
		}
		if t.words {
			at := i * attendSix * t.wide
			roundRows(&words[at], &state[i].scale[0], &q[at], attendSix, t.wide/16, wordLimit(t.cols))
		}
	}
}

// widen widens t.n rows of m from lo on, and makes the rows up to the next multiple
// of eight, and what is beside them, zeros.
func (t *fastTile) widen(m *Matrix, lo int) {
	w := grown(&t.AttendScratch.wide, attendTile*t.wide)
	row := len(m.Data) / m.Rows
	src := m.Data[lo*row : (lo+t.n)*row]
	if t.cols == t.wide {
		widenFast(m.Type, w[:t.n*t.cols], src)
		clear(w[t.n*t.wide : (t.n+7)&^7*t.wide])
		return
	}
	clear(w[:(t.n+7)&^7*t.wide])
	for p := range t.n {
		widenFast(m.Type, w[p*t.wide:][:t.cols], src[p*row:(p+1)*row])
	}
}

// widenFast is Dequantize of the types of keys and values.
func widenFast(t Type, dst []float32, src []byte) {
	switch t {
	case F16:
		widenF16Fast(dst, src)
	case Q8_0:
		src = src[:len(dst)/blockLen*34]
		widenQ8_0(&dst[0], &src[0], len(dst)/blockLen)
	default:
		src = src[:4*len(dst)]
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), len(src)), src)
	}
}

func (t *fastTile) loadKeys(m *Matrix, lo int) {
	t.widen(m, lo)
	w := t.AttendScratch.wide
	if t.words {
		// The first half is rows, the second what is made of them.
		k, scales := grown(&t.keys, 2*attendTile*t.wide), grown(&t.keyScale, attendTile)
		made := k[attendTile*t.wide:]
		roundRows(&k[0], &scales[0], &w[0], t.n, t.wide/16, wordLimit(t.cols))
		for p := 0; p < t.n; p += 16 {
			at := p * t.wide
			transposeRows((*byte)(unsafe.Pointer(&made[at])), (*byte)(unsafe.Pointer(&k[at])), 2*t.wide, t.wide/16)
		}
		return
	}
	k := grown(&t.floats, attendTile*t.wide)
	for p := 0; p < t.n; p += 16 {
		at := p * t.wide
		transposeRows((*byte)(unsafe.Pointer(&k[at])), (*byte)(unsafe.Pointer(&w[at])), 4*t.wide, t.wide/8)
	}
}

func (t *fastTile) loadValues(m *Matrix, lo int) {
	t.widen(m, lo)
	if t.words {
		v, scales := grown(&t.values, attendTile*t.wide), grown(&t.colScale, t.wide)
		roundColumns(&v[0], &scales[0], &t.AttendScratch.wide[0], 4*t.wide, t.n8()/2, t.wide/16, valueLimit)
	}
}

// n8 returns the number of positions, rounded up to a multiple of 8.
func (t *fastTile) n8() int { return (t.n + 7) &^ 7 }

// add adds the tile to what six queries have gathered.
func (t *fastTile) add(i int) {
	scores, s := grown(&t.scores, attendSix*attendTile), &t.six[i]
	state, at := &s.high[0], i*attendSix*t.wide
	panels := (t.n + 15) / 16
	if t.words {
		t.score(&scores[0], &t.AttendScratch.words[at], 2*t.wide, &t.keys[attendTile*t.wide], t.wide/8, panels, state, &t.keyScale[0])
	} else {
		scoreFloats(&scores[0], &t.query[at], 4*t.wide, &t.floats[0], t.wide/4, panels)
	}
	if t.n < attendTile {
		for r := range attendSix {
			for p := t.n; p < attendTile; p++ {
				scores[r*attendTile+p] = float32(math.Inf(-1))
			}
		}
	}
	if t.words {
		shares := grown(&t.shares, attendSix*attendTile)
		shareWords(&shares[0], &scores[0], state)
		t.gather(&t.acc[at], 4*t.wide, &shares[0], &t.values[0], t.n8()/8, t.wide/16, state, &t.colScale[0])
		return
	}
	shareFloats(&scores[0], state)
	gatherFloats(&t.acc[at], 4*t.wide, &scores[0], &t.AttendScratch.wide[0], t.n8()/4, t.wide/16, state)
}
