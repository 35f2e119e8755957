package kernels

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the functions of a file may need is what the implementation that calls them
// asks for. MMX+ are prefetches; those and CMOV every processor of 64 bits has.
var (
	needsAVX2 = []string{"AVX", "AVX2", "FMA3", "F16C", "MMX+", "CMOV"}
	needsVNNI = append([]string{"AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", "AVX512VNNI"}, needsAVX2...)
)

// The assembly has vector instructions in their VEX or EVEX form only, and clears the
// upper halves of registers before it returns. Mixing those forms with the old one
// costs some processors a hundred nanoseconds each time. It has no instruction that
// its implementation does not ask for, and, but for AVX-512, no register that AVX2 has
// not: assemblers silently take the EVEX form then.
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
		needs, avx512 := needsAVX2, strings.HasSuffix(file, "vnni_amd64.s")
		if avx512 {
			needs = needsVNNI
		}
		before, vectors, returns, asks := "", false, 0, 0
		for i, line := range strings.Split(string(text), "\n") {
			if list, ok := strings.CutPrefix(line, "// Requires: "); ok {
				asks++
				require.Subset(t, needs, strings.Split(list, ", "), "%s:%d", file, i+1)
			}
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
				require.True(t, strings.HasPrefix(op, "V"), "%s:%d: %s has neither VEX nor EVEX form", file, i+1, op)
			}
			require.True(t, avx512 || !evex.MatchString(line), "%s:%d: needs AVX-512: %s", file, i+1, line)
			before = op
		}
		require.Positive(t, returns)
		require.Positive(t, asks)
	}
}
