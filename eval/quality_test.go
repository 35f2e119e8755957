package eval_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/eval"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
	"lladakit/runtime"
)

// The table of quant/README.md is what
//
//	go test ./eval -run TestQuality -quality-table -v -timeout 1h
//
// prints. Without the flag the test compares fewer files on fewer prompts.
var qualityTable = flag.Bool("quality-table", false, "measure all rows of quant/README.md")

// The last problems of each kind are for measuring importance, the others for
// the figures.
const (
	wordsHeld, codesHeld = 140, 70
	calibrated           = 90
)

// TestQuality requires that a file whose formats were chosen for a size is
// nearer to the reference than the file of one format that has this size.
func TestQuality(t *testing.T) {
	if os.Getenv("LLADA_TEST_FULL") == "" && !*qualityTable {
		t.Skip("takes minutes; set LLADA_TEST_FULL")
	}
	q := newQuality(t)
	var rows []*qualityRow
	targets := []string{"q4_0", "q3_k"}
	if *qualityTable {
		targets = []string{"bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q3_k"}
	}
	sized := map[string]*qualityRow{}
	for _, name := range targets {
		target, err := quant.ParseTarget(name)
		require.NoError(t, err)
		row := q.measure(t, "`"+name+"`", convert.Options{Recipe: quant.Recipe{Target: target}})
		rows, sized[name] = append(rows, row), row
	}
	for _, name := range []string{"q4_0", "q3_k"} {
		opt := convert.Options{Importance: q.importance}
		fit, err := q.checkpoint.Fit(t.Context(), opt, uint64(sized[name].bytes))
		require.NoError(t, err)
		opt.Recipe = fit.Recipe
		row := q.measure(t, "chosen for the size of `"+name+"`", opt)
		rows = append(rows, row)
		assert.LessOrEqual(t, row.bytes, sized[name].bytes)
		assert.Less(t, row.KLD.Mean, sized[name].KLD.Mean, name)
	}
	if *qualityTable {
		fmt.Println("| file | size, KB | bits per weight | KLD, nats | same top token | tiny-gsm8k | tiny-humaneval |\n|---|---|---|---|---|---|---|")
		for _, r := range rows {
			fmt.Println(r)
		}
	}
}

// quality is what the rows share.
type quality struct {
	checkpoint *convert.Checkpoint
	reference  *runtime.Model
	importance *quant.Importance
	prompts    [][]int32 // that the reference answers
}

func newQuality(t *testing.T) *quality {
	dir := filepath.Join(t.TempDir(), "tiny")
	require.NoError(t, tiny.Unpack(dir))
	c, err := convert.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	q := &quality{checkpoint: c, reference: load(t, plain(gguf.BF16))}
	var seen [][]int32
	words, codes := heldOut(t)
	for i := range calibrated * 2 / 3 {
		seen = append(seen, q.prompt(t, words[wordsHeld+i].User()))
	}
	for i := range calibrated / 3 {
		seen = append(seen, q.prompt(t, codes[codesHeld+i].User()))
	}
	opt := settings(q.reference)
	q.importance, err = eval.Importance(t.Context(), q.reference, seen, opt, nil)
	require.NoError(t, err)
	require.NoError(t, eval.MeasureSensitivity(t.Context(), q.reference, q.importance, spread(seen, 24), opt, nil))
	n := 24
	if *qualityTable {
		n = wordsHeld + codesHeld
	}
	for i := range n {
		if i%3 == 2 {
			q.prompts = append(q.prompts, q.prompt(t, codes[i/3].User()))
		} else {
			q.prompts = append(q.prompts, q.prompt(t, words[i-i/3].User()))
		}
	}
	return q
}

func heldOut(t testing.TB) ([]tiny.WordProblem, []tiny.CodeProblem) {
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	return words, codes
}

// spread returns n of all, evenly spread.
func spread(all [][]int32, n int) [][]int32 {
	var some [][]int32
	for i := range n {
		some = append(some, all[i*len(all)/n])
	}
	return some
}

func (q *quality) prompt(t testing.TB, user string) []int32 {
	ids, err := q.reference.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: user}})
	require.NoError(t, err)
	return ids
}

// qualityRow are the figures of one file.
type qualityRow struct {
	eval.Figures
	name         string
	bytes        int64
	bits         float64
	words, codes int
}

func (r *qualityRow) String() string {
	return fmt.Sprintf("| %s | %.0f | %.2f | %.5f (%.5f to %.5f) | %.2f %% | %d / %d | %d / %d |", r.name, float64(r.bytes)/1000, r.bits,
		r.KLD.Mean, r.KLD.Low, r.KLD.High, 100*r.Agreement.Mean, r.words, wordsHeld, r.codes, codesHeld)
}

func (q *quality) measure(t *testing.T, name string, opt convert.Options) *qualityRow {
	path := filepath.Join(t.TempDir(), "model.gguf")
	plan, err := q.checkpoint.Plan(opt)
	require.NoError(t, err)
	made, err := plan.Write(t.Context(), path)
	require.NoError(t, err)
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(t, err)
	defer m.Close()
	d, err := eval.Diverge(t.Context(), m, q.reference, q.prompts, settings(m), nil)
	require.NoError(t, err)
	row := &qualityRow{Figures: d.All, name: name, bytes: made.Bytes, bits: 8 * float64(plan.Bytes()) / float64(plan.Weights())}
	if *qualityTable {
		q.solve(t, m, row)
	}
	t.Log(row)
	return row
}

// solve counts the held-out problems that are answered rightly: the number in
// the box, or the function's body as it stands in the solution. (Another body
// may be right too, but model-written code is not run here.)
func (q *quality) solve(t *testing.T, m *runtime.Model, row *qualityRow) {
	words, codes := heldOut(t)
	answer := func(user string) string {
		r, err := m.Generate(t.Context(), q.prompt(t, user), settings(m))
		require.NoError(t, err)
		return m.Text(r.IDs)
	}
	for _, p := range words[:wordsHeld] {
		if strings.Contains(answer(p.User()), `\boxed{`+p.Result()+`}`) {
			row.words++
		}
	}
	for _, p := range codes[:codesHeld] {
		if strings.Contains(answer(p.User()), strings.TrimSpace(p.CanonicalSolution)) {
			row.codes++
		}
	}
}
