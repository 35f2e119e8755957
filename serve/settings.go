package serve

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lladakit/runtime"
)

// profiles returns those that may be asked for, which Request.check decides.
func profiles() []runtime.Profile {
	return slices.DeleteFunc(runtime.Profiles(), func(p runtime.Profile) bool { return p == runtime.Reference })
}

// setting is a field of a request that changes one option.
type setting struct {
	name string
	take func(o fieldSet, name string, opt *runtime.Options) (bool, error)
}

// settings are in an order in which each can be checked when it is set: first those that
// others are checked against. gen_length, which has three names, is set before them.
var settings = []setting{
	{"profile", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		var p runtime.Profile
		given, err := takeName(o, name, &p)
		if given && !slices.Contains(profiles(), p) {
			return given, badRequest(name, "%s %.40q is not one of %s", name, p, joined(profiles()))
		}
		if given {
			opt.Use(p)
		}
		return given, err
	}},
	{"block_length", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		given, err := take(o, name, &opt.BlockLength)
		if opt.BlockLength > maxBlock {
			err = badRequest(name, "%s %d is above %d, the most that is served", name, opt.BlockLength, maxBlock)
		}
		return given, err
	}},
	{"template", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		return takeIDs(o, name, &opt.Template)
	}},
	{"steps", func(o fieldSet, name string, opt *runtime.Options) (bool, error) { return take(o, name, &opt.Steps) }},
	{"threshold", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		return take(o, name, &opt.Threshold)
	}},
	{"minimal_topk", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		return take(o, name, &opt.MinimalTopK)
	}},
	{"temperature", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		return take(o, name, &opt.Temperature)
	}},
	{"top_k", func(o fieldSet, name string, opt *runtime.Options) (bool, error) { return take(o, name, &opt.TopK) }},
	{"top_p", func(o fieldSet, name string, opt *runtime.Options) (bool, error) { return take(o, name, &opt.TopP) }},
	{"seed", takeSeed},
	{"eos_early_stop", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		return take(o, name, &opt.EOSEarlyStop)
	}},
	{"without", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		return takeObject(o, name, func(f fieldSet) error {
			w := runtime.Without{}
			defer func() { opt.Without = w }()
			return takeAll(f, map[string]any{
				"fused_commit": &w.FusedCommit, "skipped_commit": &w.SkippedCommit,
				"masked_logits": &w.MaskedLogits, "pruned_layer": &w.PrunedLayer,
			})
		})
	}},
	{"delayed", func(o fieldSet, name string, opt *runtime.Options) (bool, error) { return take(o, name, &opt.Delayed) }},
	{"coreset", func(o fieldSet, name string, opt *runtime.Options) (bool, error) {
		return takeObject(o, name, func(f fieldSet) error {
			c := runtime.Coreset{}
			defer func() { opt.Coreset = c }()
			return takeAll(f, map[string]any{"size": &c.Size, "mass": &c.Mass, "min": &c.Min})
		})
	}},
	{"kv_keep", func(o fieldSet, name string, opt *runtime.Options) (bool, error) { return take(o, name, &opt.KVKeep) }},
	{"policy", takePolicy},
}

// takePolicy reads the name of a policy, or an object with its parameters. It replaces
// the profile's.
func takePolicy(o fieldSet, name string, opt *runtime.Options) (bool, error) {
	if raw := o[name]; len(raw) > 0 && raw[0] == '"' {
		p := runtime.PolicyOptions{}
		given, err := take(o, name, &p.Name)
		opt.Policy = p
		return given, err
	}
	return takeObject(o, name, func(f fieldSet) error {
		p := runtime.PolicyOptions{}
		defer func() { opt.Policy = p }()
		return takeAll(f, map[string]any{
			"name": &p.Name, "factor": &p.Factor, "entropy_bound": &p.EntropyBound,
			"kl_threshold": &p.KLThreshold, "kl_history": &p.KLHistory,
			"credit_alpha": &p.CreditAlpha, "credit_gamma": &p.CreditGamma, "credit_decay": &p.CreditDecay,
			"low_threshold": &p.LowThreshold, "edit_threshold": &p.EditThreshold, "post_steps": &p.PostSteps,
			"sub_block": &p.SubBlock,
		})
	})
}

