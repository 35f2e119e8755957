package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lladakit/bench"
	"lladakit/internal/gguf"
)

// cgroupVariable names the folder of a memory control group, of either version, in
// which TestLargerThanMemory may make one for the program: /sys/fs/cgroup or
// /sys/fs/cgroup/memory for root.
const cgroupVariable = "LLADA_TEST_CGROUP"

// fourPasses returns a command line with four passes over a prompt, each of which
// uses all experts but the last layer's. (The positions of an empty block use the
// same few.)
func fourPasses(path string) []string {
	var ids []string
	for i := range 1000 {
		ids = append(ids, strconv.Itoa(i*37%4000))
	}
	return []string{"run", "--ids", strings.Join(ids, ","), "--gen-length", "32", "--steps", "4", "--model", path}
}

// largeModel writes a model of 490 MB, of two layers of LLaDA2.0-mini's width with
// half of the experts, that is not in the page cache, and returns what it answers and
// how many bytes of weights the passes use for that.
func largeModel(t *testing.T) (path, answer string, size, used int64) {
	t.Helper()
	c, err := bench.Shape("mini")
	require.NoError(t, err)
	c.Layers, c.DenseLayers, c.Experts, c.Vocab = 2, 0, 128, 4096
	path = filepath.Join(t.TempDir(), "large.gguf")
	require.NoError(t, bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: gguf.Q4_0}))
	answer = done(t, "", append(fourPasses(path), "--pack", "memory")...)
	var result struct {
		IDs      []int32 `json:"ids"`
		Counters struct {
			BytesPerToken float64 `json:"bytes_per_token"`
		} `json:"counters"`
	}
	require.NoError(t, json.Unmarshal([]byte(done(t, "", append(fourPasses(path), "--json")...)), &result))
	used = int64(result.Counters.BytesPerToken * float64(len(result.IDs)))
	require.Greater(t, used, int64(1e9))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	// Else its pages would count as those of the process that wrote it.
	require.NoError(t, f.Sync())
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	return path, answer, info.Size(), used
}

// limited runs the program on that model in a shell that first does what limits
// it, and returns what it printed.
func limited(t *testing.T, limit, path, pack string) (stdout, stderr string, state *os.ProcessState) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", limit+` && exec "$0" "$@"`, os.Args[0])
	cmd.Args = append(cmd.Args, fourPasses(path)...)
	if pack != "" {
		cmd.Args = append(cmd.Args, "--pack", pack)
	}
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	return out.String(), errs.String(), cmd.ProcessState
}

// TestLittleData: a model that is not packed takes next to no memory of its own,
// and one whose copy does not fit ends with an error.
func TestLittleData(t *testing.T) {
	if os.Getenv(fullVariable) == "" {
		t.Skip("writes 490 MB; set " + fullVariable)
	}
	path, answer, _, _ := largeModel(t)
	const limit = "ulimit -d 200000" // KiB that are private and can be written
	stdout, stderr, state := limited(t, limit, path, "none")
	assert.True(t, state.Success(), "%s: %s", state, stderr)
	assert.Equal(t, answer, stdout)
	stdout, stderr, state = limited(t, limit, path, "memory")
	assert.Equal(t, 1, state.ExitCode())
	assert.Empty(t, stdout)
	assert.Regexp(t, `^llada: .*large\.gguf: \d+ bytes of memory: cannot allocate memory\n$`, stderr)
}

// TestLargerThanMemory gives the program a quarter of the memory that the model
// takes, and half of what each pass over the prompt does.
// It says so, and answers all the same, reading weights again and again.
func TestLargerThanMemory(t *testing.T) {
	parent := os.Getenv(cgroupVariable)
	if parent == "" {
		t.Skip("needs a control group; set " + cgroupVariable)
	}
	path, answer, size, used := largeModel(t)
	var fs unix.Statfs_t
	require.NoError(t, unix.Statfs(path, &fs))
	if fs.Type == unix.TMPFS_MAGIC {
		t.Skip("temporary files are in memory themselves; set TMPDIR")
	}
	group, err := os.MkdirTemp(parent, "llada-test-")
	if err != nil {
		t.Skip("control groups cannot be made here: ", err)
	}
	defer func() { assert.NoError(t, os.Remove(group)) }()
	limit := filepath.Join(group, "memory.max")
	if _, err := os.Stat(limit); err != nil {
		limit = filepath.Join(group, "memory.limit_in_bytes")
	}
	if err := os.WriteFile(limit, fmt.Append(nil, size/4), 0); err != nil {
		t.Skip("control groups do not limit memory here: ", err)
	}
	for _, pack := range []string{"none", ""} {
		stdout, stderr, state := limited(t, fmt.Sprintf("echo $$ > '%s/cgroup.procs'", group), path, pack)
		require.True(t, state.Success(), "%s: %s", state, stderr)
		assert.Equal(t, answer, stdout)
		warning, rest, _ := strings.Cut(stderr, "\n")
		assert.Regexp(t, `^llada: warning: the model has 4\d\d\.\d\d MiB and \d{2,3}\.\d\d MiB of memory are free: weights will come from the disk at every step, which is slow$`, warning)
		assert.Regexp(t, `^\d+ tokens, .*\n$`, rest)
		read := state.SysUsage().(*syscall.Rusage).Inblock * 512
		assert.Greater(t, read, size, "all fits into the memory: this tests nothing")
		// Without asking for pages before their use it is 1.65 times as much.
		assert.Less(t, float64(read), 1.6*float64(used), "pages are read that nobody needs")
		t.Logf("--pack %q: %d MB of a file of %d MB read, for %d MB that the passes use, %s", pack, read/1e6, size/1e6, used/1e6, strings.TrimSpace(rest))
	}
}
