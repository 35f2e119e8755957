package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// there is a file that has the name of a remote one, and that only its digest tells about.
type there struct {
	remote
	size int64 // that it has here
}

// look returns which files are not there. It is an ErrOption if fetching them would replace
// what no pull of this repository brought, unless that is asked for.
func (p *puller) look(ctx context.Context, chosen []remote) (missing []remote, err error) {
	var hash []there
	var foreign []string
	p.done, p.total = 0, 0
	for _, f := range chosen {
		if err := p.noLinks(&f); err != nil {
			return nil, err
		}
		info, err := os.Stat(p.path(&f))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, f)
			continue
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s is there and not a file; move it away", p.path(&f))
		}
		e := p.manifest.find(f.Name)
		s, known := e.sums(info)
		switch {
		case known && s.of(&f) && !p.Verify:
			p.have(&f, s, info, Present)
		case known && p.ours(e) && (info.Size() != f.Size || (f.SHA256 != "" || s.Blob != "") && !p.Verify): // another is known to be there
			missing = append(missing, f)
		case info.Size() != f.Size && (p.Replace || info.Size() == 0):
			missing = append(missing, f)
		case info.Size() != f.Size && (known || !p.ours(e) || e.Size != info.Size()):
			foreign = append(foreign, f.Name)
		default:
			hash = append(hash, there{f, info.Size()})
			p.total += info.Size()
		}
	}
	if err := p.refuse(foreign); err != nil {
		return nil, err
	}
	for _, f := range hash {
		s, info, err := p.hash(ctx, &f.remote)
		if err != nil {
			return nil, err
		}
		if info.Size() == f.Size && s.of(&f.remote) {
			p.have(&f.remote, s, info, Present)
			continue
		}
		e := p.manifest.find(f.Name)
		_, known := e.sums(info)
		if !p.Replace && !(p.ours(e) && (known || s.SHA256 == e.SHA256)) {
			foreign = append(foreign, f.Name)
		}
		missing = append(missing, f.remote)
	}
	return missing, p.refuse(foreign)
}

// ours says whether an entry is of a file that a pull of this repository brought.
func (p *puller) ours(e *entry) bool { return e != nil && strings.EqualFold(e.Repo, p.Repo) }

// refuse returns an error if there are files that would be lost.
func (p *puller) refuse(foreign []string) error {
	if len(foreign) == 0 {
		return nil
	}
	more := ""
	if n := len(foreign) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return mistakef("%s%s is there, is another, and no pull of %s brought it or it was changed since; move it away, pull to another folder, or replace it with --replace",
		filepath.Join(p.Folder, filepath.FromSlash(foreign[0])), more, p.Repo)
}

// noLinks returns an error if a folder that a file would be in is a link: it may lead anywhere.
func (p *puller) noLinks(f *remote) error {
	for at, c := range f.Name {
		if c != '/' {
			continue
		}
		path := filepath.Join(p.Folder, filepath.FromSlash(f.Name[:at]))
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is there and not a folder; move it away", path)
		}
	}
	return nil
}

// hash returns the digests of a file that is there.
func (p *puller) hash(ctx context.Context, f *remote) (sums, fs.FileInfo, error) {
	file, err := os.Open(p.path(f))
	if err != nil {
		return sums{}, nil, err
	}
	defer file.Close()
	info, err := file.Stat() // before it is read
	if err != nil {
		return sums{}, nil, err
	}
	s, err := sum(ctx, file, f, func(n int64) { p.moved(Checking, n) })
	return s, info, err
}
