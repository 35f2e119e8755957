package reports

import (
	"fmt"
	"math"
	"strings"
)

// reading is one figure of a result, with what it is of.
type reading struct {
	kind   string // of the result: eval, bench, sweep, kld, verify, or convert
	path   string // of its file
	model  string // file name
	typ    string
	test   string // task, test or settings
	metric string
	unit   string
	value  float64

	bounded   bool    // whether there is a 95 % interval
	low, high float64 // of it
	stddev    float64 // of repetitions; 0 if it is not known
	better    int     // 1 if more is, -1 if less is, 0 if neither
	partial   string  // why it is not to be set beside others; empty if it is
	made      string  // by what, and where
}

// readings lists all figures of all results, but of traces and of other programs, in the
// order of the results.
func (c *Collection) readings() []reading {
	var all []reading
	add := func(of reading, more []reading) {
		for _, m := range more {
			m.kind, m.path, m.made = of.kind, of.path, of.made
			if m.model == "" {
				m.model, m.typ = of.model, of.typ
			}
			if sum := m.value + m.low + m.high + m.stddev; !math.IsNaN(sum) && !math.IsInf(sum, 0) {
				all = append(all, m)
			}
		}
	}
	for _, r := range c.Evals {
		e := r.Value.Eval
		if e == nil {
			continue
		}
		of := reading{kind: "eval", path: r.Path, model: fileName(e.Model.Name), typ: e.Model.Type, made: madeBy(&e.Program, &e.Machine)}
		for i := range e.Tasks {
			add(of, e.readingsOf(&e.Tasks[i]))
		}
	}
	for _, r := range c.Benches {
		of := reading{kind: "bench", path: r.Path, made: madeBy(&r.Value.Program, &r.Value.Machine)}
		for i := range r.Value.Tests {
			add(of, r.Value.Tests[i].readings())
		}
	}
	for _, r := range c.Sweeps {
		of := reading{kind: "sweep", path: r.Path, made: madeBy(&r.Value.Program, &r.Value.Machine)}
		for i := range r.Value.Cells {
			add(of, r.Value.readingsOf(&r.Value.Cells[i]))
		}
	}
	for _, r := range c.Divergences {
		d := r.Value
		of := reading{kind: "kld", path: r.Path, model: fileName(d.Model.Name), typ: d.Model.Type, made: madeBy(&d.Program, &d.Machine)}
		add(of, d.readings())
	}
	for _, r := range c.Conversions {
		of := reading{kind: "convert", path: r.Path, model: fileName(r.Value.File.Name), typ: r.Value.File.Type, made: madeBy(&r.Value.Program, &r.Value.Machine)}
		add(of, []reading{
			{metric: "size", unit: "bytes", value: float64(r.Value.File.Size), better: -1},
			{metric: "bits_per_weight", unit: "bits", value: r.Value.File.Bits, better: -1},
		})
	}
	for _, r := range c.Verifications {
		of := reading{kind: "verify", path: r.Path, model: fileName(r.Value.File.Name), typ: r.Value.File.Type, made: madeBy(&r.Value.Program, &r.Value.Machine)}
		add(of, []reading{
			{metric: "faults", unit: "tensors", value: float64(r.Value.Faults), better: -1},
			{metric: "rel_rms", unit: "share", value: r.Value.RelRMS, better: -1},
		})
	}
	return all
}

func madeBy(p *Program, m *Machine) string { return list(p.describe(), m.CPU) }

// readingsOf returns the figures of a task, of which accuracies are in percent.
func (e *Eval) readingsOf(t *EvalTask) []reading {
	if t.N == 0 {
		return nil
	}
	all := []reading{{metric: "accuracy", unit: "%", value: 100 * t.Accuracy, bounded: true, low: 100 * t.Low, high: 100 * t.High, better: 1}}
	for _, p := range t.PassAtK {
		all = append(all, reading{metric: fmt.Sprintf("pass@%d", p.K), unit: "%", value: 100 * p.Rate, better: 1})
	}
	all = append(all,
		reading{metric: "correct", unit: "answers", value: float64(t.Correct)},
		reading{metric: "n", unit: "answers", value: float64(t.N)},
		reading{metric: "truncated", unit: "answers", value: float64(t.Truncated), better: -1},
		reading{metric: "failed", unit: "requests", value: float64(t.Failed), better: -1},
		reading{metric: "tokens", unit: "tokens", value: float64(t.Tokens)},
	)
	if t.Denoise > 0 { // of endpoints it is not known
		all = append(all,
			reading{metric: "forwards", unit: "forwards", value: float64(t.Denoise), better: -1},
			reading{metric: "tpf", unit: "tokens/forward", value: t.TPF, better: 1})
	}
	for i := range all {
		all[i].test, all[i].partial = e.testName(t), e.partial(t)
	}
	return all
}

