package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// errStop ends a sequence whose text has reached a stop.
var errStop = errors.New("stop")

// local answers by our runtime.
type local struct {
	m     *runtime.Model
	opt   runtime.Options
	batch int
	id    Identity
}

// NewLocal returns a generator over a loaded model, which keeps batch sequences going. The
// digest is that of the model's files. Of the options, GenLength, Seed and Template are those
// of each request. Answers do not depend on batch.
func NewLocal(m *runtime.Model, digest string, opt runtime.Options, batch int) (Generator, error) {
	if m.Tokenizer == nil {
		return nil, fmt.Errorf("%s has no vocabulary to read texts with", m.Paths()[0])
	}
	if batch < 1 {
		return nil, fmt.Errorf("a batch of %d sequences has no meaning", batch)
	}
	opt.GenLength, opt.Seed, opt.Template, opt.OnStep = max(1, opt.MinimalTopK), 0, nil, nil
	if err := m.Check(&opt, 0); err != nil {
		return nil, err
	}
	settings, err := localSettings(m, opt)
	if err != nil {
		return nil, err
	}
	_, size, _ := m.Larger()
	return &local{m, opt, batch, Identity{
		Model: m.Paths()[0], SHA256: digest, Type: m.FileType(), Size: size, Settings: settings,
	}}, nil
}

// localSettings returns what answers depend on, beside what is told of each of them.
func localSettings(m *runtime.Model, opt runtime.Options) (map[string]any, error) {
	data, err := json.Marshal(opt)
	if err != nil {
		return nil, err
	}
	settings := map[string]any{}
	if err := json.Unmarshal(data, &settings); err != nil {
		return nil, err
	}
	delete(settings, "gen_length")
	delete(settings, "seed")
	settings["kv_type"] = m.KV
	return settings, nil
}

func (l *local) Identity() Identity { return l.id }

// writing is a sequence in the making.
type writing struct {
	request Request
	opt     runtime.Options
	prompt  []int32
	prefix  int // tokens of the answer that were given
	stop    *stopWatch
}

// Generate answers in a batch: a sequence that is done makes room for the next request.
func (l *local) Generate(ctx context.Context, next func() (Request, bool), done func(Answer) error) error {
	b := l.m.NewBatch()
	going := map[*runtime.Sequence]*writing{}
	defer func() { b.Interrupt(nil, context.Canceled) }()
	for more := true; ; {
		for more && b.Len() < l.batch {
			var r Request
			if r, more = next(); !more {
				break
			}
			w, err := l.write(r)
			var q *runtime.Sequence
			if err == nil {
				q, err = b.Add(w.prompt, w.opt)
			}
			if err != nil {
				if err := done(Answer{Request: r, Err: err}); err != nil {
					return err
				}
				continue
			}
			going[q] = w
		}
		if b.Len() == 0 {
			return nil
		}
		finished, err := b.Step(ctx)
		if err != nil {
			return err
		}
		for _, q := range finished {
			w := going[q]
			delete(going, q)
			if err := done(l.answer(w, q)); err != nil {
				return err
			}
		}
		for q, w := range going {
			if w.stop.found {
				b.Interrupt(q, errStop) // done after the next pass
			}
		}
	}
}

// write prepares a sequence. Where the context has too little room for an answer of the
// length asked for, it may be as long as there is.
func (l *local) write(r Request) (*writing, error) {
	w := &writing{request: r, opt: l.opt}
	if len(r.Prompt.Messages) > 0 {
		var messages []tokenizer.Message
		for _, m := range r.Prompt.Messages {
			messages = append(messages, tokenizer.Message{Role: m.Role, Content: m.Content})
		}
		var err error
		if w.prompt, err = l.m.Tokenizer.EncodeChat(messages); err != nil {
			return nil, err
		}
	} else {
		w.prompt = l.m.Tokenizer.Encode(r.Prompt.Text)
	}
	template := l.m.Tokenizer.Encode(r.Prompt.Prefix)
	w.prefix = len(template)
	room := l.m.Config.Context - len(w.prompt) - w.prefix
	if room < 1 {
		return nil, fmt.Errorf("a prompt of %d tokens leaves no room for an answer in the model's %d positions", len(w.prompt)+w.prefix, l.m.Config.Context)
	}
	w.opt.GenLength, w.opt.Seed, w.opt.Template = w.prefix+min(r.GenLength, room), r.Seed, template
	w.stop = newStopWatch(l.m, len(w.prompt)+w.prefix, l.opt.BlockLength, r.Prompt.Stops)
	if len(r.Prompt.Stops) > 0 {
		w.opt.OnStep = w.stop.step
	}
	return w, nil
}

// answer reads what a sequence wrote.
func (l *local) answer(w *writing, q *runtime.Sequence) Answer {
	a := Answer{Request: w.request, PromptTokens: len(w.prompt) + w.prefix}
	r, err := q.Result()
	if err != nil && !errors.Is(err, errStop) {
		a.Err = err
		return a
	}
	a.IDs, a.Finish = r.IDs, r.Finish
	written := a.IDs[min(w.prefix, len(a.IDs)):]
	a.Tokens = len(written)
	turn := l.m.Turn(written)
	if len(turn) < len(written) {
		a.Finish = "eos" // or another end of the turn
	}
	text, stopped := cutStops(l.m.Tokenizer.Decode(turn, true), w.request.Prompt.Stops)
	if stopped {
		a.Finish = "stop"
	}
	a.Text = w.request.Prompt.Prefix + text
	a.Prefill, a.Denoise, a.Commit = r.Forwards.Prefill, r.Forwards.Denoise, r.Forwards.Commit
	if a.Prefill > 0 {
		// How many passes a prompt is divided into depends on what else is in them: these
		// are those that it would take alone.
		block := w.opt.BlockLength
		rows := runtime.PrefillRows(block)
		a.Prefill = (len(w.prompt)/block*block - r.Cached + rows - 1) / rows
	}
	a.PrefillTime, a.DecodeTime = r.Prefill, r.Denoise+r.Commit
	return a
}

// cutStops returns the text before the first stop.
func cutStops(text string, stops []string) (before string, found bool) {
	end := len(text)
	for _, stop := range stops {
		if at := strings.Index(text[:end], stop); stop != "" && at >= 0 {
			end, found = at, true
		}
	}
	return text[:end], found
}

// stopWatch looks for stops in the finished blocks of a sequence.
type stopWatch struct {
	m     *runtime.Model
	from  int // position behind the prompt and the prefix
	block int
	stops []string
	found bool

	ids     []int32 // of finished blocks
	at      int     // the block in work, -1 before the first
	current []int32
}

func newStopWatch(m *runtime.Model, from, block int, stops []string) *stopWatch {
	return &stopWatch{m: m, from: from, block: block, stops: stops, at: -1}
}

// step is told of every step. That a block is finished shows at the first one of the next:
// the sequence ends there, with the blocks before, whatever else is in the batch.
func (s *stopWatch) step(step runtime.Step) {
	if step.Block != s.at && s.at >= 0 && !s.found {
		s.ids = append(s.ids, s.current[min(len(s.current), max(0, s.from-s.at*s.block)):]...)
		_, s.found = cutStops(s.m.Tokenizer.Decode(s.m.Turn(s.ids), true), s.stops)
	}
	s.at, s.current = step.Block, append(s.current[:0], step.Tokens...)
}
