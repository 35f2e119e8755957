package quant

import (
	"fmt"
	"regexp"
	"slices"

	"lladakit/internal/gguf"
)

// Plan chooses the format of every tensor of a model; all of them must be
// given. A usage that is not nil also says that the file is made with an
// importance matrix, which some targets make use of.
//
// It is an error when the recipe is about something that the model has not: a
// fixed tensor, a layer, an expert, a rule that matches nothing.
func (r *Recipe) Plan(tensors []Tensor, usage Usage) ([]Choice, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	p := newPlanner(r, tensors, usage)
	choices := make([]Choice, len(tensors))
	for i := range tensors {
		t := &tensors[i]
		if t.Cols < 1 || t.Rows < 1 || t.Experts < 0 {
			return nil, fmt.Errorf("tensor %q: %d matrices of %d rows of %d weights are not possible", t.Name, t.Experts, t.Rows, t.Cols)
		}
		c, err := p.choose(t)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		choices[i] = c
	}
	return choices, p.unused()
}

// planner is the work of one Plan.
type planner struct {
	recipe  *Recipe
	tensors []Tensor
	usage   Usage
	rules   []*regexp.Regexp
	fixed   map[string]*Fixed
	values  map[*Tensor]int // the ranks of the ValueLike tensors
	layers  int             // of the model
	ranked  map[int][]int   // by layer: its experts, the most used first

	expertRuleUsed []bool
	fixedUsed      map[string]bool
}

func newPlanner(r *Recipe, tensors []Tensor, usage Usage) *planner {
	p := &planner{
		recipe: r, tensors: tensors, usage: usage,
		fixed: map[string]*Fixed{}, values: map[*Tensor]int{}, ranked: map[int][]int{},
		expertRuleUsed: make([]bool, len(r.Experts)), fixedUsed: map[string]bool{},
	}
	for i := range r.Rules {
		re, _ := r.Rules[i].compile() // checked
		p.rules = append(p.rules, re)
	}
	for i := range r.Fixed {
		p.fixed[r.Fixed[i].Name] = &r.Fixed[i]
	}
	var values []*Tensor
	for i := range tensors {
		t := &tensors[i]
		p.layers = max(p.layers, t.Layers)
		if t.Class == ValueLike {
			values = append(values, t)
		}
	}
	slices.SortStableFunc(values, func(a, b *Tensor) int { return a.Layer - b.Layer })
	for i, t := range values {
		p.values[t] = i
	}
	return p
}

// place ranks ValueLike tensors among themselves, and others by their layer.
//
// Note: llama.cpp does not count a ValueLike tensor that a rule by name has
// taken, so that the rule changes the choice for others too. Here a rule
// changes nothing but what it matches.
func (p *planner) place(t *Tensor) place {
	if t.Class == ValueLike {
		return place{p.values[t], len(p.values)}
	}
	return place{t.Layer, t.Layers}
}

func (p *planner) choose(t *Tensor) (Choice, error) {
	if f := p.fixed[t.Name]; f != nil {
		p.fixedUsed[t.Name] = true
		return f.choice(t)
	}
	if t.Class == Exact {
		return Choice{Type: gguf.F32}, nil
	}
	if t.Class == Down && (t.Layer < 0 || t.Layer >= t.Layers) {
		return Choice{}, fmt.Errorf("layer %d is outside the model's %d", t.Layer, t.Layers)
	}
	wanted := p.wanted(t)
	c := Choice{Type: encodable(wanted, t.Cols)}
	c.Fallback = c.Type != wanted
	if t.Experts == 0 || len(p.recipe.Experts) == 0 {
		return c, nil
	}
	types, err := p.experts(t, wanted)
	if err != nil {
		return Choice{}, err
	}
	c.Fallback = false
	for e, wanted := range types {
		types[e] = encodable(wanted, t.Cols)
		c.Fallback = c.Fallback || types[e] != wanted
	}
	c.setTypes(types)
	return c, nil
}

// wanted returns the format of the whole tensor before expert rules, whether
// or not its rows are whole blocks.
func (p *planner) wanted(t *Tensor) gguf.Type {
	r := p.recipe
	rule := slices.IndexFunc(p.rules, func(re *regexp.Regexp) bool { return re.MatchString(t.Name) })
	switch {
	case t.Class == Output && r.Output != nil:
		return *r.Output
	case t.Class == Embedding && r.Embedding != nil:
		return *r.Embedding
	case rule >= 0:
		return r.Rules[rule].Type
	case r.Pure:
		return r.Target.Base()
	}
	return r.Target.choose(t, p.place(t), p.usage != nil)
}

