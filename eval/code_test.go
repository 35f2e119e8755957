package eval_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/internal/tiny"
)

// testRun is a program for testdata/run.py, which runs many in one process. It is no
// sandbox: only what this repository and the data sets have may be run by it.
type testRun struct {
	Source string `json:"source"`
	Expect string `json:"expect"`
}

// runPrograms returns for every program what ended it, "" for its own end.
func runPrograms(t *testing.T, list []testRun) []string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to run programs")
	}
	input, err := json.Marshal(list)
	require.NoError(t, err)
	cmd := exec.Command(python, "-I", "-S", "-X", "utf8", "testdata/run.py")
	cmd.Stdin = strings.NewReader(string(input))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var ends []string
	require.NoError(t, json.Unmarshal(out, &ends))
	require.Len(t, ends, len(list))
	return ends
}

func program(e eval.Extraction) testRun {
	if e.Program == nil {
		return testRun{Source: "raise ValueError('nothing to run')"}
	}
	return testRun{Source: e.Program.Source, Expect: e.Program.Expect}
}

// shapes are the forms in which models write a solution.
var shapes = []struct {
	name  string
	write func(r *datasets.Record) string
	pass  []string // extractors whose programs must pass
}{
	{"fenced whole", func(r *datasets.Record) string {
		return "```python\n" + r.Prompt + r.CanonicalSolution + "\n```"
	}, []string{"fenced", "sanitized"}},
	{"fenced body", func(r *datasets.Record) string {
		return "```python\n" + strings.TrimSpace(r.CanonicalSolution) + "\n```"
	}, []string{"fenced"}},
	{"raw whole", func(r *datasets.Record) string { return r.Prompt + r.CanonicalSolution }, []string{"fenced", "sanitized", "raw"}},
	{"raw body", func(r *datasets.Record) string { return r.CanonicalSolution }, []string{"fenced", "sanitized", "raw"}},
	{"text around", func(r *datasets.Record) string {
		return "Sure! Here is the function:\r\n\r\n```python\r\n" + strings.ReplaceAll(r.Prompt+r.CanonicalSolution, "\n", "\r\n") +
			"```\r\n\r\nIt can be used so:\r\n```python\r\nprint(" + r.EntryPoint + ")\r\n```"
	}, []string{"fenced", "sanitized"}},
	{"class", func(r *datasets.Record) string {
		before, function, _ := strings.Cut(r.Prompt, "def "+r.EntryPoint+"(")
		function = "def " + r.EntryPoint + "(self, " + function + r.CanonicalSolution
		return "```python\n" + before + "class Solution:\n    " + strings.ReplaceAll(function, "\n", "\n    ") + "\n```"
	}, []string{"fenced"}},
}

// TestCanonical requires that the canonical solutions pass in all shapes, and none when
// the answer is a wrong function.
func TestCanonical(t *testing.T) {
	records := humanevalRecords(t, "HumanEval.jsonl.gz")
	require.Len(t, records, 164)
	if os.Getenv("LLADA_TEST_FULL") == "" {
		records = records[:50] // with helpers in prompts, and tests that use them
	}
	task := findTask(t, "humaneval")
	var list []testRun
	var what []string
	for _, s := range shapes {
		for _, r := range records {
			j := task.Judge(&r, s.write(&r))
			for _, extractor := range s.pass {
				list = append(list, program(extraction(t, j, extractor)))
				what = append(what, s.name+", "+extractor+", "+r.ID)
			}
		}
	}
	right := len(list)
	for _, r := range records {
		list = append(list, program(task.Judge(&r, "```python\n"+r.Prompt+"    return None\n```").Extractions[0]))
		what = append(what, "wrong, "+r.ID)
	}
	for i, end := range runPrograms(t, list) {
		assert.Equal(t, i < right, end == "", "%s: %s", what[i], end)
	}
	t.Logf("%d programs pass, %d fail", right, len(list)-right)
}

