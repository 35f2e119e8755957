package reports

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Gate is a condition on a comparison, as ParseGate reads it:
//
//	[TASK:][b.]METRIC OP NUMBER[%]      without spaces; OP is >=, <=, > or <
//
// The number bounds the change from A to B, in the metric's unit, or with % relative to
// A. With "b." it bounds what B has, whatever A has. Without a task it is for all tasks
// that A has. A task or a value that is not there fails, and so does a task that B has
// not all samples of.
type Gate struct {
	Text   string
	Task   string // empty for all
	Own    bool   // of B alone
	Metric string
	Op     string
	Bound  float64
	Share  bool // Bound is in percent of A
}

// metric is what gates are about.
type metric struct {
	own    func(t *EvalTask) (value float64, known bool) // of one run; nil for what only two have
	change func(t *ComparedTask) float64                 // nil for B's own less A's
}

func counted(n func(t *EvalTask) int) func(t *EvalTask) (float64, bool) {
	return func(t *EvalTask) (float64, bool) { return float64(n(t)), true }
}

// metrics are points for accuracies, and numbers else.
var metrics = map[string]metric{
	"accuracy":      {own: func(t *EvalTask) (float64, bool) { return 100 * t.Accuracy, true }},
	"accuracy.low":  {own: func(t *EvalTask) (float64, bool) { return 100 * t.Low, true }, change: func(t *ComparedTask) float64 { return 100 * t.Low }},
	"accuracy.high": {own: func(t *EvalTask) (float64, bool) { return 100 * t.High, true }, change: func(t *ComparedTask) float64 { return 100 * t.High }},
	"any":           {own: func(t *EvalTask) (float64, bool) { return 100 * float64(t.Any) / float64(t.N), true }},
	"correct":       {own: counted(func(t *EvalTask) int { return t.Correct })},
	"truncated":     {own: counted(func(t *EvalTask) int { return t.Truncated })},
	"failed":        {own: counted(func(t *EvalTask) int { return t.Failed })},
	"n":             {own: counted(func(t *EvalTask) int { return t.N })},
	"tokens":        {own: counted(func(t *EvalTask) int { return t.Tokens })},
	"forwards":      {own: func(t *EvalTask) (float64, bool) { return float64(t.Denoise), t.Denoise > 0 }},
	"tpf":           {own: func(t *EvalTask) (float64, bool) { return t.TPF, t.Denoise > 0 }},
	"lost":          {change: func(t *ComparedTask) float64 { return float64(t.OnlyA) }},
	"gained":        {change: func(t *ComparedTask) float64 { return float64(t.OnlyB) }},
}

// GateMetrics lists what gates can be about.
func GateMetrics() []string { return slices.Sorted(maps.Keys(metrics)) }

var gateForm = regexp.MustCompile(`^(?:([A-Za-z0-9][A-Za-z0-9_-]*):)?(b\.)?([a-z.]+)(>=|<=|>|<)([+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?)(%?)$`)

// ParseGate reads a gate, as accuracy>=-1.0, tpf>=-5%, gsm8k:truncated<=+2, b.accuracy>=90.
func ParseGate(text string) (Gate, error) {
	parts := gateForm.FindStringSubmatch(text)
	if parts == nil {
		return Gate{}, fmt.Errorf("%.60q is not a gate such as accuracy>=-1.0, tpf>=-5%% or gsm8k:b.accuracy>=90", text)
	}
	g := Gate{Text: text, Task: parts[1], Own: parts[2] != "", Metric: parts[3], Op: parts[4], Share: parts[6] != ""}
	m, known := metrics[g.Metric]
	if !known {
		return Gate{}, fmt.Errorf("gate %.60q: %.40q is not one of %s", text, g.Metric, strings.Join(GateMetrics(), ", "))
	}
	var err error
	if g.Bound, err = strconv.ParseFloat(parts[5], 64); err != nil {
		return Gate{}, fmt.Errorf("gate %.60q: %w", text, err)
	}
	switch {
	case g.Own && m.own == nil:
		return Gate{}, fmt.Errorf("gate %.60q: %s is not of B alone: leave b. away", text, g.Metric)
	case g.Share && (g.Own || m.change != nil):
		return Gate{}, fmt.Errorf("gate %.60q: %% is for changes of what A has: leave it away", text)
	}
	return g, nil
}

// GateResult is a gate on one task.
type GateResult struct {
	Gate   string   `json:"gate"`
	Task   string   `json:"task"`
	Value  *float64 `json:"value"` // what was bounded, in the unit of the gate; nil if it is not known
	Passed bool     `json:"passed"`
	Reason string   `json:"reason,omitempty"` // why it failed without regard to the value
}

// judge adds what a gate makes of all tasks that it is for.
func (c *Comparison) judge(g *Gate, tasks []string, incomplete map[string]string) {
	if g.Task != "" {
		tasks = []string{g.Task}
	}
	for _, name := range tasks {
		r := GateResult{Gate: g.Text, Task: name}
		i := slices.IndexFunc(c.Tasks, func(t ComparedTask) bool { return t.Task == name })
		switch {
		case i < 0:
			r.Reason = "the runs have no documents of it in common"
		case incomplete[name] != "":
			r.Reason = "B is not complete: " + incomplete[name]
		default:
			r.Value, r.Reason = g.value(&c.Tasks[i])
			r.Passed = r.Value != nil && g.holds(*r.Value)
		}
		c.Passed = c.Passed && r.Passed
		c.Gates = append(c.Gates, r)
	}
}

// value returns what the gate bounds, or why it is not known.
func (g *Gate) value(t *ComparedTask) (*float64, string) {
	m := metrics[g.Metric]
	if m.change != nil && !g.Own {
		return rounded(m.change(t)), ""
	}
	b, known := m.own(&t.B)
	if !known {
		return nil, g.Metric + " of B is not known"
	}
	if g.Own {
		return rounded(b), ""
	}
	a, known := m.own(&t.A)
	switch {
	case !known:
		return nil, g.Metric + " of A is not known"
	case !g.Share:
		return rounded(b - a), ""
	case a == 0:
		return nil, g.Metric + " of A is 0, and no share of it is"
	}
	return rounded(100 * (b - a) / a), ""
}

// rounded keeps rounding errors from deciding: a change by just the bound is within.
func rounded(x float64) *float64 {
	x = math.Round(x*1e9) / 1e9
	return &x
}

func (g *Gate) holds(value float64) bool {
	switch g.Op {
	case ">=":
		return value >= g.Bound
	case "<=":
		return value <= g.Bound
	case ">":
		return value > g.Bound
	default:
		return value < g.Bound
	}
}
