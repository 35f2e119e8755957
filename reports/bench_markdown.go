package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// benchColumns are the columns of the table of tests, with marks behind the names of
// some, and with files if names do not tell models apart.
func benchColumns(marks map[*Test]string, files bool) []column[Test] {
	return []column[Test]{
		{"model", false, func(t *Test) string { return t.Type }, nil},
		{"file", false, func(t *Test) string { return fileName(t.Model) }, func([]string) bool { return files }},
		{"size", true, func(t *Test) string { return gibibytes(t.Size) }, nil},
		{"params", true, func(t *Test) string { return billions(t.Params) }, nil},
		{"backend", false, func(t *Test) string { return t.Backends }, nil},
		{"threads", true, func(t *Test) string { return count(t.Threads) }, nil},
		{"build", false, func(t *Test) string { return t.BuildCommit }, differing},
		{"cpu", false, func(t *Test) string { return t.CPUInfo }, differing},
		{"type_k", false, func(t *Test) string { return t.TypeK }, unless("f16")},
		{"type_v", false, func(t *Test) string { return t.TypeV }, unless("f16")},
		{"pack", false, func(t *Test) string { return t.Pack }, unless("memory")},
		{"block", true, func(t *Test) string { return count(t.Block) }, unless("32")},
		{"steps", true, func(t *Test) string { return count(t.Steps) }, differing},
		{"threshold", true, func(t *Test) string { return number(t.Threshold) }, differing},
		{"policy", false, func(t *Test) string { return t.Policy }, unless("threshold")},
		{"profile", false, func(t *Test) string { return t.Profile }, unless("exact")},
		{"class", false, func(t *Test) string { return t.Class }, unless("exact")},
		{"schedule", false, func(t *Test) string { return t.Schedule }, differing},
		{"test", true, func(t *Test) string { return t.Name + marks[t] }, nil},
		{"t/s", true, tokensPerSecond, nil},
		{"ms/forward", true, forwardTime, known},
		{"ms/run", true, runTime, known},
		{"tokens/forward", true, func(t *Test) string { return decimals(t.TPF) }, known},
		{"experts/layer", true, func(t *Test) string { return decimals(t.Experts) }, known},
		{"GB/s", true, func(t *Test) string { return rate(t.Read, t.Memory) }, known},
		{"GMAC/s", true, func(t *Test) string { return rate(t.Products, t.Compute) }, known},
	}
}

// benchPreferred are the columns that a narrow table keeps: what a row is of and its main
// figures, then what may tell rows apart.
var benchPreferred = []string{
	"test", "ms/forward", "t/s", "ms/run", "file", "threads", "block", "steps", "threshold", "policy", "profile", "pack", "type_k", "type_v",
	"tokens/forward", "GB/s", "class", "schedule", "size", "experts/layer", "GMAC/s", "cpu", "build",
}

// check reports the first thing that cannot be.
func (b *Bench) check() error {
	if b.Asked > 0 && b.Asked < len(b.Tests) {
		return fmt.Errorf("tests_asked is %d, and there are %s", b.Asked, plural(len(b.Tests), "test"))
	}
	return checkNumbers(b)
}

func (b *Bench) markdown(w io.Writer) error { return b.sheet().markdown(w) }

// sheet has the table of all tests.
func (b *Bench) sheet() *sheet {
	tests := slices.Clone(b.Tests)
	var general []string
	for _, other := range b.Imported {
		tests = append(tests, other.Tests...)
		for _, note := range other.Notes {
			general = append(general, fileName(other.Source)+": "+note)
		}
	}
	var notes footnotes
	marks := map[*Test]string{}
	for i := range tests {
		warnings := tests[i].Warnings
		if tests[i].Error != "" {
			warnings = append([]string{"failed: " + tests[i].Error}, warnings...)
		}
		marks[&tests[i]] = notes.add(warnings)
	}
	table := columnsTable(benchColumns(marks, ambiguous(tests)), tests).prefer(benchPreferred...)
	return &sheet{tables: []*Table{table}, build: "build: " + b.Program.describe(), notes: slices.Concat(notes.list(), general, b.remarks())}
}

