package convert

import (
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"sync"

	"github.com/nlpodyssey/safetensors"

	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
)

// What is in memory at a time: two chunks per worker, each with its weights as
// float32, its result and its part of the mapped file, 12 bytes a weight at
// most: 192 MiB for these numbers. A chunk is a whole number of rows, and large
// enough that handing it over costs nothing.
const (
	chunkWeights = 1 << 18
	maxWorkers   = 32
)

// slack is how far around a chunk pages are given back to the system, beyond
// those that the chunk has. The kernel maps what lies around a page that is
// touched, 64 KiB in most configurations, and so brings back the ends of
// tensors that are long done: with tens of thousands of tensors, hundreds of
// megabytes.
const slack = 256 << 10

// pipeline quantizes tensors in chunks on several workers and writes them in
// order.
type pipeline struct {
	plan      *Plan
	workers   int
	free      []*chunk // buffers to use again
	done      int64    // bytes of the checkpoint's weights
	total     int64
	bad       int64 // of the source being written
	nonFinite int64 // of all
}

// chunk is a run of whole rows of one source.
type chunk struct {
	src       *source
	from, n   int  // weights
	last      bool // nothing of src comes after it
	wide      []float32
	out       []byte
	bad       int // infinities and NaNs, of the source or made by the format
	converted chan struct{}
}

func newPipeline(p *Plan) *pipeline {
	workers := p.opt.Threads
	if workers <= 0 {
		workers = goruntime.GOMAXPROCS(0)
	}
	pipe := &pipeline{plan: p, workers: min(workers, maxWorkers)}
	for _, sources := range p.sources {
		for _, src := range sources {
			pipe.total += int64(len(src.data))
		}
	}
	return pipe
}

// tensor writes tensor i of the plan to w.
func (p *pipeline) tensor(ctx context.Context, w io.Writer, i int) error {
	info := p.plan.Tensors[i]
	row := int(info.Dims[0])
	rows := max(1, chunkWeights/row)

	work := make(chan *chunk)
	var running sync.WaitGroup
	for range p.workers {
		running.Go(func() {
			for c := range work {
				c.convert(info.Type)
			}
		})
	}
	defer running.Wait() // the workers read mapped files, which the caller may close
	defer close(work)

	// Two chunks per worker are under way: one being converted, one waiting.
	var queue []*chunk
	flush := func(most int) error {
		for len(queue) > most {
			if err := p.write(w, queue[0], info); err != nil {
				return err
			}
			queue = queue[1:]
		}
		return nil
	}
	for _, src := range p.plan.sources[i] {
		total := len(src.data) / int(src.dtype.Size())
		for from := 0; from < total; from += rows * row {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := flush(2*p.workers - 1); err != nil {
				return err
			}
			c := p.chunk()
			c.src, c.from, c.n = src, from, min(rows*row, total-from)
			c.last = c.from+c.n == total
			queue = append(queue, c)
			work <- c
		}
	}
	return flush(0)
}

// chunk returns an unused chunk.
func (p *pipeline) chunk() *chunk {
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		return c
	}
	return &chunk{converted: make(chan struct{}, 1)}
}

// write waits for a chunk to be converted, writes it and gives it back.
func (p *pipeline) write(w io.Writer, c *chunk, info gguf.TensorInfo) error {
	<-c.converted
	p.bad += int64(c.bad)
	if c.last {
		if p.bad > 0 && !p.plan.opt.AllowNonFinite {
			return fmt.Errorf("%s: tensor %q: %d weights are not finite as %s", c.src.shard.name, c.src.name, p.bad, info.Type)
		}
		p.nonFinite += p.bad
		p.bad = 0
	}
	if _, err := w.Write(c.out); err != nil {
		return err
	}
	size := int64(c.src.dtype.Size())
	first := c.src.off + int64(c.from)*size
	start := max(0, first-slack)
	c.src.shard.file.Release(start, first+int64(c.n)*size+slack-start)
	p.done += int64(c.n) * size
	if p.plan.opt.Progress != nil {
		p.plan.opt.Progress(p.done, p.total)
	}
	p.free = append(p.free, c)
	return nil
}

// convert widens the chunk's weights and quantizes them to t.
func (c *chunk) convert(t gguf.Type) {
	c.wide = grow(c.wide, c.n)
	size := int(c.src.dtype.Size())
	kernels.Dequantize(layouts[c.src.dtype], c.wide, c.src.data[c.from*size:(c.from+c.n)*size])
	c.bad = 0
	for _, x := range c.wide {
		if x-x != 0 {
			c.bad++
		}
	}
	bytes, err := quant.Bytes(t, c.n)
	if err != nil {
		panic(err) // Choose gave a type that divides the row
	}
	c.out = grow(c.out, bytes)
	c.bad += quant.Quantize(t, c.out, c.wide, nil)
	c.converted <- struct{}{}
}

// layouts has the layout of each type that a checkpoint may store.
var layouts = map[safetensors.DType]kernels.Type{
	safetensors.F32: kernels.F32, safetensors.F16: kernels.F16, safetensors.BF16: kernels.BF16,
}

// grow returns a slice of length n that uses the memory of s if it can.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
