package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lladakit/reports"
)

// Progress says how far a run is.
type Progress struct {
	Done   int // samples, of earlier sessions too
	Total  int
	Kept   int // of Done: what was there before this session
	Failed int // of Done: requests without an answer
	Tasks  []TaskProgress
}

// TaskProgress says how far a task is.
type TaskProgress struct {
	Task    string
	Done    int
	Total   int
	Correct int
}

// grace is how long programs whose answers are there may run on when a run is to end: an
// answer may have taken minutes.
const grace = 20 * time.Second

// work is what a session of a run has to do.
type work struct {
	opt     *Options
	judge   *judge
	samples *samples
	ask     []asked
	stored  []job // whose answers an earlier session or another task has
	jobs    chan job

	mu       sync.Mutex
	progress Progress
	failed   error // the first
}

// asked is a request and who waits for its answer.
type asked struct {
	request Request
	items   []*item
}

// job is an answer to be judged.
type job struct {
	item   *item
	answer Answer
}

// newWork finds out what of a plan is left to do. That a sample of its tasks is not of the plan
// is an error: somebody changed the file.
func newWork(opt *Options, p *plan, s *samples) (*work, error) {
	w := &work{opt: opt, judge: newJudge(opt.Executor), samples: s, jobs: make(chan job, 2*opt.Judges)}
	answers := map[string]*reports.Sample{}
	stored := map[place]*reports.Sample{}
	for i := range s.list {
		answers[s.list[i].Generation], stored[placeOf(&s.list[i])] = &s.list[i], &s.list[i]
	}
	at := map[string]int{}
	for _, it := range p.items {
		done := stored[placeOf(&it.sample)]
		if done != nil && (done.Key != it.sample.Key || done.DocID != it.sample.DocID) {
			return nil, s.foreign(done)
		}
		w.expect(it, done)
		if done != nil {
			delete(stored, placeOf(done))
			continue
		}
		if from := answers[it.sample.Generation]; from != nil {
			w.stored = append(w.stored, job{it, answerOf(from)})
			continue
		}
		i, ok := at[it.sample.Generation]
		if !ok {
			i = len(w.ask)
			at[it.sample.Generation] = i
			it.request.Index = i
			w.ask = append(w.ask, asked{request: it.request})
		}
		w.ask[i].items = append(w.ask[i].items, it)
	}
	for _, left := range stored {
		if slices.ContainsFunc(opt.Tasks, func(t *Task) bool { return t.Name == left.Task }) {
			return nil, s.foreign(left)
		}
	}
	w.progress.Kept = w.progress.Done
	return w, nil
}

// expect counts an item, which may be done.
func (w *work) expect(it *item, done *reports.Sample) {
	p := &w.progress
	if n := len(p.Tasks); n == 0 || p.Tasks[n-1].Task != it.task.Name {
		p.Tasks = append(p.Tasks, TaskProgress{Task: it.task.Name})
	}
	p.Total++
	p.Tasks[len(p.Tasks)-1].Total++
	if done != nil {
		p.count(done)
	}
}

func (p *Progress) count(s *reports.Sample) {
	p.Done++
	if s.Error == errorGeneration {
		p.Failed++
	}
	for i := range p.Tasks {
		if p.Tasks[i].Task == s.Task {
			p.Tasks[i].Done++
			if s.Correct {
				p.Tasks[i].Correct++
			}
		}
	}
}

// answerOf returns the answer that a sample was made of.
func answerOf(s *reports.Sample) Answer {
	duration := func(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
	return Answer{
		Text: s.Text, IDs: s.IDs, Finish: s.Finish, PromptTokens: s.PromptTokens, Tokens: s.Tokens,
		Prefill: s.Prefill, Denoise: s.Denoise, Commit: s.Commit,
		PrefillTime: duration(s.Timings.Prefill), DecodeTime: duration(s.Timings.Decode),
	}
}

// run does the work. It returns the first thing that went wrong.
func (w *work) run(ctx context.Context) error {
	w.report()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	judging, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			abort()
		case <-judging.Done():
		}
	})()
	var judges sync.WaitGroup
	for range w.opt.Judges {
		judges.Go(func() {
			for j := range w.jobs {
				if err := w.finish(judging, &j); err != nil {
					w.fail(err)
					stop()
					abort()
				}
			}
		})
	}
	err := w.answer(asking, judging)
	close(w.jobs)
	judges.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.failed != nil:
		return w.failed
	}
	return err
}

// answer has all requests answered and hands the answers to the judges.
func (w *work) answer(ctx, judging context.Context) error {
	give := func(j job) error {
		select {
		case w.jobs <- j:
			return nil
		case <-judging.Done():
			return judging.Err()
		}
	}
	for _, j := range w.stored {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := give(j); err != nil {
			return err
		}
	}
	if len(w.ask) == 0 {
		return nil
	}
	next, answered := 0, make([]bool, len(w.ask))
	left := len(w.ask)
	err := w.opt.Generator.Generate(ctx,
		func() (Request, bool) {
			if next == len(w.ask) {
				return Request{}, false
			}
			next++
			return w.ask[next-1].request, true
		},
		func(a Answer) error {
			if a.Index < 0 || a.Index >= next || answered[a.Index] {
				return fmt.Errorf("an answer has the index %d, which nobody waits for", a.Index)
			}
			answered[a.Index] = true
			left--
			for _, it := range w.ask[a.Index].items {
				if err := give(job{it, a}); err != nil {
					return err
				}
			}
			return nil
		})
	if err == nil && left > 0 {
		err = fmt.Errorf("%d requests were not answered", left)
	}
	return err
}

// finish judges an answer and keeps the sample.
func (w *work) finish(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, err := w.judge.sample(ctx, j.item, &j.answer)
	if err != nil {
		return err
	}
	if err := w.samples.add(s); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress.count(s)
	w.tell()
	return nil
}

func (w *work) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil || errors.Is(w.failed, context.Canceled) {
		w.failed = err
	}
}

func (w *work) report() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell()
}

// tell calls Progress with a copy.
func (w *work) tell() {
	if w.opt.Progress == nil {
		return
	}
	p := w.progress
	p.Tasks = append([]TaskProgress(nil), p.Tasks...)
	w.opt.Progress(p)
}