// TestTinyVerdicts judges what the oracle made of the tiny checkpoint's problems: the
// verdicts are those of the program that trained it.
func TestTinyVerdicts(t *testing.T) {
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join("..", "internal", "tiny", "testdata", "expected.jsonl"))
	require.NoError(t, err)
	var list []testRun
	var want []bool
	asked := map[string]int{}
	right := 0
	for line := range strings.Lines(string(data)) {
		var a struct {
			Task, Text string
			Correct    bool
		}
		require.NoError(t, json.Unmarshal([]byte(line), &a))
		i := asked[a.Task]
		asked[a.Task]++
		if a.Task == "tiny-gsm8k" {
			j := findTask(t, a.Task).Judge(&datasets.Record{Answer: words[i].Answer}, a.Text)
			assert.Equal(t, a.Correct, j.Extractions[0].Correct, "problem %d: %q", i, a.Text)
			if j.Extractions[0].Correct {
				right++
			}
			continue
		}
		r := datasets.Record{Prompt: codes[i].Prompt, EntryPoint: codes[i].EntryPoint, Test: codes[i].Test}
		list = append(list, program(findTask(t, a.Task).Judge(&r, a.Text).Extractions[0]))
		want = append(want, a.Correct)
	}
	require.Equal(t, map[string]int{"tiny-gsm8k": 200, "tiny-humaneval": 100}, asked)
	assert.Equal(t, 91, right)
	for i, end := range runPrograms(t, list) {
		assert.Equal(t, want[i], end == "", "problem %d: %s", i, end)
	}
}

func TestInstruct(t *testing.T) {
	task := findTask(t, "humaneval-instruct")
	var list []testRun
	records := humanevalRecords(t, "HumanEval.jsonl.gz")
	for _, r := range records {
		j := task.Judge(&r, task.Prompt(&r, nil).Prefix+r.CanonicalSolution+"```\nThat is all.")
		require.Equal(t, "completion", j.Extractions[0].Extractor)
		require.Equal(t, r.CanonicalSolution, j.Extractions[0].Value)
		list = append(list, program(j.Extractions[0]), program(extraction(t, j, "fenced")))
	}
	for i, end := range runPrograms(t, list) {
		assert.Empty(t, end, records[i/2].ID)
	}
}

// nastyRecord is the problem that the code in testdata/nasty.jsonl is to solve.
var nastyRecord = datasets.Record{
	ID: "Nasty/0", EntryPoint: "total",
	Prompt: "from typing import List\n\n\ndef scale(n: int) -> int:\n    return 3 * n\n\n\n" +
		"def total(xs: List[int]) -> int:\n    \"\"\" Sum of xs, each scaled.\n    >>> total([1, 2])\n    9\n    \"\"\"\n",
	CanonicalSolution: "    return sum(scale(x) for x in xs)\n",
	Test:              "def check(candidate):\n    assert candidate([1, 2]) == 9\n    assert candidate([]) == 0\n    assert candidate([5]) == scale(5)\n",
}

// What raw makes of an answer is another reading only where the text could be a program.
func TestRawOfFences(t *testing.T) {
	task := findTask(t, "humaneval")
	for text, want := range map[string]bool{
		"```python\ndef f(n):\n    return n\n```":                       false,
		"Here:\n\n~~~\ndef f(n):\n    return n\n~~~\n":                  false,
		"def f(n):\n    '''Like\n    ```\n    f(1)\n    ```\n    '''\n": true,
		"def f(n):\n    return n\n":                                     true,
	} {
		e := extraction(t, task.Judge(&datasets.Record{Prompt: "def f(n):\n", EntryPoint: "f", Test: "def check(f):\n    pass\n"}, text), "raw")
		assert.Equal(t, want, e.Value != "", text)
		assert.Equal(t, want, e.Program != nil, text)
	}
}

