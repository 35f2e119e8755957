package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lladakit/runtime"
)

// Lists of values are written as llama-bench has them: values and ranges between
// commas, and a flag that is given again adds to them. A range is
//
//	a-b      from a to b, one by one
//	a-b+step
//	a-b*mult each one mult times the one before
//
// Both ends belong to it, b if a value hits it.

// Bounds of what a list can ask for, so that a slip of the finger is one error.
const (
	mostValues = 256
	mostValue  = 1 << 30
)

// Ints reads lists of whole numbers from 0 up.
func Ints(lists ...string) ([]int, error) {
	return values(lists, func(text string) (int, error) {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n > mostValue {
			return 0, fmt.Errorf("%.40q is not a number from 0 to %d", text, mostValue)
		}
		return int(n), nil
	})
}

// Floats reads lists of numbers from 0 up, without exponents.
func Floats(lists ...string) ([]float64, error) {
	return values(lists, func(text string) (float64, error) {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.Trim(text, "0123456789.") != "" || x > mostValue {
			return 0, fmt.Errorf("%.40q is not a number from 0 to %d", text, mostValue)
		}
		return x, nil
	})
}

// Names reads lists of names, which have no ranges.
func Names(lists ...string) (all []string, err error) {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(item); item == "" {
				return nil, fmt.Errorf("%.40q has an empty place", list)
			}
			if all = append(all, item); len(all) > mostValues {
				return nil, fmt.Errorf("more than %d values", mostValues)
			}
		}
	}
	return all, nil
}

// values reads lists of numbers that parse reads.
func values[T int | float64](lists []string, parse func(string) (T, error)) (all []T, err error) {
	items, err := Names(lists...)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		from, rest, isRange := strings.Cut(item, "-")
		if from == "" {
			from, isRange = item, false // -1 is no range from nothing
		}
		first, err := parse(from)
		if err != nil {
			return nil, err
		}
		if !isRange {
			all = append(all, first)
			continue
		}
		if all, err = appendRange(all, item, first, rest, parse); err != nil {
			return nil, err
		}
	}
	if len(all) > mostValues {
		return nil, fmt.Errorf("more than %d values", mostValues)
	}
	return all, nil
}

// appendRange appends what item stands for: a range from first on, of which rest is what
// follows the minus.
func appendRange[T int | float64](all []T, item string, first T, rest string, parse func(string) (T, error)) ([]T, error) {
	end, by, plus, times := rest, "1", true, false
	if at := strings.IndexAny(rest, "+*"); at >= 0 {
		end, by, times = rest[:at], rest[at+1:], rest[at] == '*'
		plus = !times
	}
	last, err := parse(end)
	if err != nil {
		return nil, err
	}
	step, err := parse(by)
	switch {
	case err != nil:
		return nil, err
	case last < first:
		return nil, fmt.Errorf("range %.40q ends before it begins", item)
	case plus && step <= 0, times && (step <= 1 || first <= 0):
		return nil, fmt.Errorf("range %.40q never ends", item)
	}
	// By their number, or else sums of fractions would miss the end.
	const slack = 1e-12
	for i := 0; ; i++ {
		x := float64(first) + float64(i)*float64(step)
		if times {
			x = float64(first) * math.Pow(float64(step), float64(i))
		}
		if x > float64(last)*(1+slack) {
			return all, nil
		}
		if len(all) >= mostValues {
			return nil, fmt.Errorf("range %.40q makes more than %d values", item, mostValues)
		}
		all = append(all, T(x))
	}
}

// Grid is what scenarios are made of: all combinations of the values. An empty list
// stands for the default.
type Grid struct {
	// Tests are names as ParseScenario reads them. Those without a number are taken
	// with each of Prompt (pp), Gen (gen), or Block (others). Default: all of them.
	Tests  []string
	Prompt []int // default 512; 0 leaves "pp" out
	Gen    []int // default 128; 0 leaves "gen" out

	Depth     []int // default 0
	Threads   []int // default: one per processor
	Block     []int // default: the model's
	Steps     []int
	Threshold []float64
	Policy    []string
	Profile   []string
}

// mostScenarios bounds the combinations.
const mostScenarios = 4096

// allTests are the tests where none are named.
var allTests = []string{"pp", "step", "step/half", "commit", "block", "gen"}

