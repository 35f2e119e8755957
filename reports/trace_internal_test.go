package reports

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// packedTrace is a small file that unpacks to a header and n times a line.
func packedTrace(t testing.TB, block int, line string, n int) []byte {
	t.Helper()
	var file bytes.Buffer
	zip, err := gzip.NewWriterLevel(&file, gzip.BestSpeed)
	require.NoError(t, err)
	fmt.Fprintf(zip, `{"trace":1,"block_length":%d}`+"\n", block)
	for range n {
		_, err := io.WriteString(zip, line+"\n")
		require.NoError(t, err)
	}
	require.NoError(t, zip.Close())
	return file.Bytes()
}

// traceLine is a step of a block, with more fields.
func traceLine(block int, more string) string {
	list := func(x string) string { return "[" + strings.TrimSuffix(strings.Repeat(x+",", block), ",") + "]" }
	return fmt.Sprintf(`{"tokens":%s,"wrote":%s,"stats":%s%s}`, list("1"), list("true"), list("null"), more)
}

func TestTraceBounds(t *testing.T) {
	wide := traceBounds{bytes: 1 << 20, line: 1 << 16, steps: 100, positions: 1000, layers: 10}
	for want, c := range map[string]struct {
		block int
		line  string
		n     int // as many are too many, and one less is not
	}{
		"line 2: bufio.Scanner: token too long":                    {1, traceLine(1, `,"x":"`+strings.Repeat("a", 1<<16)+`"`), 1},
		"line 21: the trace has more than 1048576 bytes, unpacked": {1, traceLine(1, `,"x":"`+strings.Repeat("a", 52_500)+`"`), 20},
		"line 102: there are more than 100 steps":                  {1, traceLine(1, ""), 101},
		"line 12: there are more than 1000 positions":              {100, traceLine(100, ""), 11},
		"line 2: 11 layers":                                        {1, traceLine(1, `,"experts":[8,8,8,8,8,8,8,8,8,8,8]`), 1},
	} {
		got, err := readTrace(bytes.NewReader(packedTrace(t, c.block, c.line, c.n)), &wide)
		require.ErrorIs(t, err, ErrTrace, "%s", want)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
		assert.Nil(t, got)

		got, err = readTrace(bytes.NewReader(packedTrace(t, c.block, c.line, c.n-1)), &wide)
		require.NoError(t, err, "%s", want)
		assert.Len(t, got.Steps, c.n-1)
	}
}

// Bombs, by the bounds that there are.
func TestTraceBombs(t *testing.T) {
	bombs := map[string][]byte{"token too long": packedTrace(t, 1, strings.Repeat(" ", 17<<20), 1)}
	if os.Getenv("LLADA_TEST_FULL") != "" {
		bombs["more than 268435456 bytes"] = packedTrace(t, 1, traceLine(1, `,"x":"`+strings.Repeat("a", 8<<20)+`"`), 40)
	}
	for want, data := range bombs {
		assert.Less(t, len(data), 2<<20)
		_, err := ReadTrace(bytes.NewReader(data))
		require.ErrorIs(t, err, ErrTrace)
		assert.ErrorContains(t, err, want)
	}
}
