package bench_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"a b":                    {"a", "b"},
		"  a \t b\n":             {"a", "b"},
		`sh -c 'echo "$x" | wc'`: {"sh", "-c", `echo "$x" | wc`},
		`a "b \" c" d\ e`:        {"a", `b " c`, "d e"},
		`'a\b' ""`:               {`a\b`, ""},
		`a'b'"c"d`:               {"abcd"},
		"größe":                  {"größe"},
	} {
		got, err := bench.Words(line)
		require.NoError(t, err, line)
		assert.Equal(t, want, got, line)
	}
	for line, message := range map[string]string{
		"":      "there is no command",
		"  ":    "there is no command",
		`"" a`:  "there is no command",
		`a "b`:  `has a quote " that does not end`,
		`a 'b\`: "has a quote ' that does not end",
		`a\`:    "ends in a backslash",
	} {
		_, err := bench.Words(line)
		require.ErrorContains(t, err, message, line)
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`sh -c 'echo "$x"' \" ""`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := bench.Words(line)
		if err != nil {
			return
		}
		// What is written in single quotes comes back.
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		again, err := bench.Words(strings.Join(quoted, " "))
		require.NoError(t, err)
		require.Equal(t, words, again)
	})
}

func needShell(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
}

func TestExternal(t *testing.T) {
	needShell(t)
	const (
		works = "sh -c 'i=0; while test $i -lt 20000; do i=$((i+1)); done; echo done'"
		fails = `sh -c 'echo first; printf "the \033[1mreason\n" >&2; exit 3'`
	)
	b, err := bench.Run(t.Context(), bench.Options{External: []string{works, fails, "true"}, Repetitions: 3})
	require.NoError(t, err)
	require.Len(t, b.Tests, 3)
	x := b.Tests[0]
	assert.Equal(t, works, x.Name)
	assert.Equal(t, "process", x.Kind)
	require.Len(t, x.SamplesNS, 3)
	assert.Empty(t, x.Error)
	assert.Positive(t, x.AvgNS)
	require.NotNil(t, x.Process)
	assert.Equal(t, works, x.Process.Command)
	assert.Positive(t, x.Process.UserNS+x.Process.SystemNS)
	assert.Less(t, x.Process.UserNS, 3*float64(x.AvgNS), "of a run, not of all")
	assert.Empty(t, x.SamplesTS)
	assert.Zero(t, x.Forward)

	x = b.Tests[1]
	assert.Equal(t, "sh: exit status 3: the [1mreason", x.Error)
	assert.Empty(t, x.SamplesNS)
	assert.Len(t, b.Tests[2].SamplesNS, 3, "the others go on")

	_, err = bench.Run(t.Context(), bench.Options{External: []string{"no-such-program-anywhere"}})
	require.ErrorIs(t, err, exec.ErrNotFound)
}

// TestExternalInterrupted requires that what a command started ends with it, too.
func TestExternalInterrupted(t *testing.T) {
	needShell(t)
	ctx, cancel := context.WithCancel(t.Context())
	turns := 0
	start := time.Now()
	b, err := bench.Run(ctx, bench.Options{
		External: []string{"sh -c 'sleep 600 & sleep 600'"}, Repetitions: 2,
		Progress: func(int, int, string) {
			turns++
			time.AfterFunc(50*time.Millisecond, cancel)
		},
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.True(t, b.Interrupted)
	assert.Empty(t, b.Tests)
	assert.Equal(t, 1, turns)
	assert.Less(t, time.Since(start), time.Minute, "the background process held the output")
}

// TestExternalLeft: how long a command took is not known if what it left behind held
// its output.
func TestExternalLeft(t *testing.T) {
	needShell(t)
	b, err := bench.Run(t.Context(), bench.Options{External: []string{"sh -c 'sleep 20 &'"}, Repetitions: 1})
	require.NoError(t, err)
	assert.Empty(t, b.Tests[0].SamplesNS)
	assert.Contains(t, b.Tests[0].Error, exec.ErrWaitDelay.Error())
}

// TestExternalLeavesNothing requires that what a command leaves in the background does not
// live on beside what is measured next, whether it holds the output or not.
func TestExternalLeavesNothing(t *testing.T) {
	needShell(t)
	if goruntime.GOOS == "windows" {
		t.Skip("no groups of processes")
	}
	if _, err := exec.LookPath("ps"); err != nil {
		t.Skip("no ps")
	}
	ids := filepath.Join(t.TempDir(), "ids")
	_, err := bench.Run(t.Context(), bench.Options{Repetitions: 1, External: []string{
		"sh -c 'sleep 600 & echo $! >>" + ids + "'",
		"sh -c 'sleep 600 >" + os.DevNull + " 2>&1 & echo $! >>" + ids + "'",
	}})
	require.NoError(t, err)
	text, err := os.ReadFile(ids)
	require.NoError(t, err)
	started := strings.Fields(string(text))
	require.GreaterOrEqual(t, len(started), 3)
	for _, id := range started {
		assert.Eventually(t, func() bool {
			state, _ := exec.Command("ps", "-o", "stat=", "-p", id).Output()
			return strings.TrimSpace(string(state)) == "" || strings.HasPrefix(string(state), "Z")
		}, 10*time.Second, 10*time.Millisecond, "process %s lives on", id)
	}
}

// TestExternalOutput: any amount of output is read, and its end is what is told.
func TestExternalOutput(t *testing.T) {
	needShell(t)
	line := `sh -c 'i=0; while test $i -lt 3000; do echo "$i line of output"; i=$((i+1)); done; exit 1'`
	b, err := bench.Run(t.Context(), bench.Options{External: []string{line}, Repetitions: 1})
	require.NoError(t, err)
	assert.Equal(t, "sh: exit status 1: 2999 line of output", b.Tests[0].Error)
}

// TestExternalInTurns: with models.
func TestExternalInTurns(t *testing.T) {
	path := tinyModel(t, gguf.Q8_0)
	needShell(t)
	b, err := bench.Run(t.Context(), bench.Options{
		Models: []bench.Source{{Path: path}}, Scenarios: scenarios(t, bench.Grid{Tests: []string{"commit"}}),
		External: []string{"false"}, Repetitions: 2, Interleave: true, Burst: time.Millisecond,
	})
	require.NoError(t, err)
	require.Len(t, b.Tests, 2)
	checkRow(t, &b.Tests[0], 2)
	assert.Equal(t, "false: exit status 1", b.Tests[1].Error)
}
