package main

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/internal/gguf"
)

func (e *env) inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "show what is in a GGUF file: metadata, tensors, types, bits per weight",
		UsageText: "llada inspect [--tensors | --experts] [--json] FILE\n\nExample: llada inspect --tensors mini-q8_0.gguf",
		ArgsUsage: "FILE",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "tensors", Usage: "list every tensor"},
			&cli.BoolFlag{Name: "experts", Usage: "show the type of every expert as a grid"},
			&cli.BoolFlag{Name: "json", Usage: "print everything as JSON"},
		},
		Action: e.inspect,
	}
}

// typeCount sums up the tensors of one type.
type typeCount struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Weights uint64 `json:"weights"`
	Bytes   uint64 `json:"bytes"`
}

// inspection is what inspect --json prints.
type inspection struct {
	Files         []string        `json:"files"`
	Weights       uint64          `json:"weights"`
	Bytes         uint64          `json:"bytes"` // of tensor data
	BitsPerWeight float64         `json:"bits_per_weight"`
	Types         []typeCount     `json:"types"`
	Metadata      []metadataEntry `json:"metadata"`
	Tensors       []tensorEntry   `json:"tensors"`
	Experts       []expertTypes   `json:"experts,omitempty"` // with --experts
}

type metadataEntry struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

type tensorEntry struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Dims   []uint64 `json:"dims"` // the contiguous dimension first
	Bytes  uint64   `json:"bytes"`
	Shard  int      `json:"shard"`
	Offset uint64   `json:"offset"` // in the data section of its shard
}

func (e *env) inspect(c *cli.Context) error {
	if err := arguments(c, 1, "FILE"); err != nil {
		return err
	}
	f, err := gguf.Open(c.Args().First())
	if err != nil {
		return err
	}
	defer f.Close()
	in := inspectFile(f)
	if c.Bool("experts") {
		if in.Experts, err = findExpertTypes(f); err != nil {
			return fmt.Errorf("%s: %w", c.Args().First(), err)
		}
	}
	if c.Bool("json") {
		return e.json(in)
	}
	if c.Bool("experts") {
		return e.printExperts(in.Experts)
	}
	return e.printInspection(in, c.Bool("tensors"))
}

func inspectFile(f *gguf.File) *inspection {
	in := &inspection{Files: f.Paths, Metadata: []metadataEntry{}, Tensors: []tensorEntry{}, Types: []typeCount{}}
	types := map[gguf.Type]*typeCount{}
	for _, t := range f.Tensors {
		in.Tensors = append(in.Tensors, tensorEntry{t.Name, t.Type.String(), t.Dims, t.Bytes(), t.Shard, t.Offset})
		if types[t.Type] == nil {
			types[t.Type] = &typeCount{Type: t.Type.String()}
		}
		n := types[t.Type]
		n.Tensors++
		n.Weights += t.Elements()
		n.Bytes += t.Bytes()
		in.Weights += t.Elements()
		in.Bytes += t.Bytes()
	}
	for _, n := range slices.SortedFunc(maps.Values(types), func(a, b *typeCount) int { return cmp.Compare(b.Bytes, a.Bytes) }) {
		in.Types = append(in.Types, *n)
	}
	if in.Weights > 0 {
		in.BitsPerWeight = 8 * float64(in.Bytes) / float64(in.Weights)
	}
	for _, kv := range f.Metadata {
		value := kv.Value
		if b, ok := value.([]uint8); ok { // which JSON would write as base64
			wide := make([]int, len(b))
			for i, v := range b {
				wide[i] = int(v)
			}
			value = wide
		}
		in.Metadata = append(in.Metadata, metadataEntry{kv.Key, valueType(kv.Value), finiteJSON(value)})
	}
	return in
}

// valueType names a value's type as the format does.
func valueType(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Slice {
		return "array of " + t.Elem().String()
	}
	return t.String()
}

// finiteJSON replaces numbers that JSON cannot write by text.
func finiteJSON(v any) any {
	r := reflect.ValueOf(v)
	switch {
	case r.CanFloat():
		if f := r.Float(); f-f != 0 {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	case r.Kind() == reflect.Slice && (r.Type().Elem().Kind() == reflect.Float32 || r.Type().Elem().Kind() == reflect.Float64):
		all := make([]any, r.Len())
		for i := range all {
			all[i] = finiteJSON(r.Index(i).Interface())
		}
		return all
	}
	return v
}

func (e *env) printInspection(in *inspection, tensors bool) error {
	var rows [][]string
	for _, m := range in.Metadata {
		rows = append(rows, []string{shorten(m.Key), m.Type, shorten(m.Value)})
	}
	if err := e.table([]string{"key", "type", "value"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, n := range in.Types {
		rows = append(rows, []string{n.Type, strconv.Itoa(n.Tensors), strconv.FormatUint(n.Weights, 10), size(n.Bytes)})
	}
	rows = append(rows, []string{"all", strconv.Itoa(len(in.Tensors)), strconv.FormatUint(in.Weights, 10), size(in.Bytes)})
	if err := e.table([]string{"type", "tensors", "weights", "size"}, rows, 1, 2, 3); err != nil {
		return err
	}
	if tensors {
		rows = nil
		for _, t := range in.Tensors {
			rows = append(rows, []string{shorten(t.Name), t.Type, strings.Trim(fmt.Sprint(t.Dims), "[]"), size(t.Bytes)})
		}
		if err := e.table([]string{"tensor", "type", "dims", "size"}, rows, 3); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(e.stdout, "%d weights, %s, %.2f bits per weight\n", in.Weights, size(in.Bytes), in.BitsPerWeight)
	return err
}

// shorten fits a value into a table: arrays by their length, long text by its
// beginning, text of more than one line or with control characters quoted as in
// Go.
func shorten(v any) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
		return fmt.Sprintf("%d values", r.Len())
	}
	text := fmt.Sprint(v)
	if s, ok := v.(string); ok {
		text = strconv.Quote(s)
		text = text[1 : len(text)-1]
	}
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}
