package eval_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/eval/sandbox"
	"lladakit/reports"
)

var lastBox = regexp.MustCompile(`.*\\boxed\{([^}]*)\}`)

// words asks the embedded word problems.
func words() *eval.Task {
	return &eval.Task{
		Name: "words", Version: 1, Data: "tiny-gsm8k", Form: datasets.GSM8K, GenLength: 96,
		Prompt: func(r *datasets.Record, _ []datasets.Record) eval.Prompt {
			return user(r.Question + "\nPlease reason step by step, and put your final answer within \\boxed{}.")
		},
		Judge: func(r *datasets.Record, text string) eval.Judgement {
			_, gold, _ := strings.Cut(r.Answer, "#### ")
			x := eval.Extraction{Extractor: "boxed"}
			if m := lastBox.FindStringSubmatch(strings.ReplaceAll(text, "\n", " ")); m != nil {
				x.Value, x.Correct = m[1], m[1] == gold
			}
			return eval.Judgement{Gold: gold, Extractions: []eval.Extraction{x}}
		},
	}
}

// code asks the embedded code problems.
func code() *eval.Task {
	return &eval.Task{
		Name: "code", Version: 1, Data: "tiny-humaneval", Form: datasets.HumanEval, GenLength: 64,
		Prompt: func(r *datasets.Record, _ []datasets.Record) eval.Prompt { return user(r.Prompt) },
		Judge: func(r *datasets.Record, text string) eval.Judgement {
			p := &eval.Program{Source: text + "\n" + r.Test}
			return eval.Judgement{Extractions: []eval.Extraction{
				{Extractor: "fenced", Value: text, Program: p},
				{Extractor: "raw", Value: text, Program: &eval.Program{Source: p.Source}},
			}}
		},
	}
}

// more judges the answers of code by another rule.
func more() *eval.Task {
	return &eval.Task{
		Name: "code-plus", Version: 1, Data: "tiny-humaneval", Form: datasets.HumanEval, Answers: "code",
		Judge: func(r *datasets.Record, text string) eval.Judgement {
			return eval.Judgement{Extractions: []eval.Extraction{
				{Extractor: "plus", Value: text, Program: &eval.Program{Source: "plus " + text, Expect: "expect " + r.ID}},
			}}
		},
	}
}

func user(text string) eval.Prompt {
	return eval.Prompt{Messages: []eval.Message{{Role: "user", Content: text}}}
}

// data opens the embedded data sets, cut to n records each.
func data(t testing.TB, n int) map[string]*datasets.Data {
	t.Helper()
	all := map[string]*datasets.Data{}
	for _, name := range []string{"tiny-gsm8k", "tiny-humaneval"} {
		d, err := datasets.Open(t.Context(), name, datasets.Options{Offline: true})
		require.NoError(t, err)
		d.Records = d.Records[:min(n, len(d.Records))]
		all[name] = d
	}
	return all
}

// oracle is a generator that makes its answers up from prompt and seed, and gives them in
// another order than it was asked in.
type oracle struct {
	name     string
	settings any
	asked    []eval.Request
	after    int // of answers fails the run; 0: never
	refuse   string
}

var errBroken = errors.New("broken")

func (g *oracle) Identity() eval.Identity {
	return eval.Identity{Model: "oracle" + g.name, SHA256: "model" + g.name, Type: "none", Settings: g.settings}
}

func (g *oracle) Generate(ctx context.Context, next func() (eval.Request, bool), done func(eval.Answer) error) error {
	const together = 3
	for n, more := 0, true; more; {
		var batch []eval.Request
		for len(batch) < together {
			r, ok := next()
			if more = ok; !ok {
				break
			}
			batch = append(batch, r)
		}
		for i := range batch {
			r := batch[len(batch)-1-i]
			if err := ctx.Err(); err != nil {
				return err
			}
			if n++; g.after > 0 && n > g.after {
				return errBroken
			}
			g.asked = append(g.asked, r)
			a := eval.Answer{Request: r, Finish: "eos", Tokens: 3, Denoise: 2}
			text := fmt.Sprint(r.Prompt, r.Seed)
			sum := sha256.Sum256([]byte(text))
			a.Text = fmt.Sprintf(`\boxed{%d}`, sum[0]%40)
			if g.refuse != "" && strings.Contains(text, g.refuse) {
				a = eval.Answer{Request: r, Err: errors.New("no answer at 0xc000123456")}
			}
			if err := done(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// executor judges programs by a digest of them, and counts them.
type executor struct {
	mu   sync.Mutex
	runs map[string]int
	err  error
}

func (e *executor) Run(ctx context.Context, p sandbox.Program) (sandbox.Verdict, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runs == nil {
		e.runs = map[string]int{}
	}
	e.runs[p.Source]++
	if strings.HasPrefix(p.Source, "expect ") {
		return sandbox.Verdict{Status: sandbox.Passed, Output: "of " + p.Source}, e.err
	}
	if strings.HasPrefix(p.Source, "plus ") && !strings.HasPrefix(string(p.Input), "of expect ") {
		return sandbox.Verdict{}, errors.New("no input")
	}
	sum := sha256.Sum256([]byte(p.Source))
	status := []sandbox.Status{sandbox.Passed, sandbox.Failed, sandbox.Timeout}[sum[0]%3]
	return sandbox.Verdict{Status: status, Message: "Error: <object at 0x7f0012345678>"}, e.err
}

// options are for runs that take no time.
func options(t testing.TB, n int) eval.Options {
	return eval.Options{
		Tasks: []*eval.Task{words()}, Data: data(t, n), Generator: &oracle{settings: map[string]any{"temperature": 1}},
		Executor: &executor{}, Dir: filepath.Join(t.TempDir(), "run"), Repeats: 2, Judges: 2,
	}
}

// contents returns the files of a run's folder, without times.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"manifest.json", "samples.jsonl", "results.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		all[name] = times.ReplaceAllString(string(text), "")
	}
	var result map[string]any
	require.NoError(t, json.Unmarshal([]byte(all["results.json"]), &result))
	for _, field := range []string{"started", "seconds", "machine", "command"} {
		delete(result, field)
	}
	text, err := json.Marshal(result)
	require.NoError(t, err)
	all["results.json"] = string(text)
	return all
}

var times = regexp.MustCompile(`"timings_ms":\{[^}]*\}`)

// finished runs to the end.
func finished(t testing.TB, opt eval.Options) (*reports.Eval, []reports.Sample) {
	t.Helper()
	e, list, err := eval.Run(t.Context(), opt)
	require.NoError(t, err)
	require.False(t, e.Interrupted)
	return e, list
}