// remarks are what is said of all our tests.
func (b *Bench) remarks() []string {
	all := []string{"machine: " + b.Machine.describe()}
	for _, l := range b.Limits {
		all = append(all, l.describe())
	}
	var measured, process bool
	var schedules []string
	for i := range b.Tests {
		t := &b.Tests[i]
		process = process || t.Kind == "process"
		measured = measured || t.Memory > 0 || t.Compute > 0
		if t.Schedule != "" && !slices.Contains(schedules, t.Schedule) {
			schedules = append(schedules, t.Schedule)
		}
	}
	all = append(all, "t/s: mean ± standard deviation of repetitions; ms/forward: median of executed forwards (95 % interval)")
	if process {
		all = append(all, "ms/run: time of another program from its start to its end, mean ± standard deviation")
	}
	if measured {
		all = append(all, "GB/s and GMAC/s: of the fastest forward, and its share of the limit measured in this run")
	}
	if len(schedules) == 1 {
		all = append(all, "schedule: "+schedules[0])
	}
	if b.Interleave {
		all = append(all, "repetitions of all tests took turns")
	}
	if b.Interrupted {
		all = append(all, "interrupted: "+b.part())
	}
	for _, warning := range b.Machine.Warnings {
		all = append(all, "warning: "+warning)
	}
	return all
}

// part says how much there is of an interrupted benchmark.
func (b *Bench) part() string {
	if b.Asked == 0 || b.Repetitions == 0 {
		return fmt.Sprintf("it has %s, and others are missing or have fewer repetitions", plural(len(b.Tests), "test"))
	}
	short := 0
	for i := range b.Tests {
		if t := &b.Tests[i]; t.Error == "" && len(t.SamplesNS) < b.Repetitions {
			short++
		}
	}
	text := fmt.Sprintf("%d of %s", len(b.Tests), plural(b.Asked, "test"))
	if short > 0 {
		text += fmt.Sprintf(", %d of them with fewer than %s", short, plural(b.Repetitions, "repetition"))
	}
	return text
}

// ambiguous reports whether different files have the same name and type.
func ambiguous(tests []Test) bool {
	file := map[string]string{}
	for i := range tests {
		t := &tests[i]
		if before, ok := file[t.Type]; ok && before != t.Model {
			return true
		}
		file[t.Type] = t.Model
	}
	return false
}

func (p *Program) describe() string {
	text := p.Commit
	if text == "" {
		text = "unknown"
	}
	return text + " (" + list(p.Name, p.Go, prefixed("kernels ", p.Kernels)) + ")"
}

func (m *Machine) describe() string {
	var cpus, memory string
	if m.CPUs > 0 {
		cpus = plural(m.CPUs, "CPU")
		if m.Cores > 0 {
			cpus += " on " + plural(m.Cores, "core")
		}
	}
	if m.Memory > 0 {
		memory = gibibytes(m.Memory) + " of memory"
	}
	mhz := ""
	if m.MHz > 0 {
		mhz = fmt.Sprintf("%.0f MHz", m.MHz)
	}
	platform := strings.Trim(m.OS+"/"+m.Arch, "/")
	return list(m.CPU, cpus, mhz, memory, platform, prefixed("governor ", m.Governor), prefixed("huge pages ", m.Huge))
}

func (l *Limits) describe() string {
	part := func(x float64, what string) string {
		if x == 0 {
			return ""
		}
		return significant(x) + what
	}
	return "limits with " + plural(l.Threads, "thread") + ": " + list(part(l.Memory, " GB/s"), part(l.Int4, " GMAC/s of 4-bit weights"),
		part(l.Int8, " of 8-bit"), part(l.Float, " of float"))
}

func tokensPerSecond(t *Test) string {
	if t.AvgTS == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f ± %.2f", t.AvgTS, t.StddevTS)
}

func forwardTime(t *Test) string {
	f := &t.Forward
	switch {
	case f.Median == 0:
		return ""
	case f.N < 2 || f.Low == 0 && f.High == 0:
		return significant(f.Median / 1e6)
	}
	return fmt.Sprintf("%s (%s to %s)", significant(f.Median/1e6), significant(f.Low/1e6), significant(f.High/1e6))
}

// runTime formats what a run of another program took.
func runTime(t *Test) string {
	switch {
	case t.Kind != "process" || t.AvgNS == 0:
		return ""
	case len(t.SamplesNS) < 2:
		return significant(float64(t.AvgNS) / 1e6)
	}
	return significant(float64(t.AvgNS)/1e6) + " ± " + significant(float64(t.StddevNS)/1e6)
}

// rate formats a speed, and what share of a limit it is.
func rate(speed, share float64) string {
	if speed == 0 {
		return ""
	}
	text := significant(speed)
	if share > 0 {
		text += fmt.Sprintf(" (%.0f %%)", 100*share)
	}
	return text
}