// Scenarios returns the combinations, each once: what a test does not depend on is left
// out of it. Those of the same number of threads, and then of the same settings, stand
// together.
func (g *Grid) Scenarios() ([]Scenario, error) {
	tests, err := g.tests()
	if err != nil {
		return nil, err
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	combinations := len(tests)
	for _, n := range []int{len(g.Depth), len(g.Threads), len(g.Block), len(g.Steps), len(g.Threshold), len(g.Policy), len(g.Profile)} {
		if combinations *= max(1, n); combinations > mostScenarios {
			return nil, fmt.Errorf("more than %d combinations", mostScenarios)
		}
	}
	all := []Scenario{{}}
	all = times(all, g.Threads, func(s *Scenario, n int) { s.Threads = n })
	all = times(all, g.Profile, func(s *Scenario, name string) { s.Profile = runtime.Profile(name) })
	all = times(all, g.Policy, func(s *Scenario, name string) { s.Policy = name })
	all = times(all, or(g.Threshold, -1), func(s *Scenario, x float64) { s.Threshold = x })
	all = times(all, g.Steps, func(s *Scenario, n int) { s.Steps = n })
	all = times(all, g.Block, func(s *Scenario, n int) { s.Block = n })
	all = times(all, g.Depth, func(s *Scenario, n int) { s.Depth = n })
	all = times(all, tests, func(s *Scenario, test Scenario) {
		s.Kind, s.Tokens, s.Logits = test.Kind, test.Tokens, test.Logits
		if test.Block > 0 {
			s.Block = test.Block
		}
		switch s.Kind {
		case Block:
			s.Threshold, s.Policy = -1, ""
		case Prefill, Step, Commit:
			s.Steps, s.Threshold, s.Policy, s.Profile = 0, -1, "", ""
		}
	})
	seen := map[Scenario]bool{}
	var once []Scenario
	for _, s := range all {
		if !seen[s] {
			seen[s], once = true, append(once, s)
		}
	}
	return once, nil
}

// tests returns those that are named, with every number of tokens.
func (g *Grid) tests() (all []Scenario, err error) {
	bare := map[Kind]bool{}
	for _, name := range or(g.Tests, allTests...) {
		s, err := ParseScenario(name)
		if err != nil {
			return nil, err
		}
		if s.Block > 0 && len(g.Block) > 0 && !slices.Contains(g.Block, s.Block) {
			return nil, fmt.Errorf("test %s is of another block length than %d", name, g.Block)
		}
		tokens := []int{s.Tokens}
		if s.Tokens == 0 && s.Kind == Prefill {
			tokens, bare[Prefill] = or(g.Prompt, 512), true
		}
		if s.Tokens == 0 && s.Kind == Gen {
			tokens, bare[Gen] = or(g.Gen, 128), true
		}
		for _, n := range tokens {
			if s.Tokens = n; n > 0 || s.Kind != Prefill && s.Kind != Gen {
				all = append(all, s)
			}
		}
	}
	if len(g.Prompt) > 0 && !bare[Prefill] || len(g.Gen) > 0 && !bare[Gen] {
		return nil, errors.New("numbers of tokens are given for pp or gen, but that is not among the tests")
	}
	if len(all) == 0 {
		return nil, errors.New("no test is left")
	}
	return all, nil
}

// check reports a name or a number that has no meaning for any model.
func (g *Grid) check() error {
	var policies []string
	for _, p := range runtime.Policies() {
		policies = append(policies, p.Name)
	}
	for _, name := range g.Policy {
		if !slices.Contains(policies, name) {
			return fmt.Errorf("policy %.40q is not one of %s", name, strings.Join(policies, ", "))
		}
	}
	var profiles []string
	for _, p := range runtime.Profiles() {
		profiles = append(profiles, string(p))
	}
	for _, name := range g.Profile {
		if !slices.Contains(profiles, name) {
			return fmt.Errorf("profile %.40q is not one of %s", name, strings.Join(profiles, ", "))
		}
	}
	for _, x := range g.Threshold {
		if x > 1 {
			return fmt.Errorf("threshold %g is above 1", x)
		}
	}
	for what, list := range map[string][]int{"block length": g.Block, "steps": g.Steps, "threads": g.Threads} {
		if slices.Contains(list, 0) {
			return fmt.Errorf("%s 0 has no meaning", what)
		}
	}
	if len(g.Threads) > 0 && slices.Max(g.Threads) > mostThreads {
		return fmt.Errorf("%d threads are more than %d", slices.Max(g.Threads), mostThreads)
	}
	return nil
}

// mostThreads bounds what a slip of the finger can start.
const mostThreads = 1024

// or returns the list, or if it is empty the default.
func or[T any](list []T, otherwise ...T) []T {
	if len(list) == 0 {
		return otherwise
	}
	return list
}

// times combines scenarios with all values of a list; an empty one changes nothing.
func times[T any](all []Scenario, list []T, set func(*Scenario, T)) []Scenario {
	if len(list) == 0 {
		return all
	}
	var out []Scenario
	for _, s := range all {
		for _, v := range list {
			with := s
			set(&with, v)
			out = append(out, with)
		}
	}
	return out
}
