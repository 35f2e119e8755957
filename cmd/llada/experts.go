package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
)

// expertTypes are the formats of one matrix of a layer's experts.
type expertTypes struct {
	Layer  int      `json:"layer"`
	Matrix string   `json:"matrix"` // gate, up, down
	Types  []string `json:"types"`  // of each expert
}

// findExpertTypes looks where a file has its experts; nil for a file of another
// architecture, or without any.
func findExpertTypes(f *gguf.File) ([]expertTypes, error) {
	cfg, err := arch.FromMetadata(f.Metadata)
	if err != nil {
		return nil, err
	}
	var all []expertTypes
	names := map[arch.Role]string{arch.ExpertGate: "gate", arch.ExpertUp: "up", arch.ExpertDown: "down"}
	for _, t := range cfg.Tensors() {
		name, ok := names[t.Role]
		if !ok {
			continue
		}
		experts, err := t.FindExperts(f)
		if err != nil {
			return nil, err
		}
		row := expertTypes{Layer: t.Layer, Matrix: name}
		for _, e := range experts {
			row.Types = append(row.Types, e.Tensor.Type.String())
		}
		all = append(all, row)
	}
	return all, nil
}

// expertColumns is how many experts the grid has in a line.
const expertColumns = 64

// printExperts draws the types as a grid: a letter for every expert, A for the
// type of most bits.
func (e *env) printExperts(all []expertTypes) error {
	letters, legend := expertLetters(all)
	fmt.Fprintln(e.stdout, legend)
	for _, row := range all {
		for from := 0; from < len(row.Types); from += expertColumns {
			to := min(from+expertColumns, len(row.Types))
			var line strings.Builder
			for i, t := range row.Types[from:to] {
				if i%8 == 0 {
					line.WriteByte(' ')
				}
				line.WriteByte(letters[t])
			}
			what := fmt.Sprintf("layer %d %s", row.Layer, row.Matrix)
			if from > 0 {
				what = ""
			}
			if _, err := fmt.Fprintf(e.stdout, "%-14s %3d%s\n", what, from, line.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// expertLetters gives every type a letter, and says which.
func expertLetters(all []expertTypes) (map[string]byte, string) {
	counts := map[string]int{}
	var names []string
	for _, row := range all {
		for _, t := range row.Types {
			if counts[t] == 0 {
				names = append(names, t)
			}
			counts[t]++
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(-cmp.Compare(bitsOf(a), bitsOf(b)), cmp.Compare(a, b))
	})
	letters := map[string]byte{}
	var legend []string
	for i, name := range names {
		letters[name] = byte('A' + i)
		legend = append(legend, fmt.Sprintf("%c %s (%d)", 'A'+i, name, counts[name]))
	}
	return letters, strings.Join(legend, "   ")
}

// bitsOf returns the bits of a weight in a type.
func bitsOf(name string) float64 {
	t, err := gguf.ParseType(name)
	if err != nil {
		return 0
	}
	n, bytes := t.Block()
	return 8 * float64(bytes) / float64(n)
}
