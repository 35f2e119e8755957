package kernels

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The assembly for arm64 keeps away from registers that Go or the system has uses
// for, calls nothing, and says what the instructions are that Go's assembler lacks.
func TestAssemblyOfNEON(t *testing.T) {
	files, err := filepath.Glob("*_arm64.s")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	reserved := regexp.MustCompile(`\b(R18|R2[6-9]|R30|g|CALL|BL|JMP)\b`)
	word := regexp.MustCompile(`^WORD \$0x[0-9a-f]{8} // [a-z0-9]+ [a-z]\d`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), "DO NOT EDIT")
		require.Contains(t, string(text), "//go:build !purego")
		functions, returns := 0, 0
		for i, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(line, "TEXT"):
				require.Equal(t, functions, returns, "%s:%d: no RET before", file, i+1)
				require.Contains(t, line, "NOSPLIT", "%s:%d", file, i+1)
				functions++
			case line == "RET":
				returns++
			case strings.HasPrefix(line, "WORD"):
				require.Regexp(t, word, line, "%s:%d", file, i+1)
			case !strings.HasPrefix(line, "//"):
				require.NotRegexp(t, reserved, line, "%s:%d", file, i+1)
			}
		}
		require.Positive(t, functions)
		require.Equal(t, functions, returns, file)
	}
}
