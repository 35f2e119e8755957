package kernels

import "math"

// attendPlain is the specification of attention, query by query.
func attendPlain(dst []float32, a *Activations, rows []int32, keys, values *Matrix, n int, s *AttendScratch) {
	cols, words := keys.Cols, keys.Type != F32
	acc, state := grown(&s.acc, len(rows)*cols), grown(&s.six, len(rows))
	clear(acc)
	var q []int16
	if words {
		q = grown(&s.words, len(rows)*cols)
	}
	for r, from := range rows {
		state[r] = six{}
		state[r].high[0] = float32(math.Inf(-1))
		if words {
			state[r].scale[0] = roundWords(q[r*cols:(r+1)*cols], a.X[int(from)*cols:][:cols], wordLimit(cols))
		}
	}
	t := plainTile{cols: cols, words: words, scores: grown(&s.scores, attendTile)}
	for lo := 0; lo < n; lo += attendTile {
		t.load(s, keys, values, lo, min(lo+attendTile, n))
		for r, from := range rows {
			x := a.X[int(from)*cols:][:cols]
			for p := range t.n {
				if words {
					t.scores[p] = float32(float32(dotWords(q[r*cols:(r+1)*cols], t.k16[p*cols:])) * t.keyScale[p] * state[r].scale[0])
				} else {
					t.scores[p] = dotPlain(x, t.k[p*cols:])
				}
			}
			t.gather(acc[r*cols:(r+1)*cols], &state[r])
		}
	}
	for r := range rows {
		for k, v := range acc[r*cols : (r+1)*cols] {
			dst[r*cols+k] = v / state[r].sum[0]
		}
	}
}

// plainTile is a tile of n positions.
type plainTile struct {
	n, cols  int
	words    bool
	k, v     []float32 // [n, cols]
	k16, v16 []int16   // [n, cols], rounded by rows and by columns
	keyScale []float32 // [n]
	colScale []float32 // [cols]
	scores   []float32 // [n]
}

// load loads positions lo to hi.
func (t *plainTile) load(s *AttendScratch, keys, values *Matrix, lo, hi int) {
	cols := t.cols
	t.n = hi - lo
	t.k, t.v = grown(&s.floats, t.n*cols), grown(&s.wide, t.n*cols)
	for p := range t.n {
		keys.Row(t.k[p*cols:], lo+p)
		values.Row(t.v[p*cols:], lo+p)
	}
	if !t.words {
		return
	}
	t.k16, t.v16 = grown(&s.keys, t.n*cols), grown(&s.values, t.n*cols)
	t.keyScale, t.colScale = grown(&s.keyScale, t.n), grown(&s.colScale, cols)
	for p := range t.n {
		t.keyScale[p] = roundWords(t.k16[p*cols:(p+1)*cols], t.k[p*cols:(p+1)*cols], wordLimit(cols))
	}
	var x [attendTile]float32
	var q [attendTile]int16
	for k := range cols {
		for p := range t.n {
			x[p] = t.v[p*cols+k]
		}
		t.colScale[k] = roundWords(q[:t.n], x[:t.n], valueLimit)
		for p := range t.n {
			t.v16[p*cols+k] = q[p]
		}
	}
}

// gather adds the tile to what a query has gathered, of which s has the rest.
func (t *plainTile) gather(acc []float32, s *six) {
	s.top[0] = float32(math.Inf(-1))
	for _, v := range t.scores[:t.n] {
		s.top[0] = max(s.top[0], v)
	}
	high := max(s.high[0], s.top[0])
	s.keep[0], s.share[0] = expPlain(s.high[0]-high), expPlain(s.top[0]-high)
	var sum float32
	for p, v := range t.scores[:t.n] {
		e := expPlain(v - s.top[0])
		if t.words {
			e = float32(math.RoundToEven(float64(e * shareWhole)))
		}
		t.scores[p] = e
		sum += e
	}
	s.high[0] = high
	s.sum[0] = float32(s.sum[0]*s.keep[0]) + float32(sum*s.share[0])
	for k := range acc {
		var x float32
		if t.words {
			var whole int32
			for p, e := range t.scores[:t.n] {
				whole += int32(e) * int32(t.v16[p*t.cols+k])
			}
			x = float32(whole) * t.colScale[k]
		} else {
			for p, e := range t.scores[:t.n] {
				x += float32(e * t.v[p*t.cols+k])
			}
		}
		acc[k] = float32(acc[k]*s.keep[0]) + float32(x*s.share[0])
	}
}

func expPlain(x float32) float32 { return float32(math.Exp(float64(x))) }

func dotWords(x, y []int16) (sum int32) {
	y = y[:len(x)]
	for i, v := range x {
		sum += int32(v) * int32(y[i])
	}
	return sum
}
