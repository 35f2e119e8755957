package bench

import (
	"time"

	"lladakit/reports"
	"lladakit/runtime"
)

// tally gathers what the repetitions of a test took.
type tally struct {
	forwards []forward
	took     []time.Duration // of repetitions
	tokens   []int           // made or prefilled in them
	denoise  int             // denoising forwards in all of them

	inside, outside time.Duration // of all forwards: in their phases, and as seen from outside
	phases          reports.Phases
	rows, logits    int
	experts         float64 // sum over forwards of the mean over layers
	bytes, macs     float64
}

// forward is what is held against the machine's limits.
type forward struct {
	took              time.Duration
	bytes             int64
	int4, int8, float int64 // products
}

// forward adds one that was executed.
func (t *tally) forward(took time.Duration, c runtime.Cost) {
	t.forwards = append(t.forwards, forward{took, c.Bytes, c.Int4, c.Int8, c.MACs - c.Int4 - c.Int8})
	t.inside += c.Total
	t.outside += took
	for _, x := range []struct {
		sum  *float64
		took time.Duration
	}{
		{&t.phases.Projections, c.Projections}, {&t.phases.Attention, c.Attention}, {&t.phases.FFN, c.FFN}, {&t.phases.Head, c.Head},
		{&t.phases.Other, c.Embedding + c.Norms + c.Rotation + c.Acceptance},
	} {
		*x.sum += float64(x.took.Nanoseconds())
	}
	t.rows += c.Rows
	t.logits += c.Logits
	t.bytes += float64(c.Bytes)
	t.macs += float64(c.MACs)
	touched, layers := 0, 0
	for _, n := range c.Experts {
		if n > 0 {
			touched += n
			layers++
		}
	}
	t.experts += float64(touched) / float64(max(1, layers))
}

// repetition ends one.
func (t *tally) repetition(took time.Duration, tokens, denoise int) {
	t.took, t.tokens = append(t.took, took), append(t.tokens, tokens)
	t.denoise += denoise
}

// add adds a repetition that was run to its end.
func (t *tally) add(r *tally) {
	t.forwards = append(t.forwards, r.forwards...)
	t.took, t.tokens = append(t.took, r.took...), append(t.tokens, r.tokens...)
	t.denoise += r.denoise
	t.inside += r.inside
	t.outside += r.outside
	t.phases.Projections += r.phases.Projections
	t.phases.Attention += r.phases.Attention
	t.phases.FFN += r.phases.FFN
	t.phases.Head += r.phases.Head
	t.phases.Other += r.phases.Other
	t.rows += r.rows
	t.logits += r.logits
	t.experts += r.experts
	t.bytes += r.bytes
	t.macs += r.macs
}

// fill writes figures to a row, with shares of the limits where they are known.
func (t *tally) fill(row *reports.Test, kind Kind, limits reports.Limits) {
	repetitions := float64(len(t.took))
	times, speeds := make([]float64, 0, len(t.took)), make([]float64, 0, len(t.took))
	for i, took := range t.took {
		times = append(times, float64(took.Nanoseconds()))
		row.SamplesNS = append(row.SamplesNS, uint64(took.Nanoseconds()))
		if t.tokens[i] > 0 {
			speeds = append(speeds, float64(t.tokens[i])/took.Seconds())
		}
	}
	spread := NewSpread(times)
	row.AvgNS, row.StddevNS = uint64(spread.Mean), uint64(spread.Stddev)
	spread = NewSpread(speeds)
	row.AvgTS, row.StddevTS, row.SamplesTS = spread.Mean, spread.Stddev, speeds
	n := float64(len(t.forwards))
	if n == 0 {
		return
	}
	each := make([]float64, 0, len(t.forwards))
	for _, f := range t.forwards {
		each = append(each, float64(f.took.Nanoseconds()))
	}
	row.Forward, row.Forwards = NewSpread(each), n/repetitions
	if kind == Step || kind == Commit {
		row.Forwards = 1 // a repetition is a burst of them, and its time their mean
	}
	tokens := 0
	for _, n := range t.tokens {
		tokens += n
	}
	row.Tokens = tokens / len(t.tokens)
	if t.denoise > 0 {
		row.TPF = float64(tokens) / float64(t.denoise)
	}
	row.Rows, row.Logits, row.Experts = float64(t.rows)/n, float64(t.logits)/n, t.experts/n
	row.Bytes, row.MACs = t.bytes/n, t.macs/n
	p := t.phases
	row.Phases = reports.Phases{
		Projections: p.Projections / n, Attention: p.Attention / n, FFN: p.FFN / n, Head: p.Head / n, Other: p.Other / n,
		Explained: t.inside.Seconds() / t.outside.Seconds(),
	}
	t.shares(row, limits)
}

// shares writes the greatest share of each limit that a forward has reached. Of equal
// forwards it is the fastest one's.
func (t *tally) shares(row *reports.Test, limits reports.Limits) {
	for _, f := range t.forwards {
		// What is in a nanosecond is in 1e9 a second.
		ns := float64(f.took.Nanoseconds())
		row.Read = max(row.Read, float64(f.bytes)/ns)
		row.Products = max(row.Products, float64(f.int4+f.int8+f.float)/ns)
		if limits.Memory > 0 {
			row.Memory = max(row.Memory, float64(f.bytes)/ns/limits.Memory)
		}
		if limits.Int4 > 0 && limits.Int8 > 0 && limits.Float > 0 {
			least := float64(f.int4)/limits.Int4 + float64(f.int8)/limits.Int8 + float64(f.float)/limits.Float
			row.Compute = max(row.Compute, least/ns)
		}
	}
	if row.Memory > 1 {
		row.Memory = 1
		row.Warnings = append(row.Warnings, "weights were read faster than memory can be: the processor's caches hold some of them")
	}
	if row.Compute > 1 {
		row.Compute = 1
		row.Warnings = append(row.Warnings, "the test ran faster than the peak loops between its repetitions: the machine's speed has changed")
	}
}
