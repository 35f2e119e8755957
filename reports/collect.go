package reports

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Bounds of a collection.
const (
	maxCollectDepth   = 8 // folders in folders
	maxCollectEntries = 20_000
	maxCollectBytes   = 1 << 30 // of all results, unpacked
	maxCollectTrace   = maxTrace
)

// Collect reads the results in a folder and the folders in it, up to eight deep. Hidden
// folders, symbolic links and files that are no results are passed over. One that is
// damaged, of a newer version, or too large is a Problem, and so is what is missing in one
// that was interrupted. An error means that the folder cannot be read.
func Collect(dir string) (*Collection, error) {
	// A root, so that nothing outside is read if a link takes the place of a folder.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return collect(root.FS())
}

// collector is the state of one collection.
type collector struct {
	*Collection
	files   fs.FS
	entries int
	left    int64 // bytes of all that follows
	trace   int64 // bytes of a trace at most
}

func collect(files fs.FS) (*Collection, error) {
	c := &collector{Collection: new(Collection), files: files, left: maxCollectBytes, trace: maxCollectTrace}
	if err := fs.WalkDir(files, ".", c.visit); err != nil {
		return nil, err
	}
	return c.Collection, nil
}

// visit is called in the order of the names.
func (c *collector) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil && name == ".":
		return err
	case err != nil:
		c.problem(name, err.Error())
		return fs.SkipDir
	case name == ".":
		return nil
	}
	if c.entries++; c.entries > maxCollectEntries {
		c.problem(name, fmt.Sprintf("there are more than %d files and folders: this one and what follows is left out", maxCollectEntries))
		return fs.SkipAll
	}
	switch {
	case entry.IsDir() && strings.HasPrefix(entry.Name(), "."):
		return fs.SkipDir
	case entry.IsDir() && strings.Count(name, "/") >= maxCollectDepth:
		c.problem(name, fmt.Sprintf("it is more than %d folders deep, and left out", maxCollectDepth))
		return fs.SkipDir
	case entry.Type().IsRegular():
		c.file(name)
	}
	return nil
}

// file takes a file if it is a result.
func (c *collector) file(name string) {
	lines := strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".jsonl.gz")
	if !lines && !strings.HasSuffix(name, ".json") {
		return
	}
	f, err := c.files.Open(name)
	if err != nil {
		c.problem(name, err.Error())
		return
	}
	kind := resultKind(f)
	f.Close()
	switch {
	case kind == "trace":
		add(c, &c.Traces, name, ReadTrace, (*Trace).missing)
	case lines:
		if err := c.begins(name); err != nil && strings.HasSuffix(name, ".gz") {
			c.problem(name, "it cannot be unpacked: "+err.Error())
		}
		if path.Base(name) == SamplesFile && !c.beside(name, ResultsFile) {
			c.problem(name, "the evaluation has not ended: "+ResultsFile+" is not beside it")
		}
	case kind == "bench":
		add(c, &c.Benches, name, ReadBench, (*Bench).missing)
	case kind == "sweep":
		add(c, &c.Sweeps, name, ReadSweep, (*Sweep).missing)
	case kind == "eval":
		add(c, &c.Evals, name, func(r io.Reader) (*Run, error) {
			e, err := ReadEval(r)
			return &Run{Path: path.Dir(name), Eval: e}, err
		}, (*Run).missing)
	case kind == "kld":
		add(c, &c.Divergences, name, ReadDivergence, nil)
	case kind == "verification":
		add(c, &c.Verifications, name, ReadVerification, (*Verification).missing)
	case kind == "conversion":
		add(c, &c.Conversions, name, ReadConversion, nil)
	case kind == "comparison":
		add(c, &c.Comparisons, name, ReadComparison, nil)
	case kind == "" && path.Base(name) == ResultsFile && c.beside(name, SamplesFile):
		c.problem(name, fmt.Sprintf("samples are beside it, and it is %v", ErrEval))
	}
}

// beside reports whether the folder of a file has another one.
func (c *collector) beside(name, other string) bool {
	info, err := fs.Stat(c.files, path.Join(path.Dir(name), other))
	return err == nil && info.Mode().IsRegular()
}

// add reads a result, and adds it with what it misses.
func add[T any](c *collector, to *[]Result[T], name string, read func(io.Reader) (*T, error), missing func(*T) []string) {
	v := new(T)
	err := c.read(name, func(r io.Reader) (err error) {
		v, err = read(r)
		return err
	})
	if err != nil {
		c.problem(name, err.Error())
		return
	}
	if run, ok := any(v).(*Run); ok {
		c.samples(run, name)
	}
	*to = append(*to, Result[T]{name, v})
	if missing != nil {
		for _, text := range missing(v) {
			c.problem(name, text)
		}
	}
}

// samples adds the samples beside a result of an evaluation.
func (c *collector) samples(run *Run, name string) {
	name = path.Join(path.Dir(name), SamplesFile)
	if !c.beside(name, SamplesFile) {
		c.problem(name, "the samples of the evaluation are not there")
		return
	}
	err := c.read(name, func(r io.Reader) (err error) {
		run.Samples, run.Torn, err = ReadSamples(r)
		return err
	})
	if err != nil {
		c.problem(name, err.Error())
	}
}

// read opens a file, unpacks it if it is packed, and has it read within the bounds.
func (c *collector) read(name string, read func(io.Reader) error) error {
	f, err := c.files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := unpacked(f)
	if err != nil {
		return err
	}
	left := c.left
	if strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".jsonl") && path.Base(name) != SamplesFile {
		left = min(left, c.trace)
	}
	m := &meter{r: r, left: left, full: errTooLarge}
	err = read(m)
	c.left -= left - m.left
	return err
}

// begins returns an error if not even a byte can be had of a file. Of what does not begin
// nobody can tell whether it was a result.
func (c *collector) begins(name string) error {
	return c.read(name, func(r io.Reader) error {
		_, err := io.ReadFull(r, make([]byte, 1))
		return err
	})
}

var errTooLarge = errors.New("it is too large for a report, alone or with the results before it")

// meter is a reader of a bounded number of bytes.
type meter struct {
	r    io.Reader
	left int64
	full error // what more bytes are
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		// At the end of the file all is well.
		if n, err := m.r.Read(make([]byte, 1)); n == 0 && err != nil {
			return 0, err
		}
		return 0, m.full
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

// unpacked returns what is in r, which may be packed with gzip.
func unpacked(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return gzip.NewReader(in)
	}
	return in, nil
}
