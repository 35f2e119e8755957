// Command arm64 prints the arm64 assembly of package kernels. Run it by go generate
// in the folder kernels.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// sets names the functions of each file.
var sets = map[string]func(*writer){
	"tile": tiles, "pack": packs, "float": floats, "vector": vectors, "quantize": quantizers, "search": searches,
	"attend": attends,
}

func main() {
	set := flag.String("set", "", "which functions to print")
	out := flag.String("out", "", "the file of assembly")
	stubs := flag.String("stubs", "", "the file of their declarations")
	flag.Parse()
	emit, ok := sets[*set]
	if !ok {
		fmt.Fprintf(os.Stderr, "-set %q is none of %q\n", *set, slices.Sorted(maps.Keys(sets)))
		os.Exit(2)
	}
	w := newWriter("go run ./arm64 " + strings.Join(os.Args[1:], " "))
	emit(w)
	for _, f := range []struct{ name, text string }{{*out, w.text.String()}, {*stubs, w.stubs.String()}} {
		if err := os.WriteFile(f.name, []byte(f.text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
