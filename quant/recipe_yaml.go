package quant

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"lladakit/internal/gguf"
)

const maxRecipeBytes = 16 << 20

// ReadRecipe reads a recipe file, which RECIPES.md describes. An error begins
// with the number of the line.
func ReadRecipe(r io.Reader) (*Recipe, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxRecipeBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxRecipeBytes {
		return nil, fmt.Errorf("line %d: a recipe has no more than %d MiB", 1+bytes.Count(data, []byte("\n")), maxRecipeBytes>>20)
	}
	doc, err := oneDocument(data)
	if err != nil {
		return nil, err
	}
	var p recipeReader
	if err := p.recipe(doc); err != nil {
		return nil, err
	}
	return &p.out, nil
}

// oneDocument parses YAML into its only document. Nodes are not resolved: an
// alias stays a node without contents.
func oneDocument(data []byte) (*yaml.Node, error) {
	if line := unreadableLine(data); line > 0 {
		return nil, fmt.Errorf("line %d: a character is not allowed, or not UTF-8", line)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case err == io.EOF:
		return nil, errors.New("line 1: the recipe is empty")
	case err != nil:
		return nil, yamlError(err, data)
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		return nil, fmt.Errorf("line %d: a second document begins; a recipe is one", next.Line)
	case err != io.EOF:
		return nil, yamlError(err, data)
	}
	return doc.Content[0], nil
}

// unreadableLine returns the line of the first character that YAML does not
// allow, 0 without one. The library's error for it has no line.
func unreadableLine(data []byte) int {
	line := 1
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && n == 1,
			r < 0x20 && r != '\t' && r != '\r',
			r >= 0x7f && r < 0xa0 && r != 0x85,
			r == 0xfeff && i > 0, r == 0xfffe, r == 0xffff:
			return line
		}
		i += n
	}
	return 0
}

// yamlError puts the line at the front of the library's error. The library
// leaves it away on the first line, and for an alias of nothing.
func yamlError(err error, data []byte) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.HasPrefix(text, "line ") {
		return errors.New(text)
	}
	line := 1
	if _, quoted, ok := strings.Cut(text, "unknown anchor '"); ok {
		name, _, _ := strings.Cut(quoted, "'")
		before, _, _ := bytes.Cut(data, []byte("*"+name))
		line += bytes.Count(before, []byte("\n"))
	}
	return fmt.Errorf("line %d: %s", line, text)
}

// recipeReader builds a Recipe from nodes.
type recipeReader struct {
	out   Recipe
	fixed int // types of fixed tensors so far
}

// lineError is an error at the line of a node.
func lineError(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{n.Line}, args...)...)
}

func (p *recipeReader) recipe(n *yaml.Node) error {
	named := false
	err := eachField(n, map[string]func(*yaml.Node) error{
		"target": func(v *yaml.Node) (err error) {
			named = true
			p.out.Target, err = parsed(v, ParseTarget)
			return err
		},
		"pure": func(v *yaml.Node) (err error) {
			p.out.Pure, err = boolean(v)
			return err
		},
		"output":    optionalType(&p.out.Output),
		"embedding": optionalType(&p.out.Embedding),
		"tensors":   func(v *yaml.Node) error { return eachItem(v, p.rule) },
		"experts":   func(v *yaml.Node) error { return eachItem(v, p.expertRule) },
		"fixed":     func(v *yaml.Node) error { return eachPair(v, p.fixedTensor) },
	})
	if err == nil && !named {
		err = lineError(n, `the key "target" is missing`)
	}
	return err
}

func (p *recipeReader) rule(n *yaml.Node) error {
	var r Rule
	var typed bool
	err := eachField(n, map[string]func(*yaml.Node) error{
		"match": func(v *yaml.Node) (err error) {
			r.Match, err = scalar(v)
			if err == nil {
				if _, bad := r.compile(); bad != nil {
					err = lineError(v, "%w", bad)
				}
			}
			return err
		},
		"type": func(v *yaml.Node) (err error) {
			typed = true
			r.Type, err = parsed(v, ParseType)
			return err
		},
	})
	if err == nil && (r.Match == "" || !typed) {
		err = lineError(n, `want the keys "match" and "type"`)
	}
	p.out.Rules = append(p.out.Rules, r)
	return err
}

func (p *recipeReader) expertRule(n *yaml.Node) error {
	var r ExpertRule
	err := eachField(n, map[string]func(*yaml.Node) error{
		"layers": func(v *yaml.Node) error {
			return eachWord(v, func(text string) error {
				ns, err := parseNumbers(text)
				r.Layers = append(r.Layers, ns...)
				return err
			})
		},
		"matrix": func(v *yaml.Node) error {
			return eachWord(v, func(text string) error {
				r.Matrix = append(r.Matrix, strings.Split(strings.ToLower(text), ",")...)
				return checkMatrices(r.Matrix)
			})
		},
		"types": func(v *yaml.Node) error {
			return eachWord(v, func(text string) error {
				s, err := parseSelection(strings.ToLower(text))
				r.Types = append(r.Types, s)
				return err
			})
		},
	})
	if err == nil && r.Types == nil {
		err = lineError(n, `the key "types" is missing`)
	}
	if err == nil {
		if bad := r.check(); bad != nil {
			err = lineError(n, "%w", bad)
		}
	}
	p.out.Experts = append(p.out.Experts, r)
	return err
}

