package bench

import (
	"fmt"
	"strconv"
	"strings"

	"lladakit/internal/arch"
	"lladakit/runtime"
)

// Kind says what a test measures.
type Kind string

const (
	// Prefill computes whole blocks of a prompt, without logits: "pp512".
	Prefill Kind = "prefill"
	// Step is one denoising forward over a block, half of whose tokens are masks:
	// "step32" with logits of all positions, "step32/16" with logits of as many.
	Step Kind = "step"
	// Commit is the forward that makes a finished block final: "commit32".
	Commit Kind = "commit"
	// Block denoises one block in a forced number of steps: "block32". Its commit is
	// not part of it: that rides on the first step of the next block.
	Block Kind = "block"
	// Gen generates, commits included: "gen128".
	Gen Kind = "gen"
	// Process is another program.
	Process Kind = "process"
)

// prefixes are what names of tests begin with.
var prefixes = map[string]Kind{"pp": Prefill, "step": Step, "commit": Commit, "block": Block, "gen": Gen}

// Half stands for half of the block's length.
const Half = -1

// forcedTokens is how many tokens a step writes in forced schedules where nothing says
// how many steps there are to be.
const forcedTokens = 4

// A Scenario is one test of a model.
type Scenario struct {
	Kind    Kind
	Tokens  int // of Prefill and Gen
	Logits  int // of Step: rows with logits; 0 means all of them, Half half
	Depth   int // positions in the cache before the test: whole blocks
	Threads int // 0: one per processor
	Block   int // length of blocks; 0: the model's

	// Of Block and Gen.
	Steps     int             // of a block at most; 0: the model's, or four tokens a step where the schedule is forced
	Threshold float64         // below 0: the profile's, or the model's; from 1 on the schedule is forced
	Policy    string          // "": the profile's
	Profile   runtime.Profile // "": exact
}

// forced reports whether steps write as many tokens as the schedule says, whatever the
// model predicts. Random weights never finish a block otherwise.
func (s *Scenario) forced() bool {
	return s.Kind == Block || s.Kind == Gen && s.Threshold >= 1 && s.policy() == runtime.PolicyThreshold
}

// policy returns the name of the policy.
func (s *Scenario) policy() string {
	var o runtime.Options
	if o.Use(s.Profile); s.Policy == "" && o.Policy.Name != "" {
		return o.Policy.Name
	}
	if s.Policy == "" {
		return runtime.PolicyThreshold
	}
	return s.Policy
}

// Name returns the test's name.
func (s *Scenario) Name() string {
	name := ""
	for prefix, kind := range prefixes {
		if kind == s.Kind {
			name = prefix
		}
	}
	n := s.Block
	if s.Kind == Prefill || s.Kind == Gen {
		n = s.Tokens
	}
	name += strconv.Itoa(n)
	if s.Kind == Step && s.Logits != s.Block {
		name += "/" + strconv.Itoa(s.Logits)
	}
	if s.Depth > 0 {
		name += " @ d" + strconv.Itoa(s.Depth)
	}
	return name
}

// ParseScenario reads the name of a test without its depth: "pp512", "gen128", "step32",
// "step32/16", "step/half", "commit32", "block32". A number that is left out stays 0.
func ParseScenario(name string) (Scenario, error) {
	digits := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz")
	s := Scenario{Kind: prefixes[name[:len(name)-len(digits)]], Threshold: -1}
	number, logits, parts := strings.Cut(digits, "/")
	n := 0
	var err error
	if number != "" {
		if n, err = strconv.Atoi(number); err == nil && (n < 1 || n > mostValue) {
			err = strconv.ErrRange
		}
	}
	switch {
	case !parts:
	case s.Kind == Step && logits == "half":
		s.Logits = Half
	case s.Kind == Step && err == nil:
		if s.Logits, err = strconv.Atoi(logits); err == nil && s.Logits < 1 {
			err = strconv.ErrRange
		}
	default:
		err = strconv.ErrSyntax
	}
	if s.Kind == "" || err != nil {
		return s, fmt.Errorf("%.40q is not a test such as pp512, step32, step32/16, commit32, block32, gen128", name)
	}
	if s.Kind == Prefill || s.Kind == Gen {
		s.Tokens = n
	} else {
		s.Block = n
	}
	return s, nil
}

