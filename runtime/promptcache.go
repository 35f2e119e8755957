package runtime

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	goruntime "runtime"
	"slices"

	"lladakit/internal/blockstore"
	"lladakit/kernels"
)

// promptCacheVersion is of what is in the blobs of a prompt cache.
const promptCacheVersion = 1

// PromptCache keeps the keys and values of blocks of prompts, so that what many
// prompts begin with is computed once: in memory, and if wanted in a folder, for
// other runs. What comes out of it has the bits that went in, and a block's keys and
// values depend on nothing but the model and the tokens up to the block's end: results
// are the same with it and without. It is safe for concurrent use.
type PromptCache struct {
	model   *Model
	program [sha256.Size]byte
	file    [sha256.Size]byte
	store   *blockstore.Store
}

// NewPromptCache opens a prompt cache of the model; opt.Version is not looked at. It
// fails only when this program cannot be read, on which keys depend.
func (m *Model) NewPromptCache(opt blockstore.Options) (*PromptCache, error) {
	program, err := programSum()
	if err != nil {
		return nil, fmt.Errorf("prompt cache: %w", err)
	}
	opt.Version = promptCacheVersion
	return &PromptCache{model: m, program: program, file: m.file.Fingerprint(), store: blockstore.Open(opt)}, nil
}

// Close ends the use of the cache. Its folder stays.
func (p *PromptCache) Close() { p.store.Close() }

// Stats tell of hits and misses, and why a folder is not used.
func (p *PromptCache) Stats() blockstore.Stats { return p.store.Stats() }

// Load puts keys and values of the first positions of a sequence into its cache, as
// many whole blocks of the given length as are known, and returns the number of
// positions.
//
// While the model has an observer it finds nothing, since products that are not
// computed are not seen.
func (p *PromptCache) Load(cache *Cache, ids []int32, block int) (positions int) {
	if p.model.observer != nil {
		return 0
	}
	key, size := p.root(cache, block), cache.ExportSize(block)
	for part := range wholeBlocks(ids, block) {
		key = blockstore.Chain(key, block, part)
		blob, ok := p.store.Get(key, size)
		if !ok || cache.Import(positions, positions+block, blob) != nil {
			break
		}
		positions += block
	}
	return positions
}

// Save keeps what Load is to find: keys and values of the whole blocks of a sequence
// from position from on, which must be final in the cache, as those before, which are
// there already.
func (p *PromptCache) Save(cache *Cache, ids []int32, block, from int) {
	key, lo := p.root(cache, block), 0
	var blob []byte
	for part := range wholeBlocks(ids, block) {
		key = blockstore.Chain(key, block, part)
		if lo >= from {
			blob = cache.Export(blob[:0], lo, lo+block)
			p.store.Put(key, blob)
		}
		lo += block
	}
}

func wholeBlocks(ids []int32, block int) func(func([]int32) bool) {
	return slices.Chunk(ids[:len(ids)/block*block], block)
}

// root returns the key before the first block: a digest of everything that keys and
// values depend on but the tokens.
//
//   - The file, by gguf.File.Fingerprint, which see for the changes it cannot notice.
//     Reading nine gigabytes to know them all takes as long as several prompts. Where
//     weights come from a file of packed ones, that file's length and time are in it,
//     too: what was computed from a damaged one is not used once it is replaced.
//   - The model's numbers as they are now, since callers may change them.
//   - The program: another build may compute in another order, however slightly, and
//     no number in the source is sure to be raised with every such change. A new
//     build therefore never uses what an old one left.
//   - The kernels, those in use and those the processor can run; and exponentials, for
//     which the standard library takes what instructions there are.
//   - The layout of the cache, and the block length.
//
// Workers, packing in memory, and how many rows are computed together are not in it:
// results do not depend on them.
func (p *PromptCache) root(cache *Cache, block int) blockstore.Key {
	exponentials := make([]byte, 0, 8*256)
	for i := range 256 {
		exponentials = binary.LittleEndian.AppendUint64(exponentials, math.Float64bits(math.Exp(-float64(i)/13)))
	}
	var packed []byte
	if c := p.model.copies; c != nil && c.Info != nil {
		packed = fmt.Append(nil, c.Info.Size(), c.Info.ModTime().UnixNano())
	}
	return blockstore.Root(
		p.file[:], packed, fmt.Appendf(nil, "%#v", p.model.Config),
		p.program[:], []byte(goruntime.GOARCH),
		[]byte(kernels.Implementation()), fmt.Appendf(nil, "%q", kernels.Implementations()), exponentials,
		cache.exportHeader(nil, 0, 0), fmt.Append(nil, block),
	)
}

// programSum returns the SHA-256 of the running program. On Linux it is that of the
// file that runs, even if its name is another's by now.
func programSum() (sum [sha256.Size]byte, err error) {
	path := "/proc/self/exe"
	if goruntime.GOOS != "linux" {
		if path, err = os.Executable(); err != nil {
			return sum, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
