package quant

import (
	"fmt"
	"slices"
	"strings"

	"lladakit/internal/gguf"
)

// ParseTarget reads the name of a target format, upper or lower case.
func ParseTarget(name string) (gguf.Type, error) {
	t, err := gguf.ParseType(name)
	if err != nil || !slices.Contains(Types, t) {
		var known []string
		for _, t := range Types {
			known = append(known, t.String())
		}
		return 0, fmt.Errorf("type %q is not one of %s", name, strings.Join(known, ", "))
	}
	return t, nil
}

// Choose returns the format of a weight matrix with rows of cols weights in a
// file of the given target format: the target itself, or F16 when a row is not
// a whole number of the target's blocks.
func Choose(target gguf.Type, cols int) gguf.Type {
	if _, err := Bytes(target, cols); err != nil {
		return gguf.F16
	}
	return target
}

// FileType returns general.file_type (LLAMA_FTYPE) for a target format.
func FileType(target gguf.Type) uint32 {
	switch target {
	case gguf.F16:
		return 1
	case gguf.Q4_0:
		return 2
	case gguf.Q8_0:
		return 7
	case gguf.BF16:
		return 32
	}
	return 0 // ALL_F32
}
