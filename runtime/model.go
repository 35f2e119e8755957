package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/internal/mmap"
	"lladakit/internal/tokenizer"
	"lladakit/kernels"
)

// Model is a loaded model. One operation (Generate, Logits) runs at a time.
type Model struct {
	Config    arch.Config
	Weights   *Weights
	Tokenizer *tokenizer.Tokenizer // nil when the file has no vocabulary
	MaskID    int32
	EOSID     int32

	// Packed says where the weights are.
	Packed Pack
	// KV is the type of keys and values in caches.
	KV KV

	file     *gguf.File
	copies   *mmap.File // packed weights; nil when there are none
	shared   bool       // file and copies are another's
	pool     *kernels.Pool
	observer Observer

	rounds bool // some matrices take rounded activations
	scarce bool // weights come from the disk at every use
}

// LoadOptions say how to load. The zero value uses all processors, and packs the
// weights into memory if they fit.
type LoadOptions struct {
	Threads int  // workers; 0 means one per processor
	Pack    Pack // "": PackMemory if there is enough, else PackNone
	KV      KV   // "": KVF32 if all weights are of float types, else KVF16

	// Progress, if not nil, is called from time to time with the bytes that are
	// packed, and all of them.
	Progress func(done, total int64)
}

// Load maps a GGUF file, or all shards of one when path is any of them, and
// checks that it has what the forward pass needs. Close unmaps it. It is
// LoadContext without an end.
func Load(path string, opt LoadOptions) (*Model, error) {
	return LoadContext(context.Background(), path, opt)
}

// LoadContext is Load, which takes as long as reading the file when it packs the
// weights, and which ctx ends.
func LoadContext(ctx context.Context, path string, opt LoadOptions) (_ *Model, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	m := &Model{file: f}
	defer func() {
		if err != nil && m.pool != nil {
			m.pool.Close()
		}
		if err != nil && m.copies != nil {
			m.copies.Close()
		}
	}()
	if m.Config, err = arch.FromMetadata(f.Metadata); err != nil {
		return nil, err
	}
	if m.Weights, err = loadWeights(f, &m.Config); err != nil {
		return nil, err
	}
	dropUnused(&m.Config)
	var ids tokenizer.Special
	m.Tokenizer, err = tokenizer.FromMetadata(f.Metadata)
	switch {
	case err == nil:
		ids = m.Tokenizer.Special()
	case errors.Is(err, tokenizer.ErrNoVocab):
		ids, err = tokenizer.NoVocabIDs(f.Metadata)
	}
	if err != nil {
		return nil, err
	}
	m.MaskID, m.EOSID = ids.Mask, ids.EOS
	for _, id := range []struct {
		what string
		id   int32
	}{{"mask", m.MaskID}, {"end", m.EOSID}} {
		if id.id < 0 || int(id.id) >= m.Config.Vocab {
			return nil, fmt.Errorf("no %s token: its id is absent or outside the vocabulary", id.what)
		}
	}
	if m.MaskID == m.EOSID {
		return nil, fmt.Errorf("mask and end token have the same id %d", m.MaskID)
	}
	for _, matrices := range m.Matrices() {
		for _, matrix := range matrices {
			m.rounds = m.rounds || matrix.Type.Rounds()
		}
	}
	if err := m.chooseKV(opt.KV); err != nil {
		return nil, err
	}
	m.pool = kernels.NewPool(opt.Threads)
	if err := m.pack(ctx, &opt); err != nil {
		return nil, err
	}
	return m, nil
}

// dropUnused zeroes the numbers of parts that no layer has. All others are those
// of tensors of the file; for these nothing vouches, and no memory must be taken.
func dropUnused(c *arch.Config) {
	if c.DenseLayers == 0 {
		c.DenseFF = 0
	}
	if c.DenseLayers == c.Layers {
		c.Experts, c.ExpertsUsed, c.ExpertFF, c.Shared, c.SharedFF = 0, 0, 0, 0, 0
	}
}

// WithThreads returns the model with other workers, of which 0 means one per
// processor: it shares the weights, and ends only its workers when it is closed, before
// the model that it was made of. Operations of both may take turns.
func (m *Model) WithThreads(n int) *Model {
	with := *m
	with.pool, with.shared = kernels.NewPool(n), true
	return &with
}

// Close ends the workers and unmaps the file.
func (m *Model) Close() error {
	m.pool.Close()
	if m.shared {
		return nil
	}
	if m.copies != nil {
		m.copies.Close()
	}
	return m.file.Close()
}

// Larger reports whether the files are larger than the memory that is free, so
// that weights will be read from the disk again and again, and both sizes. Where
// the memory is not known it is 0, and the answer no.
func (m *Model) Larger() (larger bool, size, free uint64) {
	for _, t := range m.file.Tensors {
		size += t.Bytes()
	}
	free = mmap.Available()
	return free > 0 && size > free, size, free
}

// Threads returns the number of workers.
func (m *Model) Threads() int { return m.pool.Workers() }

// Paths returns the files that the model was loaded from.
func (m *Model) Paths() []string { return m.file.Paths }

// FileType returns the type that most weights have.
func (m *Model) FileType() string {
	weights := map[gguf.Type]uint64{}
	var most gguf.Type
	for _, t := range m.file.Tensors {
		weights[t.Type] += t.Elements()
		if weights[t.Type] > weights[most] {
			most = t.Type
		}
	}
	return most.String()
}

// SHA256 returns the digest of the model's files, one after the other, in hex.
// It reads them whole.
func (m *Model) SHA256(ctx context.Context) (string, error) {
	sum := sha256.New()
	for _, path := range m.file.Paths {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, reader{ctx, f})
		f.Close()
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// reader stops reading when ctx ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Text returns the text of an answer: up to the end of the assistant's turn,
// without special tokens. It is empty for a model without a vocabulary.
func (m *Model) Text(ids []int32) string {
	if m.Tokenizer == nil {
		return ""
	}
	return m.Tokenizer.Decode(m.Turn(ids), true)
}

// Turn cuts an answer at the first token that ends the assistant's turn.
func (m *Model) Turn(ids []int32) []int32 {
	for i, id := range ids {
		if id == m.EOSID || m.Tokenizer != nil && id == m.Tokenizer.Special().RoleEnd {
			return ids[:i]
		}
	}
	return ids
}

// CheckIDs reports the first id that the vocabulary does not have.
func (m *Model) CheckIDs(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= m.Config.Vocab {
			return fmt.Errorf("id %d at position %d is outside the vocabulary of %d", id, i, m.Config.Vocab)
		}
	}
	return nil
}
