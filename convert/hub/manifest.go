package hub

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	manifestFile    = "pull.json"
	manifestVersion = 1
	maxManifest     = 16 << 20 // bytes
)

// manifest says what a folder has, and is what a pull need not hash again.
type manifest struct {
	Version  int     `json:"pull"`
	Repo     string  `json:"repo"`
	Commit   string  `json:"commit"`
	Complete bool    `json:"complete"` // all files of the last pull are there
	Files    []entry `json:"files"`    // by name
}

// entry is a file that was verified.
type entry struct {
	Name   string    `json:"name"`
	Size   int64     `json:"size"`
	SHA256 string    `json:"sha256"`
	Blob   string    `json:"git_blob,omitempty"`
	Time   time.Time `json:"time"`   // of the last change, when it was verified
	Repo   string    `json:"repo"`   // where it is
	Commit string    `json:"commit"` // the last one that was pulled with it
}

// readManifest returns what the state folder has. One that cannot be read is none: all is
// hashed then.
func readManifest(state string) (*manifest, error) {
	m := &manifest{}
	data, err := readSmall(filepath.Join(state, manifestFile), maxManifest)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, err
	case err != nil || json.Unmarshal(data, m) != nil || m.Version != manifestVersion:
		m = &manifest{}
	}
	m.Version = manifestVersion
	m.Files = slices.DeleteFunc(m.Files, func(e entry) bool { return checkName(e.Name) != nil })
	return m, nil
}

// write replaces the manifest.
func (m *manifest) write(state string) error {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	name := filepath.Join(state, manifestFile)
	// Nobody else is here: what has the name is left over, or a link to somewhere else.
	if err := removeAll(name + partialEnd); err != nil {
		return err
	}
	f, err := os.OpenFile(name+partialEnd, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// find returns the entry of a file, or nil.
func (m *manifest) find(name string) *entry {
	i, ok := slices.BinarySearchFunc(m.Files, name, func(e entry, name string) int { return strings.Compare(e.Name, name) })
	if !ok {
		return nil
	}
	return &m.Files[i]
}

// put replaces the entry of a file, or adds it.
func (m *manifest) put(e entry) {
	if old := m.find(e.Name); old != nil {
		*old = e
		return
	}
	m.Files = append(m.Files, e)
	slices.SortFunc(m.Files, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
}

// sums returns the digests of an entry, if the file has not been changed since.
func (e *entry) sums(info fs.FileInfo) (sums, bool) {
	if e == nil || e.Size != info.Size() || !e.Time.Equal(info.ModTime()) {
		return sums{}, false
	}
	return sums{e.SHA256, e.Blob}, true
}