// testName is a task with what of its data was asked: results of other documents are of
// another test.
func (e *Eval) testName(t *EvalTask) string {
	name := fmt.Sprintf("%s v%d", t.Task, t.Version)
	if e.Subset != "" {
		name += ", " + e.Subset
	}
	return name
}

// partial says why a task's figures are not those of the whole, and is empty if they are.
func (e *Eval) partial(t *EvalTask) string {
	var why []string
	if e.Shard != "" {
		why = append(why, "shard "+e.Shard)
	}
	if t.N < t.Asked {
		why = append(why, fmt.Sprintf("%d of %d answers", t.N, t.Asked))
	}
	if t.Failed > 0 {
		why = append(why, plural(t.Failed, "request")+" failed")
	}
	return strings.Join(why, ", ")
}

// readings returns what of a test is known.
func (t *Test) readings() []reading {
	var all []reading
	if f := &t.Forward; f.Median > 0 {
		all = append(all, reading{metric: "ms_per_forward", unit: "ms", value: f.Median / 1e6, bounded: f.N > 1 && f.High > 0, low: f.Low / 1e6, high: f.High / 1e6, better: -1})
	} else if t.AvgNS > 0 {
		all = append(all, reading{metric: "ms_per_run", unit: "ms", value: float64(t.AvgNS) / 1e6, stddev: float64(t.StddevNS) / 1e6, better: -1})
	}
	if t.AvgTS > 0 {
		all = append(all, reading{metric: "tokens_per_s", unit: "tokens/s", value: t.AvgTS, stddev: t.StddevTS, better: 1})
	}
	if t.TPF > 0 {
		all = append(all, reading{metric: "tpf", unit: "tokens/forward", value: t.TPF, better: 1})
	}
	if t.Bytes > 0 {
		all = append(all, reading{metric: "bytes_read", unit: "bytes/forward", value: t.Bytes, better: -1})
	}
	if t.Size > 0 {
		all = append(all, reading{metric: "size", unit: "bytes", value: float64(t.Size), better: -1})
	}
	partial := ""
	if t.Error != "" {
		partial = "fewer repetitions: " + visibleLine(t.Error, 100)
	}
	for i := range all {
		all[i].model, all[i].typ, all[i].partial = fileName(t.Model), t.Type, partial
		all[i].test = list(append([]string{t.Name}, t.settings()...)...)
	}
	return all
}

// readingsOf returns what of a cell is known.
func (s *Sweep) readingsOf(c *SweepCell) []reading {
	var all []reading
	if c.Speed.Median > 0 {
		all = append(all, reading{metric: "tokens_per_s", unit: "tokens/s", value: c.Speed.Median, bounded: c.Speed.N > 1, low: c.Speed.Low, high: c.Speed.High, better: 1})
	}
	if c.MS > 0 {
		all = append(all, reading{metric: "ms_per_forward", unit: "ms", value: c.MS, better: -1})
	}
	if c.TPF > 0 {
		all = append(all, reading{metric: "tpf", unit: "tokens/forward", value: c.TPF, better: 1})
	}
	if s.Judged && s.Prompts > 0 {
		all = append(all, reading{metric: "accuracy", unit: "%", value: 100 * c.Accuracy, better: 1})
	}
	partial := ""
	if s.Interrupted {
		partial = "interrupted"
	}
	test := []string{fileName(s.Data), plural(s.Prompts, "prompt")}
	for i, axis := range s.Axes {
		if i < len(c.Values) {
			test = append(test, axis+"="+c.Values[i])
		}
	}
	test = append(test, "t="+count(c.Threads))
	for i := range all {
		all[i].model, all[i].typ, all[i].test, all[i].partial = fileName(c.Model), c.Type, list(test...), partial
	}
	return all
}

// readings returns the distance of all positions, and of each part of them.
func (d *Divergence) readings() []reading {
	var all []reading
	add := func(test string, f *DivergenceFigures) {
		if f.Positions == 0 {
			return
		}
		interval := func(metric, unit string, x Interval, scale float64, better int) reading {
			return reading{test: test, metric: metric, unit: unit, value: scale * x.Mean, bounded: true, low: scale * x.Low, high: scale * x.High, better: better}
		}
		all = append(all,
			interval("kld", "nats", f.KLD, 1, -1),
			interval("top1", "%", f.Agreement, 100, 1),
			interval("prob_change", "%", f.ProbChange, 100, -1),
			reading{test: test, metric: "max_kld", unit: "nats", value: f.MaxKLD, better: -1})
	}
	data := list(fileName(d.Data), plural(d.Prompts, "prompt"), "beside "+fileName(d.Reference.Name))
	add(data, &d.All)
	for i := range d.Buckets {
		add(fmt.Sprintf("%s, masked share up to %s", data, number(d.Buckets[i].UpTo)), &d.Buckets[i])
	}
	return all
}
