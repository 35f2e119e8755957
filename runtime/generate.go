package runtime

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lladakit/kernels"
)

// Forwards counts passes.
type Forwards struct {
	Prefill int `json:"prefill"` // over whole blocks of the prompt
	Denoise int `json:"denoise"` // denoising steps
	Commit  int `json:"commit"`  // that made a finished block final
}

// Result is an answer and what it took.
type Result struct {
	IDs           []int32 // up to and including the end token; never the prompt
	Finish        string  // "eos"; "length" when GenLength ended it; "interrupted"
	Forwards      Forwards
	StepsPerBlock []int // denoising steps of every block
	Prefill       time.Duration
	Denoise       time.Duration
	Commit        time.Duration
}

// TPF returns the tokens of the answer per denoising step.
func (r *Result) TPF() float64 {
	if r.Forwards.Denoise == 0 {
		return 0
	}
	return float64(len(r.IDs)) / float64(r.Forwards.Denoise)
}

// Step tells of one denoising step. Its slices are used again by the next one.
type Step struct {
	Block  int             // index of the block, counted from position 0
	Step   int             // of this block, from 0
	Prompt int             // how many positions of the block belong to the prompt
	Tokens []int32         // of the block, after the step
	Wrote  []bool          // which of them this step wrote
	Stats  []kernels.Stats // of the positions that were masked before the step
}

// prefillRows is about how many rows of a prompt one pass computes: enough to
// read each expert's weights for many rows, few enough to keep buffers small.
const prefillRows = 256

// generation is one run of the diffusion loop.
type generation struct {
	m   *Model
	opt *Options

	s      *State
	cache  *Cache
	x      []int32 // prompt, answer so far, and masks
	prompt int
	quota  []int
	draw   *sampler // nil at temperature 0
	result Result

	// Of the block being denoised.
	rows  []int // rows of the pass whose logits are wanted: the masked ones
	conf  []float32
	take  []bool
	stats []kernels.Stats // of the block's positions
	read  []kernels.Stats // of rows
}

// Generate answers a prompt by block diffusion (LLaDA2.0's generate). It fails
// before any work when a setting or an id is out of range. When ctx ends, or
// the model computes what is no number, it returns what was decided up to the
// last whole block with the error.
//
// Two things differ from the published code. The answer never includes the
// prompt, where that code returns both after an early stop. And the mask token
// is never chosen as a prediction (it keeps its share of the softmax), where
// that code would write it and waste the step.
func (m *Model) Generate(ctx context.Context, prompt []int32, opt Options) (*Result, error) {
	if err := m.Check(&opt, len(prompt)); err != nil {
		return nil, err
	}
	if err := m.CheckIDs(prompt); err != nil {
		return nil, err
	}
	g := m.newGeneration(prompt, &opt)
	err := g.run(ctx)
	g.finish()
	return &g.result, err
}

func (m *Model) newGeneration(prompt []int32, opt *Options) *generation {
	block := opt.BlockLength
	total := opt.blocks(len(prompt)) * block
	g := &generation{m: m, opt: opt, prompt: len(prompt), quota: opt.schedule()}
	g.x = slices.Grow(slices.Clone(prompt), total-len(prompt))
	for len(g.x) < total {
		g.x = append(g.x, m.MaskID)
	}
	rows := max(block, prefillRows/block*block)
	if opt.Profile == Reference {
		rows = total
	} else {
		rows = min(rows, max(block, len(prompt)/block*block))
	}
	g.s, g.cache = m.NewState(rows, total, block), m.NewCache(total)
	g.rows, g.stats, g.read = make([]int, 0, block), make([]kernels.Stats, block), make([]kernels.Stats, block)
	g.conf, g.take = make([]float32, block), make([]bool, block)
	if opt.Temperature > 0 {
		g.draw = newSampler(opt, m.Config.Vocab, m.MaskID)
	}
	return g
}

// run decodes block after block, from the one in which the prompt ends.
func (g *generation) run(ctx context.Context) error {
	block := g.opt.BlockLength
	first, blocks := g.prompt/block, len(g.x)/block
	if err := g.prefill(ctx, first*block); err != nil {
		return err
	}
	for b := first; b < blocks; b++ {
		done, err := g.denoise(ctx, b)
		if err != nil {
			clearBlock(g.x[b*block:], max(0, g.prompt-b*block), g.m.MaskID)
			return err
		}
		if done || g.ended((b+1)*block) || b+1 == blocks {
			return nil
		}
		g.commit(b)
	}
	return nil
}

// clearBlock puts masks from position from on, where there is no prompt.
func clearBlock(x []int32, from int, mask int32) {
	for i := from; i < len(x); i++ {
		x[i] = mask
	}
}

// ended reports whether the answer has an end token before position end.
func (g *generation) ended(end int) bool {
	return slices.Contains(g.x[min(g.prompt, end):end], g.m.EOSID)
}

