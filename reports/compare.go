package reports

import (
	"errors"
	"fmt"
	"slices"

	"lladakit/internal/stats"
)

// ErrCompare is what errors about runs that do not compare wrap.
var ErrCompare = errors.New("the runs do not compare")

// ComparisonVersion is the version of comparisons that are written.
const ComparisonVersion = 1

// Comparison is what two runs make of the documents that both were asked. Differences are
// B's figures less A's.
type Comparison struct {
	Version  int            `json:"comparison"` // ComparisonVersion
	A        ComparedRun    `json:"a"`
	B        ComparedRun    `json:"b"`
	Differ   []Setting      `json:"differ"` // in what they were made with
	Tasks    []ComparedTask `json:"tasks"`
	Gates    []GateResult   `json:"gates"`
	Passed   bool           `json:"passed"` // whether all gates did
	Warnings []string       `json:"warnings"`
}

// ComparedRun is one of two runs.
type ComparedRun struct {
	Path  string    `json:"path"`
	Model EvalModel `json:"model"`
}

// Setting is what two runs were made with, where that differs.
type Setting struct {
	Name string `json:"name"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// ComparedTask is a task of two runs, over the pairs of answers to the same document and
// of the same repeat.
type ComparedTask struct {
	Task      string `json:"task"`
	Version   int    `json:"version"`
	Documents int    `json:"documents"`
	Pairs     int    `json:"pairs"`
	Unpaired  [2]int `json:"unpaired"` // samples that only A has, and only B

	// Right answers.
	Both    int `json:"both"`
	OnlyA   int `json:"only_a"`
	OnlyB   int `json:"only_b"`
	Neither int `json:"neither"`

	Same int `json:"same_answers"` // pairs with the same text

	A EvalTask `json:"a"` // of the pairs
	B EvalTask `json:"b"`

	Difference float64 `json:"difference"` // of accuracies, share
	Low        float64 `json:"low"`        // of its 95 % paired bootstrap interval
	High       float64 `json:"high"`
	P          float64 `json:"p"`          // two-sided, of McNemar's exact test; with repeats of the exact sign-flip test of documents
	Detected   float64 `json:"detectable"` // smallest difference that would be seen on documents that differ as much (power 0.8, level 0.05), share

	Extractors []ComparedExtractor `json:"extractors"`
	Flips      []Flip              `json:"flips"`
	Verdict    string              `json:"verdict"`
}

// ComparedExtractor is the same by another extractor.
type ComparedExtractor struct {
	Name       string  `json:"name"`
	A          int     `json:"a"` // right answers
	B          int     `json:"b"`
	Difference float64 `json:"difference"`
	P          float64 `json:"p"`
}

// Flip is a pair of which one answer is right.
type Flip struct {
	DocID  string `json:"doc_id"`
	Repeat int    `json:"repeat"`
	Lost   bool   `json:"lost"` // whether A was right
	Gold   string `json:"gold"`
	A      string `json:"a"` // what was extracted
	B      string `json:"b"`
}

// Compare sets B beside A, task by task, and judges gates. It refuses runs without a
// document that both have, and other versions or documents under the same name.
func Compare(a, b *Run, gates []Gate) (*Comparison, error) {
	c := &Comparison{
		Version: ComparisonVersion, Gates: []GateResult{}, Tasks: []ComparedTask{}, Passed: true,
		A: ComparedRun{a.Path, a.Eval.Model}, B: ComparedRun{b.Path, b.Eval.Model},
		Differ: settingsThatDiffer(a.Eval, b.Eval), Warnings: []string{},
	}
	ofA, err := samplesByTask(a)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCompare, a.Path, err)
	}
	ofB, err := samplesByTask(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCompare, b.Path, err)
	}
	for _, name := range taskNames(a.Eval, ofA) {
		if ofB[name] == nil {
			continue
		}
		t, err := compareTask(name, ofA[name], ofB[name])
		if err != nil {
			return nil, fmt.Errorf("%w: task %s: %w", ErrCompare, name, err)
		}
		if t.Pairs > 0 {
			c.Tasks = append(c.Tasks, *t)
		}
	}
	if len(c.Tasks) == 0 {
		return nil, fmt.Errorf("%w: no document was asked by both in the same task", ErrCompare)
	}
	c.warn(a, b, ofA, ofB)
	for i := range gates {
		c.judge(&gates[i], taskNames(a.Eval, ofA), incomplete(b, ofB))
	}
	return c, nil
}

// samplesByTask returns samples in order by task.
func samplesByTask(r *Run) (map[string][]Sample, error) {
	all := map[string][]Sample{}
	samples := inOrder(r.Samples)
	for i := range samples {
		s := &samples[i]
		if of := all[s.Task]; len(of) > 0 {
			last := &of[len(of)-1]
			if last.Version != s.Version {
				return nil, fmt.Errorf("task %s has samples of versions %d and %d", s.Task, last.Version, s.Version)
			}
			if last.DocID == s.DocID && last.Repeat == s.Repeat {
				return nil, fmt.Errorf("task %s: document %s has two samples of repeat %d with different settings", s.Task, s.DocID, s.Repeat)
			}
		}
		all[s.Task] = append(all[s.Task], *s)
	}
	return all, nil
}

// taskNames lists the tasks in a result's order, and then those that only samples have.
func taskNames(e *Eval, samples map[string][]Sample) []string {
	var names, more []string
	for i := range e.Tasks {
		names = append(names, e.Tasks[i].Task)
	}
	for name := range samples {
		if !slices.Contains(names, name) {
			more = append(more, name)
		}
	}
	slices.Sort(more)
	return append(names, more...)
}

// pairKey is what two samples of a pair have in common.
type pairKey struct {
	doc    string
	repeat int
}

// compareTask compares the samples of one task.
func compareTask(name string, ofA, ofB []Sample) (*ComparedTask, error) {
	if va, vb := ofA[0].Version, ofB[0].Version; va != vb {
		return nil, fmt.Errorf("version %d in A, and %d in B", va, vb)
	}
	t := &ComparedTask{Task: name, Version: ofA[0].Version, Extractors: []ComparedExtractor{}, Flips: []Flip{}}
	at := make(map[pairKey]int, len(ofB))
	for i := range ofB {
		at[pairKey{ofB[i].DocID, ofB[i].Repeat}] = i
	}
	var pairsA, pairsB []Sample
	for i := range ofA {
		a := &ofA[i]
		j, paired := at[pairKey{a.DocID, a.Repeat}]
		if !paired {
			continue
		}
		b := &ofB[j]
		if a.DocHash != b.DocHash {
			return nil, fmt.Errorf("document %s is not the same in both: the data sets differ", a.DocID)
		}
		pairsA, pairsB = append(pairsA, *a), append(pairsB, *b)
	}
	t.Pairs = len(pairsA)
	t.Unpaired = [2]int{len(ofA) - t.Pairs, len(ofB) - t.Pairs}
	t.A, t.B = EvalTask{Task: name, Version: t.Version, Asked: t.Pairs}, EvalTask{Task: name, Version: t.Version, Asked: t.Pairs}
	t.A.summarise(pairsA, nil)
	t.B.summarise(pairsB, nil)
	t.count(pairsA, pairsB)

	pairs := pairsOf(pairsA, pairsB, func(s *Sample) bool { return s.Correct })
	t.Documents = len(pairs)
	t.Difference = t.B.Accuracy - t.A.Accuracy
	t.Low, t.High = stats.Bootstrap(pairs)
	t.P = stats.SignFlip(pairs)
	if t.Pairs == t.Documents {
		// As of one pair more that is discordant and one that is not, since none does not
		// mean that there never are any.
		t.Detected = stats.Detectable(float64(t.Documents), float64(t.OnlyA+t.OnlyB+1)/float64(t.Pairs+2))
	} else {
		t.Detected = stats.DetectableBetween(pairs)
	}
	t.compareExtractors(pairsA, pairsB)
	t.Verdict = t.verdict()
	return t, nil
}

// count fills in the paired table and the flips.
func (t *ComparedTask) count(pairsA, pairsB []Sample) {
	for i := range pairsA {
		a, b := &pairsA[i], &pairsB[i]
		if a.Text == b.Text {
			t.Same++
		}
		switch {
		case a.Correct && b.Correct:
			t.Both++
			continue
		case a.Correct:
			t.OnlyA++
		case b.Correct:
			t.OnlyB++
		default:
			t.Neither++
			continue
		}
		t.Flips = append(t.Flips, Flip{DocID: a.DocID, Repeat: a.Repeat, Lost: a.Correct, Gold: a.Gold, A: a.value(), B: b.value()})
	}
}

// value is what the extractor that counts found.
func (s *Sample) value() string {
	if len(s.Extractions) == 0 {
		return ""
	}
	return s.Extractions[0].Value
}

// pairsOf counts right answers of both by document.
func pairsOf(pairsA, pairsB []Sample, right func(*Sample) bool) []stats.Pair {
	var all []stats.Pair
	for i := range pairsA {
		if i == 0 || pairsA[i].DocID != pairsA[i-1].DocID {
			all = append(all, stats.Pair{})
		}
		p := &all[len(all)-1]
		p.Answers++
		if right(&pairsA[i]) {
			p.A++
		}
		if right(&pairsB[i]) {
			p.B++
		}
	}
	return all
}

// compareExtractors compares the verdicts of every extractor that both runs have.
func (t *ComparedTask) compareExtractors(pairsA, pairsB []Sample) {
	for _, a := range t.A.Extractors {
		i := slices.IndexFunc(t.B.Extractors, func(b EvalExtractor) bool { return b.Name == a.Name })
		if i < 0 {
			continue
		}
		pairs := pairsOf(pairsA, pairsB, func(s *Sample) bool {
			return slices.ContainsFunc(s.Extractions, func(x Extraction) bool { return x.Extractor == a.Name && x.Correct })
		})
		b := t.B.Extractors[i]
		t.Extractors = append(t.Extractors, ComparedExtractor{
			Name: a.Name, A: a.Correct, B: b.Correct, Difference: float64(b.Correct-a.Correct) / float64(t.Pairs), P: stats.SignFlip(pairs),
		})
	}
}

// verdict says the result in words.
func (t *ComparedTask) verdict() string {
	n := t.B.Correct - t.A.Correct
	what := fmt.Sprintf("B is %s ", points(max(t.Difference, -t.Difference)))
	switch {
	case n == 0:
		return fmt.Sprintf("B is as accurate as A, with %d lost and %d gained", t.OnlyA, t.OnlyB)
	case n < 0:
		what += "worse"
	default:
		what += "better"
	}
	if t.P < 0.05 {
		return what + ", significant (p " + equals(t.P) + ")"
	}
	return fmt.Sprintf("%s, not significant (p %s)", what, equals(t.P))
}

// equals formats a p behind the letter.
func equals(p float64) string {
	text := probability(p)
	if text[0] == '<' {
		return text
	}
	return "= " + text
}
