package runtime_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/runtime"
)

// residentModel names a file for TestResident:
//
//	LLADA_TEST_FULL=1 go test ./runtime -run TestResident -v -resident-model mini-q4_0.gguf
var residentModel = flag.String("resident-model", "", "GGUF file that TestResident loads instead of random ones")

// resident returns the bytes of memory that the process has in use, mapped files
// included, and the most since the last call.
func resident(t *testing.T) (now, peak int64) {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int64
		key, value, _ := strings.Cut(s.Text(), ":")
		fmt.Sscan(value, &kib)
		switch key {
		case "VmHWM":
			peak = kib << 10
		case "RssAnon", "RssFile", "RssShmem":
			now += kib << 10
		}
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("the system does not forget the peak: ", err)
	}
	return now, peak
}

// TestResident: a packed model takes the memory of its file and little more after it
// is loaded, and after a step in a context of 4096 positions; and while it is loaded
// and computes, no more than 1.2 GB. The models have a dense layer and two others of
// the published widths, 1.3 and 4.5 GB; what a pass computes in them are numbers.
func TestResident(t *testing.T) {
	if os.Getenv(fullVariable) == "" {
		t.Skip("writes 6 GB, and needs as much memory; set " + fullVariable)
	}
	if *residentModel != "" {
		checkResident(t, *residentModel)
		return
	}
	for _, shape := range []string{"mini", "flash"} {
		t.Run(shape, func(t *testing.T) {
			c, err := bench.Shape(shape)
			require.NoError(t, err)
			c.Layers = 3
			path := filepath.Join(t.TempDir(), "model.gguf")
			require.NoError(t, bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: gguf.Q4_0}))
			checkResident(t, path)
		})
	}
}

func checkResident(t *testing.T, path string) {
	const most, mostAtPeak = 128e6, 1200e6 // beyond the file
	info, err := os.Stat(path)
	require.NoError(t, err)
	debug.FreeOSMemory()
	start, _ := resident(t)
	check := func(when string) {
		t.Helper()
		now, peak := resident(t)
		now, peak = now-start, peak-start
		t.Logf("%s: %d MB, at most %d MB, of a file of %d MB", when, now/1e6, peak/1e6, info.Size()/1e6)
		assert.Less(t, now-info.Size(), int64(most), when)
		assert.Less(t, peak-info.Size(), int64(mostAtPeak), when)
	}
	m, err := runtime.Load(path, runtime.LoadOptions{Pack: runtime.PackMemory})
	require.NoError(t, err)
	defer m.Close()
	check("loaded")

	const depth = 4096
	s, cache := m.NewState(32, 32), m.NewCache(depth+32)
	part := runtime.Part{Pos: depth, Block: 32, Cache: cache}
	for i := range 32 {
		part.IDs, part.Want = append(part.IDs, int32(i*977)), append(part.Want, i)
	}
	stats := make([]kernels.Stats, 32)
	s.Forward(part)
	s.HeadStats(stats, m.MaskID)
	check("after a step")
	for i, x := range stats {
		assert.True(t, x.Prob > 0 && x.Prob <= 1 && x.Entropy >= 0, "row %d: %+v", i, x)
	}
}
