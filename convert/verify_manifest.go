package convert

import (
	"encoding/json"
	"fmt"
	"os"

	"lladakit/internal/disk"
)

// Manifest is what a copy of a model can be checked against, tensor by tensor,
// without the checkpoint.
type Manifest struct {
	SHA256  string           `json:"sha256"` // of the tensors' digests, as bytes, one after the other
	Tensors []ManifestTensor `json:"tensors"`
}

// ManifestTensor is one tensor, in the file's order.
type ManifestTensor struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Dims   []uint64 `json:"dims"`   // the contiguous dimension first
	SHA256 string   `json:"sha256"` // of the encoded tensor, without padding
}

// Manifest returns the digests of the file that was verified. They do not depend
// on how it is split.
func (v *Verification) Manifest() Manifest {
	m := Manifest{SHA256: v.SHA256, Tensors: []ManifestTensor{}}
	for _, t := range v.Tensors {
		m.Tensors = append(m.Tensors, ManifestTensor{t.Name, t.Type, t.Dims, t.SHA256})
	}
	return m
}

// WriteManifest writes the manifest to a file, which appears when it is complete.
// It refuses to replace a file of the model or of the checkpoint.
func (v *Verification) WriteManifest(path string) (err error) {
	if out, err := os.Stat(path); err == nil {
		for _, input := range v.inputs {
			if in, err := os.Stat(input); err == nil && os.SameFile(in, out) {
				return fmt.Errorf("%s is a file that was verified", path)
			}
		}
	}
	data, err := json.MarshalIndent(v.Manifest(), "", " ")
	if err != nil {
		return err
	}
	f, err := disk.CreatePartial(path)
	if err != nil {
		return err
	}
	defer func() {
		f.Close() // again, which is harmless
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(append(data, '\n')); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
