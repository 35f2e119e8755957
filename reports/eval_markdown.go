package reports

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// listed is how many documents a note names.
const listed = 20

// evalColumns are those of the table of tasks.
func (e *Eval) evalColumns() []column[EvalTask] {
	type t = *EvalTask
	columns := []column[EvalTask]{
		{"task", false, func(t t) string { return fmt.Sprintf("%s v%d", t.Task, t.Version) }, nil},
		{"n", true, func(t t) string {
			if t.N != t.Asked {
				return fmt.Sprintf("%d of %d", t.N, t.Asked)
			}
			return count(t.N)
		}, nil},
		{"correct", true, func(t t) string { return fmt.Sprint(t.Correct) }, nil},
		{"accuracy", true, func(t t) string { return interval(t.Accuracy, t.Low, t.High) }, nil},
		{"std. error", true, func(t t) string { return percent(t.SE) }, nil},
	}
	var ks []int
	for _, t := range e.Tasks {
		for _, pass := range t.PassAtK {
			ks = append(ks, pass.K)
		}
	}
	slices.Sort(ks)
	for _, k := range slices.Compact(ks) {
		columns = append(columns, column[EvalTask]{fmt.Sprintf("pass@%d", k), true, func(t t) string {
			if i := slices.IndexFunc(t.PassAtK, func(p EvalPass) bool { return p.K == k }); i >= 0 {
				return percent(t.PassAtK[i].Rate)
			}
			return ""
		}, nil})
	}
	return append(columns, []column[EvalTask]{
		{"any right", true, func(t t) string { return fmt.Sprint(t.Any) }, nil},
		{"truncated", true, func(t t) string { return fmt.Sprint(t.Truncated) }, nil},
		{"failed", true, func(t t) string { return count(t.Failed) }, known},
		{"tokens", true, func(t t) string { return fmt.Sprint(t.Tokens) }, nil},
		{"tokens/forward", true, func(t t) string { return decimals(t.TPF) }, known},
		{"detectable", true, func(t t) string { return points(t.Detected) }, nil},
	}...)
}

// interval formats a share with its interval.
func interval(share, low, high float64) string {
	return fmt.Sprintf("%.2f %% (%.2f to %.2f)", 100*share, 100*low, 100*high)
}

// points formats a difference of shares.
func points(share float64) string {
	if share < 0.001 && share > 0 {
		return fmt.Sprintf("%.3f points", 100*share)
	}
	return fmt.Sprintf("%.1f points", 100*share)
}

func (e *Eval) markdown(w io.Writer) error { return e.sheet().markdown(w) }

func (e *Eval) sheet() *sheet {
	tasks := columnsTable(e.evalColumns(), e.Tasks).prefer("accuracy", "n", "pass@1", "correct", "tokens/forward", "failed", "truncated", "std. error", "detectable")
	return &sheet{tables: []*Table{tasks, e.extractors(), e.publishedFigures()}, build: "build: " + e.Program.describe(), notes: e.notes()}
}

// extractors is the table of how many answers each extractor has right, if there is one
// to choose.
func (e *Eval) extractors() *Table {
	table := &Table{Header: []string{"task", "extractor", "found", "correct", "of all", ""}, Right: []int{2, 3, 4}}
	for i := range e.Tasks {
		t := &e.Tasks[i]
		if len(t.Extractors) < 2 {
			continue
		}
		for j, x := range t.Extractors {
			mark := ""
			if j == 0 {
				mark = "counts"
			}
			table.Rows = append(table.Rows, []string{
				t.Task, x.Name, fmt.Sprint(x.Found), fmt.Sprint(x.Correct), percent(float64(x.Correct) / float64(max(1, t.N))), mark,
			})
		}
	}
	return table.prefer("extractor", "correct", "of all", "")
}

// publishedFigures is the table of published figures beside ours.
func (e *Eval) publishedFigures() *Table {
	table := &Table{Header: []string{"task", "published", "accuracy", "n", "here", "p", "", "source"}, Right: []int{2, 3, 4, 5}}
	for i := range e.Tasks {
		t := &e.Tasks[i]
		for _, p := range t.Published {
			verdict := "not apart"
			if p.Apart {
				verdict = "apart"
			}
			table.Rows = append(table.Rows, []string{
				t.Task, p.Model, percent2(p.Accuracy), fmt.Sprint(p.N), percent2(t.Accuracy), probability(p.P), verdict, p.Source,
			})
		}
	}
	return table.prefer("published", "accuracy", "here", "p", "")
}

