package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// system is what Linux says about a machine, in files under a root. Other systems do
// not have them; what is not there, or not understood, is left empty or zero.
type system struct {
	root string
	cpus []int // processors that the process may use, ascending
}

// line returns what stands in a file, "" where there is none.
func (s *system) line(name string) string {
	data, err := os.ReadFile(filepath.Join(s.root, name))
	if err != nil {
		return ""
	}
	return strings.Trim(string(data), " \t\n\x00")
}

// number returns the number in a file.
func (s *system) number(name string) (float64, bool) {
	x, err := strconv.ParseFloat(s.line(name), 64)
	return x, err == nil && x >= 0 && x < 1<<53
}

// table returns what a file has behind the names at the beginnings of its lines: the
// first of each, for the files about processors have a section for each of them.
func (s *system) table(name, separator string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(s.line(name)) {
		key, value, ok := strings.Cut(line, separator)
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if _, twice := all[key]; ok && !twice {
			all[key] = value
		}
	}
	return all
}

// cpu names a file of a processor.
func (s *system) cpu(n int, name string) string {
	return "sys/devices/system/cpu/cpu" + strconv.Itoa(n) + "/" + name
}

// parseCPUs reads a list of processors such as "0-3,8".
func parseCPUs(text string) []int {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranges := strings.Cut(strings.TrimSpace(part), "-")
		if !ranges {
			to = from
		}
		lo, err1 := strconv.Atoi(from)
		hi, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || lo < 0 || hi < lo || hi > 1<<16 {
			return nil
		}
		for n := lo; n <= hi; n++ {
			all = append(all, n)
		}
	}
	return all
}

// cacheBytes returns the size of the largest cache that a processor has.
func (s *system) cacheBytes(cpu int) (most uint64) {
	for i := range 8 {
		text := s.line(s.cpu(cpu, "cache/index"+strconv.Itoa(i)+"/size"))
		unit := uint64(1)
		switch {
		case strings.HasSuffix(text, "K"):
			unit = 1 << 10
		case strings.HasSuffix(text, "M"):
			unit = 1 << 20
		}
		if n, err := strconv.ParseUint(strings.TrimRight(text, "KM"), 10, 32); err == nil {
			most = max(most, n*unit)
		}
	}
	return most
}
