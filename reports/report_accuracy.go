package reports

import (
	"fmt"
	"slices"
	"time"
)

// evalSections describe an evaluation: its tasks, the extractors, and published figures.
func evalSections(r *Result[Run]) []Section {
	e := r.Value.Eval
	if e == nil {
		return nil
	}
	tasks := Section{
		Title:   "Tasks of " + r.Path,
		Caption: "Right answers of each task, with Wilson's 95 % interval.",
		Table:   columnsTable(e.evalColumns(), e.Tasks),
		Notes:   append(e.notes(), made(&e.Program, e.Command, e.Started)...),
	}
	if r.Value.Torn {
		tasks.Notes = append(tasks.Notes, "warning: the last sample was cut off")
	}
	all := []Section{tasks}
	if table := e.extractors(); len(table.Rows) > 0 {
		all = append(all, Section{Title: "Extractors of " + r.Path, Caption: "What each extractor found in the answers, and how much of that was right.", Table: table})
	}
	if table := e.publishedFigures(); len(table.Rows) > 0 {
		all = append(all, Section{Title: "Published figures beside " + r.Path, Caption: "Published accuracies beside ours, with p of Fisher's exact test.", Table: table})
	}
	return all
}

// divergenceSections describe a divergence.
func divergenceSections(r *Result[Divergence]) []Section {
	d := r.Value
	type row struct {
		masked string
		*DivergenceFigures
	}
	var rows []row
	before := 0.0
	for i := range d.Buckets {
		b := &d.Buckets[i]
		rows = append(rows, row{fmt.Sprintf("%.0f to %.0f %%", 100*before, 100*b.UpTo), b})
		before = b.UpTo
	}
	rows = append(rows, row{"all", &d.All})
	known := func(f *DivergenceFigures, text string) string {
		if f.Positions == 0 {
			return ""
		}
		return text
	}
	columns := []column[row]{
		{"masked", false, func(r *row) string { return r.masked }, nil},
		{"positions", true, func(r *row) string { return fmt.Sprint(r.Positions) }, nil},
		{"KLD, nats", true, func(r *row) string {
			k := r.KLD
			return known(r.DivergenceFigures, fmt.Sprintf("%s (%s to %s)", significant(k.Mean), significant(k.Low), significant(k.High)))
		}, nil},
		{"most", true, func(r *row) string { return known(r.DivergenceFigures, significant(r.MaxKLD)) }, nil},
		{"same top token", true, func(r *row) string {
			return known(r.DivergenceFigures, interval(r.Agreement.Mean, r.Agreement.Low, r.Agreement.High))
		}, nil},
		{"change of its probability", true, func(r *row) string {
			return known(r.DivergenceFigures, interval(r.ProbChange.Mean, r.ProbChange.Low, r.ProbChange.High))
		}, nil},
	}
	return []Section{{
		Title:   fmt.Sprintf("%s beside %s: %s", fileName(d.Model.Name), fileName(d.Reference.Name), r.Path),
		Caption: "Divergence at masked positions, by the masked share of their block, with 95 % intervals over prompts.",
		Table:   columnsTable(columns, rows),
		Notes: slices.Concat([]string{
			"model: " + fileLine(&d.Model), "reference: " + fileLine(&d.Reference),
			fmt.Sprintf("data: %s of %s, sha256 %s", plural(d.Prompts, "prompt"), fileName(d.Data), d.DataHash),
			"change of its probability: root mean square, of the reference's most probable token",
			"machine: " + d.Machine.describe(),
		}, made(&d.Program, d.Command, d.Started)),
	}}
}

// conversionSections describe a file that was made.
func conversionSections(r *Result[Conversion]) []Section {
	v := r.Value
	columns := []column[TypeUse]{
		{"type", false, func(t *TypeUse) string { return t.Type }, nil},
		{"tensors", true, func(t *TypeUse) string { return count(t.Tensors) }, nil},
		{"weights", true, func(t *TypeUse) string { return billions(t.Weights) }, nil},
		{"size", true, func(t *TypeUse) string { return gibibytes(t.Bytes) }, nil},
		{"of all weights", true, func(t *TypeUse) string {
			if v.Weights == 0 {
				return ""
			}
			return percent(float64(t.Weights) / float64(v.Weights))
		}, known},
	}
	s := Section{
		Title: fmt.Sprintf("%s: %s", fileName(v.File.Name), r.Path), Caption: "Types of the file's tensors.",
		Notes: slices.Concat([]string{
			"file: " + fileLine(&v.File), fmt.Sprintf("source: %s; %s, %s weights, made in %s", fileName(v.Source), plural(v.Tensors, "tensor"), billions(v.Weights), seconds(v.Seconds)),
		}, v.inputs(r.Path), []string{"machine: " + v.Machine.describe()}, made(&v.Program, v.Command, v.Started)),
	}
	if len(v.Types) > 0 {
		s.Table = columnsTable(columns, v.Types)
	}
	return []Section{s}
}

