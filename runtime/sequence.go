package runtime

import (
	"fmt"
	"math"
	"slices"
	"time"

	"lladakit/kernels"
)

// prefillRows is about how many rows of a prompt one pass computes: enough to
// read each expert's weights for many rows, few enough to keep buffers small.
const prefillRows = 256

// PrefillRows returns how many rows of a prompt a pass computes at most, with blocks of
// a given length: whole blocks.
func PrefillRows(block int) int { return max(block, prefillRows/block*block) }

// Sequence is one answer in the making: the diffusion loop, without the passes. It
// says what it needs of the next pass, and takes what came out of it.
type Sequence struct {
	m   *Model
	opt Options

	cache   *Cache
	kept    *kept   // nil until positions are left out
	keptAt  int     // the block that it is for
	x       []int32 // prompt, answer so far, and masks
	prompt  int
	first   int // where the first block to be denoised begins
	final   int // positions whose keys and values are final
	at      int // where the block being denoised begins
	step    int // of this block, from 0
	quota   []int
	decider *decider
	stage   stage
	fixed   []bool   // where x is given, by the prompt or a template
	draw    *sampler // nil at temperature 0
	audit   *audit   // nil without
	last    work     // what next has asked for
	fed     int      // the batch's pass that computed some of the prompt last
	done    bool
	err     error
	result  Result

	// Of the block being denoised.
	rows  []int // the masked positions
	some  []int // of the pass's part, if not all are: those that are computed
	want  []int // of the pass's part: those whose logits are wanted
	view  view  // its stats and masks are of the last step
	out   *outcome
	take  []bool // what the last step chose
	wrote []bool // of that, what was masked
	edit  []bool // and what was not
}

// work is what a pass does for a sequence.
type work int

const (
	prefill work = iota
	commit
	denoise
)

func (m *Model) newSequence(prompt []int32, opt Options) *Sequence {
	block := opt.BlockLength
	total := opt.blocks(len(prompt)) * block
	q := &Sequence{m: m, opt: opt, prompt: len(prompt), quota: opt.schedule()}
	q.x = append(slices.Grow(slices.Clone(prompt), total-len(prompt)), opt.Template...)
	for len(q.x) < total {
		q.x = append(q.x, m.MaskID)
	}
	for i, id := range q.x {
		q.fixed = append(q.fixed, i < len(prompt) || id != m.MaskID)
	}
	q.first = len(prompt) / block * block
	q.cache = m.NewCache(total)
	q.rows, q.want, q.some = make([]int, 0, block), make([]int, 0, block), make([]int, 0, block)
	q.take, q.wrote, q.edit = make([]bool, block), make([]bool, block), make([]bool, block)
	q.view = view{masked: make([]bool, block), stats: make([]kernels.Stats, block), threshold: opt.Threshold, prob: q.prob}
	q.decider = newDecider(opt.Policy, block)
	if opt.Temperature > 0 {
		q.draw = newSampler(&q.opt, m.Config.Vocab, m.MaskID)
	}
	if opt.Audit > 0 {
		q.audit = newAudit(opt.Audit)
	}
	if opt.PromptCache != nil && opt.Profile != Reference {
		q.final = opt.PromptCache.Load(q.cache, q.x[:q.first], block)
		q.result.Cached = q.final
	}
	q.result.Class = opt.Class()
	q.done = !q.begin(q.first)
	return q
}

// prefilling reports whether some of the prompt is still to be computed before steps.
func (q *Sequence) prefilling() bool { return q.final < q.first && q.opt.Profile != Reference }

// most returns the greatest number of rows that the sequence needs in a pass.
func (q *Sequence) most() int {
	if q.opt.Profile == Reference {
		return len(q.x)
	}
	return 2 * q.opt.BlockLength
}

// begin turns to the first block with masks from the one at a position on. It is
// false if the answer ends before.
func (q *Sequence) begin(at int) bool {
	for ; at < len(q.x); at += q.opt.BlockLength {
		q.at, q.step, q.stage = at, 0, stage{}
		q.decider.reset()
		q.result.StepsPerBlock = append(q.result.StepsPerBlock, 0)
		q.look()
		if len(q.rows) > 0 {
			return true
		}
		if q.ended(at + q.opt.BlockLength) {
			return false
		}
	}
	return false
}

