package reports

import (
	"cmp"
	"slices"

	"lladakit/internal/stats"
)

// correlation is what the answers of two runs that are compared are taken to correlate by
// where it is not known yet: EvalTask.Detected says what difference would be seen then. Of
// different models it is 0.3 to 0.7 (Miller 2024, arXiv 2411.00640, section 4.2); of a
// model and a quantized one it is more, and less is seen.
const correlation = 0.5

// Detectable returns the smallest difference that a paired comparison of two runs on n
// documents is likely to see, if both have about the accuracy share.
func Detectable(n, share float64) float64 {
	return stats.Detectable(n, stats.Discordant(share, correlation))
}

// passK are the k of pass@k that are estimated, as far as there are answers.
var passK = []int{1, 10, 100}

// Summarise fills in e.Tasks from samples, in whatever order they are. What tasks e has
// already keep Task, Version, Data and Asked; others that have samples follow them, with
// as many asked as there are. Of samples with the same key the last counts. A sample
// without an answer counts as wrong.
func Summarise(e *Eval, samples []Sample) {
	samples = inOrder(samples)
	byTask := map[string][]Sample{}
	var names []string
	for i := range samples {
		s := &samples[i]
		if byTask[s.Task] == nil && !slices.ContainsFunc(e.Tasks, func(t EvalTask) bool { return t.Task == s.Task }) {
			names = append(names, s.Task)
		}
		byTask[s.Task] = append(byTask[s.Task], *s)
	}
	for _, name := range names {
		e.Tasks = append(e.Tasks, EvalTask{Task: name, Version: byTask[name][0].Version, Asked: len(byTask[name])})
	}
	for i := range e.Tasks {
		t := &e.Tasks[i]
		*t = EvalTask{Task: t.Task, Version: t.Version, Data: t.Data, Asked: t.Asked}
		t.summarise(byTask[t.Task], e.PassK)
		if t.N == t.Asked && t.N > 0 && t.Failed == 0 && e.Shard == "" && e.Subset == "" && e.askedPublished(t) {
			t.Published = published(t.Task, t.estimate(byTask[t.Task]))
		}
	}
}

// inOrder returns the samples that count by task, document and repeat.
func inOrder(samples []Sample) []Sample {
	last := map[string]int{}
	for i := range samples {
		last[samples[i].Key] = i
	}
	kept := make([]Sample, 0, len(last))
	for i := range samples {
		if last[samples[i].Key] == i {
			kept = append(kept, samples[i])
		}
	}
	slices.SortStableFunc(kept, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Index, b.Index), cmp.Compare(a.DocID, b.DocID),
			cmp.Compare(a.Repeat, b.Repeat), cmp.Compare(a.Key, b.Key))
	})
	return kept
}

// documents counts right answers by document, in the order of samples.
func documents(samples []Sample) []stats.Document {
	var all []stats.Document
	at := map[string]int{}
	for i := range samples {
		s := &samples[i]
		d, known := at[s.DocID]
		if !known {
			d = len(all)
			at[s.DocID], all = d, append(all, stats.Document{})
		}
		all[d].Answers++
		if s.Correct {
			all[d].Right++
		}
	}
	return all
}

func (t *EvalTask) estimate(samples []Sample) stats.Proportion {
	return stats.Estimate(documents(samples))
}

// summarise fills in all but what is published.
func (t *EvalTask) summarise(samples []Sample, ks []int) {
	t.Errors = map[string]int{}
	t.Extractors = []EvalExtractor{}
	for i := range samples {
		s := &samples[i]
		t.N++
		t.Tokens += s.Tokens
		t.Denoise += s.Denoise
		if s.Correct {
			t.Correct++
		}
		switch s.Finish {
		case "length":
			t.Truncated++
		case "error":
			t.Failed++
		}
		if s.Error != "" {
			t.Errors[s.Error]++
		}
		t.extractions(s)
	}
	if t.Denoise > 0 {
		t.TPF = float64(t.Tokens) / float64(t.Denoise)
	}
	p := t.estimate(samples)
	t.Accuracy, t.SE, t.Low, t.High = p.Share, p.SE, p.Low, p.High
	// As of two more right and two more wrong answers, since no accuracy is quite 0 or 1
	// (Agresti and Coull 1998).
	share := (p.Share*p.Effective + 2) / (p.Effective + 4)
	t.Detected = Detectable(p.Effective, share)
	t.passAtK(documents(samples), ks)
}

// extractions counts what extractors made of a sample.
func (t *EvalTask) extractions(s *Sample) {
	right, wrong := 0, 0 // verdicts of the first, and of others that found something
	for j, x := range s.Extractions {
		i := slices.IndexFunc(t.Extractors, func(e EvalExtractor) bool { return e.Name == x.Extractor })
		if i < 0 {
			i = len(t.Extractors)
			t.Extractors = append(t.Extractors, EvalExtractor{Name: x.Extractor})
		}
		if x.Value != "" {
			t.Extractors[i].Found++
		}
		switch {
		case x.Correct:
			t.Extractors[i].Correct++
			right++
		case j == 0 || x.Value != "":
			wrong++
		}
	}
	if right > 0 {
		t.Any++
	}
	// Samples of a document follow each other.
	if n := len(t.Disagreements); right > 0 && wrong > 0 && (n == 0 || t.Disagreements[n-1] != s.DocID) {
		t.Disagreements = append(t.Disagreements, s.DocID)
	}
}

// passAtK estimates pass@k for the k that every document has enough answers for.
func (t *EvalTask) passAtK(documents []stats.Document, ks []int) {
	if len(documents) == 0 {
		return
	}
	answers := documents[0].Answers
	for _, d := range documents {
		answers = min(answers, d.Answers)
	}
	if len(ks) == 0 && answers > 1 {
		ks = passK
	}
	for _, k := range ks {
		if k < 1 || k > answers {
			continue
		}
		pass := EvalPass{K: k}
		for _, d := range documents {
			pass.Rate += stats.PassAtK(d.Answers, d.Right, k) / float64(len(documents))
		}
		t.PassAtK = append(t.PassAtK, pass)
	}
}
