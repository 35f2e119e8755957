package kernels

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The assembly has vector instructions in their VEX form only, with the registers
// of AVX2, and clears the upper halves before it returns. Mixing the two forms costs some processors a hundred
// nanoseconds each time.
func TestAssembly(t *testing.T) {
	files, err := filepath.Glob("*_amd64.s")
	require.NoError(t, err)
	more, err := filepath.Glob("peak/*_amd64.s")
	require.NoError(t, err)
	require.NotEmpty(t, more)
	require.NotEmpty(t, files)
	evex := regexp.MustCompile(`\b(Z[0-9]+|K[0-7]|[XY](1[6-9]|2[0-9]|3[01]))\b`)
	vector := regexp.MustCompile(`\b[XYZ][0-9]+\b`)
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), "DO NOT EDIT")
		require.Contains(t, string(text), "//go:build !purego")
		before, vectors, returns := "", false, 0
		for i, line := range strings.Split(string(text), "\n") {
			fields := strings.Fields(line)
			if len(fields) == 0 || strings.HasPrefix(fields[0], "//") || strings.HasSuffix(fields[0], ":") {
				continue
			}
			op := fields[0]
			switch {
			case op == "TEXT":
				vectors = false
			case op == "RET":
				returns++
				require.True(t, before == "VZEROUPPER" || !vectors, "%s:%d: no VZEROUPPER before RET", file, i+1)
			case vector.MatchString(line):
				vectors = true
				require.True(t, strings.HasPrefix(op, "V"), "%s:%d: %s has no VEX form", file, i+1, op)
			}
			require.False(t, evex.MatchString(line), "%s:%d: needs AVX-512: %s", file, i+1, line)
			before = op
		}
		require.Positive(t, returns)
	}
}
