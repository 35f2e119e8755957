package quant

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lladakit/internal/gguf"
)

// ExpertRule gives experts of some layers formats of their own. Its text form,
// described in RECIPES.md, is
//
//	layers=1-19 matrix=gate,up experts=top25%:q8_0 0-3,40:q6_k rest:q4_0
type ExpertRule struct {
	Layers Numbers     // nil: all
	Matrix []string    // some of "gate", "up" and "down"; nil: all
	Types  []Selection // in order: an expert has the type of the first that selects it
}

// Selection is a choice among the experts of a layer, and their format.
type Selection struct {
	By      Selector
	Count   int     // SelectTop, SelectBottom: how many experts …
	Percent bool    // … or how many percent of them
	Listed  Numbers // SelectListed: their ids
	Type    gguf.Type
}

// Selector says how a Selection selects.
type Selector int

const (
	SelectListed Selector = iota // by id
	SelectTop                    // those that are used most
	SelectBottom                 // those that are used least
	SelectRest                   // all that no earlier selection of the rule has; the last one of a rule
)

// Numbers is a set of numbers as it was written: 0-31,40.
type Numbers []Range

// Range is First, Last and the numbers between.
type Range struct{ First, Last int }

// maxNumber bounds the numbers of a rule; no model has so many layers or
// experts.
const maxNumber = 1 << 20

// matrices are the names that a rule may give to the matrices of an expert.
var matrices = []string{"gate", "up", "down"}

// ParseExpertRule reads the text form of a rule, in upper or lower case.
func ParseExpertRule(text string) (ExpertRule, error) {
	r, err := parseExpertRule(text)
	if err != nil {
		return ExpertRule{}, fmt.Errorf("expert rule %.200q: %w", text, err)
	}
	return r, nil
}

func parseExpertRule(text string) (r ExpertRule, err error) {
	started := false // with the selections
	for _, word := range strings.Fields(text) {
		key, value, keyed := strings.Cut(strings.ToLower(word), "=")
		switch {
		case keyed && key == "layers" && r.Layers == nil:
			r.Layers, err = parseNumbers(value)
		case keyed && key == "matrix" && r.Matrix == nil:
			r.Matrix, err = parseMatrices(value)
		case keyed && (key == "layers" || key == "matrix"):
			err = fmt.Errorf("it is given twice")
		case keyed && key == "experts", !keyed && started:
			if !keyed {
				value = key
			}
			started = true
			var s Selection
			s, err = parseSelection(value)
			r.Types = append(r.Types, s)
		case keyed:
			err = fmt.Errorf("no such key: want layers=, matrix= or experts=")
		default:
			err = fmt.Errorf("want layers=, matrix= or experts=")
		}
		if err != nil {
			return r, fmt.Errorf("%.80q: %w", word, err)
		}
	}
	return r, r.check()
}

// parseNumbers reads a list of numbers and ranges: 0-31,40.
func parseNumbers(text string) (Numbers, error) {
	var ns Numbers
	for item := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(item, "-")
		if !ranged {
			last = first
		}
		a, err := parseNumber(first)
		if err != nil {
			return nil, err
		}
		b, err := parseNumber(last)
		if err != nil {
			return nil, err
		}
		if a > b {
			return nil, fmt.Errorf("range %q runs backwards", item)
		}
		ns = append(ns, Range{a, b})
	}
	return ns, nil
}

func parseNumber(digits string) (int, error) {
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > maxNumber || strings.HasPrefix(digits, "+") || strings.HasPrefix(digits, "-") {
		return 0, fmt.Errorf("%.80q is not a number from 0 to %d", digits, maxNumber)
	}
	return n, nil
}

func parseMatrices(text string) ([]string, error) {
	names := strings.Split(text, ",")
	return names, checkMatrices(names)
}

// parseSelection reads SELECTOR:TYPE.
func parseSelection(text string) (s Selection, err error) {
	selector, typ, ok := strings.Cut(text, ":")
	if !ok {
		return s, fmt.Errorf("want SELECTOR:TYPE")
	}
	if s.Type, err = ParseType(typ); err != nil {
		return s, err
	}
	top, isTop := strings.CutPrefix(selector, "top")
	bottom, isBottom := strings.CutPrefix(selector, "bottom")
	switch {
	case selector == "rest":
		s.By = SelectRest
	case isTop:
		s.By = SelectTop
		s.Count, s.Percent, err = parseCount(top)
	case isBottom:
		s.By = SelectBottom
		s.Count, s.Percent, err = parseCount(bottom)
	case selector != "" && selector[0] >= '0' && selector[0] <= '9':
		s.Listed, err = parseNumbers(selector)
	default:
		err = fmt.Errorf("selector %.80q is not topN, topN%%, bottomN, bottomN%%, rest or a list of experts", selector)
	}
	if err != nil {
		return s, err
	}
	return s, s.check()
}

// parseCount reads N or N%.
func parseCount(text string) (n int, percent bool, err error) {
	digits, percent := strings.CutSuffix(text, "%")
	n, err = parseNumber(digits)
	return n, percent, err
}

