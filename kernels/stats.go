package kernels

import "math"

// Stats describes the softmax of one row of logits.
type Stats struct {
	Token   int32   // the most probable token, the lowest id of equals
	Prob    float32 // its probability
	Second  float32 // the probability of the next most probable one
	Entropy float32 // of the whole distribution, in nats
}

// LogitStats reads one row of logits. The token exclude (-1 for none) is never
// chosen as Token nor counted as Second, but keeps its share of the softmax. A NaN
// is chosen only where there is nothing else.
func LogitStats(logits []float32, exclude int32) Stats {
	p := PartialStats(logits, 0, exclude)
	return p.Stats()
}

// Partial is what is known of the softmax of a row of logits when only some of them
// have been seen. Partials of consecutive ranges merge into that of the whole, so
// that a row of logits need never exist in one piece. The zero value has seen
// nothing.
type Partial struct {
	Seen     bool
	Token    int32   // the greatest logit's, the lowest of equals, -1 for none
	Best     float32 // its logit
	Second   float32 // the next greatest logit, -∞ for none
	High     float32 // the greatest of all, the excluded one's included
	Sum      float64 // Σ exp(z - High)
	Weighted float64 // Σ exp(z - High)·(z - High)
}

// PartialStats reads the logits of the tokens from first on; see [LogitStats] for
// exclude.
func PartialStats(logits []float32, first, exclude int32) Partial {
	minusInf := float32(math.Inf(-1))
	p := Partial{Seen: true, Token: -1, Best: minusInf, Second: minusInf}
	at := int(exclude - first)
	if at < 0 || at >= len(logits) {
		at = len(logits)
	}
	p.greatest(logits[:at], first)
	p.High = p.Best
	if at < len(logits) {
		p.greatest(logits[at+1:], exclude+1)
		p.High = p.Best
		if logits[at] > p.High {
			p.High = logits[at]
		}
	}
	if p.High != minusInf {
		p.Sum, p.Weighted = active.shares(logits, p.High)
	}
	return p
}

// greatest takes note of the greatest of further logits, those of the tokens from
// first on.
func (p *Partial) greatest(logits []float32, first int32) {
	if len(logits) == 0 {
		return
	}
	at, best, second := active.greatest(logits)
	q := Partial{Token: first + int32(at), Best: best, Second: second}
	p.choose(&q)
}

// choose takes the better token of two, p's of equals.
func (p *Partial) choose(q *Partial) {
	switch {
	case q.Token < 0:
	case p.Token < 0 || q.Best > p.Best:
		second := p.Best
		if p.Token < 0 || q.Second > second {
			second = q.Second
		}
		p.Token, p.Best, p.Second = q.Token, q.Best, second
	case q.Best > p.Second:
		p.Second = q.Best
	}
}

// Merge adds what has been seen of the tokens that follow. Merging in the order of
// tokens, partials of the same ranges give the same result always.
func (p *Partial) Merge(next *Partial) {
	if !next.Seen {
		return
	}
	if !p.Seen {
		*p = *next
		return
	}
	p.choose(next)
	high := max(p.High, next.High)
	sum, weighted := p.above(high)
	s, w := next.above(high)
	p.High, p.Sum, p.Weighted = high, sum+s, weighted+w
}

// above returns the sums relative to another greatest logit.
func (p *Partial) above(high float32) (sum, weighted float64) {
	d := float64(p.High) - float64(high)
	if d == 0 || p.Sum == 0 {
		return p.Sum, p.Weighted
	}
	f := math.Exp(d)
	return f * p.Sum, f * (p.Weighted + d*p.Sum)
}

// LogSumExp returns log Σ exp z.
func (p *Partial) LogSumExp() float64 { return float64(p.High) + math.Log(p.Sum) }

// Stats returns the statistics when all has been seen.
func (p *Partial) Stats() Stats {
	share := func(z float32) float32 { return float32(math.Exp(float64(z)-float64(p.High)) / p.Sum) }
	return Stats{
		Token:   p.Token,
		Prob:    share(p.Best),
		Second:  share(p.Second),
		Entropy: float32(math.Log(p.Sum) - p.Weighted/p.Sum),
	}
}

// greatestPlain returns the greatest of at least one value, where the first one of
// equals is, and the second greatest. NaNs are passed over; the place is 0 and the
// value -∞ where there is nothing else.
func greatestPlain(x []float32) (at int, best, second float32) {
	best, second = float32(math.Inf(-1)), float32(math.Inf(-1))
	for i, v := range x {
		if v > best {
			at, best, second = i, v, best
		} else if v > second {
			second = v
		}
	}
	return at, best, second
}

// sharesPlain returns Σ exp(x - high) and Σ exp(x - high)·(x - high).
func sharesPlain(x []float32, high float32) (sum, weighted float64) {
	for _, v := range x {
		z := float64(v) - float64(high)
		e := math.Exp(z)
		sum += e
		if e > 0 { // 0·-∞ is no number
			weighted += e * z
		}
	}
	return sum, weighted
}