// next returns the sequence's part of the next pass, of at most budget rows. It is
// false where those are too few.
//
// A finished block is made final in the pass that is the next block's first step:
// its rows see what they would see alone, and the experts' weights are read once for
// both.
func (q *Sequence) next(budget int) (p Part, ok bool) {
	block := q.opt.BlockLength
	p = Part{Pos: q.final, Block: block, Cache: q.cache, WholeLayer: q.opt.Without.PrunedLayer}
	end := q.at + block
	switch pending := q.at - q.final; {
	case q.opt.Profile == Reference:
		p.Pos, q.last = 0, denoise
	case q.final < q.first:
		end = q.final + min(q.first-q.final, PrefillRows(block), budget/block*block)
		q.last = prefill
	case pending > block || pending > 0 && (q.opt.Without.FusedCommit || q.at == len(q.x)):
		end, q.last = q.final+block, commit
	default:
		q.last = denoise
	}
	p.IDs = q.x[p.Pos:end]
	if q.last == denoise {
		q.look()
		for i := range block {
			if q.opt.Without.MaskedLogits || q.masked(i) || q.decider.policy.All && !q.fixed[q.at+i] {
				q.want = append(q.want, q.at-p.Pos+i)
			}
		}
		p.Want = q.want
		if p.Pos == q.at && q.opt.Delayed > 0 && q.step%q.opt.Delayed != 0 {
			q.delay()
			p.Rows = q.some
			if q.opt.Without.MaskedLogits { // there are none of what is not computed
				q.want = append(q.want[:0], q.some...)
				p.Want = q.want
			}
		}
		p.Coreset = q.opt.Coreset
		if p.Pos == q.at && q.at > 0 && q.step > 0 && q.opt.KVKeep > 0 {
			if p.choose = q.keptAt != q.at; p.choose {
				q.kept = q.cache.keepFrom(q.kept, q.at, block, q.opt.KVKeep)
			}
			p.keep = q.kept
		}
	}
	return p, 0 < len(p.IDs) && len(p.IDs) <= budget
}

// look finds the masks of the block.
func (q *Sequence) look() {
	q.rows, q.want = q.rows[:0], q.want[:0]
	for i := range q.opt.BlockLength {
		if q.masked(i) {
			q.rows = append(q.rows, i)
		}
	}
}

// delay lists the positions of the block that are masked or were decided just now.
func (q *Sequence) delay() {
	q.some = q.some[:0]
	for i := range q.opt.BlockLength {
		if q.masked(i) || q.take[i] {
			q.some = append(q.some, i)
		}
	}
}

// masked reports whether a position of the block is.
func (q *Sequence) masked(i int) bool { return q.x[q.at+i] == q.m.MaskID }

// outcome is what came out of a pass for one sequence.
type outcome struct {
	s       *State
	part    *Part
	stats   []kernels.Stats // of the rows that were wanted
	first   int             // of the state's rows that were wanted, where this part's begin
	have    []float32       // logits
	sharers int             // how many sequences had parts in the pass
	took    time.Duration
}

// logits returns those of all rows that were wanted, [rows, vocab], until another
// sequence asks.
func (o *outcome) logits() []float32 {
	if o.have == nil {
		o.have = o.s.Head(o.first, o.first+len(o.part.Want))
	}
	return o.have
}

// absorb takes what came out of the pass.
func (q *Sequence) absorb(o *outcome) {
	p, took := o.part, o.took
	rows, block := p.count(), q.opt.BlockLength
	r := &q.result
	r.Bytes += o.s.cost.Bytes / int64(o.sharers)
	switch q.last {
	case prefill:
		q.final = p.end()
		if q.final == q.first && q.opt.PromptCache != nil {
			q.opt.PromptCache.Save(q.cache, q.x[:q.first], block, r.Cached)
		}
		r.Prefill += took
		r.Forwards.Prefill++
		r.Rows.Prefill += rows
	case commit:
		q.final = p.end()
		r.Commit += took
		r.Forwards.Commit++
		r.Rows.Commit += rows
		q.done = q.final == len(q.x)
	case denoise:
		if p.choose {
			q.keptAt = q.at
		}
		r.Denoise += took
		r.Forwards.Denoise++
		r.Rows.Denoise += rows
		if p.Pos < q.at && q.opt.Profile != Reference {
			q.final = q.at
			r.Forwards.Commit++
			r.Forwards.Fused++
			r.Rows.Commit += rows - block
			r.Rows.Fused += rows - block
			r.Rows.Denoise -= rows - block
		}
		if q.audit != nil {
			q.audit.consider(q, o)
		}
		if err := q.decide(o); err != nil {
			q.interrupt(err)
			return
		}
		q.advance()
	}
}

