package eval_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/eval/sandbox"
	"lladakit/internal/disk"
	"lladakit/reports"
)

func TestRun(t *testing.T) {
	opt := options(t, 20)
	opt.Tasks = []*eval.Task{words(), code(), more()}
	var last eval.Progress
	calls := 0
	opt.Progress = func(p eval.Progress) { last, calls = p, calls+1 }
	e, list := finished(t, opt)
	require.Len(t, list, 3*2*20)
	require.Len(t, e.Tasks, 3)
	assert.Equal(t, 1+len(list), calls)
	assert.Equal(t, len(list), last.Done)
	assert.Equal(t, len(list), last.Total)
	for i, task := range e.Tasks {
		assert.Equal(t, 40, task.N)
		assert.Equal(t, 40, task.Asked)
		assert.Equal(t, task.Correct, last.Tasks[i].Correct)
		assert.True(t, task.Correct > 0 || i == 0, task.Task) // made-up numbers are hardly ever right
		assert.Less(t, task.Correct, 40)
	}
	assert.Len(t, opt.Generator.(*oracle).asked, 2*2*20, "code-plus asks nothing")
	for source, n := range opt.Executor.(*executor).runs {
		if strings.HasPrefix(source, "expect ") {
			assert.Equal(t, 1, n, "%s", source)
		}
	}
	for i := range list {
		s := &list[i]
		assert.NotContains(t, s.Message, "0x7f", "messages are the same in every run")
		switch {
		case s.Correct:
			assert.Empty(t, s.Error)
		case s.Task == "words":
			assert.Equal(t, "wrong", s.Error)
		default:
			assert.Contains(t, []string{"failed", "timeout"}, s.Error)
		}
	}
	again := options(t, 20)
	again.Tasks, again.Judges = opt.Tasks, 5
	finished(t, again)
	assert.Equal(t, contents(t, opt.Dir), contents(t, again.Dir))
}

// Equal programs of an answer run once.
func TestRunPrograms(t *testing.T) {
	opt := options(t, 8)
	opt.Tasks, opt.Repeats = []*eval.Task{code()}, 1
	finished(t, opt)
	for _, n := range opt.Executor.(*executor).runs {
		assert.Equal(t, 1, n)
	}
	opt.Dir, opt.Executor = "", nil
	_, _, err := eval.Run(t.Context(), opt)
	require.ErrorIs(t, err, sandbox.ErrUnavailable)
	opt.Executor = &executor{err: errBroken}
	e, list, err := eval.Run(t.Context(), opt)
	require.ErrorIs(t, err, errBroken)
	assert.True(t, e.Interrupted)
	assert.Empty(t, list)
}

// Whatever is broken when, a resumed run has what an undisturbed one has, and asks for
// nothing that it has.
func TestRunResumes(t *testing.T) {
	whole := options(t, 12)
	finished(t, whole)
	for _, after := range []int{1, 5, 11, 23} {
		opt := options(t, 12)
		opt.Generator.(*oracle).after = after
		e, list, err := eval.Run(t.Context(), opt)
		require.ErrorIs(t, err, errBroken)
		require.True(t, e.Interrupted)
		require.Len(t, list, after)

		_, _, err = eval.Run(t.Context(), opt)
		require.ErrorIs(t, err, eval.ErrExists)

		opt.Generator, opt.Resume = options(t, 1).Generator, true
		finished(t, opt)
		assert.Len(t, opt.Generator.(*oracle).asked, 24-after)
		assert.Equal(t, contents(t, whole.Dir), contents(t, opt.Dir))

		opt.Generator = options(t, 1).Generator
		finished(t, opt)
		assert.Empty(t, opt.Generator.(*oracle).asked)
		assert.Equal(t, contents(t, whole.Dir), contents(t, opt.Dir))
	}
}

func TestRunInterrupted(t *testing.T) {
	opt := options(t, 12)
	ctx, cancel := context.WithCancel(t.Context())
	opt.Progress = func(p eval.Progress) {
		if p.Done == 7 {
			cancel()
		}
	}
	e, list, err := eval.Run(ctx, opt)
	require.ErrorIs(t, err, context.Canceled)
	assert.True(t, e.Interrupted)
	assert.GreaterOrEqual(t, len(list), 7)
	f, err := os.Open(filepath.Join(opt.Dir, "results.json"))
	require.NoError(t, err)
	defer f.Close()
	kept, err := reports.ReadEval(f)
	require.NoError(t, err)
	assert.True(t, kept.Interrupted)
	assert.Equal(t, len(list), kept.Tasks[0].N)
}

