package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// reportModel is a model with everything that results have of it.
type reportModel struct {
	name   string // of its file, or what an endpoint calls it
	sha256 string // empty if no result tells
	typ    string
	size   uint64  // bytes of weights
	bits   float64 // per weight

	tests       []foundIn[Test, Bench]
	tasks       []foundIn[EvalTask, Run]
	cells       []foundIn[SweepCell, Sweep]
	divergences []*Result[Divergence]

	paths map[string]string // of the model, by results that know no hash
}

// foundIn is a part of a result.
type foundIn[P, T any] struct {
	part *P
	in   *Result[T]
}

// mentioned is how a result names a model.
type mentioned struct {
	result string // its path
	name   string // of the model; empty: the last part of its path
	path   string
	sha256 string
	typ    string
	size   uint64
	bits   float64
}

func (m *mentioned) label() string { return cmp.Or(m.name, fileName(m.path)) }

// reportModels gathers models.
type reportModels struct {
	all   []*reportModel
	notes []string
}

// models returns what results have of each model, by name, and notes on results that
// could be of several. Results belong to the same model if they have the same hash. Those
// without one belong to the model of that file name and size, if there is just one.
func (c *Collection) models() ([]*reportModel, []string) {
	var m reportModels
	for _, r := range c.Conversions {
		if r.Value != nil {
			m.find(ofFile(r.Path, &r.Value.File))
		}
	}
	for _, r := range c.Verifications {
		if r.Value != nil {
			m.find(ofFile(r.Path, &r.Value.File))
		}
	}
	for i := range c.Divergences {
		if r := &c.Divergences[i]; r.Value != nil {
			model := m.find(ofFile(r.Path, &r.Value.Model))
			model.divergences = append(model.divergences, r)
		}
	}
	for i := range c.Evals {
		m.eval(&c.Evals[i])
	}
	// Those without hashes last, so that they find the others.
	for i := range c.Benches {
		r := &c.Benches[i]
		for j := range testsOf(r.Value) {
			t := &r.Value.Tests[j]
			if t.Kind == "process" {
				continue // of another program
			}
			name := mentioned{result: r.Path, path: t.Model, sha256: t.SHA256, typ: lastWord(t.Type), size: t.Size}
			if t.Params > 0 {
				name.bits = 8 * float64(t.Size) / float64(t.Params)
			}
			model := m.find(name)
			model.tests = append(model.tests, foundIn[Test, Bench]{t, r})
		}
	}
	for i := range c.Sweeps {
		r := &c.Sweeps[i]
		for j := range cellsOf(r.Value) {
			cell := &r.Value.Cells[j]
			model := m.find(mentioned{result: r.Path, path: cell.Model, sha256: cell.SHA256, typ: lastWord(cell.Type), size: cell.Size})
			model.cells = append(model.cells, foundIn[SweepCell, Sweep]{cell, r})
		}
	}
	slices.SortStableFunc(m.all, func(a, b *reportModel) int { return cmp.Compare(a.name, b.name) })
	return m.all, m.notes
}

func testsOf(b *Bench) []Test {
	if b == nil {
		return nil
	}
	return b.Tests
}

func cellsOf(s *Sweep) []SweepCell {
	if s == nil {
		return nil
	}
	return s.Cells
}

func ofFile(result string, f *File) mentioned {
	return mentioned{result: result, path: f.Name, sha256: f.SHA256, typ: f.Type, size: f.Size, bits: f.Bits}
}

func (m *reportModels) eval(r *Result[Run]) {
	if r.Value == nil || r.Value.Eval == nil {
		return
	}
	e := r.Value.Eval
	name := mentioned{result: r.Path, path: e.Model.Name, sha256: e.Model.SHA256, typ: e.Model.Type, size: e.Model.Size}
	if e.Model.Endpoint != "" { // what it calls a model is no file's name
		name.name = e.Model.Name + " at " + e.Model.Endpoint
	}
	model := m.find(name)
	for i := range e.Tasks {
		model.tasks = append(model.tasks, foundIn[EvalTask, Run]{&e.Tasks[i], r})
	}
}

// find returns the model that a result names, a new one if there is none.
func (m *reportModels) find(name mentioned) *reportModel {
	var same []*reportModel
	for _, model := range m.all {
		if path, known := model.paths[name.result]; known && path == name.path && name.sha256 == "" {
			same = []*reportModel{model} // it was found before
			break
		}
		if model.is(&name) {
			same = append(same, model)
		}
	}
	if len(same) > 1 {
		m.notes = append(m.notes, fmt.Sprintf("%s: %s could be any of %d models of that name, and stands alone", name.result, name.label(), len(same)))
		same = nil
	}
	if len(same) == 0 {
		same = []*reportModel{{name: name.label(), paths: map[string]string{}}}
		m.all = append(m.all, same[0])
	}
	model := same[0]
	model.sha256 = cmp.Or(model.sha256, name.sha256)
	model.typ = cmp.Or(model.typ, strings.ToLower(name.typ))
	model.size, model.bits = cmp.Or(model.size, name.size), cmp.Or(model.bits, name.bits)
	if name.sha256 == "" {
		model.paths[name.result] = name.path
	}
	return model
}

// is reports whether a result may mean the model.
func (model *reportModel) is(name *mentioned) bool {
	if model.sha256 != "" && name.sha256 != "" {
		return strings.EqualFold(model.sha256, name.sha256)
	}
	if model.name != name.label() || model.size != 0 && name.size != 0 && model.size != name.size {
		return false
	}
	// One result tells its models apart by their paths, and by nothing else.
	path, known := model.paths[name.result]
	return !known || path == name.path
}

// label is the model's name, with what tells it from others of that name.
func (model *reportModel) label(all []*reportModel) string {
	same := slices.ContainsFunc(all, func(o *reportModel) bool { return o != model && o.name == model.name })
	switch {
	case !same:
		return model.name
	case model.sha256 != "":
		return fmt.Sprintf("%s (sha256 %.8s)", model.name, model.sha256)
	}
	for _, result := range slices.Sorted(maps.Keys(model.paths)) {
		return fmt.Sprintf("%s (%s of %s)", model.name, model.paths[result], result)
	}
	return model.name
}

// lastWord is the type in a name and type, as "llada2 16B Q4_0".
func lastWord(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
