package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lladakit/internal/disk"
)

// maxFiles is how many files are fetched at a time: while one is hashed, others come.
const maxFiles = 4

// State says how a file came to be there.
type State string

const (
	Fetched State = "fetched" // by this pull
	Present State = "present" // it was there
)

// File is a file of a checkpoint.
type File struct {
	Name   string `json:"name"` // slashes between folders
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Blob   string `json:"git_blob,omitempty"` // git's sha1, by which the hub knows files that are not LFS
	State  State  `json:"state"`
}

// Result is a folder that has what was asked for.
type Result struct {
	Repo     string   `json:"repo"`
	Revision string   `json:"revision"`
	Commit   string   `json:"commit"`
	Folder   string   `json:"folder"`
	Files    []File   `json:"files"`
	Stale    []string `json:"stale,omitempty"` // files of earlier pulls that this commit has not, or has others of
}

// puller is a pull under way.
type puller struct {
	Options
	c      *client
	commit string
	state  string          // the folder
	kept   map[string]bool // names, without endings, of files under way that this commit has, whichever are chosen

	mu       sync.Mutex
	manifest *manifest
	written  time.Time // the manifest
	files    []File    // of the result
	done     int64     // bytes of a stage
	total    int64
}

// Pull brings the files of a repository into a folder, and returns when all are there and
// have the digests that the hub lists. What an interrupted or failed pull has fetched, the
// next one uses.
//
// Errors are ErrOption, ErrUnavailable, ErrDigest, ErrHub, disk.ErrSpace, disk.ErrLocked for a
// folder that another process pulls to, those of the context, and those of files.
func Pull(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c, err := newClient(&o)
	if err != nil {
		return nil, err
	}
	defer c.close()
	c.waiting = o.Waiting
	l, err := c.list(ctx, o.Revision)
	if err != nil {
		return nil, err
	}
	chosen, err := l.choose(o.Include, o.Exclude)
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", o.Repo, o.Revision, err)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s at %s: %w: none of its %d files is asked for; --include can say which", o.Repo, o.Revision, ErrUnavailable, len(l.Files))
	}
	p := &puller{Options: o, c: c, commit: l.Commit, state: filepath.Join(o.Folder, stateFolder), kept: map[string]bool{}}
	for _, f := range l.Files {
		if r, err := f.check(); err == nil {
			p.kept[filepath.Base(partialBase(p.state, &r))] = true
		}
	}
	if err := os.MkdirAll(p.state, 0o777); err != nil {
		return nil, err
	}
	lock, err := disk.Lock(filepath.Join(p.state, "lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := p.all(ctx, chosen); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	slices.SortFunc(p.files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return &Result{o.Repo, o.Revision, p.commit, o.Folder, p.files, p.stale(l)}, nil
}

// all makes the chosen files be there.
func (p *puller) all(ctx context.Context, chosen []remote) (err error) {
	if p.manifest, err = readManifest(p.state); err != nil {
		return err
	}
	missing, err := p.look(ctx, chosen)
	if err != nil {
		return err
	}
	var need int64
	for i := range missing {
		done, _ := partialDone(p.state, &missing[i])
		need += missing[i].Size - done.bytes()
	}
	if err := disk.CheckSpace(p.Folder, uint64(need)); err != nil {
		if err := p.clear(); err != nil {
			return err
		}
		if err := disk.CheckSpace(p.Folder, uint64(need)); err != nil {
			return err
		}
	}
	m := p.manifest
	m.Repo, m.Commit, m.Complete = p.Repo, p.commit, len(missing) == 0
	if err := m.write(p.state); err != nil {
		return err
	}
	if err := p.fetch(ctx, missing, need); err != nil {
		_ = m.write(p.state) // what it would add is hashed by the next pull
		return err
	}
	p.step("complete")
	m.Complete = true
	if err := m.write(p.state); err != nil {
		return err
	}
	return p.clear()
}

// fetch brings files, some at a time.
func (p *puller) fetch(ctx context.Context, missing []remote, need int64) error {
	p.done, p.total = 0, need
	slots := make(chan struct{}, p.Parallel)
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(min(p.Parallel, maxFiles))
	for i := range missing {
		if each.Err() != nil {
			break
		}
		g.Go(func() error { return p.file(each, &missing[i], slots) })
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// file brings one file. If what came is not what the hub lists, it is thrown away and comes
// once more.
func (p *puller) file(ctx context.Context, f *remote, slots chan struct{}) error {
	t := transfer{
		c: p.c, file: f, address: p.c.resolve(p.commit, f.Name), chunk: p.chunk, stall: p.stall, slots: slots,
		moved: func(n int64) { p.moved(Fetching, n) },
	}
	for last := false; ; last = true {
		s, err := p.try(ctx, &t)
		if err == nil && s.of(f) {
			return p.finish(t.p, s)
		}
		if err != nil {
			t.p.close()
			return err
		}
		if err := t.p.drop(); err != nil {
			return err
		}
		if last {
			kind, want := f.digest()
			return fmt.Errorf("%s: %w: it came twice with a wrong %s; the hub lists %s", f.Name, ErrDigest, kind, want)
		}
		p.again(f.Size)
	}
}

// try fetches what is missing of a file and returns the digests of the whole.
func (p *puller) try(ctx context.Context, t *transfer) (s sums, err error) {
	if t.p, err = openPartial(p.state, t.file, p.step); err != nil {
		return s, err
	}
	if err := t.run(ctx); err != nil {
		return s, err
	}
	p.step("hash")
	if _, err := t.p.f.Seek(0, 0); err != nil {
		return s, err
	}
	return sum(ctx, t.p.f, t.file, nil)
}

// finish gives a verified file its name.
func (p *puller) finish(part *partial, s sums) error {
	path := p.path(part.want)
	if err := part.finish(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	p.have(part.want, s, info, Fetched)
	p.mu.Lock()
	defer p.mu.Unlock()
	if part.want.Size < p.chunk && time.Since(p.written).Abs() < time.Second {
		return nil // of thousands of small files, each would have it written anew
	}
	p.written = time.Now()
	p.step("manifest")
	return p.manifest.write(p.state)
}

func (p *puller) path(f *remote) string { return filepath.Join(p.Folder, filepath.FromSlash(f.Name)) }

// have notes a verified file.
func (p *puller) have(f *remote, s sums, info fs.FileInfo, state State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files = append(p.files, File{f.Name, f.Size, s.SHA256, s.Blob, state})
	p.manifest.put(entry{f.Name, f.Size, s.SHA256, s.Blob, info.ModTime(), p.Repo, p.commit})
}

// moved counts bytes of a stage.
func (p *puller) moved(stage Stage, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.Progress != nil {
		p.Progress(stage, p.done, p.total)
	}
}

// again counts bytes that have to come once more.
func (p *puller) again(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
}

// clear removes what no pull of this commit will take up: partial files of other revisions,
// and what a kill left of one without the other.
func (p *puller) clear() error {
	entries, err := os.ReadDir(p.state)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
	}
	for name := range there {
		end := filepath.Ext(name)
		base := strings.TrimSuffix(name, end)
		if end != partialEnd && end != journalEnd || p.kept[base] && there[base+partialEnd] && there[base+journalEnd] {
			continue
		}
		if err := removeAll(filepath.Join(p.state, name)); err != nil {
			return err
		}
	}
	return nil
}

// stale returns the files of earlier pulls that are there and are not those of the commit.
func (p *puller) stale(l *listing) []string {
	now := map[string]sums{}
	for _, f := range l.Files {
		if r, err := f.check(); err == nil {
			now[f.Name] = sums{r.SHA256, r.Blob}
		}
	}
	var stale []string
	for _, e := range p.manifest.Files {
		want, listed := now[e.Name]
		if listed && (want.SHA256 == e.SHA256 || want.SHA256 == "" && want.Blob == e.Blob) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(p.Folder, filepath.FromSlash(e.Name))); err == nil {
			stale = append(stale, e.Name)
		}
	}
	return stale
}
