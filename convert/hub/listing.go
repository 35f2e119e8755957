package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	maxListing  = 32 << 20  // bytes of the hub's answer
	maxListed   = 200_000   // files of a repository
	maxSelected = 10_000    // files of a pull
	maxSize     = 1 << 40   // bytes of a file
	maxTotal    = 1 << 44   // bytes of a pull
	mainHash    = "sha256"  // of LFS files
	blobHash    = "gitblob" // of others
)

// remote is a file as the hub lists it.
type remote struct {
	Name   string // slashes between folders
	Size   int64  // bytes
	SHA256 string // of LFS files, in hex; else empty
	Blob   string // of others: git's sha1, in hex
}

// digest returns the digest that the file must have.
func (r *remote) digest() (kind, hex string) {
	if r.SHA256 != "" {
		return mainHash, r.SHA256
	}
	return blobHash, r.Blob
}

// listing is what a repository has at a commit.
type listing struct {
	Commit string
	Files  []listed
}

// listed is a file of a listing, of which nothing is checked yet.
type listed struct {
	Name string `json:"rfilename"`
	Size *int64 `json:"size"`
	Blob string `json:"blobId"`
	LFS  *struct {
		SHA256 string `json:"sha256"`
		Size   *int64 `json:"size"`
	} `json:"lfs"`
}

var (
	commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// parseListing reads the hub's information of a model.
func parseListing(data []byte) (*listing, error) {
	var info struct {
		SHA      string          `json:"sha"`
		Siblings json.RawMessage `json:"siblings"`
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrHub, err)
	}
	if !commitForm.MatchString(info.SHA) {
		return nil, fmt.Errorf("%w: it names no commit", ErrHub)
	}
	l := &listing{Commit: info.SHA}
	if len(info.Siblings) == 0 || string(info.Siblings) == "null" {
		return l, nil
	}
	in := json.NewDecoder(bytes.NewReader(info.Siblings))
	if begin, err := in.Token(); err != nil || begin != json.Delim('[') {
		return nil, fmt.Errorf("%w: its files are no list", ErrHub)
	}
	for in.More() {
		if len(l.Files) == maxListed { // many more small ones fit into the answer than into memory
			return nil, fmt.Errorf("%w: it lists more than %d files", ErrHub, maxListed)
		}
		var f listed
		if err := in.Decode(&f); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrHub, err)
		}
		l.Files = append(l.Files, f)
	}
	return l, nil
}

// DefaultFiles are the globs of the files of a checkpoint, for the folder itself and not those
// in it: what describes the model, its tokenizer, its weights as safetensors, and its licence.
func DefaultFiles() []string {
	return []string{
		"config.json", "generation_config.json", "tokenizer*.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
		"vocab.json", "merges.txt", "chat_template*.jinja", "chat_template.json", "*.safetensors", "*.safetensors.index.json",
		"README*", "LICENSE*", "LICENCE*", "NOTICE*",
	}
}

// choose returns the files that are to be fetched, by their names, and checks what the listing
// says of them.
func (l *listing) choose(include, exclude []string) ([]remote, error) {
	var chosen []remote
	var total int64
	for _, f := range l.Files {
		wanted := matches(include, f.Name)
		if len(include) == 0 {
			wanted = !strings.Contains(f.Name, "/") && matches(DefaultFiles(), f.Name)
		}
		if !wanted || matches(exclude, f.Name) {
			continue
		}
		r, err := f.check()
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, r)
		total += min(r.Size, maxTotal)
		if len(chosen) > maxSelected || total > maxTotal {
			return nil, fmt.Errorf("%w: it lists more than %d files or %d TiB; --include can say which", ErrHub, maxSelected, maxTotal>>40)
		}
	}
	slices.SortFunc(chosen, func(a, b remote) int { return strings.Compare(a.Name, b.Name) })
	return chosen, checkNames(chosen)
}

// check returns the file if its size and its digest can be those of one.
func (f *listed) check() (remote, error) {
	r := remote{Name: f.Name, Blob: f.Blob}
	size := f.Size
	form := commitForm
	if f.LFS != nil {
		r.SHA256, r.Blob, form = f.LFS.SHA256, "", sha256Form
		if size == nil {
			size = f.LFS.Size
		}
	}
	_, digest := r.digest()
	switch {
	case size == nil || !form.MatchString(digest):
		return r, fmt.Errorf("%w: it has no size or no digest of %.120q", ErrHub, f.Name)
	case *size < 0 || *size > maxSize || f.LFS != nil && f.LFS.Size != nil && *f.LFS.Size != *size:
		return r, fmt.Errorf("%w: the size of %.120q is %d bytes", ErrHub, f.Name, *size)
	}
	r.Size = *size
	return r, nil
}

// matches says whether one of the globs is for a file.
func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		at := name
		if !strings.Contains(glob, "/") {
			at = path.Base(name)
		}
		ok, err := path.Match(glob, at)
		return err == nil && ok
	})
}