// inputs says what is known about the files that were read; path is where more is.
func (c *Conversion) inputs(path string) (all []string) {
	var bytes uint64
	for i := range c.Sources {
		bytes += c.Sources[i].Size
	}
	if len(c.Sources) > 0 {
		all = append(all, fmt.Sprintf("read: %s, %s, whose sha256 are in %s", plural(len(c.Sources), "file"), gibibytes(bytes), path))
	}
	if f := c.Importance; f != nil {
		all = append(all, "importance: "+list(fileName(f.Name), "sha256 "+f.SHA256))
	}
	return all
}

// verificationSections describe what was found about a file.
func verificationSections(r *Result[Verification]) []Section {
	v := r.Value
	verdict := "no fault"
	if v.Faults > 0 {
		verdict = plural(v.Faults, "fault")
	}
	s := Section{
		Title: fmt.Sprintf("%s: %s", fileName(v.File.Name), r.Path), Caption: "The file beside its source.",
		Table: &Table{
			Header: []string{"tensors", "expert matrices", "faults", "relative RMS error"}, Right: []int{0, 1, 2, 3},
			Rows: [][]string{{fmt.Sprint(v.Tensors), fmt.Sprint(v.Experts), fmt.Sprint(v.Faults), significant(v.RelRMS)}},
		},
		Notes: slices.Concat([]string{
			verdict + " beside " + fileName(v.Source), "file: " + fileLine(&v.File),
			"relative RMS error: of all weights, as a share of their root mean square",
		}),
	}
	for _, finding := range v.Findings[:min(len(v.Findings), listed)] {
		s.Notes = append(s.Notes, "finding: "+finding)
	}
	if n := len(v.Findings); n > listed {
		s.Notes = append(s.Notes, fmt.Sprintf("and %d more findings", n-listed))
	}
	s.Notes = append(s.Notes, "machine: "+v.Machine.describe())
	s.Notes = append(s.Notes, made(&v.Program, v.Command, v.Started)...)
	return []Section{s}
}

// traceSections list generations that were recorded.
func traceSections(all []Result[Trace]) []Section {
	all = slices.DeleteFunc(slices.Clone(all), func(r Result[Trace]) bool { return r.Value == nil })
	if len(all) == 0 {
		return nil
	}
	type r = *Result[Trace]
	columns := []column[Result[Trace]]{
		{"trace", false, func(r r) string { return r.Path }, nil},
		{"model", false, func(r r) string { return fileName(r.Value.Header.Model) }, nil},
		{"type", false, func(r r) string { return r.Value.Header.Type }, nil},
		{"class", false, func(r r) string { return r.Value.Header.Class }, nil},
		{"threads", true, func(r r) string { return count(r.Value.Header.Threads) }, nil},
		{"denoising steps", true, func(r r) string { return count(len(r.Value.Steps)) }, nil},
		{"tokens", true, func(r r) string {
			if r.Value.End == nil {
				return ""
			}
			return fmt.Sprint(len(r.Value.End.IDs))
		}, nil},
		{"in confusion", true, func(r r) string {
			zones := 0
			for i := range r.Value.Steps {
				zones += truth(r.Value.Steps[i].Zone)
			}
			return fmt.Sprint(zones)
		}, nil},
		{"end", false, func(r r) string {
			if r.Value.End == nil {
				return "cut off"
			}
			return r.Value.End.End
		}, nil},
	}
	return []Section{{
		Title: "Traces", Caption: "Recorded generations; llada trace shows one step by step.", Table: columnsTable(columns, all),
		Notes: []string{"in confusion: steps whose entropy and margin say that the model does not know what to decide"},
	}}
}

// made says what made a result, and when.
func made(p *Program, command []string, started time.Time) []string {
	all := []string{"made by " + p.describe(), "command: " + commandLine(command)}
	if !started.IsZero() {
		all = append(all, "started: "+started.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return all
}

// fileLine says what a file is, with its digest.
func fileLine(f *File) string {
	bits := ""
	if f.Bits > 0 {
		bits = decimals(f.Bits) + " bits per weight"
	}
	return list(fileName(f.Name), f.Type, gibibytes(f.Size), bits, prefixed("sha256 ", f.SHA256))
}

func seconds(s float64) string { return significant(s) + " s" }
