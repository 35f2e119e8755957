package eval

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"lladakit/reports"
)

// samples is the file of a run's samples, to which each is appended when it is judged, and
// their list. Its methods may be called by several goroutines.
type samples struct {
	path string

	mu   sync.Mutex
	file *os.File
	list []reports.Sample
	err  error // of the first failed append: what follows a torn line would be lost
}

// openSamples opens or makes the file. A line that a killed process left incomplete is cut
// off, and requests that had no answer are forgotten, so that they are asked again.
func openSamples(path string, m *manifest) (*samples, error) {
	if err := cutTorn(path); err != nil {
		return nil, err
	}
	list, err := readSamples(path, m)
	if err != nil {
		return nil, err
	}
	s := &samples{path: path}
	answered := slices.DeleteFunc(slices.Clone(list), func(x reports.Sample) bool { return x.Error == errorGeneration })
	if len(answered) < len(list) {
		if err := s.rewrite(answered); err != nil {
			return nil, err
		}
	}
	s.list = answered
	if s.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	return s, nil
}

// cutTorn removes what stands behind the last line feed of a file.
func cutTorn(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and not a regular file", path)
	}
	end := info.Size()
	for buffer := make([]byte, 64<<10); end > 0; {
		part := buffer[:min(int64(len(buffer)), end)]
		if _, err := f.ReadAt(part, end-int64(len(part))); err != nil {
			return err
		}
		if at := bytes.LastIndexByte(part, '\n'); at >= 0 {
			end -= int64(len(part) - at - 1)
			break
		}
		end -= int64(len(part))
	}
	if end == info.Size() {
		return nil
	}
	return errors.Join(f.Truncate(end), f.Sync())
}

// place is where a sample is in a run. Keys do not tell it: documents of a file may be equal,
// and so may their samples be.
type place struct {
	task          string
	index, repeat int
}

func placeOf(s *reports.Sample) place { return place{s.Task, s.Index, s.Repeat} }

// readSamples reads the samples of a run's folder and checks that they are of the run.
func readSamples(path string, m *manifest) ([]reports.Sample, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, _, err := reports.ReadSamples(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	places, counts := map[place]bool{}, map[string]int{}
	for i := range list {
		s := &list[i]
		counts[s.Task]++
		task := m.task(s.Task)
		switch {
		case task < 0 || m.Tasks[task].Version != s.Version:
			err = fmt.Errorf("task %.40q version %d is not of the run", s.Task, s.Version)
		case s.Repeat < 0 || s.Repeat >= m.Repeats:
			err = fmt.Errorf("repeat %d is not of the run", s.Repeat)
		case places[placeOf(s)]:
			err = fmt.Errorf("%.40q of task %s is there twice", s.DocID, s.Task)
		case counts[s.Task] > m.samples(&m.Tasks[task]):
			err = fmt.Errorf("task %s has %d samples in the run, and here are more", s.Task, m.samples(&m.Tasks[task]))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, i+1, err)
		}
		places[placeOf(s)] = true
	}
	return list, nil
}

// foreign is the error that a sample is not one of those that its task asks.
func (s *samples) foreign(x *reports.Sample) error {
	return fmt.Errorf("%s: %.40q of task %s, document %d, is not of the run: the file was changed", s.path, x.DocID, x.Task, x.Index)
}

// add appends a sample, and returns when it is on the disk.
func (s *samples) add(x *reports.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = s.append(x)
	}
	if s.err == nil {
		s.err = s.file.Sync()
	}
	return s.err
}

// append is add without waiting for the disk.
func (s *samples) append(x *reports.Sample) error {
	line, err := canonical(x)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return err // which names the file
	}
	s.list = append(s.list, *x)
	return nil
}

// sorted returns the samples by task, repeat and document, whatever order they came in.
func (s *samples) sorted(m *manifest) []reports.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortSamples(slices.Clone(s.list), m)
}

func sortSamples(list []reports.Sample, m *manifest) []reports.Sample {
	slices.SortFunc(list, func(a, b reports.Sample) int {
		return cmp.Or(cmp.Compare(m.task(a.Task), m.task(b.Task)), cmp.Compare(a.Repeat, b.Repeat), cmp.Compare(a.Index, b.Index))
	})
	return list
}

// rewrite replaces the file.
func (s *samples) rewrite(list []reports.Sample) error { return writeSamples(s.path, list) }

func writeSamples(path string, list []reports.Sample) error {
	return writeFile(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		for i := range list {
			line, err := canonical(&list[i])
			if err != nil {
				return err
			}
			b.Write(append(line, '\n'))
		}
		return b.Flush()
	})
}

func (s *samples) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
