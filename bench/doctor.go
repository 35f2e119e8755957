package bench

import (
	"context"
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"lladakit/internal/gguf"
	"lladakit/kernels"
)

// Examination is what there is to know of a machine before models are run on it.
type Examination struct {
	CPU      ExaminedCPU     `json:"cpu"`
	Kernels  ExaminedKernels `json:"kernels"`
	Memory   ExaminedMemory  `json:"memory"`
	Warnings []string        `json:"warnings"` // why figures may not be what the machine can do
	Advice   []string        `json:"advice"`   // what to do and why, a sentence each
}

// ExaminedCPU is about processors.
type ExaminedCPU struct {
	Model    string      `json:"model"`
	Arch     string      `json:"arch"`
	OS       string      `json:"os"`
	Flags    []string    `json:"flags"`
	CPUs     int         `json:"cpus"`
	Cores    int         `json:"cores"` // 0: not known
	Affinity []int       `json:"affinity"`
	Governor string      `json:"governor"`
	MHz      float64     `json:"mhz"`
	Peak     []CPULimits `json:"peak"` // of one thread, and of all
}

// CPULimits is the arithmetic that threads can do at most, in GMAC/s; 0 where there are
// no loops to measure it with.
type CPULimits struct {
	Threads int     `json:"threads"`
	Int4    float64 `json:"int4_gmac_per_s"`
	Int8    float64 `json:"int8_gmac_per_s"`
	Float   float64 `json:"float_gmac_per_s"`
}

// ExaminedKernels is about the arithmetic in use.
type ExaminedKernels struct {
	Implementation  string   `json:"implementation"`
	Implementations []string `json:"implementations"` // that the processor and the build have, the fastest first
	Assembly        []string `json:"assembly"`        // types of weights whose products are in assembly
	Plain           []string `json:"plain"`           // and those whose are not
	PureGo          bool     `json:"purego"`          // whether the build tag left all assembly out
}

// ExaminedMemory is about memory.
type ExaminedMemory struct {
	Total     uint64            `json:"total"`     // bytes; 0: not known
	Available uint64            `json:"available"` // to this process
	Huge      string            `json:"huge_pages"`
	Bandwidth []MemoryBandwidth `json:"bandwidth"` // of one thread, and of all
}

// MemoryBandwidth is how fast threads together read memory; 0 where there is no loop to
// measure it with.
type MemoryBandwidth struct {
	Threads int     `json:"threads"`
	Rate    float64 `json:"gb_per_s"`
}

// examineTime is how long each number of threads is measured.
const examineTime = time.Second

// Examine measures the machine for some seconds.
func Examine(ctx context.Context) (*Examination, error) {
	watch, m := NewWatch(), ThisMachine()
	x := &Examination{
		CPU: ExaminedCPU{
			Model: m.CPU, Arch: m.Arch, OS: m.OS, Flags: m.Flags, CPUs: m.CPUs, Cores: m.Cores, Affinity: m.Affinity,
			Governor: m.Governor, MHz: m.MHz,
		},
		Kernels:  examineKernels(),
		Memory:   ExaminedMemory{Total: m.MemoryTotal, Available: m.Memory, Huge: m.Huge},
		Warnings: m.Warnings,
	}
	counts := []int{1}
	if all := goruntime.GOMAXPROCS(0); all > 1 {
		counts = append(counts, all)
	}
	for _, threads := range counts {
		meter := NewMeter(threads)
		for begin := time.Now(); ctx.Err() == nil && time.Since(begin) < examineTime; {
			meter.Sample()
			if meter.Limits().Int8 == 0 {
				break
			}
		}
		l := meter.Limits()
		if err := meter.Close(); err != nil {
			return nil, err
		}
		x.CPU.Peak = append(x.CPU.Peak, CPULimits{threads, l.Int4, l.Int8, l.Float})
		x.Memory.Bandwidth = append(x.Memory.Bandwidth, MemoryBandwidth{threads, l.Memory})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x.Advice = x.advice(watch.Warnings())
	return x, nil
}

func examineKernels() ExaminedKernels {
	k := ExaminedKernels{
		Implementation: kernels.Implementation(), Implementations: kernels.Implementations(),
		Assembly: []string{}, Plain: []string{}, PureGo: pureGo(),
	}
	fast := kernels.Assembled()
	for _, t := range []kernels.Type{
		kernels.F32, kernels.F16, kernels.BF16, kernels.Q8_0, kernels.Q6_K, kernels.Q5_K, kernels.Q5_1, kernels.Q5_0,
		kernels.Q4_K, kernels.Q4_1, kernels.Q4_0, kernels.IQ4_NL, kernels.MXFP4, kernels.Q3_K, kernels.Q2_K,
	} {
		list := &k.Plain
		if slices.Contains(fast, t) {
			list = &k.Assembly
		}
		*list = append(*list, strings.ToLower(gguf.Type(t).String()))
	}
	return k
}

// pureGo reports whether the program was built with that tag.
func pureGo() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			return slices.Contains(strings.FieldsFunc(s.Value, func(r rune) bool { return r == ',' || r == ' ' }), "purego")
		}
	}
	return false
}

// leastScaling is how many times as fast as one all threads should be, for each of
// them.
const leastScaling = 0.75

// advice says what to do, also about what has disturbed the examination.
func (x *Examination) advice(disturbances []string) []string {
	all := []string{}
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	k := &x.Kernels
	switch {
	case k.PureGo:
		say("build the program without the tag purego: plain Go is some fifty times slower than assembly")
	case k.Implementation == "plain" && len(k.Implementations) > 1:
		say("unset %s: kernels %s are much faster than those in plain Go", kernels.Environment, k.Implementations[0])
	case k.Implementation == "plain":
		say("use a processor with AVX2, FMA and F16C, or of Arm with dot products: without them everything is computed in plain Go, some fifty times slower")
	case k.Implementation != k.Implementations[0]:
		say("unset %s: kernels %s are faster than %s", kernels.Environment, k.Implementations[0], k.Implementation)
	}
	if len(k.Assembly) > 0 && len(k.Plain) > 0 {
		say("choose none of the types %s: their products are in plain Go, and slow", strings.Join(k.Plain, ", "))
	}
	if err := kernels.EnvironmentError(); err != nil {
		say("correct or unset the variable: %v", err)
	}
	switch x.Memory.Huge {
	case "never":
		say("set transparent huge pages to madvise (/sys/kernel/mm/transparent_hugepage/enabled): walking through gigabytes in small pages misses many translations of addresses")
	case "":
		if x.CPU.OS == "linux" {
			say("use a system with transparent huge pages: walking through gigabytes in small pages misses many translations of addresses")
		}
	}
	if strings.Contains(x.CPU.Governor, "powersave") || strings.Contains(x.CPU.Governor, "conservative") {
		say("set the governor to performance: %s may keep the processor slower than it could be", x.CPU.Governor)
	}
	if x.CPU.Cores > 0 && x.CPU.Cores < x.CPU.CPUs {
		say("try --threads %d, one for each core: two threads of a core share what computes", x.CPU.Cores)
	}
	if p := x.CPU.Peak; len(p) == 2 && p[0].Int8 > 0 && p[1].Int8 < leastScaling*p[0].Int8*float64(p[1].Threads) {
		say("look for what else runs, or use fewer threads: %d of them compute %.1f times as much as one", p[1].Threads, p[1].Int8/p[0].Int8)
	}
	for _, what := range disturbances {
		say("measure again when the machine is quiet: %s", what)
	}
	return all
}
