package bench

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lladakit/internal/arch"
)

// shapes are the published models, and one of the size of the embedded one.
var shapes = map[string]arch.Config{
	"mini": {
		Name: "synthetic LLaDA2.0-mini", Vocab: 157184, Hidden: 2048, Layers: 20, Context: 32768,
		Heads: 16, KVHeads: 4, HeadDim: 128, RotaryDim: 64, RopeTheta: 600000, RMSEps: 1e-6, QKNorm: true,
		DenseLayers: 1, DenseFF: 5120, Experts: 256, ExpertsUsed: 8, ExpertFF: 512, ExpertGroups: 8, GroupsUsed: 4,
		ExpertScale: 2.5, Shared: 1, SharedFF: 512,
	},
	"flash": {
		Name: "synthetic LLaDA2.0-flash", Vocab: 157184, Hidden: 4096, Layers: 32, Context: 32768,
		Heads: 32, KVHeads: 4, HeadDim: 128, RotaryDim: 64, RopeTheta: 600000, RMSEps: 1e-6, QKNorm: true,
		DenseLayers: 1, DenseFF: 9216, Experts: 256, ExpertsUsed: 8, ExpertFF: 1024, ExpertGroups: 8, GroupsUsed: 4,
		ExpertScale: 2.5, Shared: 1, SharedFF: 1024,
	},
	"tiny": {
		Name: "synthetic tiny", Vocab: 1024, Hidden: 256, Layers: 4, Context: 2048,
		Heads: 4, KVHeads: 2, HeadDim: 64, RotaryDim: 32, RopeTheta: 10000, RMSEps: 1e-6, QKNorm: true,
		DenseLayers: 1, DenseFF: 512, Experts: 16, ExpertsUsed: 4, ExpertFF: 64, ExpertGroups: 4, GroupsUsed: 2,
		ExpertScale: 2.5, Shared: 1, SharedFF: 64,
	},
}

// numbers are the keys of a shape's numbers, and where these are.
var numbers = map[string]func(*arch.Config) *int{
	"layers":      func(c *arch.Config) *int { return &c.Layers },
	"hidden":      func(c *arch.Config) *int { return &c.Hidden },
	"vocab":       func(c *arch.Config) *int { return &c.Vocab },
	"context":     func(c *arch.Config) *int { return &c.Context },
	"heads":       func(c *arch.Config) *int { return &c.Heads },
	"kv-heads":    func(c *arch.Config) *int { return &c.KVHeads },
	"head-dim":    func(c *arch.Config) *int { return &c.HeadDim },
	"rotary":      func(c *arch.Config) *int { return &c.RotaryDim },
	"dense":       func(c *arch.Config) *int { return &c.DenseLayers },
	"dense-ff":    func(c *arch.Config) *int { return &c.DenseFF },
	"experts":     func(c *arch.Config) *int { return &c.Experts },
	"used":        func(c *arch.Config) *int { return &c.ExpertsUsed },
	"ff":          func(c *arch.Config) *int { return &c.ExpertFF },
	"groups":      func(c *arch.Config) *int { return &c.ExpertGroups },
	"groups-used": func(c *arch.Config) *int { return &c.GroupsUsed },
	"shared":      func(c *arch.Config) *int { return &c.Shared },
	"shared-ff":   func(c *arch.Config) *int { return &c.SharedFF },
}

// ShapeForm says in one line what Shape reads.
const ShapeForm = "mini, flash, tiny or LAYERSxHIDDEN, with other numbers as in mini:layers=4,vocab=32000"

// ShapeKeys lists the keys of a shape's numbers.
func ShapeKeys() []string { return slices.Sorted(maps.Keys(numbers)) }

const (
	maxShape   = 400     // bytes of a shape's text: every number once, in full
	minVocab   = 3       // a mask, an end, and something to say
	maxWeights = 1 << 41 // of a shape, 20 times the largest published
)

// Shape reads what a model's numbers are:
//
//	shape   = base [ ":" numbers ]
//	base    = "mini" | "flash" | "tiny" | LAYERS "x" HIDDEN
//	numbers = KEY "=" NUMBER { "," KEY "=" NUMBER }
//
// for example mini, mini:layers=4, 4x2048:experts=64,used=8,ff=512,vocab=32000.
// There are no spaces, a number is decimal digits, and a key comes once. The keys
// are layers, hidden, vocab, context, heads, kv-heads, head-dim, rotary (values of
// a head that rotate), dense (first layers that are dense), dense-ff, experts, used,
// ff, groups, groups-used, shared and shared-ff.
//
// Numbers that are not given are those of the base. For LAYERSxHIDDEN, and for any
// base with another hidden, the base is mini in proportion: heads of 128, or of the
// greatest power of two below that which divides hidden; a quarter as many key-value
// heads; a dense-ff of 5/2 and an ff of 1/4 of hidden, both rounded up to multiples
// of 256, so that rows are whole blocks of every type. And some numbers follow others
// that are given: head-dim is hidden divided by heads, where it divides, and rotary
// half of head-dim; kv-heads is a quarter of heads, or the next lower number that
// divides them; shared-ff is shared times ff; of other experts there are the base's
// groups where these are possible, else one; groups-used is half of groups.
//
// What no model can have is an error of one line.
func Shape(text string) (arch.Config, error) {
	c, err := parseShape(text)
	if err != nil {
		return arch.Config{}, fmt.Errorf("shape %.80q: %w", text, err)
	}
	return c, nil
}

