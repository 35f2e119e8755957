// Package datasets finds, fetches and reads the data that models are measured on.
//
// [Open] takes the name of a registered data set ([Sets] lists them), or a file of the
// user's in one of the same forms:
//
//	data, err := datasets.Open(ctx, "gsm8k", datasets.Options{Folder: os.Getenv("LLADA_DATA")})
//
// A registered file is looked for in the folder, then in the cache, and fetched into the
// cache if it is in neither. Wherever it comes from, it has the registered sha256, or
// nothing of it is used. Files are JSON lines, plain or packed with gzip.
//
// [Prompts] reads texts without answers from files of more forms.
package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"lladakit/internal/tiny"
)

var (
	// ErrUnknown: a name that is not registered.
	ErrUnknown = errors.New("unknown data set")

	// ErrChecksum: a file that is not the one of its data set.
	ErrChecksum = errors.New("wrong checksum")

	// ErrMissing: a data set that is nowhere, and that was not to be fetched, or could
	// not be. It is an fs.ErrNotExist, too.
	ErrMissing error = missing{}
)

type missing struct{}

func (missing) Error() string { return "data set is not there" }
func (missing) Unwrap() error { return fs.ErrNotExist }

// Options say where data sets are.
type Options struct {
	File    string       // a file that is read instead of a registered one; empty for none
	Folder  string       // with registered files under their names; empty for none
	Cache   string       // folder for what is fetched; empty for llada/datasets in the user's cache folder
	Offline bool         // fetch nothing
	Client  *http.Client // to fetch with; nil for one that takes proxies from the environment

	// Progress, if not nil, is told how many bytes of the file are there.
	Progress func(done, total int64)
}

// Open returns a registered data set. With opt.File, name says nothing: the data set is
// that file, of the form that its columns tell, named as the file without its endings.
// Errors name the file and the line.
func Open(ctx context.Context, name string, opt Options) (*Data, error) {
	if opt.File != "" {
		return openFile(opt.File)
	}
	set, ok := Find(name)
	if !ok {
		return nil, fmt.Errorf("%w %.40q: it is none of %s, and a file is given by its path", ErrUnknown, name, names())
	}
	return set.open(ctx, opt)
}

func openFile(path string) (*Data, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := readAll(f, maxData)
	if err != nil {
		return nil, inFile(path, err)
	}
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	if short := strings.TrimSuffix(name, filepath.Ext(name)); short != "" {
		name = short
	}
	return read(raw, name, "", path)
}

// read makes a data set of a file's bytes.
func read(raw []byte, name string, form Form, path string) (*Data, error) {
	hash := sha256.Sum256(raw)
	d := &Data{Name: name, Path: path, SHA256: hex.EncodeToString(hash[:])}
	text, err := unpack(raw, maxData)
	if err == nil {
		d.Records, d.Form, err = parse(text, name, form)
	}
	if err != nil {
		if path == "" {
			path = name
		}
		return nil, inFile(path, err)
	}
	return d, nil
}

func (s *Set) open(ctx context.Context, opt Options) (*Data, error) {
	raw, path, err := s.find(opt)
	if errors.Is(err, ErrMissing) && !opt.Offline {
		if path, err = s.fetch(ctx, opt); err == nil {
			raw, err = s.read(path)
		}
	}
	if err != nil {
		return nil, err
	}
	return read(raw, s.Name, s.Form, path)
}

// find returns the file's bytes and its path, which is empty for an embedded one, or
// ErrMissing, or what is wrong with the first that has the name.
func (s *Set) find(opt Options) (raw []byte, path string, err error) {
	if s.Embedded() {
		raw, err = fs.ReadFile(tiny.Checkpoint(), s.File)
		return raw, "", err
	}
	var looked []string
	if opt.Folder != "" {
		looked = append(looked, opt.Folder)
	}
	if cache, err := opt.cache(); err == nil {
		looked = append(looked, cache)
	}
	for _, dir := range looked {
		path := filepath.Join(dir, s.File)
		if raw, err := s.read(path); !errors.Is(err, fs.ErrNotExist) {
			return raw, path, err
		}
	}
	where := "there is no folder to look in"
	if len(looked) > 0 {
		where = fmt.Sprintf("no %s in %s", s.File, strings.Join(looked, " or "))
	}
	return nil, "", fmt.Errorf("%s: %w: %s; its address is %s", s.Name, ErrMissing, where, s.URL)
}

// read returns the bytes of a file that must be the registered one.
func (s *Set) read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // reading might wait for ever
		return nil, fmt.Errorf("%s is there and not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	wrong := ""
	if info.Size() == s.Size {
		raw, err := readAll(f, s.Size)
		if err != nil {
			return nil, inFile(path, err)
		}
		hash := sha256.Sum256(raw)
		sum := hex.EncodeToString(hash[:])
		if sum == s.SHA256 {
			return raw, nil
		}
		wrong = fmt.Sprintf("sha256 is %s, and %s's is %s", sum, s.Name, s.SHA256)
	} else {
		wrong = fmt.Sprintf("it has %d bytes, and %s has %d", info.Size(), s.Name, s.Size)
	}
	return nil, fmt.Errorf("%s: %w: %s; remove the file, then llada datasets pull %s fetches it", path, ErrChecksum, wrong, s.Name)
}

// cache returns the folder for what is fetched.
func (opt *Options) cache() (string, error) {
	if opt.Cache != "" {
		return opt.Cache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no cache folder: %w", err)
	}
	return filepath.Join(dir, "llada", "datasets"), nil
}
