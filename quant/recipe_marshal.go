package quant

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Marshal returns the recipe as the file that ReadRecipe reads.
func (r *Recipe) Marshal() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	doc := mapping("target", plain(r.Target.String()))
	if r.Pure {
		add(doc, "pure", plain("true"))
	}
	if r.Output != nil {
		add(doc, "output", plain(r.Output.String()))
	}
	if r.Embedding != nil {
		add(doc, "embedding", plain(r.Embedding.String()))
	}
	if len(r.Rules) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, rule := range r.Rules {
			m := mapping("match", text(rule.Match))
			add(m, "type", plain(rule.Type.String()))
			list.Content = append(list.Content, m)
		}
		add(doc, "tensors", list)
	}
	if len(r.Experts) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range r.Experts {
			list.Content = append(list.Content, r.Experts[i].node())
		}
		add(doc, "experts", list)
	}
	if len(r.Fixed) > 0 {
		m := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range r.Fixed {
			m.Content = append(m.Content, text(f.Name), f.node())
		}
		add(doc, "fixed", m)
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	if out.Len() > maxRecipeBytes {
		return nil, fmt.Errorf("a recipe has no more than %d MiB", maxRecipeBytes>>20)
	}
	return out.Bytes(), nil
}

func (r *ExpertRule) node() *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	if r.Layers != nil {
		add(m, "layers", plain(r.Layers.String()))
	}
	if r.Matrix != nil {
		add(m, "matrix", flow(r.Matrix))
	}
	types := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range r.Types {
		types.Content = append(types.Content, plain(r.Types[i].String()))
	}
	add(m, "types", types)
	return m
}

// node returns the type of a whole tensor, or a list of runs of equal types.
func (f *Fixed) node() *yaml.Node {
	if len(f.Types) == 1 {
		return plain(f.Types[0].String())
	}
	var runs []string
	for i := 0; i < len(f.Types); {
		n := 1
		for i+n < len(f.Types) && f.Types[i+n] == f.Types[i] {
			n++
		}
		run := f.Types[i].String()
		if n > 1 {
			run += "*" + strconv.Itoa(n)
		}
		runs = append(runs, run)
		i += n
	}
	return flow(runs)
}

func mapping(key string, value *yaml.Node) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	add(m, key, value)
	return m
}

func add(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, plain(key), value)
}

// plain is a value of our own making, which needs no quotes.
func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// text is a value of any characters. It is in quotes unless it looks like the
// name of a tensor; the library's own choice would leave "<<" without.
func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }):
		n.Style = yaml.DoubleQuotedStyle
	case strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" || s == "" || s[0] < 'a':
		n.Style = yaml.SingleQuotedStyle
	}
	return n
}

func flow(words []string) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, w := range words {
		list.Content = append(list.Content, plain(w))
	}
	return list
}