// check reports what makes the rule impossible for any model.
func (r *ExpertRule) check() error {
	if len(r.Types) == 0 {
		return fmt.Errorf("it has no experts=SELECTOR:TYPE")
	}
	if r.Layers != nil {
		if err := r.Layers.check(); err != nil {
			return fmt.Errorf("layers: %w", err)
		}
	}
	if r.Matrix != nil {
		if err := checkMatrices(r.Matrix); err != nil {
			return err
		}
	}
	for i := range r.Types {
		s := &r.Types[i]
		if err := s.check(); err != nil {
			return fmt.Errorf("%q: %w", s, err)
		}
		if s.By == SelectRest && i != len(r.Types)-1 {
			return fmt.Errorf("%q: nothing can follow the rest, but %q does", s, &r.Types[i+1])
		}
	}
	return nil
}

func checkMatrices(names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("the list of matrices is empty")
	}
	for i, name := range names {
		if !slices.Contains(matrices, name) {
			return fmt.Errorf("matrix %.80q is not one of %s", name, strings.Join(matrices, ", "))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("matrix %q is given twice", name)
		}
	}
	return nil
}

func (s *Selection) check() error {
	if err := checkRecipeType(s.Type); err != nil {
		return err
	}
	ranked := s.By == SelectTop || s.By == SelectBottom
	switch {
	case s.By < SelectListed || s.By > SelectRest:
		return fmt.Errorf("unknown selector %d", s.By)
	case (!ranked && (s.Count != 0 || s.Percent)) || (s.By != SelectListed && s.Listed != nil):
		return fmt.Errorf("it has numbers that its selector does not use")
	case s.By == SelectListed:
		return s.Listed.check()
	case ranked && s.Percent && (s.Count < 1 || s.Count > 100):
		return fmt.Errorf("%d%% is not between 1%% and 100%%", s.Count)
	case ranked && (s.Count < 1 || s.Count > maxNumber):
		return fmt.Errorf("%d experts cannot be selected", s.Count)
	}
	return nil
}

func (ns Numbers) check() error {
	if len(ns) == 0 {
		return fmt.Errorf("the list of numbers is empty")
	}
	for _, r := range ns {
		if r.First < 0 || r.Last < r.First || r.Last > maxNumber {
			return fmt.Errorf("range %d-%d is not possible", r.First, r.Last)
		}
	}
	return nil
}

// String returns the rule's text form.
func (r *ExpertRule) String() string {
	var words []string
	if r.Layers != nil {
		words = append(words, "layers="+r.Layers.String())
	}
	if r.Matrix != nil {
		words = append(words, "matrix="+strings.Join(r.Matrix, ","))
	}
	for i := range r.Types {
		word := r.Types[i].String()
		if i == 0 {
			word = "experts=" + word
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// String returns SELECTOR:TYPE.
func (s *Selection) String() string {
	selector := "rest"
	switch s.By {
	case SelectListed:
		selector = s.Listed.String()
	case SelectTop:
		selector = "top" + strconv.Itoa(s.Count)
	case SelectBottom:
		selector = "bottom" + strconv.Itoa(s.Count)
	}
	if s.Percent {
		selector += "%"
	}
	return selector + ":" + s.Type.String()
}

// String returns the list as it is written: 0-31,40.
func (ns Numbers) String() string {
	var b strings.Builder
	for i, r := range ns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(r.First))
		if r.Last != r.First {
			b.WriteString("-" + strconv.Itoa(r.Last))
		}
	}
	return b.String()
}

// Contains reports whether n is in the list.
func (ns Numbers) Contains(n int) bool {
	return slices.ContainsFunc(ns, func(r Range) bool { return r.First <= n && n <= r.Last })
}

// max returns the greatest number, -1 for an empty list.
func (ns Numbers) max() int {
	most := -1
	for _, r := range ns {
		most = max(most, r.Last)
	}
	return most
}

// applies reports whether the rule is about the tensor.
func (r *ExpertRule) applies(t *Tensor) bool {
	return t.Experts > 0 && (r.Layers == nil || r.Layers.Contains(t.Layer)) &&
		(r.Matrix == nil || slices.Contains(r.Matrix, t.Matrix))
}

// pick returns for each of n experts whether it is selected. ranking returns
// the experts from the most to the least used.
func (s *Selection) pick(n int, ranking func() ([]int, error)) ([]bool, error) {
	picked := make([]bool, n)
	switch s.By {
	case SelectRest:
		for e := range picked {
			picked[e] = true
		}
		return picked, nil
	case SelectListed:
		if most := s.Listed.max(); most >= n {
			return nil, fmt.Errorf("there is no expert %d: the layer has %d", most, n)
		}
		for e := range picked {
			picked[e] = s.Listed.Contains(e)
		}
		return picked, nil
	}
	count := s.Count
	if s.Percent {
		count = max(1, (n*count+50)/100)
	}
	if count > n {
		return nil, fmt.Errorf("the layer has only %d experts", n)
	}
	ranked, err := ranking()
	if err != nil {
		return nil, err
	}
	if s.By == SelectTop {
		ranked = ranked[:count]
	} else {
		ranked = ranked[n-count:]
	}
	for _, e := range ranked {
		picked[e] = true
	}
	return picked, nil
}

// rankExperts returns the ids of n experts from the most to the least used;
// among equals the lower id comes first.
func rankExperts(used []float64, n int) ([]int, error) {
	if len(used) != n {
		return nil, fmt.Errorf("the importance matrix counts %d experts, the layer has %d", len(used), n)
	}
	ids := make([]int, n)
	for e := range ids {
		ids[e] = e
		if !(used[e] >= 0) || math.IsInf(used[e], 0) {
			return nil, fmt.Errorf("the importance matrix has the count %g for expert %d", used[e], e)
		}
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(used[b], used[a]) })
	return ids, nil
}