// A user's file may have a document twice. Each is a sample of its own.
func TestRunEqualDocuments(t *testing.T) {
	twice := func() eval.Options {
		opt := options(t, 6)
		for _, i := range []int{3, 4} {
			same := &opt.Data["tiny-gsm8k"].Records[i]
			id, index := same.ID, same.Index
			*same = opt.Data["tiny-gsm8k"].Records[0]
			same.ID, same.Index = id, index
		}
		return opt
	}
	whole := twice()
	_, list := finished(t, whole)
	require.Len(t, list, 12)
	assert.Len(t, whole.Generator.(*oracle).asked, 8, "equal prompts are asked once")
	assert.NotEqual(t, list[0].Key, list[3].Key)
	assert.Equal(t, list[0].Generation, list[3].Generation)
	for after := range 7 {
		opt := twice()
		opt.Generator.(*oracle).after = after + 1
		_, _, err := eval.Run(t.Context(), opt)
		require.ErrorIs(t, err, errBroken)
		opt.Generator, opt.Resume = options(t, 1).Generator, true
		finished(t, opt)
		finished(t, opt)
		assert.Equal(t, contents(t, whole.Dir), contents(t, opt.Dir), after)
	}
	var dirs []string
	for i := range 2 {
		opt := twice()
		opt.Shard = eval.Shard{I: i + 1, N: 2}
		finished(t, opt)
		dirs = append(dirs, opt.Dir)
	}
	all := filepath.Join(t.TempDir(), "all")
	_, _, err := eval.Merge(eval.MergeOptions{Dir: all, Shards: dirs})
	require.NoError(t, err)
	assert.Equal(t, contents(t, whole.Dir), contents(t, all))
}

// A killed process leaves a line without an end, and files without their names.
func TestRunTornLine(t *testing.T) {
	whole := options(t, 6)
	finished(t, whole)
	path := filepath.Join(whole.Dir, "samples.jsonl")
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	want, text := contents(t, whole.Dir), string(file)
	lines := strings.SplitAfter(text, "\n")
	whole.Resume = true
	for name, torn := range map[string]string{
		"half a line":       strings.Join(lines[:4], "") + lines[4][:50],
		"without its end":   strings.TrimSuffix(strings.Join(lines[:4], ""), "\n"),
		"not even one line": lines[0][:1],
		"nothing":           "",
		"zeros":             lines[0] + string(make([]byte, 100_000)),
	} {
		require.NoError(t, os.WriteFile(path, []byte(torn), 0o666))
		left := filepath.Join(whole.Dir, ".samples.jsonl.0123456789abcdef.partial")
		require.NoError(t, os.WriteFile(left, nil, 0o666))
		finished(t, whole)
		assert.Equal(t, want, contents(t, whole.Dir), name)
		assert.NoFileExists(t, left)
	}
	for name, damaged := range map[string]string{
		"line 3":                             lines[0] + lines[1] + lines[2][:60] + "\n" + lines[3],
		"line 2":                             lines[0] + lines[0],
		"line 1":                             strings.Replace(lines[0], `"task":"words"`, `"task":"other"`, 1),
		"line 13: task words has 12 samples": text + strings.Replace(lines[0], `"index":0`, `"index":77`, 1),
		"document 77, is not of the run":     strings.Replace(lines[0], `"index":0`, `"index":77`, 1),
		"document 2, is not of the run":      lines[0] + strings.Replace(lines[1], `"index":1`, `"index":2`, 1),
		"document 0, is not of the run":      strings.Replace(lines[0], `"key":"`, `"key":"0123456789`, 1)[:8+64] + lines[0][8+64:],
	} {
		require.NoError(t, os.WriteFile(path, []byte(damaged), 0o666))
		_, _, err := eval.Run(t.Context(), whole)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, path)
	}
}

func TestRunDiffers(t *testing.T) {
	opt := options(t, 6)
	opt.Tasks = append(opt.Tasks, code())
	finished(t, opt)
	opt.Resume = true
	cut := data(t, 6)
	cut["tiny-gsm8k"].SHA256 = "other"
	reworded := words()
	reworded.Prompt = func(r *datasets.Record, _ []datasets.Record) eval.Prompt { return user(r.Question) }
	newer := words()
	newer.Version++
	for want, change := range map[string]func(o *eval.Options){
		"model":               func(o *eval.Options) { o.Generator = &oracle{name: "2", settings: map[string]any{"temperature": 1}} },
		"settings":            func(o *eval.Options) { o.Generator = &oracle{settings: map[string]any{"temperature": 2}} },
		"generation length":   func(o *eval.Options) { o.GenLength = 32 },
		"repeats":             func(o *eval.Options) { o.Repeats = 3 },
		"seed":                func(o *eval.Options) { o.Seed = 1 },
		"limit":               func(o *eval.Options) { o.Limit = 2 },
		"shard":               func(o *eval.Options) { o.Shard = eval.Shard{I: 1, N: 2} },
		"data set tiny-gsm8k": func(o *eval.Options) { o.Data = cut },
		"version 2":           func(o *eval.Options) { o.Tasks = []*eval.Task{newer} },
		"prompts":             func(o *eval.Options) { o.Tasks = []*eval.Task{reworded} },
	} {
		other := opt
		change(&other)
		_, _, err := eval.Run(t.Context(), other)
		require.ErrorIs(t, err, eval.ErrDiffers, want)
		require.ErrorContains(t, err, want)
	}
}

