package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lladakit/internal/disk"
	"lladakit/reports"
)

// The files of a run's folder beside those of package reports.
const (
	manifestFile = "manifest.json" // what samples have in common
	sessionFile  = "session.json"  // the lock, how long the run took, and where
)

// folder is where a run keeps its samples. It is locked while it is open.
type folder struct {
	dir      string
	manifest *manifest
	lock     *os.File
	session  session
	samples  *samples
}

// session is what a folder knows of the sessions of its run. Damaged files count as new
// ones: no figure but the run's duration depends on them.
type session struct {
	Started time.Time     `json:"started"`         // of the run
	Seconds float64       `json:"seconds"`         // of sessions before Since
	Since   time.Time     `json:"since"`           // when a session began that has not ended
	First   circumstances `json:"first"`           // the sandbox is that of the first session with one
	Apart   []string      `json:"apart,omitempty"` // how sessions were made that were made otherwise
}

// circumstances are what answers and verdicts should not depend on, and might.
type circumstances struct {
	Program  reports.Program      `json:"program"`
	CPU      string               `json:"cpu"`
	Endpoint string               `json:"endpoint"` // address: a server may have another one tomorrow
	Sandbox  *reports.EvalSandbox `json:"sandbox"`  // nil if no code was run
}

// apart says how what has other circumstances was made.
func (c *circumstances) apart(o *circumstances) (how []string) {
	if c.Program != o.Program {
		how = append(how, "by another version of the program")
	}
	if c.CPU != o.CPU {
		how = append(how, "on another processor")
	}
	if c.Endpoint != o.Endpoint {
		how = append(how, "with an endpoint of another address")
	}
	if a, b := c.Sandbox, o.Sandbox; a != nil && b != nil && (a.Tier != b.Tier || a.Python != b.Python) {
		how = append(how, "in another sandbox")
	}
	return how
}

// CheckFolder says whether Run would refuse the folder because of what is there, before a model
// is loaded for nothing.
func CheckFolder(dir string, resume bool) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: %w, a file: name a folder", dir, fs.ErrExist)
	case resume:
		return nil
	}
	if _, err := os.Lstat(filepath.Join(dir, manifestFile)); err == nil {
		return fmt.Errorf("%s: %w: resume it, or take another folder", dir, ErrExists)
	}
	return nil
}

// openFolder opens or makes a folder for a run, or for more tasks of the run that it has.
func openFolder(dir string, m *manifest, by circumstances, resume bool) (_ *folder, err error) {
	if err := CheckFolder(dir, resume); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f := &folder{dir: dir, manifest: m}
	if f.lock, err = disk.Lock(filepath.Join(dir, sessionFile)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	have, err := readManifest(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for _, name := range []string{reports.SamplesFile, reports.ResultsFile} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				return nil, fmt.Errorf("%s: %w, without a %s: take another folder", dir, ErrExists, manifestFile)
			}
		}
	case err != nil:
		return nil, err
	case !resume:
		return nil, fmt.Errorf("%s: %w: resume it, or take another folder", dir, ErrExists)
	default:
		if other := have.grow(m); len(other) > 0 {
			return nil, different(dir, other)
		}
		f.manifest = have
	}
	if err := f.sweep(); err != nil {
		return nil, err
	}
	if err := f.manifest.write(dir); err != nil {
		return nil, err
	}
	if f.samples, err = openSamples(filepath.Join(dir, reports.SamplesFile), f.manifest); err != nil {
		return nil, err
	}
	return f, f.begin(by)
}

// sweep removes what a killed process had not finished.
func (f *folder) sweep() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		for _, name := range []string{manifestFile, reports.SamplesFile, reports.ResultsFile} {
			if strings.HasPrefix(e.Name(), "."+name+".") && strings.HasSuffix(e.Name(), ".partial") {
				err = errors.Join(err, os.Remove(filepath.Join(f.dir, e.Name())))
			}
		}
	}
	return err
}

// begin starts the clock. Of a session that was killed the time up to its last sample counts.
func (f *folder) begin(by circumstances) error {
	if data, err := io.ReadAll(io.LimitReader(f.lock, 64<<10)); err != nil || json.Unmarshal(data, &f.session) != nil {
		f.session = session{}
	}
	s := &f.session
	now := time.Now()
	if s.Started.IsZero() || s.Started.After(now) || !(s.Seconds >= 0) {
		*s = session{Started: now.UTC().Truncate(time.Second), First: by}
	}
	if s.First.Sandbox == nil {
		s.First.Sandbox = by.Sandbox
	}
	for _, how := range s.First.apart(&by) {
		if !slices.Contains(s.Apart, how) {
			s.Apart = append(s.Apart, how)
		}
	}
	if info, err := os.Stat(f.samples.path); err == nil && !s.Since.IsZero() {
		s.Seconds += max(0, info.ModTime().Sub(s.Since).Seconds())
	}
	s.Since = now.UTC()
	return f.keepSession()
}

// end stops the clock.
func (f *folder) end() error {
	s := &f.session
	s.Seconds += max(0, time.Since(s.Since).Seconds())
	s.Since = time.Time{}
	return f.keepSession()
}

// keepSession writes the session in place: the file is the lock.
func (f *folder) keepSession() error {
	data, err := json.Marshal(&f.session)
	if err != nil {
		return err
	}
	if err := f.lock.Truncate(0); err != nil {
		return err
	}
	_, err = f.lock.WriteAt(append(data, '\n'), 0)
	return err
}

// finish writes the results of what samples there are. If none are missing, their file is
// brought into its final order.
func (f *folder) finish(e *reports.Eval) error {
	if err := f.end(); err != nil {
		return err
	}
	e.Started, e.Seconds = f.session.Started, f.session.Seconds
	if e.Sandbox == nil { // of this session, which had no code to run
		e.Sandbox = f.session.First.Sandbox
	}
	if how := f.session.Apart; len(how) > 0 {
		e.Warnings = append(e.Warnings, "the run was resumed "+strings.Join(how, ", and "))
	}
	if !e.Interrupted {
		if err := f.samples.close(); err != nil { // some systems replace no open file
			return err
		}
		if err := f.samples.rewrite(f.samples.sorted(f.manifest)); err != nil {
			return err
		}
	}
	return writeResults(f.dir, e)
}

func writeResults(dir string, e *reports.Eval) error {
	return writeFile(filepath.Join(dir, reports.ResultsFile), func(w io.Writer) error { return e.Write(w, "json") })
}

// close gives the folder back.
func (f *folder) close() error {
	var err error
	if f.samples != nil {
		err = f.samples.close()
	}
	return errors.Join(err, f.lock.Close())
}

// writeFile writes a file that has its name when it is complete and on the disk.
func writeFile(path string, write func(w io.Writer) error) error {
	f, err := disk.CreatePartial(path)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("%s: %w", path, err)
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// syncFolder makes names of files last. Systems that cannot do that keep them their own way.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
