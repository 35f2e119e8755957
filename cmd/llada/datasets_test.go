package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
)

// ownFolders gives the program empty folders of data sets.
func ownFolders(t testing.TB) (folder, cache string) {
	folder, cache = t.TempDir(), t.TempDir()
	t.Setenv(dataFolder, folder)
	for _, variable := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} { // of all systems
		t.Setenv(variable, cache)
	}
	return folder, cache
}

func TestDatasets(t *testing.T) {
	ownFolders(t)
	all := document[[]datasets.Found](t, "datasets list --json")
	require.Len(t, all, len(datasets.Sets()))
	table := done(t, "datasets list")
	for _, f := range all {
		if f.Embedded() {
			assert.Equal(t, datasets.Embedded, f.State)
		} else {
			assert.Equal(t, datasets.Missing, f.State)
		}
		assert.Contains(t, table, f.Name)
		assert.Contains(t, table, f.SHA256[:12])
	}
	assert.Equal(t, all, document[[]datasets.Found](t, "datasets verify --json"))
	assert.Contains(t, done(t, "datasets verify"), "missing")
	assert.Len(t, document[[]datasets.Found](t, "datasets verify --json tiny-gsm8k"), 1)
	assert.Equal(t, "tiny-gsm8k: 200 records, embedded, nothing to fetch\n", done(t, "datasets pull tiny-gsm8k"))

	help := done(t, "datasets --help")
	for _, command := range []string{"list", "pull", "verify"} {
		assert.Contains(t, help, "   "+command+" ")
		assert.Contains(t, done(t, "datasets "+command+" --help"), "Example: llada datasets "+command)
	}
	assert.Equal(t, help, done(t, "datasets"))
}

func TestDatasetsDamaged(t *testing.T) {
	folder, _ := ownFolders(t)
	path := filepath.Join(folder, "gsm8k_test.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("torn"), 0o666))
	for _, line := range []string{"datasets verify", "datasets verify gsm8k", "datasets verify --json gsm8k tiny-gsm8k"} {
		o := llada(t, line)
		assert.Equal(t, 1, o.code, line)
		assert.ErrorContains(t, o.err, path+": wrong checksum", line)
		assert.Contains(t, o.stdout, "damaged", line)
	}
	assert.Contains(t, done(t, "datasets list"), path+", damaged")
	o := llada(t, "datasets pull --to "+folder+" gsm8k")
	assert.Equal(t, 1, o.code)
	assert.ErrorContains(t, o.err, "remove the file")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "torn", string(kept))
}

func TestDatasetsMistakes(t *testing.T) {
	folder, cache := ownFolders(t)
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"datasets nonsense", 2, `there is no command "nonsense"; see llada datasets --help`},
		{"datasets --nonsense", 2, "see llada datasets --help"},
		{"datasets list --nonsense", 2, "see llada datasets list --help"},
		{"datasets list gsm8k", 2, `"gsm8k" is one too many; see llada datasets list --help`},
		{"datasets pull", 2, "NAME is missing; see llada datasets pull --help"},
		{"datasets pull --to= gsm8k", 2, "--to is empty"},
		{"datasets pull gsm8k --to x", 2, "flag --to must stand before other arguments; see llada datasets pull --help"},
		{"datasets pull tiny-gsm8k mmlu", 2, `"mmlu" is no data set; see llada datasets list`},
		{"datasets verify mmlu", 2, `"mmlu" is no data set`},
		{"datasets verify gsm8k", 3, "gsm8k: data set is not there; llada datasets pull gsm8k fetches it"},
	} {
		o := llada(t, c.line)
		assert.Equal(t, c.code, o.code, c.line)
		assert.ErrorContains(t, o.err, c.want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := run(ctx, []string{"llada", "datasets", "pull", "gsm8k"}, strings.NewReader(""), io.Discard, io.Discard)
	assert.Equal(t, 4, exitCode(err))
	assert.Empty(t, append(files(t, folder), files(t, cache)...))
}

func TestDatasetsThere(t *testing.T) {
	data := os.Getenv("LLADA_TEST_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(data); err != nil {
		t.Skipf("there are no data sets (LLADA_TEST_DATA names their folder): %v", err)
	}
	ownFolders(t)
	path := filepath.Join(data, "HumanEval.jsonl.gz")
	assert.Equal(t, "humaneval: 164 records, "+path+"\n", done(t, "datasets pull --to "+data+" humaneval"))
	pulled := document[[]datasets.Found](t, "datasets pull --json --to "+data+" humaneval")
	require.Len(t, pulled, 1)
	assert.Equal(t, path, pulled[0].Path)
	t.Setenv(dataFolder, data)
	assert.Contains(t, done(t, "datasets verify humaneval"), path)
	assert.Contains(t, done(t, "datasets list"), path)
}
