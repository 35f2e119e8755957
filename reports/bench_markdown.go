package reports

import (
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// nothing stands in cells for what is not known, or does not exist for a test.
const nothing = "-"

// column is a column of the table of tests. Cells that are "" have no value.
type column struct {
	name  string
	right bool
	cell  func(t *Test) string
	show  func(values []string) bool // given the different values there are; nil: always
}

// unless shows a column like llama-bench: if tests differ in it, or if it is not what it
// usually is.
func unless(usual ...string) func([]string) bool {
	return func(values []string) bool {
		return len(values) > 1 || len(values) == 1 && !slices.Contains(usual, values[0])
	}
}

// differing shows a column if tests differ in it.
func differing(values []string) bool { return len(values) > 1 }

// known shows a column if it has any value.
func known(values []string) bool { return len(values) > 0 }

func benchColumns() []column {
	return []column{
		{"model", false, func(t *Test) string { return t.Type }, nil},
		{"file", false, func(t *Test) string { return path.Base(strings.ReplaceAll(t.Model, `\`, "/")) }, nil}, // see markdown
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
		{"test", true, func(t *Test) string { return t.Name }, nil},
		{"t/s", true, tokensPerSecond, nil},
		{"ms/forward", true, forwardTime, known},
		{"tokens/forward", true, func(t *Test) string { return decimals(t.TPF) }, known},
		{"experts/layer", true, func(t *Test) string { return decimals(t.Experts) }, known},
		{"GB/s", true, func(t *Test) string { return rate(t.Bytes, t.Forward.Min, t.Memory) }, known},
		{"GMAC/s", true, func(t *Test) string { return rate(t.MACs, t.Forward.Min, t.Compute) }, known},
	}
}

// markdown writes the table of all tests and what is to be known about it.
func (b *Bench) markdown(w io.Writer) error {
	tests := slices.Clone(b.Tests)
	var general []string
	for _, other := range b.Imported {
		tests = append(tests, other.Tests...)
		for _, note := range other.Notes {
			general = append(general, path.Base(other.Source)+": "+note)
		}
	}
	var notes []string // numbered, of tests
	marks := make([]string, len(tests))
	for i := range tests {
		warnings := tests[i].Warnings
		if tests[i].Error != "" {
			warnings = append([]string{"failed: " + tests[i].Error}, warnings...)
		}
		marks[i] = footnotes(&notes, warnings)
	}
	columns := benchColumns()
	// Files are told apart where the model's name does not do it.
	columns[1].show = func([]string) bool { return ambiguous(tests) }
	var table Table
	table.Rows = make([][]string, len(tests))
	for _, c := range columns {
		cells, values := make([]string, len(tests)), []string(nil)
		for i := range tests {
			cells[i] = c.cell(&tests[i])
			if cells[i] != "" && !slices.Contains(values, cells[i]) {
				values = append(values, cells[i])
			}
		}
		if c.show != nil && !c.show(values) {
			continue
		}
		if c.right {
			table.Right = append(table.Right, len(table.Header))
		}
		table.Header = append(table.Header, c.name)
		for i, cell := range cells {
			if cell == "" {
				cell = nothing
			}
			if c.name == "test" {
				cell += marks[i]
			}
			table.Rows[i] = append(table.Rows[i], cell)
		}
	}
	if err := table.Markdown(w); err != nil {
		return err
	}
	return writeNotes(w, "build: "+b.Program.describe(), slices.Concat(numbered(notes), general, b.remarks()))
}

// remarks are what is said of all our tests.
func (b *Bench) remarks() []string {
	all := []string{"machine: " + b.Machine.describe()}
	for _, l := range b.Limits {
		all = append(all, l.describe())
	}
	var measured bool
	var schedules []string
	for i := range b.Tests {
		t := &b.Tests[i]
		measured = measured || t.Memory > 0 || t.Compute > 0
		if t.Schedule != "" && !slices.Contains(schedules, t.Schedule) {
			schedules = append(schedules, t.Schedule)
		}
	}
	all = append(all, "t/s: mean ± standard deviation of repetitions; ms/forward: median of executed forwards (95 % interval)")
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
		all = append(all, "interrupted: tests are missing or have fewer repetitions")
	}
	for _, warning := range b.Machine.Warnings {
		all = append(all, "warning: "+warning)
	}
	return all
}

// writeNotes writes lines under a table: a first one alone, as llama-bench has it, and a
// list.
func writeNotes(w io.Writer, first string, list []string) error {
	var text strings.Builder
	text.WriteString("\n" + markdownText(first) + "\n\n")
	for _, note := range list {
		text.WriteString("- " + markdownText(note) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// footnotes appends to notes what is new, and returns the marks of all.
func footnotes(notes *[]string, texts []string) string {
	var marks strings.Builder
	for _, text := range texts {
		i := slices.Index(*notes, text)
		if i < 0 {
			i = len(*notes)
			*notes = append(*notes, text)
		}
		fmt.Fprintf(&marks, " (%d)", i+1)
	}
	return marks.String()
}

func numbered(notes []string) []string {
	var all []string
	for i, note := range notes {
		all = append(all, fmt.Sprintf("(%d) %s", i+1, note))
	}
	return all
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

// list joins what is not empty.
func list(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return "unknown"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
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

// rate formats an amount per nanosecond, which is a thousand millions a second, and a
// share of a limit.
func rate(amount, ns, share float64) string {
	if amount == 0 || ns == 0 {
		return ""
	}
	text := significant(amount / ns)
	if share > 0 {
		text += fmt.Sprintf(" (%.0f %%)", 100*share)
	}
	return text
}

// significant formats a number with four digits, or all of a whole part.
func significant(x float64) string {
	if x == 0 || math.Abs(x) >= 1000 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	digits := 3 - int(math.Floor(math.Log10(math.Abs(x))))
	return strconv.FormatFloat(x, 'f', min(max(digits, 0), 6), 64)
}

// The following are empty for 0, which stands for what is not known.

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func number(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

func decimals(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// gibibytes formats a size as llama-bench does.
func gibibytes(n uint64) string {
	switch {
	case n == 0:
		return ""
	case n < 1<<30:
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// billions formats a number of weights as llama-bench does.
func billions(n uint64) string {
	switch {
	case n == 0:
		return ""
	case n < 1e9:
		return fmt.Sprintf("%.2f M", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f B", float64(n)/1e9)
}
