package reports_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// sweep has three cells: the recommended settings, faster ones with other answers, and
// ones that are worse in both.
func sweep() *reports.Sweep {
	cell := func(threshold string, speed float64, right int, agree float64) reports.SweepCell {
		return reports.SweepCell{
			Model: "dir/" + hostile, Type: "llada2 16B Q4_0", Size: 9_238_000_000, Threads: 2, Values: []string{threshold},
			Settings: json.RawMessage(`{"threshold":` + threshold + `}`), Class: "exact", Recommended: threshold == "0.95",
			Speed:  reports.Spread{N: 3, Median: speed, Low: speed - 1, High: speed + 1, Min: speed - 1, Max: speed + 1, Mean: speed, Stddev: 1},
			Tokens: 400, Forwards: 100, TPF: 4, MS: 171.5, Same: agree / 2, Agree: agree, Right: right, Accuracy: float64(right) / 10,
		}
	}
	s := &reports.Sweep{
		Version: 1, Program: fixture().Program, Machine: fixture().Machine, Command: []string{"sweep"}, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Data: "data/" + hostile, Prompts: 10, Asked: 12, Repetitions: 3, Interrupted: true, Judged: true, Axes: []string{"threshold"},
		Cells:    []reports.SweepCell{cell("0.95", 20, 9, 1), cell("0.5", 40, 7, 0.8), cell("0.99", 18, 8, 0.9)},
		Warnings: []string{"the machine was busy"},
	}
	s.Compare()
	return s
}

func sweepIn(t testing.TB, s *reports.Sweep, form string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, s.Write(&out, form))
	return out.String()
}

func TestSweepGolden(t *testing.T) {
	golden(t, "sweep.md", sweepIn(t, sweep(), "md"))
	golden(t, "sweep.csv", sweepIn(t, sweep(), "csv"))
	golden(t, "sweep-v1.json", sweepIn(t, sweep(), "json"))
}

func TestSweepCompare(t *testing.T) {
	front := func(change func(s *reports.Sweep)) (all []bool) {
		s := sweep()
		change(s)
		s.Compare()
		for _, c := range s.Cells {
			all = append(all, c.Front)
		}
		return all
	}
	assert.Equal(t, []bool{true, true, false}, front(func(*reports.Sweep) {}))
	assert.Equal(t, []bool{true, true, true}, front(func(s *reports.Sweep) { s.Cells[2].Accuracy = 1 }), "best in quality")
	assert.Equal(t, []bool{true, true, false}, front(func(s *reports.Sweep) { s.Judged, s.Cells[2].Accuracy = false, 1 }), "quality is agreement")
	assert.Equal(t, []bool{false, true, false}, front(func(s *reports.Sweep) { s.Cells[1].Accuracy = 0.9 }), "as good and faster")
	assert.Equal(t, []bool{true, true, true}, front(func(s *reports.Sweep) { s.Cells[1], s.Cells[2] = s.Cells[0], s.Cells[0] }), "all alike")
	assert.Equal(t, []bool{false, false, false}, front(func(s *reports.Sweep) {
		for i := range s.Cells {
			s.Cells[i].Speed = reports.Spread{}
		}
	}), "nothing is known")
	s := sweep()
	assert.Equal(t, []float64{1, 2, 0.9}, []float64{s.Cells[0].Relative, s.Cells[1].Relative, s.Cells[2].Relative})
}

func TestSweepForms(t *testing.T) {
	var again reports.Sweep
	require.NoError(t, json.Unmarshal([]byte(sweepIn(t, sweep(), "json")), &again))
	for i := range again.Cells { // indented
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, again.Cells[i].Settings))
		again.Cells[i].Settings = compact.Bytes()
	}
	assert.Equal(t, sweep(), &again)

	rows, err := csv.NewReader(strings.NewReader(sweepIn(t, sweep(), "csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, []string{"model_filename", "model_type", "model_size", "n_threads", "threshold", "settings"}, rows[0][:6])
	assert.Equal(t, []string{"0.5", `{"threshold":0.5}`}, rows[2][4:6])

	lines := strings.Split(sweepIn(t, sweep(), "md"), "\n")
	assert.Equal(t, []string{"threshold", "class", "t/s", "speed", "tokens/forward", "forwards", "ms/forward", "same answers", "same tokens", "right", ""}, cells(lines[0]))
	assert.Equal(t, []string{"0.95", "exact", "20.00 (19.00 to 21.00)", "1.00 ×", "4.00", "100", "171.5", "50.0 %", "100.0 %", "9 (90.0 %)", "recommended, front"}, cells(lines[2]))
	two := sweep()
	two.Judged, two.Cells[1].Model, two.Cells[1].Type, two.Cells[2].Threads = false, "b", "llada2 16B Q8_0", 1
	two.Cells[2].Tokens, two.Cells[2].Speed = 0, reports.Spread{}
	lines = strings.Split(sweepIn(t, two, "md"), "\n")
	assert.Equal(t, []string{"model", "file", "threads", "threshold"}, cells(lines[0])[:4], "what differs")
	assert.NotContains(t, lines[0], "right")
	assert.Equal(t, []string{"-", "-"}, cells(lines[4])[5:7], "of what was never measured")

	assert.ErrorContains(t, sweep().Write(io.Discard, "sql"), `form "sql" is not one of md, json, csv`)
	for _, form := range reports.SweepForms() {
		s := sweep()
		s.Cells[1].Agree = math.NaN()
		assert.ErrorContains(t, s.Write(io.Discard, form), "cells[1].same_tokens is NaN")
		s = sweep()
		s.Cells[1].Values = nil
		assert.ErrorContains(t, s.Write(io.Discard, form), "cells[1] has not the 1 values of the axes")
	}
}