func parseShape(text string) (c arch.Config, err error) {
	if len(text) > maxShape {
		return c, fmt.Errorf("%d bytes are too many", len(text))
	}
	base, rest, changed := strings.Cut(text, ":")
	given, err := parseNumbers(rest, changed)
	if err != nil {
		return c, err
	}
	c, named := shapes[strings.ToLower(base)]
	if !named {
		if err := free(base, given); err != nil {
			return c, err
		}
		c = shapes["mini"]
	}
	if len(given) > 0 {
		c.Name = "synthetic " + strings.ToLower(text)
		derive(&c, given)
	}
	c.BlockLength, c.Steps, c.Threshold = arch.DefaultBlockLength, arch.DefaultSteps, arch.DefaultThreshold
	if err := c.Check(); err != nil {
		return c, err
	}
	if c.Vocab < minVocab {
		return c, fmt.Errorf("a vocabulary of %d has no room for a token beside mask and end", c.Vocab)
	}
	if w := weights(&c); w > maxWeights {
		return c, fmt.Errorf("%.3g weights are too many", w)
	}
	return c, nil
}

// parseNumbers reads KEY=NUMBER,…; text must be empty unless there is any.
func parseNumbers(text string, any bool) (map[string]int, error) {
	given := map[string]int{}
	if !any {
		return given, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		key, digits, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%.40q is not KEY=NUMBER", part)
		}
		if numbers[key] == nil {
			return nil, fmt.Errorf("%.40q is not one of %s", key, strings.Join(ShapeKeys(), ", "))
		}
		if _, twice := given[key]; twice {
			return nil, fmt.Errorf("%s is given twice", key)
		}
		n, err := number(digits)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		given[key] = n
	}
	return given, nil
}

// number reads decimal digits; strconv.Atoi would take signs too.
func number(digits string) (int, error) {
	n, err := strconv.ParseUint(digits, 10, 31)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%.40s is out of range", digits)
	case err != nil:
		return 0, fmt.Errorf("%.40q is not a number", digits)
	}
	return int(n), nil
}

// free reads LAYERSxHIDDEN into given.
func free(base string, given map[string]int) error {
	l, h, ok := strings.Cut(base, "x")
	layers, err1 := number(l)
	hidden, err2 := number(h)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("%.40q is not %s", base, ShapeForm)
	}
	for key, n := range map[string]int{"layers": layers, "hidden": hidden} {
		if _, twice := given[key]; twice {
			return fmt.Errorf("%s is given twice", key)
		}
		given[key] = n
	}
	return nil
}

// derive puts the given numbers into c, and changes those that follow them. See
// Shape for the rules.
func derive(c *arch.Config, given map[string]int) {
	has := func(key string) bool { _, ok := given[key]; return ok }
	// follow sets a number that is not given.
	follow := func(key string, n int) {
		if !has(key) {
			*numbers[key](c) = n
		}
	}
	for key, n := range given {
		*numbers[key](c) = n
	}
	if has("hidden") {
		follow("dense-ff", rounded(5*c.Hidden/2))
		follow("ff", rounded(c.Hidden/4))
		if !has("heads") && !has("head-dim") {
			c.HeadDim = min(128, c.Hidden&-c.Hidden)
		}
		if !has("heads") {
			c.Heads = c.Hidden / max(c.HeadDim, 1)
		}
	}
	if (has("hidden") || has("heads")) && c.Heads > 0 && c.Hidden%c.Heads == 0 {
		follow("head-dim", c.Hidden/c.Heads)
	}
	if has("hidden") || has("heads") || has("head-dim") {
		follow("rotary", c.HeadDim/2)
	}
	if (has("hidden") || has("heads")) && c.Heads > 0 {
		follow("kv-heads", divisor(c.Heads, c.Heads/4))
	}
	if has("hidden") || has("ff") || has("shared") {
		// The bound keeps the product from overflowing; Check refuses what is above it.
		follow("shared-ff", min(c.Shared, 1<<21)*min(c.ExpertFF, 1<<21))
	}
	if !has("groups") && (has("experts") || has("used")) && c.ExpertGroups > 0 &&
		(c.Experts%c.ExpertGroups != 0 || c.ExpertsUsed > c.ExpertGroups/2*(c.Experts/c.ExpertGroups)) {
		c.ExpertGroups = 1
	}
	if !has("groups-used") && (has("groups") || c.GroupsUsed > c.ExpertGroups) {
		c.GroupsUsed = max(1, c.ExpertGroups/2)
	}
}

// rounded returns n rounded up to a multiple of 256, the longest block of a type.
func rounded(n int) int { return max(1, (n+255)/256) * 256 }

// divisor returns the greatest divisor of n that is at most most, at least 1.
func divisor(n, most int) int {
	// Note: numbers far above any head count are refused later, but would be
	// searched for long.
	for d := min(most, 1<<12); d > 1; d-- {
		if n%d == 0 {
			return d
		}
	}
	return 1
}

// weights returns about how many weights a model has.
func weights(c *arch.Config) float64 {
	h := float64(c.Hidden)
	attention := h * float64(c.HeadDim) * float64(2*c.Heads+2*c.KVHeads)
	dense := 3 * h * float64(c.DenseFF)
	moe := h*float64(c.Experts) + 3*h*(float64(c.Experts)*float64(c.ExpertFF)+float64(c.SharedFF))
	return 2*h*float64(c.Vocab) + float64(c.Layers)*attention + float64(c.DenseLayers)*dense + float64(c.Layers-c.DenseLayers)*moe
}