// prefill computes the prompt's whole blocks, positions 0 to end.
func (g *generation) prefill(ctx context.Context, end int) error {
	if g.opt.Profile == Reference {
		return nil
	}
	defer since(time.Now(), &g.result.Prefill)
	for pos := 0; pos < end; pos += g.s.rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		g.s.Forward(g.x[pos:min(pos+g.s.rows, end)], pos, g.opt.BlockLength, g.cache, nil)
		g.result.Forwards.Prefill++
	}
	return nil
}

// commit makes the keys and values of a finished block final.
func (g *generation) commit(b int) {
	if g.opt.Profile == Reference {
		return
	}
	defer since(time.Now(), &g.result.Commit)
	block := g.opt.BlockLength
	g.s.Forward(g.x[b*block:(b+1)*block], b*block, block, g.cache, nil)
	g.result.Forwards.Commit++
}

// denoise runs the steps of block b. done says that an early stop ended the
// answer inside the block.
func (g *generation) denoise(ctx context.Context, b int) (done bool, err error) {
	defer since(time.Now(), &g.result.Denoise)
	g.result.StepsPerBlock = append(g.result.StepsPerBlock, 0)
	for step, quota := range g.quota {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if more, err := g.step(b, quota); !more || err != nil {
			return false, err
		}
		g.result.Forwards.Denoise++
		g.result.StepsPerBlock[len(g.result.StepsPerBlock)-1]++
		if g.opt.OnStep != nil {
			block := g.opt.BlockLength
			g.opt.OnStep(Step{
				Block: b, Step: step, Prompt: min(block, max(0, g.prompt-b*block)),
				Tokens: g.x[b*block : (b+1)*block], Wrote: g.take, Stats: g.stats,
			})
		}
		if g.opt.EOSEarlyStop && g.complete(b) {
			return true, nil
		}
	}
	return false, nil
}

// step runs one denoising step of block b: the pass, the distributions at the
// masked positions, the policy's choice. It returns false when there is no mask.
func (g *generation) step(b, quota int) (more bool, err error) {
	block := g.opt.BlockLength
	lo, hi := b*block, (b+1)*block
	x := g.x[lo:hi]
	from := lo
	if g.opt.Profile == Reference {
		from = 0
	}
	g.rows = g.rows[:0]
	for i, id := range x {
		g.conf[i] = -1
		if id == g.m.MaskID {
			g.rows = append(g.rows, lo-from+i)
		}
	}
	if len(g.rows) == 0 {
		return false, nil
	}
	g.s.Forward(g.x[from:hi], from, block, g.cache, g.rows)
	var logits []float32
	if g.draw != nil {
		logits = g.s.Head(0, len(g.rows))
		g.readStats(logits)
	} else {
		g.s.HeadStats(g.read[:len(g.rows)], g.m.MaskID)
	}
	for i, r := range g.rows {
		g.stats[r%block] = g.read[i]
		if p := g.stats[r%block].Prob; p != p {
			return false, fmt.Errorf("the logits of position %d are not finite: the file's weights are damaged", from+r)
		}
		if g.draw != nil {
			vocab := g.m.Config.Vocab
			g.draw.sample(logits[i*vocab:(i+1)*vocab], &g.stats[r%block])
		}
		g.conf[r%block] = g.stats[r%block].Prob
	}
	acceptThreshold(g.take, g.conf, quota, g.opt.Threshold)
	for i, take := range g.take {
		if take {
			x[i] = g.stats[i].Token
		}
	}
	return true, nil
}

// readStats reads the logits of the masked rows.
func (g *generation) readStats(logits []float32) {
	vocab := g.m.Config.Vocab
	for i := range g.rows {
		g.read[i] = kernels.LogitStats(logits[i*vocab:(i+1)*vocab], g.m.MaskID)
	}
}

// complete reports whether the last step wrote an end token and no mask stands
// before the answer's first one.
func (g *generation) complete(b int) bool {
	block := g.opt.BlockLength
	wrote := false
	for i, take := range g.take {
		wrote = wrote || take && g.x[b*block+i] == g.m.EOSID
	}
	if !wrote {
		return false
	}
	answer := g.x[g.prompt : (b+1)*block]
	end := slices.Index(answer, g.m.EOSID)
	return end >= 0 && !slices.Contains(answer[:end], g.m.MaskID)
}

// finish cuts the answer out of the window.
func (g *generation) finish() {
	answer := g.x[g.prompt : g.prompt+g.opt.GenLength]
	g.result.Finish = "length"
	if end := slices.Index(answer, g.m.EOSID); end >= 0 {
		answer = answer[:end+1]
		g.result.Finish = "eos"
	}
	if masked := slices.Index(answer, g.m.MaskID); masked >= 0 {
		answer = answer[:masked] // interrupted
		g.result.Finish = "interrupted"
	}
	g.result.IDs = answer
}

// since adds the time since start to d.
func since(start time.Time, d *time.Duration) { *d += time.Since(start) }