func (p *recipeReader) fixedTensor(name, n *yaml.Node) error {
	if name.Value == "" {
		return lineError(name, "the name of the tensor is empty")
	}
	f := Fixed{Name: name.Value}
	err := eachWord(n, func(text string) error {
		typ, count, err := parseRun(text)
		if err != nil {
			return err
		}
		if p.fixed += count; p.fixed > maxFixedTypes {
			return fmt.Errorf("%.80q: fixed tensors have more than %d types together", text, maxFixedTypes)
		}
		for range count {
			f.Types = append(f.Types, typ)
		}
		return nil
	})
	p.out.Fixed = append(p.out.Fixed, f)
	return err
}

// parseRun reads TYPE or TYPE*COUNT.
func parseRun(text string) (gguf.Type, int, error) {
	name, digits, many := strings.Cut(text, "*")
	typ, err := ParseType(name)
	if err != nil || !many {
		return typ, 1, err
	}
	count, err := parseNumber(digits)
	if err == nil && count == 0 {
		err = fmt.Errorf("%q is for no expert", text)
	}
	return typ, count, err
}

// kinds name the nodes in errors.
var kinds = map[yaml.Kind]string{
	yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value", yaml.AliasNode: "an alias",
}

func needKind(n *yaml.Node, kind yaml.Kind) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return lineError(n, "an alias (*%.80s): recipes have none", n.Value)
	case n.Kind != kind:
		return lineError(n, "want %s, not %s", kinds[kind], kinds[n.Kind])
	}
	return nil
}

// eachPair calls do for the pairs of a mapping, whose keys must differ.
func eachPair(n *yaml.Node, do func(key, value *yaml.Node) error) error {
	if err := needKind(n, yaml.MappingNode); err != nil {
		return err
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name, err := scalar(key)
		if err != nil {
			return err
		}
		if line := lines[name]; line > 0 {
			return lineError(key, "the key %.80q was already given on line %d", name, line)
		}
		lines[name] = key.Line
		if err := do(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// eachField calls the function of every key of a mapping. A key without one is
// an error.
func eachField(n *yaml.Node, fields map[string]func(*yaml.Node) error) error {
	return eachPair(n, func(key, v *yaml.Node) error {
		do := fields[key.Value]
		if do == nil {
			known := slices.Sorted(maps.Keys(fields))
			return lineError(key, "unknown key %.80q: want %s", key.Value, strings.Join(known, ", "))
		}
		return do(v)
	})
}

func eachItem(n *yaml.Node, do func(*yaml.Node) error) error {
	if err := needKind(n, yaml.SequenceNode); err != nil {
		return err
	}
	for _, item := range n.Content {
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

// eachWord calls do for the words of a single value or of a list of them. There
// must be at least one.
func eachWord(n *yaml.Node, do func(string) error) error {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	found := false
	for _, item := range items {
		text, err := scalar(item)
		if err != nil {
			return err
		}
		for word := range strings.FieldsSeq(text) {
			found = true
			if err := do(word); err != nil {
				return lineError(item, "%w", err)
			}
		}
	}
	if !found {
		return lineError(n, "nothing is given")
	}
	return nil
}

// scalar returns the text of a string or of a number.
func scalar(n *yaml.Node) (string, error) {
	if err := needKind(n, yaml.ScalarNode); err != nil {
		return "", err
	}
	if tag := n.ShortTag(); tag != "!!str" && tag != "!!int" {
		return "", lineError(n, "%.80q is of type %.80s, not a text", n.Value, strings.TrimLeft(tag, "!"))
	}
	return n.Value, nil
}

func boolean(n *yaml.Node) (bool, error) {
	if err := needKind(n, yaml.ScalarNode); err != nil {
		return false, err
	}
	if n.ShortTag() == "!!bool" && (n.Value == "true" || n.Value == "false") {
		return n.Value == "true", nil
	}
	return false, lineError(n, "%.80q is neither true nor false", n.Value)
}

// parsed returns what parse makes of a node's text.
func parsed[T any](n *yaml.Node, parse func(string) (T, error)) (v T, err error) {
	text, err := scalar(n)
	if err != nil {
		return v, err
	}
	if v, err = parse(text); err != nil {
		return v, lineError(n, "%w", err)
	}
	return v, nil
}

func optionalType(dst **gguf.Type) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		t, err := parsed(n, ParseType)
		*dst = &t
		return err
	}
}
