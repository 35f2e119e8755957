package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// historyDay is the results of one day of January: an accuracy, and the time of a step.
func historyDay(n int, accuracy, ms float64) *Collection {
	started := time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)
	program := Program{Commit: fmt.Sprintf("%07x123456", n)}
	return &Collection{
		Evals: []Result[Run]{{Value: &Run{Eval: &Eval{
			Program: program, Started: started.Add(time.Hour), Model: EvalModel{Name: "dir/m.gguf", Type: "q4_0"},
			Tasks: []EvalTask{{Task: "t", Version: 1, N: 100, Asked: 100, Accuracy: accuracy, Low: accuracy - 0.05, High: accuracy + 0.05, Denoise: 10, TPF: 4}},
		}}}},
		Benches: []Result[Bench]{{Value: &Bench{Program: program, Started: started, Tests: []Test{
			{Name: "step32", Model: "m.gguf", Threads: 2, Forward: Spread{N: 3, Median: ms * 1e6, Low: ms * 0.99e6, High: ms * 1.01e6}},
		}}}},
	}
}

func TestHistory(t *testing.T) {
	h := new(History)
	h.add("c", historyDay(9, 0.80, 10))
	h.add("a", historyDay(11, 0.60, 20))
	partial := historyDay(10, 0.10, 15)
	partial.Evals[0].Value.Eval.Tasks[0].Asked = 200
	partial.Problems = []Problem{{"x.json", "damaged"}}
	h.add("b", partial)
	h.add("empty", &Collection{})
	unknown := historyDay(1, 0.70, 12)
	unknown.Evals[0].Value.Eval.Program, unknown.Benches[0].Value.Program = Program{Commit: "not a\ncommit"}, Program{}
	h.add("folder\x1b", unknown)
	h.sort()
	require.Len(t, h.Points, 4)
	var labels []string
	for _, p := range h.Points {
		labels = append(labels, p.Label)
	}
	assert.Equal(t, []string{"folder\ufffd", "0000009", "000000a", "000000b"}, labels)
	assert.Equal(t, time.Date(2026, 1, 9, 0, 0, 0, 0, time.UTC), h.Points[1].Started, "that of the first result")
	assert.Equal(t, []Problem{{"b/x.json", "damaged"}, {"empty", "no results are in it"}}, h.Problems)

	all := h.series()
	require.Len(t, all, 3)
	assert.Equal(t, "accuracy tpf ms_per_forward", all[0].metric+" "+all[1].metric+" "+all[2].metric)
	assert.InDeltaSlice(t, []float64{70, 80, 60}, append(all[0].values[:2:2], all[0].values[3]), 1e-9)
	assert.True(t, math.IsNaN(all[0].values[2]), "half a task is not set beside whole ones")
	assert.InDelta(t, 55, all[0].low[3], 1e-9)
	assert.Equal(t, []float64{12, 10, 15, 20}, all[2].values)

	table := h.Table()
	assert.Equal(t, []string{"figure", "of", "unit", "folder\ufffd", "0000009", "000000a", "000000b", "change", ""}, table.Header)
	require.Len(t, table.Rows, 3)
	assert.Equal(t, []string{"accuracy", "eval: t v1, m.gguf, q4_0", "%", "70.00", "80.00", nothing, "60.00", "-20.00 points", "worse"}, table.Rows[0])
	assert.Equal(t, []string{"0", ""}, table.Rows[1][7:])
	assert.Equal(t, []string{"+33.3 %", "worse"}, table.Rows[2][7:])
	for _, row := range table.Rows {
		assert.Len(t, row, len(table.Header))
	}
}

func TestHistoryChange(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name            string
		s               series
		change, verdict string
	}{
		{"one point", series{values: []float64{1}}, nothing, ""},
		{"none", series{values: []float64{nan, nan}}, nothing, ""},
		{"overlap", series{values: []float64{10, 11}, low: []float64{9, 10}, high: []float64{11, 12}, better: 1}, "+10.0 %", "within the intervals"},
		{"less is better", series{values: []float64{10, 5}, low: []float64{10, 5}, high: []float64{10, 5}, better: -1}, "-50.0 %", "better"},
		{"from zero", series{values: []float64{0, 5}, low: []float64{0, 5}, high: []float64{0, 5}, better: -1}, nothing, ""},
		{"gone", series{values: []float64{1, 2, nan}, low: []float64{1, 2, nan}, high: []float64{1, 2, nan}, better: 1}, "+100.0 %", "not in the last"},
	} {
		change, verdict := c.s.change()
		assert.Equal(t, []string{c.change, c.verdict}, []string{change, verdict}, c.name)
	}
}

