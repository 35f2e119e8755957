package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"time"

	"lladakit/internal/tokenizer"
	"lladakit/kernels"
	"lladakit/reports"
	"lladakit/runtime"
)

// SweepOptions say what to sweep.
type SweepOptions struct {
	Models      []string // GGUF files; results are relative to the first
	Grid        *SweepGrid
	Prompts     []string // of users
	Data        string   // where those are from
	Raw         bool     // prompts without the chat form
	GenLength   int      // most tokens of an answer
	Repetitions int      // 0: 1

	// Judge, if not nil, tells whether a text is a right answer to a prompt. An error
	// ends the sweep.
	Judge func(ctx context.Context, prompt int, text string) (bool, error)

	Pack runtime.Pack // as of runtime.LoadOptions
	KV   runtime.KV

	Program reports.Program // for the result; its kernels and version of Go are filled in
	Command []string

	// Progress, if not nil, is called before every answer, with how many there are, and
	// of how many. Loading is called from time to time while a model is loaded.
	Progress func(done, total int)
	Loading  func(model string, done, total int64)
}

// sweep is a sweep in progress.
type sweep struct {
	opt    *SweepOptions
	result *reports.Sweep
	cells  []*sweepCell
	beds   []*bed
	done   int // answers
}

// sweepCell is a model with settings.
type sweepCell struct {
	model   *runtime.Model
	batch   *runtime.Batch // of the model with this number of threads
	opt     runtime.Options
	prompts [][]int32
	row     reports.SweepCell
	speeds  []float64 // tokens per second of whole repetitions

	// Of the repetition in progress.
	took   time.Duration
	tokens int

	denoise time.Duration // of all
	steps   int
}

// answer is what a cell answered.
type answer struct {
	*runtime.Result
	took time.Duration
}

// Sweep has every model answer all prompts with every combination of settings of the
// grid, and with the recommended ones: greedy, with the block length, steps and threshold
// that the file names, in the profile exact. One prompt at a time is answered, and cells
// take turns at every prompt, so that what disturbs the machine for a while disturbs all
// of them alike. All models are loaded at once.
//
// It fails before any answer when a setting has no meaning for a model. When ctx ends, it
// returns what all cells answered, marked as interrupted, with the error.
func Sweep(ctx context.Context, opt SweepOptions) (*reports.Sweep, error) {
	opt.Repetitions = max(1, opt.Repetitions)
	s := &sweep{opt: &opt, result: &reports.Sweep{
		Version: reports.SweepVersion, Program: opt.Program, Machine: ThisMachine(), Command: opt.Command, Started: time.Now().UTC().Truncate(time.Second),
		Data: opt.Data, Asked: len(opt.Prompts), Judged: opt.Judge != nil, Axes: opt.Grid.names(), Cells: []reports.SweepCell{}, Warnings: []string{},
	}}
	s.result.Program.Go, s.result.Program.Kernels = goruntime.Version(), kernels.Implementation()
	defer s.close()
	for _, path := range opt.Models {
		b, err := newBed(Source{Path: path}, nil)
		if err != nil {
			return nil, err
		}
		s.beds = append(s.beds, b)
	}
	if err := checkRoom(s.beds); err != nil {
		return nil, err
	}
	for _, b := range s.beds {
		if err := s.load(ctx, b); err != nil {
			return nil, err
		}
	}
	watch := NewWatch()
	err := s.run(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	s.result.Interrupted = err != nil
	s.result.Warnings = append(s.result.Warnings, watch.Warnings()...)
	for _, c := range s.cells {
		s.result.Cells = append(s.result.Cells, c.finish(s.result))
	}
	s.result.Compare()
	return s.result, err
}

// load loads a model and makes its cells.
func (s *sweep) load(ctx context.Context, b *bed) error {
	path := b.source.Path
	threads := s.opt.Grid.threads
	if len(threads) == 0 {
		threads = []int{goruntime.GOMAXPROCS(0)}
	}
	load := Options{Pack: s.opt.Pack, KV: s.opt.KV, Loading: s.opt.Loading}
	for i, n := range threads {
		m, err := b.load(ctx, &load, n)
		if err != nil {
			return err
		}
		if i == 0 {
			for _, warning := range larger(m) {
				s.result.Warnings = append(s.result.Warnings, path+": "+warning)
			}
		}
		if i == 0 && m.Tokenizer == nil {
			return fmt.Errorf("%s has no vocabulary to read texts with", path)
		}
		recommended := m.Defaults()
		recommended.GenLength = s.opt.GenLength
		all, err := s.opt.Grid.options(recommended)
		if err != nil {
			return err
		}
		prompts, err := s.encode(m)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		batch := m.NewBatch()
		for j, o := range all {
			c := &sweepCell{model: m, batch: batch, opt: o, prompts: prompts}
			if c.row, err = s.describe(b, n, &o); err != nil {
				return err
			}
			c.row.Recommended = j == 0
			if err := c.check(); err != nil {
				return &SettingError{c.name(s.result.Axes), err}
			}
			s.cells = append(s.cells, c)
		}
	}
	return nil
}

// encode returns the ids of all prompts.
func (s *sweep) encode(m *runtime.Model) ([][]int32, error) {
	all := make([][]int32, len(s.opt.Prompts))
	for i, text := range s.opt.Prompts {
		if s.opt.Raw {
			all[i] = m.Tokenizer.Encode(text)
			continue
		}
		var err error
		if all[i], err = m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: text}}); err != nil {
			return nil, fmt.Errorf("prompt %d: %w", i+1, err)
		}
	}
	return all, nil
}

