package runtime

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"lladakit/internal/disk"
	"lladakit/internal/mmap"
	"lladakit/kernels"
)

// A file of packed weights is a page with packMagic and a digest, and then the
// weights in the order of the model's file. The digest is of what the weights
// depend on, so that the file of another model, or of an older one of the same
// name, is never used.
const (
	packMagic  = "llada packed weights 1\n"
	packHeader = 4096
)

// PackPath returns the file that PackFile keeps for a model.
func (m *Model) PackPath() string { return m.file.Paths[0] + ".packed" }

// packFile maps the packed weights, which it writes first where they are not there.
func (m *Model) packFile(ctx context.Context, all []packable, size int, progress func(done, total int64)) error {
	header, err := m.packHeader(all)
	if err != nil {
		return err
	}
	if m.copies, err = openPacked(m.PackPath(), header, size); err != nil {
		if err := m.writePacked(ctx, header, all, size, progress); err != nil {
			return err
		}
		if m.copies, err = openPacked(m.PackPath(), header, size); err != nil {
			return err
		}
	}
	m.usePacked(m.copies.Data[packHeader:], all)
	return nil
}

// packHeader returns the first page: the digest is of how rows are interleaved, of the
// files' names, sizes and times, and of what is packed.
func (m *Model) packHeader(all []packable) ([]byte, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d\n", kernels.TileRows())
	for _, path := range m.file.Paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(sum, "%q %d %d\n", filepath.Base(path), info.Size(), info.ModTime().UnixNano())
	}
	for _, x := range all {
		fmt.Fprintf(sum, "%q %d %d %d %d\n", x.tensor.Name, x.tensor.Offset, x.matrix.Type, len(x.matrix.Data), x.at)
	}
	header := make([]byte, packHeader)
	n := copy(header, packMagic)
	copy(header[n:], sum.Sum(nil))
	return header, nil
}

// openPacked maps a file if it has the header and the size.
func openPacked(path string, header []byte, size int) (*mmap.File, error) {
	f, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	if len(f.Data) != packHeader+size || !bytes.Equal(f.Data[:packHeader], header) {
		f.Close()
		return nil, fmt.Errorf("%s: not the packed weights of this model", path)
	}
	return f, nil
}

// writePacked packs through memory into a file that has its name when it is
// complete.
func (m *Model) writePacked(ctx context.Context, header []byte, all []packable, size int, progress func(done, total int64)) (err error) {
	memory, err := mmap.Memory(size)
	if err != nil {
		return err
	}
	defer memory.Close()
	if err := m.packInto(ctx, memory.Data, all, progress); err != nil {
		return err
	}
	path := m.PackPath()
	f, err := disk.CreatePartial(path)
	if err != nil {
		return err
	}
	name := f.Name()
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(name)
		}
	}()
	if _, err := f.Write(header); err != nil {
		return err
	}
	for from := 0; from < size; from += 1 << 24 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := f.Write(memory.Data[from:min(from+1<<24, size)]); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(name, path)
}
