package mmap

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func largePages(data []byte) { _ = unix.Madvise(data, unix.MADV_HUGEPAGE) }

func available() uint64 { return room("/") }

// room is what the system says is there, or what the control groups of the process
// leave of it. Files of the system are looked for under root.
func room(root string) uint64 {
	free, ok := table(path.Join(root, "proc/meminfo"))["MemAvailable"]
	if !ok {
		return 0
	}
	free <<= 10
	groups, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return free
	}
	// A line is HIERARCHY:CONTROLLERS:FOLDER; the second version has no controllers.
	for line := range strings.Lines(string(groups)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, dir, _ := strings.Cut(rest, ":")
		mount, files := path.Join(root, "sys/fs/cgroup"), &groupFiles2
		switch {
		case strings.Contains(","+controllers+",", ",memory,"):
			mount, files = path.Join(mount, "memory"), &groupFiles1
		case controllers != "":
			continue
		}
		// The limits of the groups around it hold, too. In a container that does not
		// see them, the folder is not there, and the mount is the container's own.
		for dir = path.Clean("/" + dir); ; dir = path.Dir(dir) {
			free = min(free, files.room(path.Join(mount, dir)))
			if dir == "/" {
				break
			}
		}
	}
	return max(1, free) // 0 would say that it is not known
}

// groupFiles are the names that a version of control groups has for the limit,
// what counts against it, and what of that are the pages of files.
type groupFiles struct {
	limit, used string
	cached      [2]string // of memory.stat
}

var (
	groupFiles1 = groupFiles{"memory.limit_in_bytes", "memory.usage_in_bytes", [2]string{"total_active_file", "total_inactive_file"}}
	groupFiles2 = groupFiles{"memory.max", "memory.current", [2]string{"active_file", "inactive_file"}}
)

// room returns what a control group may use beyond what it does. Pages of files
// make room where it is needed.
func (f *groupFiles) room(dir string) uint64 {
	limit, ok := number(path.Join(dir, f.limit))
	if !ok {
		return math.MaxUint64 // "max", or no file: the group sets no limit
	}
	used, ok := number(path.Join(dir, f.used))
	if !ok {
		return 0
	}
	stat := table(path.Join(dir, "memory.stat"))
	used -= min(used, stat[f.cached[0]]+stat[f.cached[1]])
	return limit - min(limit, used)
}

// number reads a file that holds one.
func number(name string) (uint64, bool) {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}

// table reads a file with a name and a number on each line. What is not understood
// is left out.
func table(name string) map[string]uint64 {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	all := map[string]uint64{}
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) >= 2 {
			if n, err := strconv.ParseUint(words[1], 10, 53); err == nil {
				all[strings.TrimSuffix(words[0], ":")] = n
			}
		}
	}
	return all
}
