package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/internal/mmap"
	"lladakit/runtime"
)

// Source is a model to be measured: a file, or one with random weights that is made
// for the purpose.
type Source struct {
	Path      string     // GGUF file
	Name      string     // in results; "": Path
	Synthetic *Synthetic // where there is no Path
}

// bed is what the trials of one model share. It is described first, and loaded when the
// first of them begins.
type bed struct {
	source    Source
	config    arch.Config
	size      uint64 // bytes of weights
	params    uint64
	sha256    string // of a file; known once it is loaded
	scenarios []Scenario
	room      int  // positions that tests need after their depth
	keep      bool // caches of all depths

	m       *runtime.Model
	threads map[int]*runtime.Model
	ids     []int32 // of the longest test
	caches  map[place]*runtime.Cache
	closers []func()
}

// newBed looks at a model's numbers, without its weights, and puts them into the
// scenarios.
func newBed(source Source, scenarios []Scenario) (*bed, error) {
	if source.Name == "" {
		source.Name = source.Path
	}
	b := &bed{source: source, threads: map[int]*runtime.Model{}}
	if x := source.Synthetic; x != nil {
		infos, size, err := x.infos()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source.Name, err)
		}
		b.config, b.size = x.Config, size
		for i := range infos {
			b.params += infos[i].Elements()
		}
	} else {
		f, err := gguf.Open(source.Path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if b.config, err = arch.FromMetadata(f.Metadata); err != nil {
			return nil, fmt.Errorf("%s: %w", source.Path, err)
		}
		for _, t := range f.Tensors {
			b.size += t.Bytes()
			b.params += t.Elements()
		}
	}
	seen := map[Scenario]bool{}
	for _, s := range scenarios {
		s, err := s.resolve(&b.config)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source.Name, err)
		}
		if seen[s] {
			continue // its numbers were named and the model's
		}
		seen[s] = true
		b.scenarios = append(b.scenarios, s)
		b.room = max(b.room, s.Block, s.Tokens)
	}
	return b, nil
}

// checkRoom refuses models that cannot be in memory together.
func checkRoom(beds []*bed) error {
	var size uint64
	for _, b := range beds {
		size += b.size
	}
	if free := mmap.Available(); len(beds) > 1 && free > 0 && size > free/10*9 {
		return fmt.Errorf("the models have %.1f GB and %.1f GB of memory are free: they cannot take turns, only follow one another", float64(size)/1e9, float64(free)/1e9)
	}
	return nil
}

// larger warns of a model whose weights come from the disk.
func larger(m *runtime.Model) (warnings []string) {
	if larger, _, _ := m.Larger(); larger && m.Packed != runtime.PackMemory {
		return []string{"the model is larger than the memory that is free: weights come from the disk at every step"}
	}
	return nil
}

// load loads the model, if it is not, with workers of the given number.
func (b *bed) load(ctx context.Context, opt *Options, threads int) (*runtime.Model, error) {
	if b.m == nil {
		var progress func(done, total int64)
		if opt.Loading != nil {
			progress = func(done, total int64) { opt.Loading(b.source.Name, done, total) }
		}
		m, err := b.source.load(ctx, runtime.LoadOptions{Pack: opt.Pack, KV: opt.KV, Progress: progress})
		if err != nil {
			return nil, err
		}
		if b.source.Synthetic == nil {
			if b.sha256, err = m.SHA256(ctx); err != nil && ctx.Err() == nil { // what was interrupted has a result, too
				m.Close()
				return nil, err
			}
		}
		longest := 0
		for _, s := range b.scenarios {
			longest = max(longest, s.Depth+max(s.Block, s.Tokens))
		}
		b.m, b.ids = m, randomIDs(m, longest)
	}
	if b.threads[threads] == nil {
		b.threads[threads] = b.m.WithThreads(threads)
	}
	return b.threads[threads], nil
}

// load loads the model. What is made for the purpose is gone when the model is closed.
func (s *Source) load(ctx context.Context, opt runtime.LoadOptions) (*runtime.Model, error) {
	if s.Synthetic == nil {
		return runtime.LoadContext(ctx, s.Path, opt)
	}
	x := *s.Synthetic
	x.Progress = opt.Progress
	return LoadSynthetic(ctx, "", x, opt)
}

// close gives the model back.
func (b *bed) close() error {
	var errs []error
	for _, m := range b.threads {
		errs = append(errs, m.Close())
	}
	for _, f := range b.closers {
		f()
	}
	if b.m != nil {
		errs = append(errs, b.m.Close())
	}
	*b = bed{source: b.source}
	return errors.Join(errs...)
}

// typeName is a model's as llama-bench writes it: "llada2 16B Q4_0".
func (b *bed) typeName() string {
	return fmt.Sprintf("%s %s %s", arch.Name, people(b.params), strings.ToUpper(b.m.FileType()))
}

// people writes a number for people: 16B, 4.2M.
func people(n uint64) string {
	x := float64(n)
	for _, unit := range []string{"", "K", "M", "B"} {
		if x < 999.5 || unit == "B" {
			if x < 9.95 {
				x = math.Round(10*x) / 10
			} else {
				x = math.Round(x)
			}
			return strconv.FormatFloat(x, 'f', -1, 64) + unit
		}
		x /= 1000
	}
	return ""
}
