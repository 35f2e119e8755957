package runtime

import (
	"fmt"
	"slices"
	"time"

	"lladakit/kernels"
)

// prefillRows is about how many rows of a prompt one pass computes: enough to
// read each expert's weights for many rows, few enough to keep buffers small.
const prefillRows = 256

// Sequence is one answer in the making: the diffusion loop, without the passes. It
// says what it needs of the next pass, and takes what came out of it.
type Sequence struct {
	m   *Model
	opt Options

	cache  *Cache
	x      []int32 // prompt, answer so far, and masks
	prompt int
	first  int // where the first block to be denoised begins
	final  int // positions whose keys and values are final
	at     int // where the block being denoised begins
	step   int // of this block, from 0
	quota  []int
	draw   *sampler // nil at temperature 0
	audit  *audit   // nil without
	last   work     // what next has asked for
	done   bool
	err    error
	result Result

	// Of the block being denoised.
	rows  []int // the masked positions
	some  []int // of the pass's part, if not all are: those that are computed
	want  []int // of the pass's part: those whose logits are wanted
	conf  []float32
	take  []bool
	stats []kernels.Stats
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
	q.first = len(prompt) / block * block
	q.cache = m.NewCache(total)
	q.rows, q.want, q.some = make([]int, 0, block), make([]int, 0, block), make([]int, 0, block)
	q.conf, q.take, q.stats = make([]float32, block), make([]bool, block), make([]kernels.Stats, block)
	if opt.Temperature > 0 {
		q.draw = newSampler(&q.opt, m.Config.Vocab, m.MaskID)
	}
	if opt.Audit > 0 {
		q.audit = newAudit(opt.Audit)
	}
	q.result.Class = opt.Class()
	q.done = !q.begin(q.first)
	return q
}

// Done reports whether the answer is complete, or has failed.
func (q *Sequence) Done() bool { return q.done }

// Result returns the answer, or as much of it as is decided up to the last whole
// block, and what went wrong.
func (q *Sequence) Result() (*Result, error) {
	q.finish()
	return &q.result, q.err
}

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
		q.at, q.step = at, 0
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
		end = q.final + min(q.first-q.final, max(block, prefillRows/block*block), budget/block*block)
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
			if q.opt.Without.MaskedLogits || q.masked(i) {
				q.want = append(q.want, q.at-p.Pos+i)
			}
		}
		p.Want = q.want
		if p.Pos == q.at && q.opt.Delayed > 0 && q.step%q.opt.Delayed != 0 {
			q.delay()
			p.Rows = q.some
		}
		p.Coreset = q.opt.Coreset
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
	sharers int             // how many sequences had parts in the pass
	took    time.Duration
}

// logits returns those of the i-th row that was wanted, until the next call.
func (o *outcome) logits(i int) []float32 { return o.s.Head(o.first+i, o.first+i+1) }

// absorb takes what came out of the pass.
func (q *Sequence) absorb(o *outcome) {
	p, took := o.part, o.took
	rows, block := p.count(), q.opt.BlockLength
	r := &q.result
	r.Bytes += o.s.cost.Bytes / int64(o.sharers)
	switch q.last {
	case prefill:
		q.final = p.end()
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
	p := o.part
	for i := range q.conf {
		q.conf[i] = -1
	}
	for k, at := range p.Want {
		i := at + p.Pos - q.at
		if !q.masked(i) {
			continue
		}
		q.stats[i] = o.stats[k]
		if prob := o.stats[k].Prob; prob != prob {
			return fmt.Errorf("the logits of position %d are not finite: the file's weights are damaged", q.at+i)
		}
		if q.draw != nil {
			q.draw.sample(o.logits(k), &q.stats[i])
		}
		q.conf[i] = q.stats[i].Prob
	}
	high := acceptThreshold(q.take, q.conf, q.quota[q.step], q.opt.Threshold)
	if high < q.quota[q.step] {
		q.result.Fallbacks++
	}
	for i, take := range q.take {
		if take {
			q.x[q.at+i] = q.stats[i].Token
		}
	}
	q.result.StepsPerBlock[len(q.result.StepsPerBlock)-1]++
	if q.opt.OnStep != nil {
		block := q.opt.BlockLength
		q.opt.OnStep(Step{
			Block: q.at / block, Step: q.step, Prompt: min(block, max(0, q.prompt-q.at)),
			Tokens: q.x[q.at : q.at+block], Wrote: q.take, Stats: q.stats, Cost: o.s.cost,
		})
	}
	q.step++
	return nil
}

// advance goes on to the next block when this one is finished, and ends where the
// answer does.
func (q *Sequence) advance() {
	if q.opt.EOSEarlyStop && q.complete() {
		q.done = true
		return
	}
	q.look()
	if len(q.rows) > 0 && q.step < len(q.quota) {
		return
	}
	end := q.at + q.opt.BlockLength
	switch {
	case !q.ended(end) && q.begin(end):
	case q.opt.Without.SkippedCommit && q.opt.Profile != Reference:
		end = q.at + q.opt.BlockLength
		q.x, q.at = q.x[:end], end // all that is left is the commit
	default:
		q.done = true
	}
}

// ended reports whether the answer has an end token before position end.
func (q *Sequence) ended(end int) bool {
	return slices.Contains(q.x[min(q.prompt, end):end], q.m.EOSID)
}

// complete reports whether the last step wrote an end token and no mask stands
// before the answer's first one.
func (q *Sequence) complete() bool {
	wrote := false
	for i, take := range q.take {
		wrote = wrote || take && q.x[q.at+i] == q.m.EOSID
	}
	if !wrote {
		return false
	}
	answer := q.x[q.prompt : q.at+q.opt.BlockLength]
	end := slices.Index(answer, q.m.EOSID)
	return end >= 0 && !slices.Contains(answer[:end], q.m.MaskID)
}

// interrupt ends the sequence before its answer is complete: what the last block
// has is taken back.
func (q *Sequence) interrupt(err error) {
	if q.done {
		return
	}
	q.done, q.err = true, err
	for i := max(q.at, q.prompt); i < len(q.x); i++ {
		q.x[i] = q.m.MaskID
	}
}

// finish cuts the answer out of the window.
func (q *Sequence) finish() {
	if q.audit != nil && q.result.Audit == nil {
		q.result.Audit = q.audit.run(q)
	}
	answer := q.x[q.prompt:min(len(q.x), q.prompt+q.opt.GenLength)]
	q.result.Finish = "length"
	if end := slices.Index(answer, q.m.EOSID); end >= 0 {
		answer = answer[:end+1]
		q.result.Finish = "eos"
	}
	if masked := slices.Index(answer, q.m.MaskID); masked >= 0 {
		answer = answer[:masked]
		q.result.Finish = "interrupted"
	}
	q.result.IDs = answer
}