func percent2(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

// probability formats a p.
func probability(p float64) string {
	switch {
	case p < 0.0001:
		return "< 0.0001"
	case p < 0.001:
		return fmt.Sprintf("%.4f", p)
	}
	return fmt.Sprintf("%.3f", p)
}

// notes are what is said of all tasks, and of each.
func (e *Eval) notes() []string {
	size := ""
	if e.Model.Size > 0 {
		size = gibibytes(e.Model.Size)
	}
	all := []string{
		"model: " + list(fileName(e.Model.Name), prefixed("at ", e.Model.Endpoint), e.Model.Type, size, prefixed("sha256 ", e.Model.SHA256)),
		"settings: " + list(string(e.Settings), fmt.Sprintf("at most %s of an answer", plural(e.GenLength, "token"))),
	}
	for _, d := range e.Data {
		all = append(all, fmt.Sprintf("data: %s, %s, sha256 %s", fileName(d.Name), plural(d.Records, "record"), d.SHA256))
	}
	if e.Subset != "" {
		all = append(all, "subset: "+e.Subset+"; not comparable with results of all")
	}
	if e.Shard != "" {
		all = append(all, "shard: "+e.Shard)
	}
	if e.Repeats > 1 {
		all = append(all, fmt.Sprintf("%d answers to every prompt; errors and intervals take documents as what is drawn, and not answers", e.Repeats))
	}
	if s := e.Sandbox; s != nil {
		all = append(all, fmt.Sprintf("programs were run in sandbox tier %s, Python %s, with time limits × %s", s.Tier, s.Python, significant(s.Factor)))
	}
	all = append(all,
		"accuracy: with Wilson's 95 % interval; any right: answers that some extractor has right; truncated: answers that reached the limit of tokens",
		"detectable: the difference that a paired comparison on these documents would see (power 0.8, level 0.05) if the answers of two runs correlate by "+number(correlation))
	if slices.ContainsFunc(e.Tasks, func(t EvalTask) bool { return len(t.Published) > 0 }) {
		all = append(all, "published: p of Fisher's exact test, as of independent samples, since which documents were right is not published; prompts were not published either, and they matter more than a format of weights does")
	}
	for i := range e.Tasks {
		all = append(all, e.Tasks[i].notes()...)
	}
	threads := ""
	if e.Threads > 0 {
		threads = plural(e.Threads, "thread")
	}
	if e.Interrupted {
		all = append(all, "interrupted: samples are missing")
	}
	all = append(all, "machine: "+list(e.Machine.describe(), threads), "time: "+time.Duration(e.Seconds*float64(time.Second)).Round(time.Second).String())
	for _, warning := range slices.Concat(e.Machine.Warnings, e.Warnings) {
		all = append(all, "warning: "+warning)
	}
	return all
}

// notes are what is said of one task.
func (t *EvalTask) notes() []string {
	var all, errors []string
	for _, class := range slices.Sorted(maps.Keys(t.Errors)) {
		errors = append(errors, fmt.Sprintf("%d %s", t.Errors[class], class))
	}
	if len(errors) > 0 {
		all = append(all, t.Task+": not right: "+strings.Join(errors, ", "))
	}
	if t.Failed > 0 {
		all = append(all, fmt.Sprintf("warning: %s: %s without an answer %s as wrong", t.Task, plural(t.Failed, "request"), verb(t.Failed, "counts", "count")))
	}
	if t.Truncated > 0 {
		all = append(all, fmt.Sprintf("warning: %s: %s reached the limit of tokens: a higher one may make more right", t.Task, plural(t.Truncated, "answer")))
	}
	if n := len(t.Disagreements); n > 0 {
		all = append(all, fmt.Sprintf("%s: extractors disagree on %s: %s", t.Task, plural(n, "document"), firstOf(t.Disagreements)))
	}
	return all
}

// firstOf joins the first of names, and says how many more there are.
func firstOf(names []string) string {
	if n := len(names); n > listed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), n-listed)
	}
	return strings.Join(names, ", ")
}