// A SettingError says that a model cannot be measured so.
type SettingError struct {
	Test string
	Err  error
}

func (e *SettingError) Error() string { return e.Test + ": " + e.Err.Error() }
func (e *SettingError) Unwrap() error { return e.Err }

// resolve puts what the model says in the place of what the scenario leaves open, and
// checks what depends on the model's numbers.
func (s Scenario) resolve(c *arch.Config) (Scenario, error) {
	if s.Block == 0 {
		s.Block = c.BlockLength
	}
	switch {
	case s.Kind == Step && s.Logits == 0:
		s.Logits = s.Block
	case s.Kind == Step && s.Logits == Half:
		s.Logits = max(1, s.Block/2)
	}
	tokens := s.Block
	if s.Kind == Prefill || s.Kind == Gen {
		tokens = s.Tokens
	}
	fail := func(format string, args ...any) (Scenario, error) {
		return s, &SettingError{s.Name(), fmt.Errorf(format, args...)}
	}
	switch {
	case s.Block < 1 || s.Block > c.Context:
		return fail("block length %d is not between 1 and the model's %d positions", s.Block, c.Context)
	case tokens < 1:
		return fail("there is no token")
	case s.Depth%s.Block != 0:
		return fail("depth %d is no whole blocks of %d", s.Depth, s.Block)
	case s.Kind == Prefill && tokens%s.Block != 0:
		return fail("%d tokens are no whole blocks of %d", tokens, s.Block)
	case s.Logits > s.Block:
		return fail("a block of %d has not %d rows", s.Block, s.Logits)
	case s.Depth > c.Context || tokens > c.Context || s.Depth+tokens > c.Context:
		return fail("depth %d and %d tokens exceed the model's %d positions", s.Depth, tokens, c.Context)
	}
	if s.Kind != Block && s.Kind != Gen {
		return s, nil
	}
	if s.Kind == Block || s.Threshold < 0 && s.Policy == "" && isRandom(c) {
		s.Threshold, s.Policy = 1, runtime.PolicyThreshold
	}
	switch {
	case s.Steps > 0:
	case s.forced():
		s.Steps = max(1, s.Block/forcedTokens)
	default:
		s.Steps = c.Steps
	}
	return s, nil
}

// isRandom reports whether a model is one of Synthesize.
func isRandom(c *arch.Config) bool { return strings.HasPrefix(c.Name, syntheticName) }

// syntheticName is what the names of models with random weights begin with.
const syntheticName = "synthetic"

// options returns those of a generation.
func (s *Scenario) options(m *runtime.Model) runtime.Options {
	o := m.Defaults()
	o.BlockLength, o.Steps, o.GenLength = s.Block, s.Steps, s.Block
	if s.Kind == Gen {
		o.GenLength = s.Tokens
	}
	profile := s.Profile
	if profile == "" {
		profile = runtime.Exact
	}
	o.Use(profile)
	if s.Policy != "" {
		o.Policy = runtime.PolicyOptions{Name: s.Policy}
	}
	if s.Threshold >= 0 {
		o.Threshold = float32(s.Threshold)
	}
	return o
}

// schedule says how tokens are accepted.
func (s *Scenario) schedule(o *runtime.Options) string {
	switch {
	case !s.forced():
		return fmt.Sprintf("%s %g", s.policy(), o.Threshold)
	case s.Block%s.Steps == 0:
		return fmt.Sprintf("forced: %d tokens a step", s.Block/s.Steps)
	default:
		return fmt.Sprintf("forced: %d tokens in %d steps", s.Block, min(s.Steps, s.Block))
	}
}
