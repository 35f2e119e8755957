package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"lladakit/runtime"
)

// loadFlags say how a model is loaded.
func loadFlags() []cli.Flag {
	return []cli.Flag{threadsFlag(), packFlag(), kvFlag()}
}

func packFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "pack", DefaultText: "memory, or none if there is too little",
		Usage: "`WHERE` weights lie in the order of the kernels: memory; file, beside the model, for later loads; or none",
	}
}

func kvFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "kv-type", DefaultText: "f32 for weights of float types, else f16",
		Usage: "`TYPE` of the attention cache: f32; f16, half as large and faster; or q8_0, a quarter as large and approximate",
	}
}

// load loads the model at path as the flags say.
func (e *env) load(c *cli.Context, path string) (*runtime.Model, error) {
	workers, err := threads(c)
	if err != nil {
		return nil, err
	}
	pack, err := runtime.ParsePack(c.String("pack"))
	if err != nil {
		return nil, usagef("--pack: %w", err)
	}
	kv, err := runtime.ParseKV(c.String("kv-type"))
	if err != nil {
		return nil, usagef("--kv-type: %w", err)
	}
	bar := newProgress(e.stderr, "loading")
	m, err := runtime.LoadContext(c.Context, path, runtime.LoadOptions{Threads: workers, Pack: pack, KV: kv, Progress: bar.update})
	bar.end()
	if err != nil {
		return nil, err
	}
	if larger, bytes, free := m.Larger(); larger && m.Packed != runtime.PackMemory {
		fmt.Fprintf(e.stderr, "llada: warning: the model has %s and %s of memory are free: weights will come from the disk at every step, which is slow\n",
			size(bytes), size(free))
	}
	return m, nil
}

// mostThreads bounds what a slip of the finger can start.
const mostThreads = 1024

func threadsFlag() cli.Flag {
	return &cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "`N` workers", DefaultText: "one per processor"}
}

// threads returns the number of workers; 0 means one per processor.
func threads(c *cli.Context) (int, error) {
	n := c.Int("threads")
	if n < 0 || n > mostThreads {
		return 0, usagef("--threads: %d is not between 0 and %d", n, mostThreads)
	}
	return n, nil
}