// takeSeed reads a whole number; those below 0, which OpenAI allows, are seeds as well.
func takeSeed(o fieldSet, name string, opt *runtime.Options) (bool, error) {
	var n json.Number
	raw := o[name]
	given, err := take(o, name, &n)
	if !given && err == nil {
		return false, nil
	}
	if seed, failed := strconv.ParseUint(string(raw), 10, 64); failed == nil {
		opt.Seed = seed
		return true, nil
	}
	seed, failed := strconv.ParseInt(string(raw), 10, 64)
	if failed != nil {
		return false, badRequest(name, "%s must be a whole number of 64 bits, not %s", name, kindOf(raw))
	}
	opt.Seed = uint64(seed)
	return true, nil
}

// takeObject hands a field that is an object to f, whose errors are then about that.
func takeObject(o fieldSet, name string, f func(fieldSet) error) (bool, error) {
	var fields fieldSet
	given, err := take(o, name, &fields)
	if !given || err != nil {
		return false, err
	}
	err = f(fields)
	if e, ok := err.(*apiError); ok {
		e.Param, e.Message = name+"."+e.Param, name+": "+e.Message
	}
	return true, err
}

// takeAll moves the fields of an object, all of which must be known.
func takeAll(o fieldSet, fields map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var err error
		switch v := fields[name].(type) {
		case *string:
			_, err = take(o, name, v)
		case *bool:
			_, err = take(o, name, v)
		case *int:
			_, err = take(o, name, v)
		case *float32:
			_, err = take(o, name, v)
		case *float64:
			_, err = take(o, name, v)
		}
		if err != nil {
			return err
		}
	}
	return o.none("")
}

// takeName is take for named types of strings.
func takeName[T ~string](o fieldSet, name string, v *T) (bool, error) {
	var s string
	given, err := take(o, name, &s)
	if given {
		*v = T(s)
	}
	return given, err
}

// joined writes names for a message.
func joined[T ~string](names []T) string {
	var all []string
	for _, n := range names {
		all = append(all, string(n))
	}
	return strings.Join(all, ", ")
}

// takeSettings reads the options of an answer to a prompt, which has tokens fewer than
// the model has positions. What is not given is the model's recommendation.
func takeSettings(o fieldSet, m *runtime.Model, prompt int) (runtime.Options, error) {
	opt := m.Defaults()
	room := m.Config.Context - prompt
	opt.GenLength = min(opt.GenLength, room)
	length, by := 0, ""
	for _, name := range []string{"max_completion_tokens", "max_tokens", "gen_length"} {
		n := 0
		given, err := take(o, name, &n)
		switch {
		case err != nil:
			return opt, err
		case !given:
		case n < 1:
			return opt, badRequest(name, "%s %d must be at least 1", name, n)
		case by != "" && n != length:
			return opt, badRequest(name, "%s %d contradicts %s %d", name, n, by, length)
		default:
			length, by = n, name
		}
	}
	if length > room {
		e := badRequest(by, "the model has %d positions, and the prompt takes %d of them: %s can be %d at most", m.Config.Context, prompt, by, room)
		e.Code = "context_length_exceeded"
		return opt, e
	}
	if length > 0 {
		opt.GenLength = length
	}
	for _, s := range settings {
		given, err := s.take(o, s.name, &opt)
		if err != nil {
			return opt, err
		}
		if s.name == "template" && len(opt.Template) > 0 {
			if by == "" {
				opt.GenLength = len(opt.Template)
			}
			if err := m.CheckIDs(opt.Template); err != nil {
				return opt, badRequest(s.name, "%s: %v", s.name, err)
			}
		}
		if !given {
			continue
		}
		if err := m.Check(&opt, prompt); err != nil {
			return opt, badRequest(s.name, "%v", err)
		}
	}
	return opt, nil
}
