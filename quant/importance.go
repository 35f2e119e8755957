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
	Rows     []uint64 // rows seen in blocks without masks, and up to each quarter masked; nil: not known
	Entries  map[string]*Columns
}

// Columns is the importance of one tensor: of one matrix, or of each expert of
// a stack.
type Columns struct {
	Cols   int
	Sum2   []float32 // [matrices, Cols], sums of squares
	Counts []float32 // [matrices], rows summed up

	// Shares2 is, for experts, the sum of the squared weights that the router gave
	// to their results: how strongly they are used. nil where that is not known,
	// as in files of other programs.
	Shares2 []float32 // [matrices]

	// Sensitivity is what an error of the matrix, or of all experts of the stack,
	// costs the model: KL divergence in nats at masked positions per relative
	// squared error (see RelativeError). 0 where that was not measured.
	Sensitivity float32
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

// unseen is the share of a layer's uses that is spread over all experts alike:
// another text may reach what these texts did not.
const unseen = 0.02

// UseShares returns how much each expert is used, as a share of its layer's
// uses: how strongly where that is known, else how often. Together they are 1;
// the only matrix of other tensors has 1.
func (c *Columns) UseShares() []float64 {
	uses := c.Counts
	if c.Shares2 != nil {
		uses = c.Shares2
	}
	var sum float64
	for _, u := range uses {
		sum += float64(u)
	}
	shares := make([]float64, len(uses))
	for i, u := range uses {
		shares[i] = 1 / float64(len(uses))
		if sum > 0 {
			shares[i] = (1-unseen)*float64(u)/sum + unseen*shares[i]
		}
	}
	return shares
}

// The keys and names of the file.
const (
	imatrixType     = "imatrix"
	imatrixDatasets = "imatrix.datasets"
	imatrixChunks   = "imatrix.chunk_count"
	imatrixSize     = "imatrix.chunk_size"
	imatrixRows     = "llada2.imatrix.rows_by_mask_share" // our own
	sumSuffix       = ".in_sum2"
	countSuffix     = ".counts"
	// Our own, which other programs pass over.
	shareSuffix       = ".router_sum2"
	sensitivitySuffix = ".sensitivity"
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
		if c.Shares2 != nil {
			infos = append(infos, gguf.TensorInfo{Name: name + shareSuffix, Type: gguf.F32, Dims: []uint64{1, matrices}})
		}
		if c.Sensitivity != 0 {
			infos = append(infos, gguf.TensorInfo{Name: name + sensitivitySuffix, Type: gguf.F32, Dims: []uint64{1}})
		}
	}
	out, err := gguf.NewWriter(w, md, infos)
	if err != nil {
		return err
	}
	for _, name := range names {
		c := m.Entries[name]
		parts := [][]float32{c.Sum2, c.Counts, c.Shares2}
		if c.Sensitivity != 0 {
			parts = append(parts, []float32{c.Sensitivity})
		}
		for _, values := range parts {
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
		c, err := readColumns(f, name, sums)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		m.Entries[name] = c
	}
	if len(m.Entries) == 0 {
		return nil, fmt.Errorf("no tensors %s: %w", sumSuffix, ErrImportance)
	}
	return m, nil
}

// readColumns reads one entry: [cols, matrices], [1, matrices], and what else
// there is.
func readColumns(f *gguf.File, name string, sums *gguf.Tensor) (*Columns, error) {
	c := &Columns{Cols: int(sums.Dims[0])}
	matrices := sums.Elements() / sums.Dims[0]
	var sensitivity []float32
	for _, part := range []struct {
		suffix   string
		n        uint64
		optional bool
		into     *[]float32
	}{
		{sumSuffix, sums.Elements(), false, &c.Sum2}, {countSuffix, matrices, false, &c.Counts},
		{shareSuffix, matrices, true, &c.Shares2}, {sensitivitySuffix, 1, true, &sensitivity},
	} {
		t, ok := f.Tensor(name + part.suffix)
		if !ok && part.optional {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("%s is missing: %w", part.suffix, ErrImportance)
		}
		if t.Type != gguf.F32 || t.Elements() != part.n {
			return nil, fmt.Errorf("%s has %d values of type %v, not %d of f32: %w", part.suffix, t.Elements(), t.Type, part.n, ErrImportance)
		}
		values := make([]float32, part.n)
		Dequantize(gguf.F32, values, t.Data)
		for _, v := range values {
			if !(v >= 0) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("%s: %g is negative or not finite: %w", part.suffix, v, ErrImportance)
			}
		}
		*part.into = values
	}
	if sensitivity != nil {
		c.Sensitivity = sensitivity[0]
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

// RelativeError returns Σ w·(x-y)² / Σ w·x², where w is the importance of the
// column (nil: 1) and x and y are rows of len(importance) values. With inputs
// that do not depend on each other that is the relative squared error of a
// product with y instead of x. It is 0 for rows of zeros.
func RelativeError(x, y, importance []float32) float64 {
	var err, sum float64
	for i, v := range x {
		weight := 1.0
		if importance != nil {
			weight = float64(importance[i%len(importance)])
		}
		d := float64(v) - float64(y[i])
		err += weight * d * d
		sum += weight * float64(v) * float64(v)
	}
	if sum == 0 {
		return 0
	}
	return err / sum
}
