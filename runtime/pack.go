package runtime

import (
	"context"
	"fmt"

	"lladakit/internal/gguf"
	"lladakit/internal/mmap"
	"lladakit/kernels"
)

// Pack says where the weights lie in the order that products read them fastest
// in (see kernels.Matrix.Pack). Results do not depend on it.
type Pack string

const (
	// PackMemory copies them into memory at every load; the file's own pages
	// are given back.
	PackMemory Pack = "memory"
	// PackFile keeps the copy in a file beside the model's, made by the first
	// load and mapped by later ones.
	PackFile Pack = "file"
	// PackNone leaves them where they are, and reorders at every use. It is for
	// models that do not fit into memory.
	PackNone Pack = "none"
)

// ParsePack reads the name of a Pack; "" stays.
func ParsePack(name string) (Pack, error) {
	switch p := Pack(name); p {
	case "", PackMemory, PackFile, PackNone:
		return p, nil
	}
	return "", fmt.Errorf("%.80q is not one of %s, %s, %s", name, PackMemory, PackFile, PackNone)
}

// packable is one matrix to be packed, and the tensor whose bytes it is in.
type packable struct {
	matrix *kernels.Matrix
	tensor *gguf.Tensor
	at     int // place of the copy
}

// packAlign is a line of the processor's cache.
const packAlign = 64

// packables lists the matrices that can be packed, in the order of the file, and
// how many bytes the copies take.
func (m *Model) packables() (all []packable, size int) {
	matrices := m.Matrices()
	add := func(matrix *kernels.Matrix, tensor *gguf.Tensor) {
		if matrix.Type.Packs() {
			all = append(all, packable{matrix, tensor, size})
			size += (len(matrix.Data) + packAlign - 1) / packAlign * packAlign
		}
	}
	for _, t := range m.Config.Tensors() {
		switch of := matrices[t.GGUF]; {
		case len(of) == 0:
		case t.Merged == "":
			tensor, _ := m.file.Tensor(t.GGUF)
			add(of[0], tensor)
		default:
			experts, err := t.FindExperts(m.file)
			if err != nil {
				panic(err) // the weights were found there
			}
			for e := range experts {
				add(of[e], experts[e].Tensor)
			}
		}
	}
	return all, size
}

// pack moves the weights to where opt wants them.
func (m *Model) pack(ctx context.Context, opt *LoadOptions) error {
	all, size := m.packables()
	where := opt.Pack
	if where == "" {
		where = PackMemory
		if free := mmap.Available(); free > 0 && uint64(size) > free/10*9 {
			where = PackNone
		}
	}
	m.Packed = where
	switch {
	case where == PackNone || size == 0:
		m.Packed = PackNone
		m.scarce, _, _ = m.Larger()
		return nil
	case where == PackFile:
		err := m.packFile(ctx, all, size, opt.Progress)
		m.scarce, _, _ = m.Larger()
		return err
	}
	memory, err := mmap.Memory(size)
	if err != nil {
		return err
	}
	m.copies = memory
	if err := m.packInto(ctx, memory.Data, all, opt.Progress); err != nil {
		return err
	}
	m.usePacked(memory.Data, all)
	return nil
}

// packAhead is how many bytes of the file are asked for before they are packed.
const packAhead = 128 << 20

// packInto packs all matrices into dst, tensor by tensor on all workers.
//
// Note: asking for what comes next halves the time of loading from the disk.
func (m *Model) packInto(ctx context.Context, dst []byte, all []packable, progress func(done, total int64)) error {
	asked := 0
	for from := 0; from < len(all); {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := from + 1
		for to < len(all) && all[to].tensor == all[from].tensor {
			to++
		}
		part := all[from:to]
		for asked = max(asked, to); asked < len(all) && all[asked].at < all[to-1].at+packAhead; asked++ {
			mmap.WillNeed(all[asked].matrix.Data)
		}
		if len(part) == 1 {
			x := part[0]
			m.pool.Run(x.matrix.Rows, ProductRows, func(_, lo, hi int) { x.pack(dst, lo, hi) })
		} else {
			m.pool.Run(len(part), 1, func(_, lo, hi int) {
				for _, x := range part[lo:hi] {
					x.pack(dst, 0, x.matrix.Rows)
				}
			})
		}
		m.file.Release(part[0].tensor)
		from = to
		if progress != nil {
			progress(int64(all[from-1].at), int64(len(dst)))
		}
	}
	return nil
}

// pack writes rows lo to hi to their place.
func (x *packable) pack(dst []byte, lo, hi int) {
	if err := x.matrix.Pack(dst[x.at:x.at+len(x.matrix.Data)], lo, hi); err != nil {
		panic(err) // the type packs, and the sizes are its own
	}
}

// usePacked makes the model use the copies.
func (m *Model) usePacked(data []byte, all []packable) {
	for _, x := range all {
		x.matrix.Data, x.matrix.Packed = data[x.at:x.at+len(x.matrix.Data)], kernels.TileRows()
	}
}
