package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lladakit/runtime"
)

// SweepGrid has values of settings, all combinations of which are swept.
type SweepGrid struct {
	threads []int
	axes    []sweepAxis
}

// sweepAxis is a setting and its values, as texts.
type sweepAxis struct {
	setting
	values []string
}

// setting is a field of runtime.Options.
type setting struct {
	name string
	list func(text string) ([]string, error) // values of a list
	set  func(o *runtime.Options, value string)
	get  func(o *runtime.Options) string
}

// settings are those that a grid can have, in the order in which they are set: a profile
// stands for several others, and a policy takes the place of a profile's.
func settings() []setting {
	return []setting{
		{
			"profile", known(runtime.Profiles()),
			func(o *runtime.Options, value string) { o.Use(runtime.Profile(value)) },
			func(o *runtime.Options) string { return string(o.Profile) },
		}, {
			"policy", known(policyNames()),
			func(o *runtime.Options, value string) { o.Policy = runtime.PolicyOptions{Name: value} },
			func(o *runtime.Options) string { return o.Policy.Name },
		},
		decimal("threshold", false, 1, func(o *runtime.Options) *float32 { return &o.Threshold }),
		whole("block-length", 1, func(o *runtime.Options) *int { return &o.BlockLength }),
		whole("steps", 1, func(o *runtime.Options) *int { return &o.Steps }),
		// Of these policies 0 would be the default.
		decimal("factor", true, 0, func(o *runtime.Options) *float64 { return &o.Policy.Factor }),
		decimal("entropy-bound", true, 0, func(o *runtime.Options) *float64 { return &o.Policy.EntropyBound }),
		decimal("low-threshold", true, 1, func(o *runtime.Options) *float32 { return &o.Policy.LowThreshold }),
		whole("sub-block", 0, func(o *runtime.Options) *int { return &o.Policy.SubBlock }),
		whole("delayed", 0, func(o *runtime.Options) *int { return &o.Delayed }),
		decimal("kv-keep", false, 1, func(o *runtime.Options) *float64 { return &o.KVKeep }),
	}
}

// SweepSettings lists what a grid can have.
func SweepSettings() []string {
	names := []string{"threads"}
	for _, s := range settings() {
		names = append(names, s.name)
	}
	return names
}

func policyNames() []string {
	var names []string
	for _, p := range runtime.Policies() {
		names = append(names, p.Name)
	}
	return names
}

// known reads lists of the given names.
func known[T ~string](names []T) func(string) ([]string, error) {
	return func(text string) ([]string, error) {
		list, err := Names(text)
		for _, name := range list {
			if !slices.Contains(names, T(name)) {
				return nil, fmt.Errorf("%.40q is not one of %s", name, strings.Trim(fmt.Sprint(names), "[]"))
			}
		}
		return list, err
	}
}

// whole is a setting whose value is a whole number, of which the least is given.
func whole(name string, least int, field func(*runtime.Options) *int) setting {
	return setting{
		name,
		func(text string) ([]string, error) {
			list, err := Ints(text)
			return texts(list, err, func(n int) (string, bool) { return strconv.Itoa(n), n >= least })
		},
		func(o *runtime.Options, value string) { *field(o), _ = strconv.Atoi(value) }, // which list wrote
		func(o *runtime.Options) string { return strconv.Itoa(*field(o)) },
	}
}

// decimal is a setting whose value is a number, above 0 if positive is set, and at most
// most unless that is 0.
func decimal[T float32 | float64](name string, positive bool, most float64, field func(*runtime.Options) *T) setting {
	bits := 64
	if _, single := any(T(0)).(float32); single {
		bits = 32
	}
	write := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, bits) }
	return setting{
		name,
		func(text string) ([]string, error) {
			list, err := Floats(text)
			return texts(list, err, func(x float64) (string, bool) {
				return write(x), (x > 0 || !positive) && (x <= most || most == 0)
			})
		},
		func(o *runtime.Options, value string) {
			x, _ := strconv.ParseFloat(value, bits) // which list wrote
			*field(o) = T(x)
		},
		func(o *runtime.Options) string { return write(float64(*field(o))) },
	}
}

// texts writes a list of values, all of which must be right.
func texts[T int | float64](list []T, err error, write func(T) (text string, right bool)) ([]string, error) {
	var all []string
	for _, x := range list {
		text, right := write(x)
		if !right {
			return nil, fmt.Errorf("%s has no meaning", text)
		}
		all = append(all, text)
	}
	return all, err
}

// mostCells bounds what a sweep of one model can have.
const mostCells = 1024

// ParseSweepGrid reads a grid: settings with lists of values, as of Ints, Floats and
// Names, between spaces:
//
//	threshold=0.85,0.9,0.95 block-length=16,32 threads=1,2
//
// Besides settings it may have threads. Without any it has the recommended settings
// alone.
func ParseSweepGrid(text string) (*SweepGrid, error) {
	given := map[string]string{}
	for word := range strings.FieldsSeq(text) {
		name, list, ok := strings.Cut(word, "=")
		switch {
		case !ok || name == "" || list == "":
			return nil, fmt.Errorf("%.40q is not a setting with values, such as threshold=0.9,0.95", word)
		case given[name] != "":
			return nil, fmt.Errorf("%.40s is given twice", name)
		}
		given[name] = list
	}
	g := new(SweepGrid)
	cells := 1
	if list := given["threads"]; list != "" {
		var err error
		if g.threads, err = Ints(list); err != nil {
			return nil, fmt.Errorf("threads: %w", err)
		}
		if slices.Contains(g.threads, 0) || slices.Max(g.threads) > mostThreads {
			return nil, fmt.Errorf("threads: %.40s is not between 1 and %d", list, mostThreads)
		}
		slices.Sort(g.threads)
		g.threads = slices.Compact(g.threads)
		cells *= len(g.threads)
		delete(given, "threads")
	}
	for _, s := range settings() {
		list := given[s.name]
		if list == "" {
			continue
		}
		delete(given, s.name)
		values, err := s.list(list)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if cells *= len(values); cells > mostCells {
			return nil, fmt.Errorf("more than %d combinations", mostCells)
		}
		g.axes = append(g.axes, sweepAxis{s, values})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		return nil, fmt.Errorf("%.40q is not one of %s", name, strings.Join(SweepSettings(), ", "))
	}
	return g, nil
}

// names lists the settings.
func (g *SweepGrid) names() []string {
	names := []string{}
	for _, a := range g.axes {
		names = append(names, a.name)
	}
	return names
}

// values returns those of some options.
func (g *SweepGrid) values(o *runtime.Options) []string {
	values := []string{}
	for _, a := range g.axes {
		values = append(values, a.get(o))
	}
	return values
}

// options returns all combinations, each once: first the recommended one, which others
// are changes of.
func (g *SweepGrid) options(recommended runtime.Options) ([]runtime.Options, error) {
	all := []runtime.Options{recommended}
	for _, a := range g.axes {
		var next []runtime.Options
		for _, o := range all {
			for _, value := range a.values {
				changed := o
				a.set(&changed, value)
				next = append(next, changed)
			}
		}
		all = next
	}
	seen := map[string]bool{}
	var once []runtime.Options
	for _, o := range append([]runtime.Options{recommended}, all...) {
		key, err := json.Marshal(o)
		if err != nil {
			return nil, errors.Join(errors.New("settings"), err)
		}
		if !seen[string(key)] {
			seen[string(key)], once = true, append(once, o)
		}
	}
	return once, nil
}
