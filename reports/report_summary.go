package reports

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// summaryTasks are the tasks that have columns in the summary: these first if there are
// such results, then others by their names.
var summaryTasks = []string{"humaneval", "gsm8k"}

// mostSummaryTasks bounds those columns.
const mostSummaryTasks = 4

const fastestHeader = "fastest settings"

// taskTitles are the names of tasks in headers.
var taskTitles = map[string]string{"humaneval": "HumanEval", "gsm8k": "GSM8K", "humaneval-plus": "HumanEval+"}

func taskTitle(task string) string { return cmp.Or(taskTitles[task], task) }

// summaryRow is a model with what the summary says of it.
type summaryRow struct {
	*reportModel
	label, step, speed, tpf, kld, beside, published string
	tasks                                           map[string]string
}

// summary makes the table with a row for each model.
func summary(models []*reportModel) Section {
	var notes marks
	tasks := columnTasks(models)
	rows := make([]summaryRow, len(models))
	for i, m := range models {
		rows[i] = m.summarise(&notes, tasks)
		rows[i].label = m.label(models)
	}
	type r = *summaryRow
	columns := []column[summaryRow]{
		{"model", false, func(r r) string { return r.label }, nil},
		{"type", false, func(r r) string { return r.typ }, nil},
		{"size", true, func(r r) string { return gibibytes(r.size) }, nil},
		{"bits per weight", true, func(r r) string { return decimals(r.bits) }, known},
		{"ms/step", true, func(r r) string { return r.step }, known},
		{"tokens/s", true, func(r r) string { return r.speed }, known},
		{"tokens/forward", true, func(r r) string { return r.tpf }, known},
	}
	for _, task := range tasks {
		columns = append(columns, column[summaryRow]{taskTitle(task), true, func(r r) string { return r.tasks[task] }, nil})
	}
	columns = append(columns, []column[summaryRow]{
		{"KLD, nats", true, func(r r) string { return r.kld }, known},
		{fastestHeader, false, func(r r) string { return r.beside }, known},
		{"published", false, func(r r) string { return r.published }, known},
	}...)
	s := Section{Title: "Summary", Caption: "One row for each model, figures with their 95 % intervals where there are several measurements."}
	if len(rows) == 0 {
		s.Notes = []string{"There is no result of any model."}
		return s
	}
	s.Table = columnsTable(columns, rows)
	explain := func(column, text string) {
		if slices.Contains(s.Table.Header, column) {
			s.Notes = append(s.Notes, column+": "+text)
		}
	}
	explain("size", "of the weights; GiB and MiB are 2^30 and 2^20 bytes")
	explain("ms/step", "median time of a denoising forward over a whole block")
	explain("tokens/s", "tokens of answers by the time that they took, with their prompts")
	explain("tokens/forward", "tokens of answers by denoising forwards")
	explain("KLD, nats", "mean divergence from the reference at masked positions")
	explain(fastestHeader, "of the sweep that tokens/s are of, beside the recommended ones")
	explain("published", "figures of the authors and of others beside ours: apart if Fisher's exact test finds a difference (p < 0.05)")
	if len(tasks) > 0 {
		s.Notes = append(s.Notes, "tasks: right answers with Wilson's 95 % interval, and of how many")
	}
	s.Notes = append(s.Notes, notes.list()...)
	return s
}