// experts returns the wanted format of each expert of a stack; base is that of
// those which no rule has.
func (p *planner) experts(t *Tensor, base gguf.Type) ([]gguf.Type, error) {
	types := slices.Repeat([]gguf.Type{base}, t.Experts)
	given := make([]bool, t.Experts)
	for i := range p.recipe.Experts {
		rule := &p.recipe.Experts[i]
		if !rule.applies(t) {
			continue
		}
		p.expertRuleUsed[i] = true
		for j := range rule.Types {
			s := &rule.Types[j]
			picked, err := s.pick(t.Experts, func() ([]int, error) { return p.ranking(t) })
			if err != nil {
				return nil, fmt.Errorf("expert rule %.200q: %q: %w", rule, s, err)
			}
			for e := range types {
				if picked[e] && !given[e] {
					types[e], given[e] = s.Type, true
				}
			}
		}
	}
	return types, nil
}

// ranking returns the experts of the tensor's layer, the most used first.
func (p *planner) ranking(t *Tensor) ([]int, error) {
	if ids := p.ranked[t.Layer]; len(ids) == t.Experts {
		return ids, nil
	}
	if p.usage == nil {
		return nil, fmt.Errorf("how often the experts are used is not known: give --imatrix")
	}
	used := p.usage(t.Layer)
	if used == nil {
		return nil, fmt.Errorf("the importance matrix does not count the experts of layer %d", t.Layer)
	}
	ids, err := rankExperts(used, t.Experts)
	p.ranked[t.Layer] = ids
	return ids, err
}

// unused reports the first part of the recipe that is about nothing.
func (p *planner) unused() error {
	for i, re := range p.rules {
		// Note: a rule that matches only what an earlier one took is no error,
		// so that rules can be put before those of a file.
		if !slices.ContainsFunc(p.tensors, func(t Tensor) bool { return re.MatchString(t.Name) }) {
			return fmt.Errorf("tensor rule %.200q matches no tensor", &p.recipe.Rules[i])
		}
	}
	for i := range p.recipe.Experts {
		rule := &p.recipe.Experts[i]
		if most := rule.Layers.max(); most >= p.layers {
			return fmt.Errorf("expert rule %.200q: there is no layer %d: the model has %d", rule, most, p.layers)
		}
		if !p.expertRuleUsed[i] {
			return fmt.Errorf("expert rule %.200q is about no stack of experts", rule)
		}
	}
	for _, f := range p.recipe.Fixed {
		if !p.fixedUsed[f.Name] {
			return fmt.Errorf("fixed: the model has no tensor %.80q", f.Name)
		}
	}
	return nil
}

// choice checks that the tensor can have the fixed types.
func (f *Fixed) choice(t *Tensor) (Choice, error) {
	for _, typ := range f.Types {
		if t.Class == Exact && typ != gguf.F32 {
			return Choice{}, fmt.Errorf("fixed as %v, but it is float32 in any file", typ)
		}
		if !wholeBlocks(typ, t.Cols) {
			n, _ := typ.Block()
			return Choice{}, fmt.Errorf("fixed as %v, but rows of %d weights are not whole blocks of %d", typ, t.Cols, n)
		}
	}
	c := Choice{Type: f.Types[0]}
	if len(f.Types) == 1 {
		return c, nil
	}
	if len(f.Types) != t.Experts {
		return Choice{}, fmt.Errorf("fixed with %d types, but it has %d experts", len(f.Types), t.Experts)
	}
	c.setTypes(slices.Clone(f.Types))
	return c, nil
}

// setTypes sets the types of all experts. Of types that are equally frequent,
// the one of the lowest expert counts as that of most.
func (c *Choice) setTypes(types []gguf.Type) {
	count := map[gguf.Type]int{}
	for _, t := range types {
		count[t]++
	}
	c.Type = types[0]
	for _, t := range types {
		if count[t] > count[c.Type] {
			c.Type = t
		}
	}
	c.Experts = nil
	if len(count) > 1 {
		c.Experts = types
	}
}
