//go:build !purego

package kernels

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The implementations are those for which the system says that it has what they
// need. What it does not save the registers of, it does not say it has.
func TestImplementationsAreWhatTheSystemHas(t *testing.T) {
	file, err := os.Open("/proc/cpuinfo")
	require.NoError(t, err)
	defer file.Close()
	flags := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan() && len(flags) == 0; {
		if list, ok := strings.CutPrefix(lines.Text(), "flags"); ok {
			for _, flag := range strings.Fields(list) {
				flags[flag] = true
			}
		}
	}
	require.True(t, flags["sse2"], "no flags")
	has := func(names string) bool {
		for _, name := range strings.Fields(names) {
			if !flags[name] {
				return false
			}
		}
		return true
	}
	want := []string{"plain"}
	if has("avx2 fma f16c") {
		want = append([]string{"avx2"}, want...)
		if has("avx512f avx512bw avx512dq avx512vl avx512_vnni") {
			want = append([]string{"avx512vnni"}, want...)
		}
	}
	require.Equal(t, want, Implementations())
	if EnvironmentError() == nil && os.Getenv(Environment) == "" {
		require.Equal(t, want[0], Implementation())
	}
	t.Logf("%q, of %q in use: %v", Implementation(), want, EnvironmentError())
}
