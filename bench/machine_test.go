package bench

import (
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// madeSystem writes files, and returns the system that they are of.
func madeSystem(t *testing.T, cpus []int, files map[string]string) *system {
	t.Helper()
	root := t.TempDir()
	for file, text := range files {
		file = filepath.Join(root, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
	}
	return &system{root, cpus}
}

// TestMachine reads the files of systems that tell much, little, and nonsense.
func TestMachine(t *testing.T) {
	const cpu = "sys/devices/system/cpu/cpu"
	for name, c := range map[string]struct {
		cpus  []int
		files map[string]string
		want  reports.Machine
	}{
		"nothing": {nil, nil, reports.Machine{CPUs: goruntime.NumCPU()}},
		"a server": {[]int{0, 1}, map[string]string{
			"proc/cpuinfo": "processor\t: 0\nmodel name\t: An  EPYC 7543\ncpu MHz\t\t: 2445.406\n\nprocessor\t: 1\nmodel name\t: Other\n",
			"proc/meminfo": "MemTotal:       24683656 kB\nMemFree:         100 kB\n",
			"proc/loadavg": "0.10 1.47 1.58 3/200 4711\n",
			"sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
			cpu + "0/topology/thread_siblings_list":      "0\n", cpu + "1/topology/thread_siblings_list": "1\n",
		}, reports.Machine{
			CPU: "An EPYC 7543", CPUs: 2, Cores: 2, MHz: 2445.406, MemoryTotal: 24683656 << 10, Huge: "madvise",
		}},
		"a laptop": {[]int{0, 1, 2}, map[string]string{
			"proc/cpuinfo":                          "model name\t: Core\ncpu MHz\t\t: 800.0\n",
			"proc/loadavg":                          "2.50 1 1 3/200 4711\n",
			cpu + "0/topology/thread_siblings_list": "0-1\n", cpu + "1/topology/thread_siblings_list": "0-1\n", cpu + "2/topology/thread_siblings_list": "2-3\n",
			cpu + "0/cpufreq/scaling_governor": "powersave\n", cpu + "1/cpufreq/scaling_governor": "powersave\n",
			cpu + "0/cpufreq/scaling_cur_freq": "1200000\n", cpu + "1/cpufreq/scaling_cur_freq": "3100000\n", cpu + "3/cpufreq/scaling_cur_freq": "9900000\n",
		}, reports.Machine{
			CPU: "Core", CPUs: 3, Cores: 2, MHz: 3100, Governor: "powersave",
			Warnings: []string{
				"the governor powersave may keep the processor slower than it could be",
				"3 processors are 2 cores: threads that share one slow each other down",
				"1 of 2 cores are shared with processors that this process may not use, and others may",
				"the load of the last minute was 2.50 on 3 processors: something else may be running",
			},
		}},
		"a board": {[]int{4}, map[string]string{
			"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "proc/device-tree/model": "A Board\x00",
		}, reports.Machine{CPU: "A Board", CPUs: 1}},
		"a cloud": {[]int{4}, map[string]string{
			"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
		}, reports.Machine{CPU: "implementer 0x41, part 0xd0c", CPUs: 1}},
		"nonsense": {[]int{0}, map[string]string{
			"proc/cpuinfo": "model name\ncpu MHz : fast\n:\n", "proc/meminfo": "MemTotal: -1 kB\n", "proc/loadavg": "", "sys/kernel/mm/transparent_hugepage/enabled": "often",
			cpu + "0/cpufreq/scaling_cur_freq": "-3", cpu + "0/topology/thread_siblings_list": "9-1,x",
		}, reports.Machine{CPUs: 1, Cores: 1, Warnings: []string{}}},
	} {
		got := madeSystem(t, c.cpus, c.files).machine()
		c.want.OS, c.want.Arch, c.want.Flags, c.want.Memory = goruntime.GOOS, goruntime.GOARCH, got.Flags, got.Memory
		c.want.Affinity = append([]int{}, c.cpus...)
		if c.want.Warnings == nil {
			c.want.Warnings = []string{}
		}
		if c.want.CPU == "" {
			c.want.CPU = processorName()
		}
		if processorName() == "" || c.want.CPU == processorName() {
			assert.Equal(t, c.want, got, name)
		}
	}
}

func TestParseCPUs(t *testing.T) {
	assert.Equal(t, []int{0, 1, 2, 8}, parseCPUs("0-2, 8"))
	for _, text := range []string{"", "x", "3-1", "-4", "0-99999999", "1,,2"} {
		assert.Nil(t, parseCPUs(text), text)
	}
}

func TestCacheBytes(t *testing.T) {
	const cache = "sys/devices/system/cpu/cpu2/cache/index"
	s := madeSystem(t, nil, map[string]string{cache + "0/size": "32K\n", cache + "2/size": "1M\n", cache + "3/size": "huge\n"})
	assert.EqualValues(t, 1<<20, s.cacheBytes(2))
	assert.Zero(t, s.cacheBytes(0))
}

func TestThisMachine(t *testing.T) {
	m := ThisMachine()
	assert.Positive(t, m.CPUs)
	assert.NotNil(t, m.Warnings)
	if goruntime.GOOS == "linux" {
		assert.Len(t, m.Affinity, m.CPUs)
		assert.Positive(t, m.Memory)
		assert.Greater(t, m.MemoryTotal, m.Memory/2) // free pages of files may be counted in both ways
		assert.LessOrEqual(t, m.Cores, m.CPUs)
	}
}
