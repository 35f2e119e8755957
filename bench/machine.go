package bench

import (
	"fmt"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/cpu"

	"lladakit/internal/mmap"
	"lladakit/reports"
)

// ThisMachine describes the machine and what of it the process may use, as far as the
// system tells. Its warnings say why figures may not be what the machine can do.
func ThisMachine() reports.Machine {
	s := system{"/", affinity()}
	m := s.machine()
	if n := goruntime.GOMAXPROCS(0); n < m.CPUs {
		m.Warnings = append(m.Warnings, fmt.Sprintf("Go uses %d of the %d processors: a quota of the control group or GOMAXPROCS says so", n, m.CPUs))
	}
	return m
}

// machine reads the files about a machine.
func (s *system) machine() reports.Machine {
	m := reports.Machine{
		OS: goruntime.GOOS, Arch: goruntime.GOARCH, Flags: features(), CPU: processorName(),
		CPUs: goruntime.NumCPU(), Affinity: append([]int{}, s.cpus...), Memory: mmap.Available(), Warnings: []string{},
	}
	if len(s.cpus) > 0 {
		m.CPUs = len(s.cpus)
	}
	info := s.table("proc/cpuinfo", ":")
	if m.CPU == "" {
		m.CPU = s.processor(info)
	}
	m.MHz = s.megahertz(info)
	m.Governor = strings.Join(s.distinct("cpufreq/scaling_governor"), ", ")
	// Before version 5.1 of Linux core_cpus_list had the other name, which it still has.
	siblings := s.distinct("topology/thread_siblings_list")
	m.Cores = len(siblings)
	if kib, ok := strings.CutSuffix(s.table("proc/meminfo", ":")["MemTotal"], " kB"); ok {
		if n, err := strconv.ParseUint(kib, 10, 53); err == nil {
			m.MemoryTotal = n << 10
		}
	}
	_, huge, _ := strings.Cut(s.line("sys/kernel/mm/transparent_hugepage/enabled"), "[")
	m.Huge, _, _ = strings.Cut(huge, "]")

	warn := func(format string, args ...any) { m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...)) }
	if strings.Contains(m.Governor, "powersave") {
		warn("the governor %s may keep the processor slower than it could be", m.Governor)
	}
	if 0 < m.Cores && m.Cores < m.CPUs {
		warn("%d processors are %d cores: threads that share one slow each other down", m.CPUs, m.Cores)
	}
	foreign := 0
	for _, group := range siblings {
		if slices.ContainsFunc(parseCPUs(group), func(n int) bool { return !slices.Contains(s.cpus, n) }) {
			foreign++
		}
	}
	if foreign > 0 {
		warn("%d of %d cores are shared with processors that this process may not use, and others may", foreign, m.Cores)
	}
	load, _, _ := strings.Cut(s.line("proc/loadavg"), " ")
	if x, err := strconv.ParseFloat(load, 64); err == nil && x > 0.25*float64(m.CPUs) {
		warn("the load of the last minute was %.2f on %d processors: something else may be running", x, m.CPUs)
	}
	return m
}

// processor returns the name of the processor's model.
func (s *system) processor(info map[string]string) string {
	if name := info["model name"]; name != "" {
		return strings.Join(strings.Fields(name), " ")
	}
	if name := s.line("proc/device-tree/model"); name != "" { // of the board, on Arm
		return name
	}
	if part := info["CPU part"]; part != "" {
		return fmt.Sprintf("implementer %s, part %s", info["CPU implementer"], part)
	}
	return ""
}

// megahertz returns the frequency of the fastest processor.
func (s *system) megahertz(info map[string]string) (most float64) {
	for _, n := range s.cpus {
		if kilohertz, ok := s.number(s.cpu(n, "cpufreq/scaling_cur_freq")); ok {
			most = max(most, kilohertz/1000)
		}
	}
	if most == 0 {
		most, _ = strconv.ParseFloat(info["cpu MHz"], 64)
	}
	return most
}

// distinct returns the different contents that a file has for the processors.
func (s *system) distinct(name string) []string {
	var all []string
	for _, n := range s.cpus {
		if text := s.line(s.cpu(n, name)); text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// features lists those of the processor that kernels use or could use.
func features() []string {
	all := []string{}
	for _, f := range []struct {
		has  bool
		name string
	}{
		{cpu.X86.HasSSE42, "sse4_2"}, {cpu.X86.HasAVX, "avx"}, {cpu.X86.HasAVX2, "avx2"}, {cpu.X86.HasFMA, "fma"}, {cpu.X86.HasF16C, "f16c"},
		{cpu.X86.HasAVXVNNI, "avx_vnni"}, {cpu.X86.HasAVX512F, "avx512f"}, {cpu.X86.HasAVX512BW, "avx512bw"}, {cpu.X86.HasAVX512DQ, "avx512dq"},
		{cpu.X86.HasAVX512VL, "avx512vl"}, {cpu.X86.HasAVX512VNNI, "avx512_vnni"}, {cpu.X86.HasAVX512BF16, "avx512_bf16"},
		{cpu.X86.HasAMXInt8, "amx_int8"}, {cpu.X86.HasAMXBF16, "amx_bf16"},
		{cpu.ARM64.HasASIMD, "asimd"}, {cpu.ARM64.HasASIMDHP, "asimdhp"}, {cpu.ARM64.HasASIMDDP, "asimddp"},
		{cpu.ARM64.HasI8MM, "i8mm"}, {cpu.ARM64.HasSVE, "sve"}, {cpu.ARM64.HasSVE2, "sve2"},
	} {
		if f.has {
			all = append(all, f.name)
		}
	}
	return all
}
