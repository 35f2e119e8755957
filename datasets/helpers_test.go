package datasets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// testData returns the folder with the registered files.
func testData(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LLADA_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("there are no data sets (LLADA_TEST_DATA names their folder): %v", err)
	}
	return dir
}

func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write(data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return buf.Bytes()
}

func sum(data []byte) string {
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}

// fakeSet returns the content of a made-up data set, some buffers long, and its entry.
func fakeSet(url string) ([]byte, *Set) {
	var data bytes.Buffer
	const n = 2000
	for i := range n {
		fmt.Fprintf(&data, `{"question": "What is %d + 1?", "answer": "%d + 1 = %d\n#### %d"}`+"\n", i, i, i+1, i+1)
	}
	return data.Bytes(), &Set{
		Name: "fake", Form: GSM8K, File: "fake.jsonl", URL: url, License: "MIT",
		SHA256: sum(data.Bytes()), Size: int64(data.Len()), Records: n,
	}
}

// list returns the names of what a folder has.
func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, data, 0o666))
	return path
}
