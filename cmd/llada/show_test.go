package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onScreen runs a command line whose standard output and error are a terminal,
// and returns what the terminal shows after each write to the output.
func onScreen(t testing.TB, columns, rows int, args ...string) (*screen, []string) {
	t.Helper()
	s := newScreen(t, columns, rows)
	var frames []string
	out := writerFunc(func(p []byte) (int, error) {
		n, err := s.Write(p)
		frames = append(frames, s.text())
		return n, err
	})
	e := &env{
		stdin:  strings.NewReader(""),
		stdout: &output{w: out, columns: columns, rows: rows},
		stderr: &output{w: io.Discard, columns: columns, rows: rows},
	}
	require.NoError(t, e.execute(t.Context(), append([]string{"llada"}, args...)))
	return s, frames
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestShowOnTerminal(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {20, 6}} {
		s, frames := onScreen(t, size[0], size[1], "run", "--show", "--gen-length", "96", "--model", models.tiny, "--prompt", question(t))
		assert.Equal(t, strings.TrimRight(solution, "\n"), s.text(), "what is left is the answer")
		assert.Zero(t, s.column)
		if size[0] != 80 {
			continue
		}
		var live []string
		for _, f := range frames {
			if strings.Contains(f, "[block ") {
				live = append(live, f)
			}
		}
		require.Len(t, live, 6, "one picture for every step")
		assert.Contains(t, live[0], "[block 1, step 1] 6 + 10 = ", "the first block begins behind the prompt")
		assert.Contains(t, live[1], "[block 2, step 1] ")
		assert.True(t, strings.HasPrefix(live[1], "6 + 10 = "), "above stands what is decided")
		masks := strings.Count(live[1], "░")
		for _, f := range live[2:] {
			assert.Less(t, strings.Count(f, "░"), masks)
			masks = strings.Count(f, "░")
		}
		assert.Zero(t, masks)
	}
}

func TestShowIDsOnTerminal(t *testing.T) {
	args := strings.Fields("run --ids 1,2,3 --gen-length 100 --threshold 0.3 --model " + models.narrow)
	want := done(t, strings.Join(args, " "))
	s, _ := onScreen(t, 60, 24, append(args, "--show")...)
	assert.Equal(t, strings.TrimSpace(want), s.text())
}

// Without a terminal the text comes block by block, without any control
// sequence, and is the same text.
func TestShowPlain(t *testing.T) {
	var writes []string
	out := writerFunc(func(p []byte) (int, error) {
		if len(p) > 0 {
			writes = append(writes, string(p))
		}
		return len(p), nil
	})
	args := []string{"llada", "run", "--show", "--gen-length", "96", "--model", models.tiny, "--prompt", question(t)}
	require.NoError(t, run(t.Context(), args, strings.NewReader(""), out, io.Discard))
	assert.Equal(t, solution, strings.Join(writes, ""))
	assert.Len(t, writes, 3, "two blocks and the end of the line")

	line := "run --ids 1,2,3 --gen-length 100 --threshold 0.3 --model " + models.narrow
	assert.Equal(t, done(t, line), done(t, line+" --show"))
}

// escaping converts the embedded checkpoint with a vocabulary in which the line
// feed and the escape character have changed places, and returns the file and
// ids of which it makes text with escape characters.
func escaping(t testing.TB) (path, prompt string) {
	dir := filepath.Join(t.TempDir(), "checkpoint")
	require.NoError(t, os.CopyFS(dir, os.DirFS(models.tinyDir)))
	name := filepath.Join(dir, "tokenizer.json")
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	const feed, escape = "\u010a", "\u011b" // as byte-level vocabularies write them
	data = []byte(strings.NewReplacer(feed, escape, escape, feed).Replace(string(data)))
	require.NoError(t, os.WriteFile(name, data, 0o666))
	path = filepath.Join(dir, "escaping.gguf")
	done(t, "convert --from "+dir+" --out "+path)
	asked := document[runDocument](t, "run --json --gen-length 8 --model "+models.tiny, "--prompt", question(t))
	return path, ids(asked.PromptIDs)
}

// The text of a model must not drive the terminal. The screen of the test fails
// on every sequence that the program itself does not use.
func TestEscapesInText(t *testing.T) {
	path, prompt := escaping(t)
	run := []string{"run", "--gen-length", "96", "--model", path, "--ids", prompt}
	raw := strings.ReplaceAll(strings.TrimSuffix(solution, "\n"), "\n", "\x1b")
	assert.Equal(t, raw+"\n", done(t, strings.Join(run, " ")), "a file gets what the model says")

	shown := strings.ReplaceAll(raw, "\x1b", "·")
	for _, args := range [][]string{run, append(run, "--show"), {"tokenize", "--model", path, "--text", "x"}} {
		s, frames := onScreen(t, 80, 24, args...)
		if args[0] == "run" {
			assert.Equal(t, shown, s.text())
		}
		assert.NotEmpty(t, frames)
	}
	answer := document[runDocument](t, strings.Join(append(run, "--json"), " ")).IDs
	s, _ := onScreen(t, 80, 24, "tokenize", "--model", path, "--ids", ids(answer[:len(answer)-2]))
	assert.Equal(t, shown, s.text())
	s, _ = onScreen(t, 80, 24, "inspect", path)
	assert.Contains(t, s.text(), "tokenizer.ggml.tokens")
}

// Names in a damaged file reach the terminal through inspect and through errors.
func TestEscapesInNames(t *testing.T) {
	data, err := os.ReadFile(models.tiny)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "names.gguf")
	data = bytes.ReplaceAll(data, []byte("general.name"), []byte("general\x1b[2J "))
	data = bytes.ReplaceAll(data, []byte("output_norm.weight"), []byte("out\x1b[2J\x1b[H_.weight"))
	require.NoError(t, os.WriteFile(path, data, 0o666))
	s, _ := onScreen(t, 200, 24, "inspect", "--tensors", path)
	assert.Contains(t, s.text(), `out\x1b[2J\x1b[H_.weight`)

	o := llada(t, "run --ids 1 --model "+path)
	require.Error(t, o.err)
	s = newScreen(t, 200, 24)
	fmt.Fprint(s, (&output{columns: 200}).printable(message(o.err)))
	assert.Regexp(t, regexp.QuoteMeta(path), s.text())
}