func TestNastyCode(t *testing.T) {
	task := findTask(t, "humaneval")
	answers := nastyAnswers(t, "humaneval")
	require.Greater(t, len(answers), 40)
	extractors := []string{"fenced", "sanitized", "raw"}
	var list []testRun
	for _, n := range answers {
		j := task.Judge(&nastyRecord, n.Text)
		assert.Equal(t, n.Layer, j.Extractions[0].Layer, n.Why)
		for _, e := range extractors {
			list = append(list, program(extraction(t, j, e)))
		}
	}
	ends := runPrograms(t, list)
	for i, n := range answers {
		for k, pass := range []bool{n.Fenced, n.Sanitized, n.Raw} {
			end := ends[i*len(extractors)+k]
			assert.Equal(t, pass, end == "", "%s (%s)\n%s\n%s", n.Why, extractors[k], n.Text, end)
		}
	}
}

// Prompts of users' files need not be programs on their own.
func TestPromptForms(t *testing.T) {
	task := findTask(t, "humaneval")
	var list []testRun
	for _, prompt := range []string{"def f(n):\n", "import math\ndef f(n):\n    # Twice n.\n", "def f(n):\n    '''Twice n.'''\n"} {
		r := &datasets.Record{Prompt: prompt, EntryPoint: "f", Test: "def check(f):\n    assert f(2) == 4\n"}
		for _, text := range []string{"    return 2 * n\n", "def f(n):\n    return 2 * n\n"} {
			list = append(list, program(task.Judge(r, text).Extractions[0]))
		}
	}
	for i, end := range runPrograms(t, list) {
		assert.Empty(t, end, "%d", i)
	}
}

// Long answers do not take long to sanitise.
func TestSanitizeIsBounded(t *testing.T) {
	task := findTask(t, "humaneval")
	var list []testRun
	for _, unit := range []string{"x = (\n", "if x:\n", "word\n", "two words\n", "'''\n", "def f():\n", "    return 1\n", "```\n", "(", "[\n(\n"} {
		j := task.Judge(&nastyRecord, strings.Repeat(unit, 20_000/len(unit)))
		list = append(list, program(extraction(t, j, "sanitized")))
	}
	for i, end := range runPrograms(t, list) {
		assert.NotEmpty(t, end, "%d", i)
	}
}

// FuzzCode looks for answers that upset the extractors of code.
func FuzzCode(f *testing.F) {
	for _, s := range []string{"```python\ndef total(xs):\n    return 1\n```", "~~~\r\nx", "  ```py\n  x\n  ```", "```x```", "````\n```\n````", "</think>```\n\x00\xff"} {
		f.Add(s)
	}
	plus := findTask(f, "humaneval-plus")
	instruct := findTask(f, "humaneval-instruct")
	f.Fuzz(func(t *testing.T, text string) {
		for _, task := range []*eval.Task{plus, instruct} {
			for _, e := range task.Judge(&nastyRecord, text).Extractions {
				require.Equal(t, e.Value == "", e.Program == nil)
				if e.Extractor != "completion" {
					require.LessOrEqual(t, len(e.Value), len(text)+1, "code is a part of the text")
				}
				if e.Program != nil {
					require.Equal(t, 1, strings.Count(e.Program.Source, "\ncheck_"), "a text cannot leave its literal")
				}
			}
		}
	})
}

func TestNoEntryPointInPattern(t *testing.T) {
	r := nastyRecord
	r.EntryPoint = "f(" // a file of a user; quoted where it is a pattern
	assert.NotPanics(t, func() { findTask(t, "humaneval").Judge(&r, "```\ndef f((x): pass\n```") })
}

func ExampleTask() {
	task, err := eval.Find("gsm8k")
	if err != nil {
		panic(err)
	}
	r := &datasets.Record{Question: "What is six times seven?", Answer: "6 * 7 = <<6*7=42>>42\n#### 42"}
	fmt.Println(task.Prompt(r, nil).Messages[0].Content)
	for _, e := range task.Judge(r, "6 times 7 is 42, so \\boxed{42.00}.").Extractions[:2] {
		fmt.Println(e.Extractor, e.Value, e.Layer, e.Correct)
	}
	// Output:
	// What is six times seven?
	// Please reason step by step, and put your final answer within \boxed{}.
	// layered 42 boxed true
	// boxed 42  true
}
