package eval_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/internal/tiny"
)

// testLines calls each with the lines of a file of the data sets. Without them it skips.
func testLines(t testing.TB, name string, each func(line []byte)) {
	t.Helper()
	dir := os.Getenv("LLADA_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("the data sets are not here, LLADA_TEST_DATA names their folder: %v", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		r, err = gzip.NewReader(f)
		require.NoError(t, err)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		each(lines.Bytes())
	}
	require.NoError(t, lines.Err())
}

func gsm8kRecords(t testing.TB, name string) []datasets.Record {
	t.Helper()
	var list []datasets.Record
	testLines(t, name, func(line []byte) {
		var r struct{ Question, Answer string }
		require.NoError(t, json.Unmarshal(line, &r))
		list = append(list, datasets.Record{ID: fmt.Sprintf("gsm8k/%d", len(list)), Index: len(list), Question: r.Question, Answer: r.Answer})
	})
	return list
}

func humanevalRecords(t testing.TB, name string) []datasets.Record {
	t.Helper()
	var list []datasets.Record
	testLines(t, name, func(line []byte) {
		var r struct {
			TaskID            string `json:"task_id"`
			Prompt            string
			EntryPoint        string `json:"entry_point"`
			CanonicalSolution string `json:"canonical_solution"`
			Test, Contract    string
			BaseInput         json.RawMessage `json:"base_input"`
			PlusInput         json.RawMessage `json:"plus_input"`
			Atol              float64
		}
		require.NoError(t, json.Unmarshal(line, &r))
		list = append(list, datasets.Record{
			ID: r.TaskID, Index: len(list), Prompt: r.Prompt, EntryPoint: r.EntryPoint, CanonicalSolution: r.CanonicalSolution,
			Test: r.Test, Contract: r.Contract, BaseInput: r.BaseInput, PlusInput: r.PlusInput, Atol: r.Atol,
		})
	})
	return list
}

func TestTasks(t *testing.T) {
	seen := map[string]bool{}
	for _, task := range eval.Tasks() {
		assert.False(t, seen[task.Name], "%s is there twice", task.Name)
		seen[task.Name] = true
		assert.NotZero(t, task.Version, task.Name)
		assert.NotEmpty(t, task.Summary, task.Name)
		assert.NotEmpty(t, task.Data, task.Name)
		assert.NotZero(t, task.GenLength, task.Name)
		assert.NotNil(t, task.Judge, task.Name)
		assert.Equal(t, task.Answers == "", task.Prompt != nil, task.Name)

		found, err := eval.Find(strings.ReplaceAll(task.Name, "-", "_"))
		require.NoError(t, err)
		assert.Equal(t, task.Name, found.Name)
		if task.Answers != "" {
			of, err := eval.Find(task.Answers)
			require.NoError(t, err)
			assert.Empty(t, of.Answers)
		}
	}
	_, err := eval.Find("gsm9k")
	require.ErrorIs(t, err, eval.ErrTask)
	require.ErrorContains(t, err, "gsm8k-5shot")
}

