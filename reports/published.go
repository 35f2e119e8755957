package reports

import (
	"math"
	"slices"

	"lladakit/internal/stats"
)

// figure is a published result.
type figure struct {
	model, task string
	right, n    int // computed back from the percentage
	source      string
}

const (
	report = "LLaDA2.0 technical report, arXiv 2512.15745, section 6: temperature 0, block 32, threshold 0.95; no prompts"
	dmoe   = "dMoE, arXiv 2605.30876: no examples, boxed answer, 2048 tokens, threshold 0.95; another prompt than ours"
)

// figures are what is published of LLaDA2.0. All fit one answer to every document of the
// whole set.
var figures = []figure{
	{"LLaDA2.0-mini", "gsm8k", 1243, 1319, report},              // 94.24 %
	{"LLaDA2.0-mini, independently", "gsm8k", 1198, 1319, dmoe}, // 90.8 %
	{"LLaDA2.0-flash", "gsm8k", 1267, 1319, report},             // 96.06 %
	{"LLaDA2.0-mini", "humaneval", 142, 164, report},            // 86.59 %
	{"LLaDA2.0-flash", "humaneval", 155, 164, report},           // 94.51 %
	{"LLaDA2.0-mini", "humaneval-plus", 131, 164, report},       // 79.88 %
	{"LLaDA2.0-flash", "humaneval-plus", 144, 164, report},      // 87.80 %
}

// figureData are the SHA-256 of the data sets that figures are of, by task.
var figureData = map[string]string{
	"gsm8k":          "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
	"humaneval":      "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
	"humaneval-plus": "272720b90ac375502c8ed23cd791c2a93dfb22a911641a494da74a426c09f101",
}

// askedPublished reports whether a task was done with the data that its figures are of:
// a user may have it done with other data.
func (e *Eval) askedPublished(t *EvalTask) bool {
	i := slices.IndexFunc(e.Data, func(d EvalData) bool { return d.Name == t.Data })
	return i >= 0 && e.Data[i].SHA256 == figureData[t.Task]
}

// published sets an accuracy beside the figures of the task, by Fisher's exact test.
//
// Note: the documents are the same, but which ones were right is not published. So the
// test takes independent samples, and finds fewer differences than a paired one would.
func published(task string, p stats.Proportion) []EvalPublished {
	var all []EvalPublished
	n := int(math.Round(p.Effective))
	right := int(math.Round(p.Share * float64(n)))
	for _, f := range figures {
		if f.task != task {
			continue
		}
		test := stats.Fisher(right, n, f.right, f.n)
		all = append(all, EvalPublished{
			Model: f.model, Accuracy: float64(f.right) / float64(f.n), N: f.n, Source: f.source, Apart: test < 0.05, P: test,
		})
	}
	return all
}