// decide is the rest of a denoising step: the policy's choice among the predictions.
func (q *Sequence) decide(o *outcome) error {
	block := q.opt.BlockLength
	q.out = o
	v := &q.view
	v.current, v.fixed = q.x[q.at:q.at+block], q.fixed[q.at:q.at+block]
	v.quota = q.quota[min(q.step, len(q.quota)-1)]
	masks := 0
	for i := range v.masked {
		if v.masked[i] = q.masked(i); v.masked[i] {
			masks++
		}
	}
	vocab := q.m.Config.Vocab
	for k, at := range o.part.Want {
		i := at + o.part.Pos - q.at
		v.stats[i] = o.stats[k]
		if prob := o.stats[k].Prob; prob != prob {
			return fmt.Errorf("the logits of position %d are not finite: the file's weights are damaged", q.at+i)
		}
		if !v.masked[i] {
			continue
		}
		if q.draw != nil {
			q.draw.sample(o.logits()[k*vocab:(k+1)*vocab], &v.stats[i])
		}
		if q.decider.stability != nil {
			q.decider.observe(i, o.logits()[k*vocab:(k+1)*vocab])
		}
	}
	if passed := q.decider.decide(q.take, v); passed < v.quota && passed < masks {
		q.result.Fallbacks++
	}
	changed, edited := false, false
	for i, take := range q.take {
		q.wrote[i], q.edit[i] = take && v.masked[i], take && !v.masked[i]
		edited = edited || q.edit[i]
		if take {
			v.current[i], changed = v.stats[i].Token, true
		}
	}
	kind := q.decider.next(q.stage, masks > 0)
	q.stage = q.stage.after(kind, changed, o.part.Rows == nil && !q.opt.approximates())
	q.result.StepsPerBlock[len(q.result.StepsPerBlock)-1]++
	if q.opt.OnStep != nil {
		step := Step{
			Block: q.at / block, Step: q.step, Prompt: min(block, max(0, q.prompt-q.at)),
			Tokens: v.current, Wrote: q.wrote, Masked: v.masked, Stats: v.stats, Cost: o.s.cost,
		}
		if edited {
			step.Edited = q.edit
		}
		q.opt.OnStep(step)
	}
	q.step++
	return nil
}

// prob returns the probability of a token at a position of the block, by the last
// pass.
func (q *Sequence) prob(position int, token int32) float64 {
	o := q.out
	k, _ := slices.BinarySearch(o.part.Want, position+q.at-o.part.Pos)
	s := &o.stats[k]
	return float64(s.Prob) * math.Exp(float64(o.s.logit(o.first+k, token))-float64(o.s.logit(o.first+k, s.Token)))
}

// advance goes on to the next block when this one is finished, and ends where the
// answer does.
func (q *Sequence) advance() {
	if q.opt.EOSEarlyStop && !q.decider.policy.All && q.complete() {
		q.done = true
		return
	}
	q.look()
	switch q.decider.next(q.stage, len(q.rows) > 0) {
	case passDenoise, passEdit:
		return
	}
	end := q.at + q.opt.BlockLength
	if q.stage.final && q.opt.Profile != Reference {
		q.final = end // the last step ran on the final tokens: it was the commit, too
	}
	switch {
	case !q.ended(end) && q.begin(end):
	case q.opt.Without.SkippedCommit && q.opt.Profile != Reference && q.final < end:
		end = q.at + q.opt.BlockLength
		q.x, q.at = q.x[:end], end // all that is left is the commit
	default:
		q.done = true
	}
}
