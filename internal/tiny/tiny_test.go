package tiny_test

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/oracle"
	"lladakit/internal/tiny"
)

// checkpoint lists what makes a Hugging Face folder.
var checkpoint = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
	"model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
}

// An answer is a line of testdata/expected.jsonl: what the oracle made of one problem.
type answer struct {
	Task    string
	Prompt  []int
	Tokens  []int
	Text    string
	Correct bool
}

// answers returns the oracle's answers to the problems of one task, in their order.
func answers(t *testing.T, task string) []answer {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "expected.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	var list []answer
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var a answer
		require.NoError(t, json.Unmarshal(lines.Bytes(), &a))
		if a.Task == task {
			list = append(list, a)
		}
	}
	require.NoError(t, lines.Err())
	return list
}

func TestCheckpoint(t *testing.T) {
	problems := []string{"tiny-gsm8k.jsonl", "tiny-humaneval.jsonl"}
	require.NoError(t, fstest.TestFS(tiny.Checkpoint(), append(problems, checkpoint...)...))
}

func TestUnpack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, tiny.Unpack(dir))
	require.NoError(t, os.Truncate(filepath.Join(dir, "config.json"), 3))
	require.NoError(t, tiny.Unpack(dir), "over an older copy")

	var names []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
		want, err := fs.ReadFile(tiny.Checkpoint(), e.Name())
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), e.Name())
	}
	require.ElementsMatch(t, checkpoint, names)
}

func TestUnpackFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	require.ErrorContains(t, tiny.Unpack(file), file)
}

func TestWordProblems(t *testing.T) {
	problems, err := tiny.WordProblems()
	require.NoError(t, err)
	require.Len(t, problems, 200)
	require.Equal(t, tiny.WordProblem{
		Question: "Hugo has 6 keys. Uma has 10 more keys than Hugo. How many keys do they have together?",
		Answer:   "6 + 10 = <<6+10=16>>16\n6 + 16 = <<6+16=22>>22\n#### 22",
	}, problems[0])
	for i, p := range problems {
		require.Regexp(t, `^[0-9]+$`, p.Result(), "problem %d", i)
	}
}

func TestCodeProblems(t *testing.T) {
	problems, err := tiny.CodeProblems()
	require.NoError(t, err)
	require.Len(t, problems, 100)
	require.Equal(t, tiny.CodeProblem{
		TaskID:            "Tiny/99",
		Prompt:            "def quick_count_e(s):\n    \"\"\"Count how often 'e' occurs in s.\"\"\"\n",
		EntryPoint:        "quick_count_e",
		CanonicalSolution: "    return s.count('e')\n",
		Test: "def check(candidate):\n    assert candidate('aceeocdcc') == 2\n" +
			"    assert candidate('ccobbebc') == 1\n    assert candidate('eoaeaae') == 3\n",
	}, problems[99])
	for i, p := range problems {
		require.Contains(t, p.Prompt, "def "+p.EntryPoint+"(", "problem %d", i)
	}
}

// The verdicts on word problems follow from the texts.
func TestExpectedWordProblems(t *testing.T) {
	problems, err := tiny.WordProblems()
	require.NoError(t, err)
	given := answers(t, "tiny-gsm8k")
	require.Len(t, given, len(problems))
	boxed := regexp.MustCompile(`\\boxed\{([^}]*)\}`)
	correct := 0
	for i, a := range given {
		boxes := boxed.FindAllStringSubmatch(a.Text, -1)
		right := len(boxes) > 0 && boxes[len(boxes)-1][1] == problems[i].Result()
		assert.Equal(t, right, a.Correct, "problem %d", i)
		if right {
			correct++
		}
	}
	require.Equal(t, 91, correct)
}

// The verdicts on code problems took Python, so only a sure case is judged again: the canonical body.
func TestExpectedCodeProblems(t *testing.T) {
	problems, err := tiny.CodeProblems()
	require.NoError(t, err)
	given := answers(t, "tiny-humaneval")
	require.Len(t, given, len(problems))
	correct := 0
	for i, a := range given {
		if a.Text == "```python\n"+problems[i].Prompt+problems[i].CanonicalSolution+"```" {
			assert.True(t, a.Correct, "problem %d", i)
		}
		if a.Correct {
			correct++
		}
	}
	require.Equal(t, 96, correct)
}

// The prompts that the oracle answered pose the problems with the user texts of this package, and its texts
// are its tokens without the special ones.
func TestUser(t *testing.T) {
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	code, err := tiny.CodeProblems()
	require.NoError(t, err)
	users := map[string][]string{}
	for _, p := range words {
		users["tiny-gsm8k"] = append(users["tiny-gsm8k"], p.User())
	}
	for _, p := range code {
		users["tiny-humaneval"] = append(users["tiny-humaneval"], p.User())
	}
	pieces := vocabulary(t)
	ends := strings.NewReplacer("<|role_end|>", "", "<|endoftext|>", "")
	for task, texts := range users {
		for i, a := range answers(t, task) {
			want := "<role>SYSTEM</role>detailed thinking off<|role_end|>" +
				"<role>HUMAN</role>" + texts[i] + "<|role_end|><role>ASSISTANT</role>"
			require.Equal(t, want, decode(pieces, a.Prompt), "%s, problem %d", task, i)
			require.Equal(t, a.Text, ends.Replace(decode(pieces, a.Tokens)), "%s, problem %d", task, i)
		}
	}
}

// vocabulary returns the pieces of tokenizer.json by id.
func vocabulary(t *testing.T) map[int]string {
	t.Helper()
	data, err := fs.ReadFile(tiny.Checkpoint(), "tokenizer.json")
	require.NoError(t, err)
	var file struct {
		Model struct{ Vocab map[string]int }
		Added []struct {
			ID      int
			Content string
		} `json:"added_tokens"`
	}
	require.NoError(t, json.Unmarshal(data, &file))
	pieces := map[int]string{}
	for piece, id := range file.Model.Vocab {
		pieces[id] = piece
	}
	for _, a := range file.Added {
		pieces[a.ID] = a.Content
	}
	return pieces
}

// decode joins pieces. The texts of this package are ASCII, of which the byte-level alphabet renames
// only the space and the newline.
func decode(pieces map[int]string, ids []int) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(pieces[id])
	}
	return strings.NewReplacer("Ġ", " ", "Ċ", "\n").Replace(b.String())
}

// The tokenizer and the problems can be made again, byte for byte.
func TestCorpus(t *testing.T) {
	python, err := oracle.Python()
	if err != nil {
		t.Skip(err)
	}
	if exec.Command(python, "-c", "import regex").Run() != nil {
		t.Skipf("%s has no regex module", python)
	}
	dir := t.TempDir()
	out, err := exec.Command(python, "-B", filepath.Join("train", "corpus.py"), dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4)
	for _, e := range entries {
		want, err := fs.ReadFile(tiny.Checkpoint(), e.Name())
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), e.Name())
	}
}
