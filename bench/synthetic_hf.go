package bench

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lladakit/internal/arch"
	"lladakit/internal/disk"
	"lladakit/internal/gguf"
)

// shardBytes is how many bytes of tensors a file of a checkpoint has at most, unless it
// has one tensor only.
const shardBytes = 5_000_000_000

// SynthesizeHF makes a checkpoint folder with random weights, as Hugging Face has them:
// config.json, and BF16 safetensors with an index; there is no tokenizer. The folder
// appears when it is complete. One that is there already must be empty. Where
// Touched is set, touched says how many experts a model of the same numbers and
// offered experts uses, but of thin ones: the checkpoint itself cannot be run.
func SynthesizeHF(ctx context.Context, dir string, x Synthetic) (touched []Touched, err error) {
	return x.checkpoint(ctx, filepath.Clean(dir), shardBytes)
}

// checkpoint is SynthesizeHF with files of at most limit bytes.
func (x Synthetic) checkpoint(ctx context.Context, dir string, limit int64) (touched []Touched, err error) {
	if x.Type != gguf.BF16 {
		return nil, fmt.Errorf("a checkpoint folder has weights of type %s, not %s", gguf.BF16, x.Type)
	}
	if err := x.Check(); err != nil {
		return nil, err
	}
	mask, eos := x.special()
	config, err := x.Config.HF("bfloat16", mask, eos)
	if err != nil {
		return nil, err
	}
	if err := absent(dir); err != nil {
		return nil, err
	}
	shards, total := x.shards(limit)
	if err := disk.CheckSpace(filepath.Dir(dir), uint64(total)); err != nil {
		return nil, err
	}
	if touched, err = x.chooseOffers(ctx, filepath.Dir(dir)); err != nil {
		return nil, err
	}
	partial := disk.Partial(dir)
	if err := os.Mkdir(partial, 0o777); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(partial)
		}
	}()
	if err := os.WriteFile(filepath.Join(partial, "config.json"), config, 0o666); err != nil {
		return nil, err
	}
	if err := writeIndex(filepath.Join(partial, "model.safetensors.index.json"), shards, total); err != nil {
		return nil, err
	}
	b := newBanks(&x)
	var done int64
	progress := func(n int) {
		if done += int64(n); x.Progress != nil {
			x.Progress(done, total)
		}
	}
	for i, s := range shards {
		if err := s.write(ctx, filepath.Join(partial, shardName(i, len(shards))), b, progress); err != nil {
			return nil, err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // no longer empty
	}
	return touched, os.Rename(partial, dir)
}

// absent reports whether dir is not there, or an empty folder.
func absent(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s exists and is not a folder", dir)
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s exists and is not empty", dir)
	}
	return err
}

// hfTensor is a tensor of a checkpoint: t, or one expert of it.
type hfTensor struct {
	t     *arch.Tensor
	name  string
	shape []int
	bytes int64
}

// hfShard are the tensors of one file.
type hfShard []hfTensor

// shards divides the tensors over files, and returns their bytes.
func (x *Synthetic) shards(limit int64) (shards []hfShard, total int64) {
	var size int64
	for _, t := range x.Config.Tensors() {
		shape := t.Shape
		if t.Merged != "" {
			shape = shape[1:]
		}
		bytes := int64(hfType(&t).Size)
		for _, n := range shape {
			bytes *= int64(n)
		}
		for _, name := range t.HF {
			if len(shards) == 0 || size+bytes > limit && size > 0 {
				shards, size = append(shards, nil), 0
			}
			last := &shards[len(shards)-1]
			*last = append(*last, hfTensor{&t, name, shape, bytes})
			size += bytes
			total += bytes
		}
	}
	return shards, total
}

// dtype is what a tensor of a checkpoint is stored as.
type dtype struct {
	Name string
	Type gguf.Type
	Size int
}

// hfType returns BF16, but for the routers' biases, which published checkpoints have
// as float32.
func hfType(t *arch.Tensor) dtype {
	if t.Role == arch.RouterBias {
		return dtype{"F32", gguf.F32, 4}
	}
	return dtype{"BF16", gguf.BF16, 2}
}

func shardName(i, n int) string { return fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, n) }

// writeIndex writes which file has which tensor.
func writeIndex(path string, shards []hfShard, total int64) error {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"`
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.Metadata.TotalSize, index.WeightMap = total, map[string]string{}
	for i, s := range shards {
		for _, t := range s {
			index.WeightMap[t.name] = shardName(i, len(shards))
		}
	}
	data, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o666)
}

// header returns what a safetensors file begins with: the length of the rest, and for
// every tensor its type, shape, and place behind the header.
//
// Note: the safetensors package writes only what is in memory whole.
func (s hfShard) header() ([]byte, error) {
	type place struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	places := map[string]place{}
	var at int64
	for i := range s {
		places[s[i].name] = place{hfType(s[i].t).Name, s[i].shape, [2]int64{at, at + s[i].bytes}}
		at += s[i].bytes
	}
	text, err := json.Marshal(places)
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}

// write writes one file.
func (s hfShard) write(ctx context.Context, path string, b *banks, progress func(n int)) error {
	header, err := s.header()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer f.Close() // again after the last line, which is harmless
	if _, err := f.Write(header); err != nil {
		return err
	}
	for i := range s {
		if err := b.tensor(ctx, f, s[i].t, hfType(s[i].t).Type, int(s[i].bytes), progress); err != nil {
			return err
		}
	}
	return f.Close()
}
