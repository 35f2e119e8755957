package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lladakit/internal/arch"
	"lladakit/internal/disk"
	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
	"lladakit/runtime"
)

// Synthetic says what random model to make. The zero value has no shape: begin
// with Shape.
type Synthetic struct {
	Config arch.Config
	Type   gguf.Type // of every matrix but the routers; BF16 for a checkpoint folder
	Seed   uint64    // equal seeds give equal files

	// Touched, if above 0, is how many different routed experts of a layer a pass over
	// 32 rows uses, on average: see MeasureTouched. 0 leaves all experts to chance.
	Touched float64

	// Progress, if not nil, is called from time to time with the bytes that are
	// written, and all of them.
	Progress func(done, total int64)

	offered [][]bool // [layers][experts], see offer; nil: all of them
}

// Synthesize writes a GGUF file with random weights and no vocabulary. The file
// appears when it is complete.
func Synthesize(ctx context.Context, path string, x Synthetic) error {
	infos, total, err := x.infos()
	if err != nil {
		return err
	}
	if err := disk.CheckSpace(filepath.Dir(path), total); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if _, err := x.chooseOffers(ctx, filepath.Dir(path)); err != nil {
		return err
	}
	f, err := disk.CreatePartial(path)
	if err != nil {
		return err
	}
	err = x.write(ctx, f, infos, int64(total))
	if err1 := f.Close(); err == nil {
		err = err1
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// LoadSynthetic makes a model in a file without a name, in dir or, for "", where
// temporary files are, and loads it: what it takes of the disk is free again when the
// model is closed, or the program ends. Its Paths are gone, and so it has no SHA256.
func LoadSynthetic(ctx context.Context, dir string, x Synthetic, opt runtime.LoadOptions) (*runtime.Model, error) {
	dir, err := os.MkdirTemp(dir, ".llada-synthetic-")
	if err != nil {
		return nil, err
	}
	// Note: a mapped file, other than one in memory, gives back its pages once the
	// weights are packed; with both in memory, a model would have to fit in twice.
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "synthetic.gguf")
	if err := Synthesize(ctx, path, x); err != nil {
		return nil, err
	}
	return runtime.LoadContext(ctx, path, opt)
}

// infos returns what tensors the file has, and their bytes, or why there is no such
// model.
func (x *Synthetic) infos() (infos []gguf.TensorInfo, total uint64, err error) {
	if err := x.Check(); err != nil {
		return nil, 0, err
	}
	for _, t := range x.Config.Tensors() {
		info := gguf.TensorInfo{Name: t.GGUF, Type: x.Type}
		if t.Exact() {
			info.Type = gguf.F32
		}
		for _, n := range slices.Backward(t.Shape) {
			info.Dims = append(info.Dims, uint64(n))
		}
		infos = append(infos, info)
		total += info.Bytes()
	}
	return infos, total, nil
}

// Check reports why there is no such model.
func (x *Synthetic) Check() error {
	c, typ := &x.Config, x.Type
	if err := c.Check(); err != nil {
		return err
	}
	if !slices.Contains(quant.Types, typ) {
		return fmt.Errorf("weights of type %s cannot be written", typ)
	}
	if c.Vocab < minVocab {
		return fmt.Errorf("a vocabulary of %d has no room for a token beside mask and end", c.Vocab)
	}
	for _, t := range c.Tensors() {
		cols := t.Shape[len(t.Shape)-1]
		if n, _ := typ.Block(); !t.Exact() && cols%n != 0 {
			return fmt.Errorf("tensor %q: rows of %d are no whole blocks of %s, which have %d", t.GGUF, cols, typ, n)
		}
	}
	if x.Touched == 0 {
		return nil
	}
	if c.DenseLayers == c.Layers {
		return errors.New("no layer has experts that could be touched")
	}
	if most := mostTouched(c); !(x.Touched >= float64(c.ExpertsUsed) && x.Touched <= most) {
		return fmt.Errorf("%g experts touched are not between %d, those of one token, and %.0f, those that %d tokens choose at random from %d",
			x.Touched, c.ExpertsUsed, most, touchedRows, c.Experts)
	}
	return nil
}

// special returns the ids of the mask and of the end.
func (x *Synthetic) special() (mask, eos int32) {
	return int32(x.Config.Vocab - 1), int32(x.Config.Vocab - 2)
}

// write writes the file's contents.
func (x *Synthetic) write(ctx context.Context, f *os.File, infos []gguf.TensorInfo, total int64) error {
	md := x.Config.Metadata()
	for _, kv := range tokenizer.NoVocab(x.special()) {
		md = append(md, gguf.KeyValue(kv))
	}
	md = append(md, gguf.KeyValue{Key: "general.file_type", Value: quant.Plain(x.Type).Target.FileType()})
	w, err := gguf.NewWriter(f, md, infos)
	if err != nil {
		return err
	}
	b := newBanks(x)
	var done int64
	for i, t := range x.Config.Tensors() {
		err := b.tensor(ctx, w, &t, infos[i].Type, int(infos[i].Bytes()), func(n int) {
			if done += int64(n); x.Progress != nil {
				x.Progress(done, total)
			}
		})
		if err != nil {
			return err
		}
	}
	return w.Close()
}