func TestHistoryBounds(t *testing.T) {
	h := new(History)
	for n := range 10 {
		c := historyDay(n+1, 0.5, 10)
		for i := range 600 {
			task := c.Evals[0].Value.Eval.Tasks[0]
			task.Task = fmt.Sprint(strings.Repeat("x", 1000), i)
			c.Evals[0].Value.Eval.Tasks = append(c.Evals[0].Value.Eval.Tasks, task)
		}
		h.add(fmt.Sprint(n), c)
	}
	assert.Len(t, h.series(), maxSeries)
	table := h.Table()
	assert.Len(t, table.Header, 3+historyColumns+2)
	for _, row := range table.Rows {
		for _, cell := range row {
			require.Less(t, len(cell), 250)
		}
	}
	_, err := ReadHistory(t.TempDir() + "/nowhere")
	assert.Error(t, err)
}

// TestReadHistory: folders of results are points, in the order of when they were started.
func TestReadHistory(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, started time.Time, commit string, accuracy float64) {
		e := historyDay(1, accuracy, 1).Evals[0].Value.Eval
		e.Version, e.Started, e.Program.Commit, e.Settings = 1, started, commit, []byte("{}")
		var out bytes.Buffer
		require.NoError(t, e.Write(&out, "json"))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name, "q4_0"), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "q4_0", ResultsFile), out.Bytes(), 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "q4_0", SamplesFile), nil, 0o666))
	}
	write("a", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "", 0.5)
	write("b", time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), "abcdef0123456789-dirty", 0.25)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "bench.json"), []byte(`{"bench":9}`), 0o666))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o777))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), nil, 0o666))
	h, err := ReadHistory(dir)
	require.NoError(t, err)
	require.Len(t, h.Points, 2)
	assert.Equal(t, "abcdef0-dirty, a", h.Points[0].Label+", "+h.Points[1].Label)
	assert.Equal(t, []float64{25, 50}, h.series()[0].values)
	var damaged []string
	for _, p := range h.Problems {
		damaged = append(damaged, p.Path)
	}
	assert.Contains(t, damaged, "a/bench.json")
	assert.Contains(t, damaged, "empty")
}

// TestHistoryFigures: whatever points there are, figures are XML without numbers that are
// none, and there is one for each metric of two points.
func TestHistoryFigures(t *testing.T) {
	assert.Empty(t, new(History).Figures())
	one := new(History)
	one.add("a", historyDay(1, 0.5, 10))
	assert.Empty(t, one.Figures(), "a line has two points")
	for _, n := range []int{2, 3, 9, 150} {
		h := new(History)
		for i := range n {
			c := historyDay(i%28+1, float64(i%7)/7, 10)
			c.Evals[0].Value.Eval.Model.Name = fmt.Sprintf("</svg><script>\x00%d%s", i%2, strings.Repeat("w", 300))
			for j := range 9 {
				test := c.Benches[0].Value.Tests[0]
				test.Name = fmt.Sprint("step", j)
				c.Benches[0].Value.Tests = append(c.Benches[0].Value.Tests, test)
			}
			h.add(fmt.Sprint("commit <", i), c)
		}
		figures := h.Figures()
		names := ""
		for _, f := range figures {
			names += f.Name + " "
			for _, text := range []string{f.Inline(), svgOf(t, f)} {
				dec := xml.NewDecoder(strings.NewReader(text))
				for {
					if _, err := dec.Token(); err == io.EOF {
						break
					} else {
						require.NoError(t, err)
					}
				}
				assert.NotContains(t, text, "NaN")
				assert.NotContains(t, text, "Inf")
				assert.NotContains(t, text, "<script")
			}
		}
		want := "history-accuracy history-tpf history-ms_per_forward "
		if n < 4 { // each model has one or two points
			want = names
			assert.Contains(t, names, "history-ms_per_forward")
		}
		assert.Equal(t, want, names)
		assert.Contains(t, figures[len(figures)-1].Note, "4 lines more: see the table")
	}
}

func svgOf(t *testing.T, f *Figure) string {
	var out bytes.Buffer
	require.NoError(t, f.WriteSVG(&out))
	return out.String()
}
