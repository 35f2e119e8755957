package reports

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxHistory = 2000 // folders
	maxSeries  = 500
)

// History is how figures went over the results of several commits or days.
type History struct {
	Points   []HistoryPoint // the oldest first
	Problems []Problem      // paths begin with the folder of their point
}

// HistoryPoint is a folder of results.
type HistoryPoint struct {
	Folder  string
	Label   string    // the commit of the program that made them, or the folder's name
	Started time.Time // of the first result; zero if none says
	figures []reading
}

// ReadHistory reads a folder of folders of results, each of one commit or one day. Points
// are in the order in which their results were started, and of folders' names where that
// is the same or not known. A folder without results is a Problem. An error means that dir
// cannot be read, or has more than 2000 folders.
func ReadHistory(dir string) (*History, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() || strings.HasPrefix(e.Name(), ".") })
	if len(entries) > maxHistory {
		return nil, fmt.Errorf("%s: %d folders are more than %d", dir, len(entries), maxHistory)
	}
	h := new(History)
	for _, e := range entries {
		c, err := Collect(filepath.Join(dir, e.Name()))
		if err != nil {
			h.Problems = append(h.Problems, Problem{e.Name(), err.Error()})
			continue
		}
		h.add(e.Name(), c)
	}
	h.sort()
	return h, nil
}

// add takes the figures of a folder. Its results, which may be large, are not kept.
func (h *History) add(folder string, c *Collection) {
	for _, p := range c.Problems {
		h.Problems = append(h.Problems, Problem{folder + "/" + p.Path, p.Text})
	}
	point := HistoryPoint{Folder: folder, Label: visibleLine(folder, 24)}
	n := 0
	c.made(func(p *Program, started time.Time) {
		if !started.IsZero() && (point.Started.IsZero() || started.Before(point.Started)) {
			point.Started = started
		}
		if n++; commitForm.MatchString(p.Commit) {
			point.Label = shortCommit(p.Commit)
		}
	})
	if n == 0 {
		h.Problems = append(h.Problems, Problem{folder, "no results are in it"})
		return
	}
	for _, m := range c.readings() {
		if m.partial == "" && historyMetrics[m.metric] != "" {
			point.figures = append(point.figures, m)
		}
	}
	h.Points = append(h.Points, point)
}

var commitForm = regexp.MustCompile(`^[0-9a-f]{7,64}(-dirty)?$`)

func shortCommit(commit string) string {
	hash, rest, _ := strings.Cut(commit, "-")
	if rest != "" {
		rest = "-" + rest
	}
	return hash[:7] + rest
}

func (h *History) sort() {
	slices.SortStableFunc(h.Points, func(a, b HistoryPoint) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.Folder, b.Folder))
	})
}

// made visits what made each result, and when.
func (c *Collection) made(visit func(p *Program, started time.Time)) {
	for _, r := range c.Evals {
		if r.Value.Eval != nil {
			visit(&r.Value.Eval.Program, r.Value.Eval.Started)
		}
	}
	for _, r := range c.Benches {
		visit(&r.Value.Program, r.Value.Started)
	}
	for _, r := range c.Sweeps {
		visit(&r.Value.Program, r.Value.Started)
	}
	for _, r := range c.Divergences {
		visit(&r.Value.Program, r.Value.Started)
	}
	for _, r := range c.Conversions {
		visit(&r.Value.Program, r.Value.Started)
	}
	for _, r := range c.Verifications {
		visit(&r.Value.Program, r.Value.Started)
	}
}

// historyMetrics are what is followed, by their titles.
var historyMetrics = map[string]string{
	"accuracy": "Accuracy, %", "tpf": "Tokens per forward", "ms_per_forward": "Milliseconds per forward",
	"tokens_per_s": "Tokens per second", "kld": "Divergence, nats",
}

// historyOrder is the order of historyMetrics.
var historyOrder = []string{"accuracy", "tpf", "ms_per_forward", "tokens_per_s", "kld"}

// series is one figure over the points of a history.
type series struct {
	kind, model, typ, test, metric, unit string

	better int
	values []float64 // by point; NaN where there is none
	low    []float64 // of 95 % intervals, or of what repetitions spread over; values where neither is known
	high   []float64
}

// name tells a series from others of its metric.
func (s *series) name() string { return list(s.test, s.model, s.typ) }

// series returns what there is to follow, by metric, and then in the order in which it
// first appears. Where a point has several figures of the same, the last one counts.
func (h *History) series() []series {
	var all []series
	at := map[[5]string]int{}
	for p := range h.Points {
		for _, m := range h.Points[p].figures {
			key := [5]string{m.kind, m.model, m.typ, m.test, m.metric}
			i, known := at[key]
			if !known {
				if len(all) == maxSeries {
					continue
				}
				i = len(all)
				at[key] = i
				s := series{kind: m.kind, model: m.model, typ: m.typ, test: m.test, metric: m.metric, unit: m.unit, better: m.better}
				for range h.Points {
					s.values, s.low, s.high = append(s.values, math.NaN()), append(s.low, math.NaN()), append(s.high, math.NaN())
				}
				all = append(all, s)
			}
			s := &all[i]
			// Two standard deviations, where there is no interval.
			s.values[p], s.low[p], s.high[p] = m.value, m.value-2*m.stddev, m.value+2*m.stddev
			if m.bounded {
				s.low[p], s.high[p] = m.low, m.high
			}
		}
	}
	slices.SortStableFunc(all, func(a, b series) int {
		return cmp.Compare(slices.Index(historyOrder, a.metric), slices.Index(historyOrder, b.metric))
	})
	return all
}
