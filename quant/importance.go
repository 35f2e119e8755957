package quant

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"lladakit/internal/gguf"
)

// Importance says how strongly the columns of weight matrices are used: for
// every column the sum of its squared inputs over the rows of activations that
// a model saw while it worked. It is the form that llama-quantize calls an
// imatrix, and is read and written as such a file.
type Importance struct {
	Path     string   // of the file that it was read from
	Datasets []string // what the model worked on
	Chunks   uint32   // how many texts of it
	Rows     []uint64 // rows seen, by the share of masks in their block: quarters
	Entries  map[string]*Columns
}

// Columns is the importance of one tensor: of one matrix, or of each expert of
// a stack.
type Columns struct {
	Cols   int
	Sum2   []float32 // [matrices, Cols], sums of squares
	Counts []float32 // [matrices], rows summed up
}

// Of returns the mean squares of the columns of one matrix. A matrix that saw no
// row has none: it returns nil, and the matrix is to be quantized without.
func (c *Columns) Of(matrix int) []float32 {
	n := c.Counts[matrix]
	if n == 0 {
		return nil
	}
	mean := make([]float32, c.Cols)
	for i, s := range c.Sum2[matrix*c.Cols : (matrix+1)*c.Cols] {
		mean[i] = s / n
	}
	return mean
}

// The keys and names of the file. The last is our own.
const (
	imatrixType     = "imatrix"
	imatrixDatasets = "imatrix.datasets"
	imatrixChunks   = "imatrix.chunk_count"
	imatrixSize     = "imatrix.chunk_size"
	imatrixRows     = "llada2.imatrix.rows_by_mask_share"
	sumSuffix       = ".in_sum2"
	countSuffix     = ".counts"
)

// Write writes the file. Equal importances give equal bytes.
func (m *Importance) Write(w io.Writer) error {
	md := gguf.Metadata{
		{Key: "general.type", Value: imatrixType},
		{Key: imatrixDatasets, Value: m.Datasets},
		{Key: imatrixChunks, Value: m.Chunks},
		{Key: imatrixSize, Value: uint32(1)}, // a chunk is a text, of any length
		{Key: imatrixRows, Value: m.Rows},
	}
	names := slices.Sorted(maps.Keys(m.Entries))
	var infos []gguf.TensorInfo
	for _, name := range names {
		c := m.Entries[name]
		matrices := uint64(len(c.Counts))
		infos = append(infos,
			gguf.TensorInfo{Name: name + sumSuffix, Type: gguf.F32, Dims: []uint64{uint64(c.Cols), matrices}},
			gguf.TensorInfo{Name: name + countSuffix, Type: gguf.F32, Dims: []uint64{1, matrices}})
	}
	out, err := gguf.NewWriter(w, md, infos)
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, values := range [][]float32{m.Entries[name].Sum2, m.Entries[name].Counts} {
			data := make([]byte, 4*len(values))
			Quantize(gguf.F32, data, values, nil)
			if _, err := out.Write(data); err != nil {
				return err
			}
		}
	}
	return out.Close()
}

// ErrImportance is returned, wrapped, for a file that is no importance matrix.
var ErrImportance = errors.New("not an importance matrix")

// OpenImportance reads a file, ours or llama-imatrix's. The names in it are
// those of the tensors of a model; see Check.
func OpenImportance(path string) (*Importance, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := readImportance(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.Path = path
	return m, nil
}

func readImportance(f *gguf.File) (*Importance, error) {
	if kind, err := f.Metadata.String("general.type"); err != nil || kind != imatrixType {
		return nil, fmt.Errorf("general.type is %q: %w", kind, ErrImportance)
	}
	m := &Importance{Entries: map[string]*Columns{}}
	// What follows is for people: a file without it serves as well.
	m.Datasets, _ = f.Metadata.Strings(imatrixDatasets)
	if n, err := f.Metadata.Uint(imatrixChunks); err == nil {
		m.Chunks = uint32(min(n, math.MaxUint32))
	}
	if v, ok := f.Metadata.Lookup(imatrixRows); ok {
		m.Rows, _ = v.([]uint64)
	}
	for i := range f.Tensors {
		sums := &f.Tensors[i]
		name, ok := strings.CutSuffix(sums.Name, sumSuffix)
		if !ok {
			continue
		}
		counts, ok := f.Tensor(name + countSuffix)
		if !ok {
			return nil, fmt.Errorf("tensor %q is missing: %w", name+countSuffix, ErrImportance)
		}
		c, err := readColumns(sums, counts)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", sums.Name, err)
		}
		m.Entries[name] = c
	}
	if len(m.Entries) == 0 {
		return nil, fmt.Errorf("no tensors %s: %w", sumSuffix, ErrImportance)
	}
	return m, nil
}

// readColumns reads one entry, [cols, matrices] and [1, matrices].
func readColumns(sums, counts *gguf.Tensor) (*Columns, error) {
	if sums.Type != gguf.F32 || counts.Type != gguf.F32 {
		return nil, fmt.Errorf("types %v and %v are not f32: %w", sums.Type, counts.Type, ErrImportance)
	}
	matrices := sums.Elements() / sums.Dims[0]
	if counts.Elements() != matrices {
		return nil, fmt.Errorf("%d sums, but %d counts: %w", matrices, counts.Elements(), ErrImportance)
	}
	c := &Columns{
		Cols: int(sums.Dims[0]),
		Sum2: make([]float32, sums.Elements()), Counts: make([]float32, matrices),
	}
	Dequantize(gguf.F32, c.Sum2, sums.Data)
	Dequantize(gguf.F32, c.Counts, counts.Data)
	for _, values := range [][]float32{c.Sum2, c.Counts} {
		for _, v := range values {
			if !(v >= 0) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("%g is no sum of squares and no count: %w", v, ErrImportance)
			}
		}
	}
	return c, nil
}

// Check reports whether the entry that a file has for a tensor fits it: matrices
// of cols columns. A tensor without an entry is quantized without importance.
func (m *Importance) Check(tensor string, cols, matrices int) error {
	c := m.Entries[tensor]
	if c != nil && (c.Cols != cols || len(c.Counts) != matrices) {
		return fmt.Errorf("importance of tensor %q: %d matrices of %d columns, not %d of %d: %w",
			tensor, len(c.Counts), c.Cols, matrices, cols, ErrImportance)
	}
	return nil
}
