package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/eval/sandbox"
	"lladakit/internal/oracle"
	"lladakit/internal/tiny"
)

// models are converted once for all tests, by the command itself.
var models struct {
	tinyDir   string // checkpoint folder of the embedded model
	tiny      string // as bf16
	golden    []oracle.Checkpoint
	narrowDir string // golden checkpoint without a tokenizer
	narrow    string // as f32
	small     string // with a context of 64 positions
}

// fullVariable asks for the tests that take more than a few seconds.
const fullVariable = "LLADA_TEST_FULL"

// asProgram makes the test binary behave as the program.
const asProgram = "LLADA_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	sandbox.Main()
	if os.Getenv(asProgram) != "" {
		main()
	}
	dir, err := os.MkdirTemp("", "llada-test-")
	if err == nil {
		err = makeModels(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func makeModels(dir string) (err error) {
	if models.golden, err = oracle.Golden(); err != nil {
		return err
	}
	for _, c := range models.golden {
		if c.Name == "narrow" {
			models.narrowDir = c.Dir
		}
	}
	models.tinyDir = filepath.Join(dir, "checkpoint")
	if err := tiny.Unpack(models.tinyDir); err != nil {
		return err
	}
	smallDir := filepath.Join(dir, "small")
	if err := copyCheckpoint(smallDir, models.narrowDir, func(config map[string]any) { config["max_position_embeddings"] = 64 }); err != nil {
		return err
	}
	models.tiny, models.narrow, models.small = filepath.Join(dir, "tiny.gguf"), filepath.Join(dir, "narrow.gguf"), filepath.Join(dir, "small.gguf")
	for _, args := range [][]string{
		{"--from", models.tinyDir, "--out", models.tiny, "--type", "bf16"},
		{"--from", models.narrowDir, "--out", models.narrow, "--type", "f32"},
		{"--from", smallDir, "--out", models.small, "--type", "F32"},
	} {
		args = append([]string{"llada", "convert"}, args...)
		if err := run(context.Background(), args, strings.NewReader(""), io.Discard, io.Discard); err != nil {
			return err
		}
	}
	return nil
}

// copyCheckpoint copies a checkpoint folder with another config.json.
func copyCheckpoint(to, from string, edit func(config map[string]any)) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	path := filepath.Join(to, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		return err
	}
	edit(config)
	if data, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

// outcome is what a command line did.
type outcome struct {
	stdout, stderr string
	err            error
	code           int
}

// llada runs a command line; words are separated by single spaces.
func llada(t testing.TB, line string, more ...string) outcome {
	t.Helper()
	return lladaInput(t, "", append(strings.Fields(line), more...)...)
}

func lladaInput(t testing.TB, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	err := run(t.Context(), append([]string{"llada"}, args...), strings.NewReader(stdin), &stdout, &stderr)
	return outcome{stdout.String(), stderr.String(), err, exitCode(err)}
}

// done runs a command line that must succeed and returns its standard output.
func done(t testing.TB, line string, more ...string) string {
	t.Helper()
	o := llada(t, line, more...)
	require.NoError(t, o.err)
	require.Zero(t, o.code)
	return o.stdout
}

// document runs a command line and reads its JSON, which must be one document
// with exactly the fields of T.
func document[T any](t testing.TB, line string, more ...string) T {
	t.Helper()
	out := done(t, line, more...)
	var v T
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&v), "%s", out)
	require.ErrorIs(t, d.Decode(new(any)), io.EOF, "more than one document")
	again, err := json.Marshal(v)
	require.NoError(t, err)
	var want, got any
	require.NoError(t, json.Unmarshal(again, &want))
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, keys("", want), keys("", got))
	return v
}

// keys lists the paths of all fields of a document.
func keys(at string, v any) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, at+"."+k)
			all = append(all, keys(at+"."+k, v[k])...)
		}
	case []any:
		if len(v) > 0 {
			all = keys(at+"[]", v[0])
		}
	}
	return all
}

// ids writes token ids as a flag's value.
func ids(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ","), "[]")
}

func digest(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return fmt.Sprintf("%x", sha256.Sum256(data))
}