// columnTasks chooses the tasks of the summary.
func columnTasks(models []*reportModel) []string {
	var all []string
	for _, m := range models {
		for _, f := range m.tasks {
			if f.part.N > 0 && !slices.Contains(all, f.part.Task) {
				all = append(all, f.part.Task)
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		rank := func(task string) int {
			if i := slices.Index(summaryTasks, task); i >= 0 {
				return i
			}
			return len(summaryTasks)
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	return all[:min(len(all), mostSummaryTasks)]
}

func (m *reportModel) summarise(notes *marks, tasks []string) summaryRow {
	row := summaryRow{reportModel: m, tasks: map[string]string{}}
	if f := m.bestTest("step"); f != nil {
		row.step = forwardTime(f.part) + notes.add(describeTest(f))
	}
	recommended := m.recommendedCell()
	gen := m.bestTest("gen")
	switch {
	case recommended != nil:
		c, s := recommended.part, recommended.in.Value
		row.speed = decimals(c.Speed.Median)
		if c.Speed.N > 1 {
			row.speed += fmt.Sprintf(" (%.2f to %.2f)", c.Speed.Low, c.Speed.High)
		}
		row.speed += notes.add(fmt.Sprintf("%s of %s with the recommended settings, %s", plural(s.Prompts, "prompt"), fileName(s.Data), recommended.in.Path))
	case gen != nil:
		row.speed = tokensPerSecond(gen.part) + notes.add(describeTest(gen))
	}
	chosen := m.chosenTasks(tasks)
	tokens, denoise, of := 0, 0, []string(nil)
	for i, f := range chosen {
		if f == nil {
			continue
		}
		row.tasks[tasks[i]] = f.accuracy() + notes.add(f.caveats(m)...)
		if f.part.Denoise > 0 {
			tokens, denoise, of = tokens+f.part.Tokens, denoise+f.part.Denoise, append(of, f.part.Task)
		}
		for _, p := range f.part.Published {
			verdict := "not apart"
			if p.Apart {
				verdict = "apart"
			}
			if row.published != "" {
				row.published += "; "
			}
			row.published += fmt.Sprintf("%s %s: %s, %s", taskTitle(f.part.Task), p.Model, percent2(p.Accuracy), verdict)
		}
	}
	switch {
	case denoise > 0:
		row.tpf = decimals(float64(tokens)/float64(denoise)) + notes.add("of the answers to "+strings.Join(of, ", "))
	case recommended != nil:
		row.tpf = decimals(recommended.part.TPF)
	case gen != nil && !forced(gen.part):
		row.tpf = decimals(gen.part.TPF)
	}
	if d := m.divergence(); d != nil {
		k := d.Value.All.KLD
		row.kld = fmt.Sprintf("%s (%s to %s)", significant(k.Mean), significant(k.Low), significant(k.High)) +
			notes.add(fmt.Sprintf("from %s, %s of %s, %s", fileName(d.Value.Reference.Name), plural(d.Value.Prompts, "prompt"), fileName(d.Value.Data), d.Path))
	}
	if recommended != nil {
		row.beside = recommended.beside()
	}
	return row
}

// forced reports whether a test makes a fixed number of tokens in a forward, whatever the
// model predicts.
func forced(t *Test) bool { return strings.HasPrefix(t.Schedule, "forced") }

// bestTest returns the test of a kind that is like what users do: exact, with logits of
// all rows, with no tokens before it; of several the newest, with the most threads. Nil if
// there is none.
func (m *reportModel) bestTest(kind string) *foundIn[Test, Bench] {
	var all []*foundIn[Test, Bench]
	for i := range m.tests {
		if t := m.tests[i].part; t.Kind == kind && (t.Forward.Median > 0 || t.AvgTS > 0) {
			all = append(all, &m.tests[i])
		}
	}
	if len(all) == 0 {
		return nil
	}
	return slices.MinFunc(all, func(a, b *foundIn[Test, Bench]) int {
		x, y := a.part, b.part
		return cmp.Or(
			cmp.Compare(truth(x.Error != ""), truth(y.Error != "")),
			cmp.Compare(truth(x.Class != "exact"), truth(y.Class != "exact")),
			cmp.Compare(truth(forced(x)), truth(forced(y))),
			cmp.Compare(truth(x.Logits < x.Rows), truth(y.Logits < y.Rows)),
			cmp.Compare(x.Depth, y.Depth), b.in.Value.Started.Compare(a.in.Value.Started),
			cmp.Compare(y.Threads, x.Threads), cmp.Compare(x.Name, y.Name), cmp.Compare(a.in.Path, b.in.Path),
		)
	})
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// describeTest says what a test was.
func describeTest(f *foundIn[Test, Bench]) string {
	t := f.part
	class := ""
	if t.Class != "" && t.Class != "exact" {
		class = t.Class
	}
	failed := ""
	if t.Error != "" {
		failed = "it failed later: " + t.Error
	}
	return list(t.Name+" of "+f.in.Path, plural(t.Threads, "thread"), t.Schedule, class, failed)
}

// recommendedCell returns what the sweep with the most prompts, and of those the newest,
// has with the recommended settings; nil if there is none.
func (m *reportModel) recommendedCell() *sweptCell {
	var best *foundIn[SweepCell, Sweep]
	for i := range m.cells {
		f := &m.cells[i]
		if !f.part.Recommended || !(f.part.Speed.Median > 0) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(f.in.Value.Prompts, best.in.Value.Prompts), f.in.Value.Started.Compare(best.in.Value.Started)) > 0 {
			best = f
		}
	}
	if best == nil {
		return nil
	}
	return &sweptCell{best, m}
}

// sweptCell is the recommended cell of a model in a sweep.
type sweptCell struct {
	*foundIn[SweepCell, Sweep]
	model *reportModel
}

// beside says how the fastest settings of the model in that sweep compare with it.
func (f *sweptCell) beside() string {
	s, fastest := f.in.Value, f.part
	for _, other := range f.model.cells {
		if other.in == f.in && other.part.Speed.Median > fastest.Speed.Median {
			fastest = other.part
		}
	}
	if fastest == f.part {
		return "the recommended ones of " + plural(f.swept(), "setting")
	}
	var settings []string
	for i, axis := range s.Axes {
		if i < len(fastest.Values) {
			settings = append(settings, axis+"="+fastest.Values[i])
		}
	}
	quality := fmt.Sprintf("%s of tokens as there", percent(fastest.Agree))
	if s.Judged {
		quality = fmt.Sprintf("%s right, there %s", percent(fastest.Accuracy), percent(f.part.Accuracy))
	}
	return fmt.Sprintf("%.2f × with %s: %s", fastest.Speed.Median/f.part.Speed.Median, list(strings.Join(settings, " "), fastest.Class), quality)
}

// swept counts the model's cells in the sweep.
func (f *sweptCell) swept() (n int) {
	for _, other := range f.model.cells {
		n += truth(other.in == f.in)
	}
	return n
}

// divergence returns the one with the most positions, and of those the newest.
func (m *reportModel) divergence() *Result[Divergence] {
	var best *Result[Divergence]
	for _, d := range m.divergences {
		if d.Value.All.Positions == 0 {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(d.Value.All.Positions, best.Value.All.Positions), d.Value.Started.Compare(best.Value.Started)) > 0 {
			best = d
		}
	}
	return best
}

// taskResult is a task's accuracy in a run.
type taskResult struct {
	foundIn[EvalTask, Run]
	others int // results of the same task and model
}

// chosenTasks returns the best result of each task, nil where there is none: a complete
// one before others, then the one with the most answers, then the newest.
func (m *reportModel) chosenTasks(tasks []string) []*taskResult {
	chosen := make([]*taskResult, len(tasks))
	for i, task := range tasks {
		for _, f := range m.tasks {
			if f.part.Task != task || f.part.N == 0 {
				continue
			}
			next := &taskResult{foundIn: f}
			if best := chosen[i]; best != nil {
				a, b := best.in.Value.Eval, f.in.Value.Eval
				order := cmp.Or(cmp.Compare(best.partial(), next.partial()), cmp.Compare(f.part.N, best.part.N), b.Started.Compare(a.Started))
				if order <= 0 {
					next = &taskResult{foundIn: best.foundIn}
				}
				next.others = best.others + 1
			}
			chosen[i] = next
		}
	}
	return chosen
}

// partial counts what makes a result less than one of all documents.
func (t *taskResult) partial() int {
	e := t.in.Value.Eval
	return truth(t.part.N < t.part.Asked) + truth(e.Shard != "") + truth(e.Subset != "")
}

func (t *taskResult) accuracy() string {
	return fmt.Sprintf("%s of %d", interval(t.part.Accuracy, t.part.Low, t.part.High), t.part.N)
}

// caveats are what is to be known of an accuracy.
func (t *taskResult) caveats(m *reportModel) (all []string) {
	e := t.in.Value.Eval
	if t.part.N < t.part.Asked {
		all = append(all, fmt.Sprintf("interrupted: %d of %d answers", t.part.N, t.part.Asked))
	}
	if e.Subset != "" {
		all = append(all, "subset: "+e.Subset)
	}
	if e.Shard != "" {
		all = append(all, "shard "+e.Shard)
	}
	if t.part.Failed > 0 {
		all = append(all, fmt.Sprintf("%s without an answer %s as wrong", plural(t.part.Failed, "request"), verb(t.part.Failed, "counts", "count")))
	}
	if other := e.deviations(); other != "" {
		all = append(all, "not the recommended settings: "+other)
	}
	if t.others > 0 {
		all = append(all, fmt.Sprintf("%s, the most complete of %d results of %s", t.in.Path, t.others+1, m.name))
	}
	return all
}

// recommendedSettings are the authors'.
var recommendedSettings = []struct{ name, value string }{
	{"profile", `"exact"`}, {"block_length", "32"}, {"steps", "32"}, {"threshold", "0.95"}, {"temperature", "0"}, {"policy", `{"name":"threshold"}`},
}

// deviations lists what settings have that is not recommended; empty for nothing.
func (e *Eval) deviations() string {
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(e.Settings, &settings); err != nil {
		return ""
	}
	var all []string
	for _, s := range recommendedSettings {
		var value bytes.Buffer
		if raw, ok := settings[s.name]; ok && json.Compact(&value, raw) == nil && value.String() != s.value {
			all = append(all, s.name+"="+strings.Trim(value.String(), `"`))
		}
	}
	return strings.Join(all, " ")
}
