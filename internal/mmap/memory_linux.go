package mmap

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func largePages(data []byte) { _ = unix.Madvise(data, unix.MADV_HUGEPAGE) }

// available is what the system says is there, or what the control groups of the
// process leave of it.
func available() uint64 {
	free := meminfo("/proc/meminfo")
	if free == 0 {
		return 0
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return free
	}
	for line := range strings.Lines(string(groups)) {
		dir, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for ; ; dir = path.Dir(dir) {
			free = min(free, groupRoom(path.Join("/sys/fs/cgroup", dir)))
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return free
}

func meminfo(name string) uint64 {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if text, ok := strings.CutPrefix(s.Text(), "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 10, 54)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// groupRoom returns what a control group may use beyond what it does. Its page
// cache counts as used, though it would make room: what is returned is too little
// rather than too much.
func groupRoom(dir string) uint64 {
	read := func(name string) (uint64, bool) {
		data, err := os.ReadFile(path.Join(dir, name))
		if err != nil {
			return 0, false
		}
		n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
		return n, err == nil // "max" is no number
	}
	limit, ok := read("memory.max")
	if !ok {
		return math.MaxUint64
	}
	used, ok := read("memory.current")
	if !ok || used > limit {
		return 0
	}
	return limit - used
}
