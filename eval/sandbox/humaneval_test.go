package sandbox

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// problem is a record of HumanEval.
type problem struct {
	ID       string `json:"task_id"`
	Prompt   string `json:"prompt"`
	Entry    string `json:"entry_point"`
	Solution string `json:"canonical_solution"`
	Test     string `json:"test"`
}

// program is what is run to check a solution.
func (p problem) program(solution string) Program {
	return Program{Source: p.Prompt + solution + "\n" + p.Test + "\ncheck(" + p.Entry + ")\n"}
}

// humanEval reads the problems, or skips the test where the file is absent.
func humanEval(t *testing.T) (problems []problem) {
	t.Helper()
	folder := os.Getenv("LLADA_TEST_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	text, err := os.ReadFile(filepath.Join(folder, "HumanEval.jsonl.gz"))
	if err != nil {
		t.Skipf("no data: %v; set LLADA_TEST_DATA", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p problem
		require.NoError(t, json.Unmarshal(lines.Bytes(), &p))
		problems = append(problems, p)
	}
	require.NoError(t, lines.Err())
	require.Len(t, problems, 164)
	return problems
}

// wrong returns solutions that must fail: of every problem one that returns nothing, and,
// where that is another program, the canonical one with its last return changed.
func (p problem) wrong(i int) string {
	if at := strings.LastIndex(p.Solution, "return "); i%2 == 1 && at >= 0 {
		line, rest, _ := strings.Cut(p.Solution[at+len("return "):], "\n")
		if !strings.HasSuffix(strings.TrimSpace(line), "(") && strings.Count(line, "(") == strings.Count(line, ")") &&
			strings.Count(line, "[") == strings.Count(line, "]") && strings.Count(line, "{") == strings.Count(line, "}") {
			return p.Solution[:at] + "return (" + line + ", 'wrong')\n" + rest
		}
	}
	return "    return None\n"
}

// TestHumanEval: all 164 canonical solutions pass, and as many wrong ones fail, in tiers
// A and B. Without LLADA_TEST_FULL every eighth problem.
func TestHumanEval(t *testing.T) {
	problems := humanEval(t)
	step := 8
	if os.Getenv("LLADA_TEST_FULL") != "" {
		step = 1
	}
	for _, tier := range []Tier{Namespaces, Landlock} {
		t.Run(string(tier), func(t *testing.T) {
			s := open(t, tier, "")
			_, err := s.Calibrate(t.Context(), nil)
			require.NoError(t, err)
			var wg sync.WaitGroup
			for worker := range 2 {
				wg.Go(func() {
					for i := worker * step; i < len(problems); i += 2 * step {
						p := problems[i]
						v, err := s.Run(t.Context(), p.program(p.Solution))
						assert.NoError(t, err)
						assert.Equal(t, Passed, v.Status, "%s: %s", p.ID, v.Message)
						v, err = s.Run(t.Context(), p.program(p.wrong(i/step)))
						assert.NoError(t, err)
						assert.Equal(t, Failed, v.Status, "%s: %s", p.ID, v.Message)
					}
				})
			}
			wg.Wait()
		})
	}
}