// Prompts are frozen: who changes one of these digests must raise the task's version.
func TestPromptsFrozen(t *testing.T) {
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	var tinyWords, tinyCodes []datasets.Record
	for _, p := range words {
		tinyWords = append(tinyWords, datasets.Record{Question: p.Question, Answer: p.Answer})
	}
	for _, p := range codes {
		tinyCodes = append(tinyCodes, datasets.Record{Prompt: p.Prompt})
	}
	for _, c := range []struct {
		task    string
		version int
		data    func(t *testing.T) (asked, support []datasets.Record)
		want    string
	}{
		{"tiny-gsm8k", 1, func(*testing.T) (a, s []datasets.Record) { return tinyWords, nil }, "2e90e85f39995f0b92e5a6e621145ba3410e103c2b4ec1aa27fa234eaaf0000d"},
		{"tiny-humaneval", 1, func(*testing.T) (a, s []datasets.Record) { return tinyCodes, nil }, "bb8d11d1c567756e9557263a785b77dc9f822e4670c5c315f78aba0f684b88ab"},
		{"gsm8k", 1, func(*testing.T) (a, s []datasets.Record) { return tinyWords, nil }, "2e90e85f39995f0b92e5a6e621145ba3410e103c2b4ec1aa27fa234eaaf0000d"},
		{"gsm8k-5shot", 1, func(*testing.T) (a, s []datasets.Record) { return tinyWords, tinyWords }, "521a8b9186dd1ade733a6ba6bd9b5b47178a8a8c6cf75ae9f6a935f76d718165"},
		{"humaneval", 1, func(*testing.T) (a, s []datasets.Record) { return tinyCodes, nil }, "bb8d11d1c567756e9557263a785b77dc9f822e4670c5c315f78aba0f684b88ab"},
		{"humaneval-instruct", 1, func(*testing.T) (a, s []datasets.Record) { return tinyCodes, nil }, "db01f9e5b1168ac5a74623ac8eebe6be6605c192a8ebe142f45beb9261a77e28"},
		{"gsm8k", 1, func(t *testing.T) (a, s []datasets.Record) { return gsm8kRecords(t, "gsm8k_test.jsonl"), nil }, "3be028fec45c61b2f18e0dcb709c508c6b04d489eda459edf37bdb7f9797a06f"},
		{"gsm8k-5shot", 1, func(t *testing.T) (a, s []datasets.Record) {
			return gsm8kRecords(t, "gsm8k_test.jsonl"), gsm8kRecords(t, "gsm8k_train.jsonl")
		}, "8025c323469c959ea2a1deba760e28b23c1fb5497da4c4136273343f923f6c61"},
		{"humaneval", 1, func(t *testing.T) (a, s []datasets.Record) { return humanevalRecords(t, "HumanEval.jsonl.gz"), nil }, "274e64c751bc153d86402d0c36f227a809d23c2a2e2b3104d4297bca3166cbca"},
		{"humaneval-instruct", 1, func(t *testing.T) (a, s []datasets.Record) { return humanevalRecords(t, "HumanEval.jsonl.gz"), nil }, "a53788eea6a781e2d08b8c0b224886b3fc82e7e730e57bf0c7c74b81aaa63028"},
	} {
		t.Run(c.task, func(t *testing.T) {
			asked, support := c.data(t)
			task := findTask(t, c.task)
			require.Equal(t, c.version, task.Version)
			h := sha256.New()
			for i := range asked {
				data, err := json.Marshal(task.Prompt(&asked[i], support))
				require.NoError(t, err)
				h.Write(append(data, '\n'))
			}
			require.Equal(t, c.want, hex.EncodeToString(h.Sum(nil)))
		})
	}
}

// The tiny checkpoint was trained to answer just these texts.
func TestTinyPrompts(t *testing.T) {
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	for _, p := range words {
		got := findTask(t, "tiny-gsm8k").Prompt(&datasets.Record{Question: p.Question}, nil)
		require.Equal(t, eval.Prompt{Messages: []eval.Message{{Role: "user", Content: p.User()}}}, got)
	}
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	for _, p := range codes {
		got := findTask(t, "tiny-humaneval").Prompt(&datasets.Record{Prompt: p.Prompt}, nil)
		require.Equal(t, eval.Prompt{Messages: []eval.Message{{Role: "user", Content: p.User()}}}, got)
	}
}

func TestPromptTexts(t *testing.T) {
	q := &datasets.Record{Question: "How many?"}
	support := []datasets.Record{{Question: "A?", Answer: "#### 1"}, {Question: "B?", Answer: "x\n#### 2"}}
	assert.Equal(t, eval.Prompt{
		Text:  "Question: A?\nAnswer: #### 1\n\nQuestion: B?\nAnswer: x\n#### 2\n\nQuestion: How many?\nAnswer:",
		Stops: []string{"Question:", "</s>", "<|im_end|>"},
	}, findTask(t, "gsm8k-5shot").Prompt(q, support), "with as many examples as there are")

	c := &datasets.Record{Prompt: "def f():\n    \"\"\"F.\"\"\"\n"}
	assert.Equal(t, eval.Prompt{
		Messages: []eval.Message{{Role: "user", Content: "Write a solution to the following problem and make sure that it passes the tests:\n" +
			"```python\ndef f():\n    \"\"\"F.\"\"\"\n\n```\n"}},
		Prefix: "Here is the completed function:\n```python\ndef f():\n    \"\"\"F.\"\"\"\n\n",
		Stops:  []string{"\nclass", "\ndef", "\n#", "\nif", "\nprint"},
	}, findTask(t, "humaneval-instruct").Prompt(c, nil))
}