// Tasks may be added to a run. Answers that are there are judged, not asked for again.
func TestRunAddsTasks(t *testing.T) {
	opt := options(t, 10)
	opt.Tasks = []*eval.Task{code()}
	finished(t, opt)
	require.Len(t, opt.Generator.(*oracle).asked, 20)
	opt.Tasks, opt.Resume = []*eval.Task{code(), more()}, true
	finished(t, opt)
	assert.Len(t, opt.Generator.(*oracle).asked, 20, "nothing was asked again")

	both := options(t, 10)
	both.Tasks = opt.Tasks
	finished(t, both)
	assert.Len(t, both.Generator.(*oracle).asked, 20)
	assert.Equal(t, contents(t, both.Dir), contents(t, opt.Dir))

	// A task that is left out stays.
	opt.Tasks = []*eval.Task{words()}
	e, list := finished(t, opt)
	assert.Len(t, list, 60)
	assert.Len(t, e.Tasks, 3)
}

// Requests without an answer are counted, and asked again by whoever resumes.
func TestRunFailedRequests(t *testing.T) {
	opt := options(t, 10)
	opt.Generator.(*oracle).refuse = opt.Data["tiny-gsm8k"].Records[3].Question
	e, list := finished(t, opt)
	assert.Equal(t, 2, e.Tasks[0].Failed)
	i := slices.IndexFunc(list, func(s reports.Sample) bool { return s.Error == "generation" })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, "no answer at 0x…", list[i].Message)
	assert.Equal(t, "error", list[i].Finish)
	opt.Generator, opt.Resume = options(t, 1).Generator, true
	e, _ = finished(t, opt)
	assert.Zero(t, e.Tasks[0].Failed)
	assert.Len(t, opt.Generator.(*oracle).asked, 2)
	whole := options(t, 10)
	finished(t, whole)
	assert.Equal(t, contents(t, whole.Dir), contents(t, opt.Dir))
}

func TestRunLocksFolder(t *testing.T) {
	opt := options(t, 4)
	opt.Resume = true
	second := opt
	second.Generator = &oracle{settings: map[string]any{"temperature": 1}}
	var inner error
	opt.Progress = func(p eval.Progress) {
		if p.Done == 1 {
			_, _, inner = eval.Run(context.Background(), second)
		}
	}
	finished(t, opt)
	require.ErrorIs(t, inner, disk.ErrLocked)
}

func TestRunRefuses(t *testing.T) {
	for want, change := range map[string]func(o *eval.Options){
		"no task":     func(o *eval.Options) { o.Tasks = nil },
		"generator":   func(o *eval.Options) { o.Generator = nil },
		"limit":       func(o *eval.Options) { o.Limit = -1 },
		"repeats":     func(o *eval.Options) { o.Repeats = -1 },
		"length":      func(o *eval.Options) { o.GenLength = 1 << 30 },
		"at once":     func(o *eval.Options) { o.Judges = -1 },
		"shard 3/2":   func(o *eval.Options) { o.Shard = eval.Shard{I: 3, N: 2} },
		"twice":       func(o *eval.Options) { o.Tasks = []*eval.Task{words(), words()} },
		"is missing":  func(o *eval.Options) { o.Data = nil },
		"the form of": func(o *eval.Options) { o.Data["tiny-gsm8k"] = o.Data["tiny-humaneval"] },
	} {
		opt := options(t, 3)
		change(&opt)
		_, _, err := eval.Run(t.Context(), opt)
		require.ErrorContains(t, err, want)
		assert.NoDirExists(t, opt.Dir)
	}
	// A folder with somebody else's files.
	opt := options(t, 3)
	require.NoError(t, os.MkdirAll(opt.Dir, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(opt.Dir, "samples.jsonl"), nil, 0o666))
	_, _, err := eval.Run(t.Context(), opt)
	require.ErrorIs(t, err, eval.ErrExists)
	opt.Resume = true
	_, _, err = eval.Run(t.Context(), opt)
	require.ErrorIs(t, err, eval.ErrExists)
}

// What is not kept is there all the same.
func TestRunWithoutFolder(t *testing.T) {
	opt := options(t, 3)
	opt.Dir = ""
	t.Setenv("TMPDIR", t.TempDir())
	_, list := finished(t, opt)
	assert.Len(t, list, 6)
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestRunKeepsCircumstances: a session without code keeps what earlier programs ran in, and
// one elsewhere is told of.
func TestRunKeepsCircumstances(t *testing.T) {
	opt := options(t, 4)
	opt.Tasks, opt.Sandbox = []*eval.Task{code()}, &reports.EvalSandbox{Tier: "A", Python: "3.11.7", Factor: 1}
	opt.Machine.CPU = "one"
	finished(t, opt)
	opt.Resume, opt.Tasks, opt.Sandbox = true, []*eval.Task{words()}, nil
	e, _ := finished(t, opt)
	require.NotNil(t, e.Sandbox)
	assert.Equal(t, "A", e.Sandbox.Tier)
	assert.Empty(t, e.Warnings)

	opt.Tasks, opt.Sandbox = []*eval.Task{code()}, &reports.EvalSandbox{Tier: "B", Python: "3.11.7", Factor: 2}
	opt.Machine.CPU = "two"
	for range 2 {
		e, _ = finished(t, opt)
		assert.Equal(t, []string{"the run was resumed on another processor, and in another sandbox"}, e.Warnings)
	}
}
