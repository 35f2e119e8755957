package quant

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lladakit/internal/gguf"
)

// Recipe says which format every tensor of a file gets, and every expert of a
// stack. The zero value keeps every weight in float32.
//
// Vectors and routers are float32 in any file. Any other tensor has the format
// that the first of these gives it:
//
//  1. Fixed, by its name
//  2. Experts, for single experts of a stack
//  3. Output and Embedding
//  4. Rules, the first that matches
//  5. the target's base format if Pure, else the target's choice
//
// A format that does not take rows of the tensor's length is replaced by one
// that does, except in Fixed, where that is an error.
type Recipe struct {
	Target Target // zero: f32

	// Pure gives every matrix the target's base format, whatever its class.
	Pure bool

	Output    *gguf.Type // of the output matrix; nil: no wish
	Embedding *gguf.Type // of the token embedding; nil: no wish

	Rules   []Rule       // by name; nil: none
	Experts []ExpertRule // in order: an expert has the type of the first that has one for it; nil: none
	Fixed   []Fixed      // exact types, no two of the same tensor; nil: none
}

// Rule gives a format to the tensors whose names match.
type Rule struct {
	Match string // regular expression, searched in the name regardless of case
	Type  gguf.Type
}

// Fixed is the exact format of one tensor.
type Fixed struct {
	Name  string
	Types []gguf.Type // one for the whole tensor, or one for each expert
}

// maxFixedTypes bounds the types of all fixed tensors together: three matrices
// of all experts of all layers are far fewer.
const maxFixedTypes = 1 << 20

// Usage returns how often each expert of a layer is used, nil where that is
// not known.
type Usage func(layer int) []float64

// Choice is the outcome for one tensor.
type Choice struct {
	Type     gguf.Type   // of the tensor, or of most of its experts
	Experts  []gguf.Type // one for each expert where they differ, else nil
	Fallback bool        // the length of the rows forced another format than wanted
}

// Bytes returns the size of tensor t with this outcome.
func (c *Choice) Bytes(t *Tensor) uint64 {
	matrix := func(typ gguf.Type) uint64 {
		n, size := typ.Block()
		return uint64(t.Cols/n) * uint64(size) * uint64(t.Rows)
	}
	if c.Experts == nil {
		return matrix(c.Type) * uint64(max(1, t.Experts))
	}
	var sum uint64
	for _, typ := range c.Experts {
		sum += matrix(typ)
	}
	return sum
}

// ParseRule reads a rule written REGEX=TYPE.
func ParseRule(text string) (Rule, error) {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return Rule{}, fmt.Errorf("tensor rule %.200q: want REGEX=TYPE", text)
	}
	t, err := ParseType(text[i+1:])
	if err != nil {
		return Rule{}, fmt.Errorf("tensor rule %.200q: %w", text, err)
	}
	r := Rule{Match: text[:i], Type: t}
	if _, err := r.compile(); err != nil {
		return Rule{}, fmt.Errorf("tensor rule %.200q: %w", text, err)
	}
	return r, nil
}

// String returns REGEX=TYPE.
func (r *Rule) String() string { return r.Match + "=" + r.Type.String() }

func (r *Rule) compile() (*regexp.Regexp, error) {
	if r.Match == "" {
		return nil, fmt.Errorf("the expression is empty")
	}
	if _, err := regexp.Compile(r.Match); err != nil {
		return nil, err // without the flag below
	}
	return regexp.Compile("(?i)" + r.Match)
}

// check reports what makes the recipe impossible for any model.
func (r *Recipe) check() error {
	if !r.Target.valid() {
		return fmt.Errorf("unknown target %d", int(r.Target))
	}
	for _, f := range []struct {
		what string
		t    *gguf.Type
	}{{"output", r.Output}, {"embedding", r.Embedding}} {
		if f.t == nil {
			continue
		}
		if err := checkRecipeType(*f.t); err != nil {
			return fmt.Errorf("%s: %w", f.what, err)
		}
	}
	for i := range r.Rules {
		rule := &r.Rules[i]
		err := checkRecipeType(rule.Type)
		if err == nil {
			_, err = rule.compile()
		}
		if err != nil {
			return fmt.Errorf("tensor rule %.200q: %w", rule, err)
		}
	}
	for i := range r.Experts {
		if err := r.Experts[i].check(); err != nil {
			return fmt.Errorf("expert rule %.200q: %w", &r.Experts[i], err)
		}
	}
	return r.checkFixed()
}

func (r *Recipe) checkFixed() error {
	seen := make(map[string]bool, len(r.Fixed))
	types := 0
	for _, f := range r.Fixed {
		if f.Name == "" {
			return fmt.Errorf("fixed: a name is empty")
		}
		if seen[f.Name] {
			return fmt.Errorf("fixed: tensor %.80q is given twice", f.Name)
		}
		seen[f.Name] = true
		if len(f.Types) == 0 {
			return fmt.Errorf("fixed: tensor %.80q has no type", f.Name)
		}
		if types += len(f.Types); types > maxFixedTypes {
			return fmt.Errorf("fixed: there are more than %d types", maxFixedTypes)
		}
		for _, t := range f.Types {
			if err := checkRecipeType(t); err != nil {
				return fmt.Errorf("fixed: tensor %.80q: %w", f.Name, err)
			}
		}
	}
	return nil
}

func checkRecipeType(t gguf.Type) error {
	if !slices.Contains(recipeTypes(), t) {
		return fmt.Errorf("type %v is not one that can be chosen", t)
	}
	return nil
}
