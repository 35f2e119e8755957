package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A file is one of an archive.
type file struct {
	name    string // with slashes, below the archive's folder
	data    []byte
	program bool // may be executed
}

func (f *file) mode() int64 {
	if f.program {
		return 0o755
	}
	return 0o644
}

// archive writes the program with the files beside it into a folder, and returns the
// archive's name.
func (p *program) archive(dir string, common []file, when time.Time) (string, error) {
	data, err := os.ReadFile(p.Path)
	if err != nil {
		return "", err
	}
	files := append(slices.Clone(common), file{name: filepath.Base(p.Path), data: data, program: true})
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	write, name := writeTar, p.name()+".tar.gz"
	if p.OS == "windows" {
		write, name = writeZip, p.name()+".zip"
	}
	var b bytes.Buffer
	if err := write(&b, p.name(), files, when); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return name, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666)
}

// writeTar writes files, all below one folder and of one time, owned by nobody in
// particular.
func writeTar(w io.Writer, folder string, files []file, when time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		err := t.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: folder + "/" + f.name, Size: int64(len(f.data)), Mode: f.mode(), ModTime: when, Format: tar.FormatUSTAR,
		})
		if err == nil {
			_, err = t.Write(f.data)
		}
		if err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

func writeZip(w io.Writer, folder string, files []file, when time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		h := &zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate, Modified: when}
		h.SetMode(os.FileMode(f.mode()))
		to, err := z.CreateHeader(h)
		if err == nil {
			_, err = to.Write(f.data)
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}

// sumsFile is in the form that sha256sum -c and shasum -c read.
const sumsFile = "SHA256SUMS"

func writeSums(dir string, names []string) error {
	var b bytes.Buffer
	for _, name := range slices.Sorted(slices.Values(names)) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), name)
	}
	return os.WriteFile(filepath.Join(dir, sumsFile), b.Bytes(), 0o666)
}
