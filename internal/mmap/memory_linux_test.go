package mmap

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRoom reads the files of systems with and without limits.
func TestRoom(t *testing.T) {
	const mib = 1 << 20
	meminfo := "MemTotal:       32768 kB\nMemFree:         100 kB\nMemAvailable:   20480 kB\nHugePages_Total:       0\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
	}{
		"nothing":              {nil, 0},
		"an old system":        {map[string]string{"proc/meminfo": "MemTotal: 32768 kB\nMemFree: 100 kB\n"}, 0},
		"nonsense":             {map[string]string{"proc/meminfo": "MemAvailable: many kB\n"}, 0},
		"no groups":            {map[string]string{"proc/meminfo": meminfo}, 20 * mib},
		"no memory controller": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n"}, 20 * mib},
		"without a limit": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/1\n",
			"sys/fs/cgroup/user/1/memory.max": "max\n", "sys/fs/cgroup/user/1/memory.current": "7\n",
		}, 20 * mib},
		"limited": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/1\n",
			"sys/fs/cgroup/user/1/memory.max": "8388608\n", "sys/fs/cgroup/user/1/memory.current": "3145728\n",
		}, 5 * mib},
		"limited, with a cache": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/1\n",
			"sys/fs/cgroup/user/1/memory.max": "8388608\n", "sys/fs/cgroup/user/1/memory.current": "8388608\n",
			"sys/fs/cgroup/user/1/memory.stat": "anon 1\nfile 5242880\ninactive_anon 9\ninactive_file 3145728\nactive_file 1048576\n",
		}, 4 * mib},
		"a larger limit than there is": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/1\n",
			"sys/fs/cgroup/user/1/memory.max": "83886080\n", "sys/fs/cgroup/user/1/memory.current": "0\n",
		}, 20 * mib},
		"limited by a group around it": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/1\n",
			"sys/fs/cgroup/user/1/memory.max": "8388608\n", "sys/fs/cgroup/user/1/memory.current": "0\n",
			"sys/fs/cgroup/user/memory.max": "9388608\n", "sys/fs/cgroup/user/memory.current": "9388608\n",
		}, 1},
		"in a container": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "8388608\n", "sys/fs/cgroup/memory.current": "1048576\n",
		}, 7 * mib},
		"first version": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/y/z\n0::/\n",
			"sys/fs/cgroup/memory/y/z/memory.limit_in_bytes": "8388608\n", "sys/fs/cgroup/memory/y/z/memory.usage_in_bytes": "4194304\n",
			"sys/fs/cgroup/memory/y/z/memory.stat":       "cache 9\nactive_file 7\ntotal_active_file 0\ntotal_inactive_file 2097152\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "99999999\n",
		}, 6 * mib},
		"first version, in a container": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/docker/7f\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "8388608\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "1048576\n",
		}, 7 * mib},
		"beyond the limit": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "8388608\n", "sys/fs/cgroup/memory.current": "8388609\n",
		}, 1},
		"a limit without a count": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "8388608\n",
		}, 1},
		"a broken line": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "\nx\n:\n0::\n0::../..\n"}, 20 * mib},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			file = filepath.Join(root, file)
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
		}
		assert.Equal(t, c.want, room(root), name)
	}
}
