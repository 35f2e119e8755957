package bench

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
)

// counted are the files of a system with two processors, after so many ticks.
func counted(idle, user, own, stolen int) map[string]string {
	return map[string]string{
		"proc/stat": fmt.Sprintf("cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 %d 0 0 %d 1 0 0 %d 5 5\ncpu1 0 0 0 %d 0 0 0 0 0 0\ncpu10 999 0 0 0 0 0 0 0 0 0\n",
			user, idle, stolen, idle+user+1+stolen),
		"proc/self/stat": fmt.Sprintf("12 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 %d 0 0 0 20 0\n", own),
	}
}

// TestMoments holds the counters of two moments against each other.
func TestMoments(t *testing.T) {
	with := func(files map[string]string, more map[string]string) map[string]string {
		maps.Copy(files, more)
		return files
	}
	const cpu = "sys/devices/system/cpu/cpu"
	for name, c := range map[string]struct {
		before, after map[string]string
		speeds        [2]float64
		want          []string
	}{
		"nothing":           {nil, nil, [2]float64{}, []string{}},
		"idle":              {counted(0, 0, 0, 0), counted(1000, 0, 0, 0), [2]float64{50, 51}, []string{}},
		"we alone":          {counted(0, 0, 0, 0), counted(500, 500, 480, 0), [2]float64{50, 48}, []string{}},
		"too short to tell": {counted(0, 0, 0, 0), counted(0, 20, 0, 0), [2]float64{}, []string{}},
		"others": {counted(0, 100, 0, 0), counted(100, 500, 100, 0), [2]float64{}, []string{
			"other processes computed on 0.60 of 2 processors",
		}},
		"stolen": {counted(0, 0, 0, 7), counted(500, 450, 450, 57), [2]float64{}, []string{
			"the hypervisor gave 2.5 % of the processors' time to others",
		}},
		"slower": {nil, nil, [2]float64{50, 40}, []string{
			"the processor's speed changed by -20 %: the peak loop ran at 50.0 GMAC/s at first and at 40.0 in the end",
		}},
		"faster": {nil, nil, [2]float64{40, 50}, []string{
			"the processor's speed changed by +25 %: the peak loop ran at 40.0 GMAC/s at first and at 50.0 in the end",
		}},
		"hot": {
			with(counted(0, 0, 0, 0), map[string]string{cpu + "0/thermal_throttle/core_throttle_count": "3\n", cpu + "1/thermal_throttle/core_throttle_count": "1\n"}),
			with(counted(9, 0, 0, 0), map[string]string{cpu + "0/thermal_throttle/core_throttle_count": "5\n", cpu + "1/thermal_throttle/core_throttle_count": "2\n"}),
			[2]float64{}, []string{"the processor slowed down for its heat 3 times"},
		},
		"a quota": {
			map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.stat": "usage_usec 7\nthrottled_usec 1000000\n"},
			map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.stat": "usage_usec 7\nthrottled_usec 1500000\n"},
			[2]float64{}, []string{"a quota on the processors' time held the process for 0.50 s"},
		},
		"a quota of the first version": {
			map[string]string{"proc/self/cgroup": "3:cpuset:/\n1:cpu,cpuacct:/a\n0::/\n", "sys/fs/cgroup/cpu/a/cpu.stat": "throttled_time 0\n"},
			map[string]string{"proc/self/cgroup": "3:cpuset:/\n1:cpu,cpuacct:/a\n0::/\n", "sys/fs/cgroup/cpu/a/cpu.stat": "throttled_time 250000000\n"},
			[2]float64{}, []string{"a quota on the processors' time held the process for 0.25 s"},
		},
		"nonsense": {
			counted(0, 0, 0, 0),
			map[string]string{"proc/stat": "cpu0 1 2\ncpu1 x y z\n", "proc/self/stat": "12", "proc/self/cgroup": "\nx\n::..\n", cpu + "0/thermal_throttle/core_throttle_count": "-"},
			[2]float64{}, []string{},
		},
	} {
		before, after := madeSystem(t, []int{0, 1}, c.before).moment(), madeSystem(t, []int{0, 1}, c.after).moment()
		before.speed, after.speed = c.speeds[0], c.speeds[1]
		assert.Equal(t, c.want, before.until(after), name)
	}
}

func TestWatch(t *testing.T) {
	w := NewWatch()
	assert.NotNil(t, w.Warnings())
	if len(w.system.cpus) > 0 {
		assert.Equal(t, len(w.system.cpus), w.before.cpus)
		assert.Positive(t, w.before.ticks)
	}
}
