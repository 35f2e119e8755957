package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const (
	partialEnd = ".partial"
	journalEnd = ".journal"
)

// partial is a file that is being fetched, in the state folder. It has its whole length from
// the beginning, though not yet its bytes.
type partial struct {
	want *remote
	base string // of the names of both files
	head string
	f    *os.File
	step func(string)

	mu      sync.Mutex
	journal *os.File
	done    spans // that the journal has
}

// partialBase returns where the partial file of a remote one is, without an ending. Another
// revision of the file has another.
func partialBase(state string, f *remote) string {
	sum := sha256.Sum256([]byte(f.Name + "\n" + journalHead(f)))
	return filepath.Join(state, hex.EncodeToString(sum[:12]))
}

// partialDone returns what there is of a file by its journal.
func partialDone(state string, f *remote) (done spans, valid int) {
	base := partialBase(state, f)
	if info, err := os.Lstat(base + partialEnd); err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return nil, 0
	}
	if info, err := os.Lstat(base + journalEnd); err != nil || !info.Mode().IsRegular() {
		return nil, 0
	}
	data, err := readSmall(base+journalEnd, maxJournal)
	if err != nil {
		return nil, 0
	}
	return parseJournal(data, f)
}

// openPartial opens what there is of a file, or makes it. Nobody else may have it open.
func openPartial(state string, want *remote, step func(string)) (_ *partial, err error) {
	p := &partial{want: want, base: partialBase(state, want), head: journalHead(want), step: step}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	var valid int
	if p.done, valid = partialDone(state, want); valid == 0 {
		// The journal goes first: it must never be older than the file.
		if err := removeAll(p.base+journalEnd, p.base+partialEnd); err != nil {
			return nil, err
		}
	}
	if p.f, err = os.OpenFile(p.base+partialEnd, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if err := p.f.Truncate(want.Size); err != nil {
		return nil, err
	}
	p.step("partial")
	if p.journal, err = os.OpenFile(p.base+journalEnd, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if err := p.journal.Truncate(int64(valid)); err != nil {
		return nil, err
	}
	if _, err := p.journal.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	if valid == 0 {
		if _, err := io.WriteString(p.journal, p.head); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// commit makes sure that a span which was written is on the disk, and has it in the journal.
func (p *partial) commit(s span) error {
	if s.from >= s.to {
		return nil
	}
	p.step("sync")
	if err := p.f.Sync(); err != nil {
		return err
	}
	p.step("journal")
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.journal, journalLine(p.head, s)); err != nil {
		return err
	}
	if err := p.journal.Sync(); err != nil {
		return err
	}
	p.done = p.done.add(s)
	return nil
}

// missing returns the spans that are not there, in parts.
func (p *partial) missing(limit int64) spans {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done.missing(p.want.Size, limit)
}

// finish gives the complete file its name and closes it.
func (p *partial) finish(path string) error {
	p.step("finish")
	if err := p.f.Sync(); err != nil {
		return err
	}
	p.close() // some systems rename no open file
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := os.Rename(p.base+partialEnd, path); err != nil {
		return err
	}
	p.step("renamed")
	return removeAll(p.base + journalEnd)
}

// drop removes the file.
func (p *partial) drop() error {
	p.close()
	return removeAll(p.base+journalEnd, p.base+partialEnd)
}

// close leaves the file for the next pull.
func (p *partial) close() {
	if p == nil {
		return
	}
	if p.f != nil {
		p.f.Close()
	}
	if p.journal != nil {
		p.journal.Close()
	}
	p.f, p.journal = nil, nil
}

// removeAll removes files that may not be there.
func removeAll(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errors.New(path + ": too large")
	}
	return data, err
}
