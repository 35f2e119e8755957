package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"lladakit/internal/arch"
	"lladakit/internal/tokenizer"
)

const indexFile = "model.safetensors.index.json"

// maxText bounds the text files of a checkpoint, in bytes. The largest real one
// is flash's index of 24 161 tensors, about 3 MB; tokenizers take 12 MB.
const maxText = 256 << 20

// Checkpoint is an open checkpoint folder. Its tensors are mapped until Close.
type Checkpoint struct {
	Dir       string
	Config    arch.Config
	Tokenizer *tokenizer.Tokenizer // nil when the folder has no tokenizer.json
	MaskID    *int32               // of config.json, nil when it has none
	EOSID     *int32

	inputs  []string // paths of all files that were read
	shards  []*shard
	tensors map[string]*source
}

// Open reads a checkpoint folder and checks everything but the weights
// themselves: fields, headers, sizes, that index and shards agree. Errors name
// the file and, where there is one, the tensor.
func Open(dir string) (_ *Checkpoint, err error) {
	c := &Checkpoint{Dir: dir, tensors: map[string]*source{}}
	defer func() {
		if err != nil {
			c.Close()
			err = fmt.Errorf("%s: %w", dir, err)
		}
	}()
	config, err := c.read("config.json")
	if err != nil {
		return nil, err
	}
	hf, err := arch.ParseHF(config)
	if err != nil {
		return nil, err
	}
	c.Config, c.MaskID, c.EOSID = hf.Config, hf.MaskID, hf.EOSID
	if abs, err := filepath.Abs(dir); err == nil {
		c.Config.Name = filepath.Base(abs)
	}
	if err := c.readGenerationConfig(); err != nil {
		return nil, err
	}
	if err := c.readTokenizer(); err != nil {
		return nil, err
	}
	if err := c.openShards(); err != nil {
		return nil, err
	}
	return c, nil
}

// Files returns the paths of all files of the folder that were read.
func (c *Checkpoint) Files() []string { return slices.Clone(c.inputs) }

// Close unmaps the tensors.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, s := range c.shards {
		errs = append(errs, s.file.Close())
	}
	c.shards, c.tensors = nil, nil
	return errors.Join(errs...)
}

// read returns the bytes of a text file of the folder.
func (c *Checkpoint) read(name string) ([]byte, error) {
	path := filepath.Join(c.Dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // reading a pipe could wait for ever
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if info.Size() > maxText {
		return nil, fmt.Errorf("%s: %d bytes are too many", name, info.Size())
	}
	c.inputs = append(c.inputs, path)
	return os.ReadFile(path)
}

// readGenerationConfig takes the recommended decoding settings from
// generation_config.json, where the folder has one and it names any.
func (c *Checkpoint) readGenerationConfig() error {
	data, err := c.read("generation_config.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	settings := struct {
		BlockLength *int     `json:"block_length"`
		Steps       *int     `json:"steps"`
		Threshold   *float32 `json:"threshold"`
	}{&c.Config.BlockLength, &c.Config.Steps, &c.Config.Threshold}
	if err := json.Unmarshal(data, &settings); err != nil {
		return fmt.Errorf("generation_config.json: %w", err)
	}
	if err := c.Config.Check(); err != nil {
		return fmt.Errorf("generation_config.json: %w", err)
	}
	return nil
}

func (c *Checkpoint) readTokenizer() error {
	data, err := c.read("tokenizer.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	config, err := c.read("tokenizer_config.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if config, err = c.addTemplate(config); err != nil {
		return err
	}
	c.Tokenizer, err = tokenizer.FromJSON(data, config)
	return err
}

// addTemplate puts the chat template into tokenizer_config.json, where newer
// checkpoints keep it in a file of its own.
func (c *Checkpoint) addTemplate(config []byte) ([]byte, error) {
	template, err := c.read("chat_template.jinja")
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil
	}
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if config != nil {
		if err := json.Unmarshal(config, &fields); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	fields["chat_template"] = string(template)
	return json.Marshal(fields)
}

// openShards maps the safetensors files and collects their tensors.
func (c *Checkpoint) openShards() error {
	index, err := c.readIndex()
	if err != nil {
		return err
	}
	files := slices.Sorted(maps.Keys(index))
	if index == nil {
		if files, err = shardNames(c.Dir); err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("no .safetensors files: %w", fs.ErrNotExist)
		}
	}
	for _, name := range files {
		s, err := openShard(filepath.Join(c.Dir, name))
		if errors.Is(err, fs.ErrNotExist) && index != nil {
			return fmt.Errorf("shard %s, which %s names: %w", name, indexFile, fs.ErrNotExist)
		}
		if err != nil {
			return err
		}
		c.shards = append(c.shards, s)
		c.inputs = append(c.inputs, s.path)
		if err := c.addTensors(s, index); err != nil {
			return err
		}
	}
	return nil
}

// shardNames lists the safetensors files of a folder. It does not use
// filepath.Glob: the folder's own name may hold brackets.
func shardNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".safetensors" {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// readIndex returns the tensors that the index promises for every shard, or nil
// when the folder has no index.
func (c *Checkpoint) readIndex() (map[string]map[string]bool, error) {
	data, err := c.read(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("%s: weight_map is missing or empty", indexFile)
	}
	byShard := map[string]map[string]bool{}
	for tensor, file := range index.WeightMap {
		if file != filepath.Base(file) || !filepath.IsLocal(file) || !plainName(file) {
			return nil, fmt.Errorf("%s: tensor %.200q: %.200q is not a file of this folder", indexFile, tensor, file)
		}
		if byShard[file] == nil {
			byShard[file] = map[string]bool{}
		}
		byShard[file][tensor] = true
	}
	return byShard, nil
}

// plainName reports whether a file may have the name: error messages will show
// it as it is.
func plainName(name string) bool {
	return len(name) <= 255 && strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// addTensors takes the tensors of a shard, which must be those that the index
// (nil: there is none) promises for it.
func (c *Checkpoint) addTensors(s *shard, index map[string]map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(index[s.name])) {
		if s.tensors[name] == nil {
			return fmt.Errorf("%s: tensor %.200q, which %s promises, is missing", s.name, name, indexFile)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.tensors)) {
		if index != nil && !index[s.name][name] {
			return fmt.Errorf("%s: tensor %.200q is not in %s", s.name, name, indexFile)
		}
		if other := c.tensors[name]; other != nil {
			return fmt.Errorf("%s: tensor %.200q is in %s too", s.name, name, other.shard.name)
		}
		src, err := s.source(name)
		if err != nil {
			return err
		}
		c.tensors[name] = src
	}
	return nil
}