func (s *sweep) describe(b *bed, threads int, o *runtime.Options) (reports.SweepCell, error) {
	settings, err := json.Marshal(o)
	return reports.SweepCell{
		Model: b.source.Path, Type: b.typeName(), Size: b.size, SHA256: b.sha256, Threads: threads,
		Values: s.opt.Grid.values(o), Settings: settings, Class: string(o.Class()),
	}, err
}

// check reports the first prompt that cannot be answered.
func (c *sweepCell) check() error {
	for i, p := range c.prompts {
		if err := c.model.Check(&c.opt, len(p)); err != nil {
			return fmt.Errorf("prompt %d: %w", i+1, err)
		}
	}
	return nil
}

// name names a cell by its settings.
func (c *sweepCell) name(axes []string) string {
	name := c.row.Model
	for i, axis := range axes {
		name += " " + axis + "=" + c.row.Values[i]
	}
	return name
}

// run has all prompts answered, as often as is asked for, once each model has run for a
// while.
func (s *sweep) run(ctx context.Context) error {
	for _, c := range s.cells {
		if c.row.Recommended && len(c.prompts) > 0 {
			if _, err := c.answer(ctx, 0); err != nil {
				return fmt.Errorf("%s: %w", c.name(s.result.Axes), err)
			}
		}
	}
	for repetition := range s.opt.Repetitions {
		for prompt := range s.opt.Prompts {
			answers, err := s.turn(ctx, prompt)
			if err != nil {
				if repetition == 0 {
					s.repetition()
				}
				return err
			}
			if repetition == 0 {
				if err := s.judge(ctx, prompt, answers); err != nil {
					s.repetition()
					return fmt.Errorf("prompt %d: %w", prompt+1, err)
				}
			}
			for i, c := range s.cells {
				c.count(answers[i])
			}
		}
		s.repetition()
		s.result.Repetitions++
	}
	return nil
}

// turn has one prompt answered by all cells. Each time another is the first.
func (s *sweep) turn(ctx context.Context, prompt int) ([]answer, error) {
	answers := make([]answer, len(s.cells))
	for i := range s.cells {
		at := (i + prompt) % len(s.cells)
		if s.opt.Progress != nil {
			s.opt.Progress(s.done, s.opt.Repetitions*len(s.opt.Prompts)*len(s.cells))
		}
		var err error
		if answers[at], err = s.cells[at].answer(ctx, prompt); err != nil {
			return nil, fmt.Errorf("%s: prompt %d: %w", s.cells[at].name(s.result.Axes), prompt+1, err)
		}
		s.done++
	}
	return answers, nil
}

func (c *sweepCell) answer(ctx context.Context, prompt int) (answer, error) {
	start := time.Now()
	q, err := c.batch.Add(c.prompts[prompt], c.opt)
	if err != nil {
		return answer{}, err
	}
	for !q.Done() {
		if _, err := c.batch.Step(ctx); err != nil {
			c.batch.Interrupt(nil, err)
			return answer{}, err
		}
	}
	r, err := q.Result()
	return answer{r, time.Since(start)}, err
}

// count takes an answer's time.
func (c *sweepCell) count(a answer) {
	c.took += a.took
	c.tokens += len(a.IDs)
	c.denoise += a.Denoise
	c.steps += a.Forwards.Denoise
}

// judge compares the answers to a prompt with those of the first cell, and with what is
// right. An error leaves all as it was.
func (s *sweep) judge(ctx context.Context, prompt int, answers []answer) error {
	right := make([]bool, len(answers))
	for i, c := range s.cells {
		if s.opt.Judge == nil {
			break
		}
		var err error
		if right[i], err = s.opt.Judge(ctx, prompt, c.model.Text(answers[i].IDs)); err != nil {
			return err
		}
	}
	for i, c := range s.cells {
		a := answers[i]
		c.row.Tokens += len(a.IDs)
		c.row.Forwards += a.Forwards.Denoise
		c.row.Agree += agreement(answers[0].IDs, a.IDs)
		if slices.Equal(answers[0].IDs, a.IDs) {
			c.row.Same++
		}
		if right[i] {
			c.row.Right++
		}
	}
	s.result.Prompts++
	return nil
}

// agreement returns the share of positions at which two answers have the same token.
func agreement(a, b []int32) float64 {
	same := 0
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			same++
		}
	}
	if n := max(len(a), len(b)); n > 0 {
		return float64(same) / float64(n)
	}
	return 1
}

// repetition ends a repetition.
func (s *sweep) repetition() {
	for _, c := range s.cells {
		if c.took > 0 {
			c.speeds = append(c.speeds, float64(c.tokens)/c.took.Seconds())
		}
		c.took, c.tokens = 0, 0
	}
}

// finish returns the cell's row.
func (c *sweepCell) finish(result *reports.Sweep) reports.SweepCell {
	row := c.row
	row.Speed = NewSpread(c.speeds)
	if n := float64(result.Prompts); n > 0 {
		row.Same /= n
		row.Agree /= n
		row.Accuracy = float64(row.Right) / n
	}
	if row.Forwards > 0 {
		row.TPF = float64(row.Tokens) / float64(row.Forwards)
	}
	if c.steps > 0 {
		row.MS = c.denoise.Seconds() * 1000 / float64(c.steps)
	}
	return row
}

func (s *sweep) close() error {
	var errs []error
	for _, b := range s.beds {
		errs = append(errs, b.close())
	}
	return errors.Join(errs...)
}
