package eval_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
)

// TestPlus requires of HumanEval+ that canonical solutions pass and wrong ones fail. All
// inputs take minutes, so that the selection must do.
func TestPlus(t *testing.T) {
	records := humanevalRecords(t, "HumanEvalPlus-Mini.jsonl.gz")
	require.Len(t, records, 164)
	if os.Getenv("LLADA_TEST_FULL") == "" {
		records = append(records[:14:14], records[30:40]...) // with find_zero, and without the slow ones
	}
	task := findTask(t, "humaneval-plus-mini")
	var list []testRun
	var what []string
	add := func(r *datasets.Record, name, text string) {
		j := task.Judge(r, text)
		var names []string
		for _, e := range j.Extractions {
			names = append(names, e.Extractor)
		}
		require.Equal(t, []string{"fenced", "base", "sanitized", "raw"}, names)
		for _, e := range j.Extractions[:2] {
			assert.Positive(t, e.Program.Seconds)
			list = append(list, program(e))
			what = append(what, name+", "+e.Extractor+", "+r.ID)
		}
	}
	for i := range records {
		add(&records[i], "canonical", "```python\n"+records[i].Prompt+records[i].CanonicalSolution+"```")
	}
	right := len(list)
	for i := range records {
		add(&records[i], "wrong", "```python\n"+records[i].Prompt+"    return None\n```")
	}
	for i, end := range runPrograms(t, list) {
		assert.Equal(t, i < right, end == "", "%s: %s", what[i], end)
	}
	t.Logf("%d programs pass, %d fail", right, len(list)-right)
}

// How HumanEval+ compares, with a function that returns its argument's place in a list.
func TestPlusCompares(t *testing.T) {
	task := findTask(t, "humaneval-plus")
	cases := []struct {
		right, result string
		atol          float64
		pass          bool
	}{
		{"1", "1.0", 0, true},
		{"1.0", "1.0000005", 0, true},
		{"1.0", "1.00001", 0, false},
		{"1.0", "1", 0, true},
		{"1", "1.0000005", 0, false},
		{"[1.0, 2.0]", "[1.0000005, 2.0]", 0, true},
		{"[1.0, 2]", "[1.0000005, 2]", 0, false},
		{"[1.0, 2.0]", "(1.0000005, 2.0)", 0, false},
		{"[1.0]", "[1.0, 1.0]", 0, false},
		{"1e10", "1e10 + 500", 0, true},
		{"1e10", "1e10 + 5000", 0, false},
		{"0.5", "0.59", 0.1, true},
		{"float('inf')", "float('inf')", 0, true},
		{"float('inf')", "1e308", 0, false},
		{"float('nan')", "float('nan')", 0, false}, // as numpy.allclose
		{"(1, [2, {3}])", "(1, [2, {3}])", 0, true},
		{"{'a': (1, 2), 3: None}", "{3: None, 'a': (1, 2)}", 0, true},
		{"{'a': 1}", "{'a': 2}", 0, false},
		{"1j", "1j", 0, true},
		{"None", "False", 0, false},
		{"True", "1", 0, true},
		{"10**5000", "10**5000", 0, true},
		{"10**5000", "10**5000 + 1", 0, false},
		{"'é' * 5000", "'é' * 5000", 0, true},
		{"'é' * 5000", "'é' * 4999 + 'e'", 0, false},
		{"'é' * 5000", "None", 0, false},
		{"[1, 2.0, -0.0] * 5000", "[1.0, 2, 0] * 5000", 0, true},
		{"[1, 2.5] * 5000", "[1, 2.5] * 4999 + [1, 2.6]", 0, false},
		{"[2**60, 'x', None, (1, 2.5)] * 500", "[2**60, 'x', None, (1, 2.5)] * 500", 0, true},
		{"[2**60, 'x'] * 1000", "[2**60 + 1, 'x'] * 1000", 0, false},
		{"list(range(2000))", "tuple(range(2000))", 0, false},
		{"{i: {i} for i in range(2000)}", "{i: {i} for i in reversed(range(2000))}", 0, true},
		{"0", "print('{}')", 0, false},
	}
	var list []testRun
	for _, c := range cases {
		r := &datasets.Record{
			ID: "x", Prompt: "def f(n):\n    \"\"\"F.\"\"\"\n", EntryPoint: "f", CanonicalSolution: "    return " + c.right + "\n",
			BaseInput: json.RawMessage("[[1]]"), PlusInput: json.RawMessage("[]"), Atol: c.atol,
		}
		list = append(list, program(task.Judge(r, "    return "+c.result).Extractions[0]))
	}
	for i, end := range runPrograms(t, list) {
		assert.Equal(t, cases[i].pass, end == "", "%s against %s: %s", cases[i].result, cases[i].right, end)
	}
}

// What the programs of HumanEval+ do about answers that meddle or take long.
func TestPlusHostile(t *testing.T) {
	r := &datasets.Record{
		ID: "x", Prompt: "def f(n):\n    \"\"\"F.\"\"\"\n", EntryPoint: "f", CanonicalSolution: "    n.append(2)\n    return n\n",
		BaseInput: json.RawMessage("[[[1]]]"), PlusInput: json.RawMessage("[[[3]], [[1]]]"),
	}
	cases := []struct {
		code string
		pass bool
	}{
		{"def f(n):\n    n.append(2)\n    return n\n", true},
		{"def f(n):\n    return [1, 2]\n", false},
		{"import sys\nx = sys.stdin.read()\nassert x == ''\ndef f(n):\n    return n + [2]\n", true},
		{"import copy, json\ncopy.deepcopy = json.loads = None\ndef f(n):\n    return n + [2]\n", true},
		{"def answer(*a):\n    return 1\ndef close(*a):\n    return True\ndigest = decode = close\ndef f(n):\n    pass\n", false},
		{"import sys\nsys.exit(0)\ndef f(n):\n    pass\n", false},
	}
	if os.Getenv("LLADA_TEST_FULL") != "" { // it takes the limit of 4 s
		cases = append(cases, struct {
			code string
			pass bool
		}{"def f(n):\n    while True:\n        try:\n            while True: pass\n        except BaseException as e:\n            return n + [2]\n", false})
	}
	var list []testRun
	for _, c := range cases {
		list = append(list, program(findTask(t, "humaneval-plus").Judge(r, c.code).Extractions[0]))
	}
	base := extraction(t, findTask(t, "humaneval-plus").Judge(r, "def f(n):\n    return [1, 2]\n"), "base")
	ends := runPrograms(t, append(list, program(base)))
	for i, c := range cases {
		assert.Equal(t, c.pass, ends[i] == "", "%s\n%s", c.code, ends[i])
	}
	assert.Empty(t, ends[len(cases)], "right for HumanEval's own input")
}
