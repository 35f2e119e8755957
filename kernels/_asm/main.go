// Command _asm prints the amd64 assembly of package kernels and of the peak
// loops that its benchmarks compare with. Run it by go generate in the folder
// kernels.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	. "github.com/mmcloughlin/avo/build"
)

// sets names the functions of each file.
var sets = map[string]func(){
	"tile": tiles,
	"vnni": tilesVNNI,
	"peak": peaks, "peakvnni": peaksVNNI,
	"attend": attends, "attendvnni": attendsVNNI,
	"pack":  packs,
	"float": floats, "floatvnni": dotsVNNI, "vector": vectors, "quantize": quantizers, "search": searches,
}

func main() {
	set := flag.String("set", "", "which functions to print")
	flag.Parse()
	emit, ok := sets[*set]
	if !ok {
		fmt.Fprintf(os.Stderr, "-set %q is none of %q\n", *set, slices.Sorted(maps.Keys(sets)))
		os.Exit(2)
	}
	ConstraintExpr("!purego")
	emit()
	Generate()
}
