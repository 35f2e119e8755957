package reports

import (
	"fmt"
	"os"
	"path/filepath"
)

// Run is an evaluation with its samples.
type Run struct {
	Path    string
	Eval    *Eval
	Samples []Sample
	Torn    bool // whether the last sample was cut off
}

// The files of a run's folder that others read.
const (
	ResultsFile = "results.json"  // an Eval, when the run has ended
	SamplesFile = "samples.jsonl" // one Sample a line
)

// RunFiles returns the results and the samples of a run at path: a folder, or the results
// in it.
func RunFiles(path string) (results, samples string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	if info.IsDir() {
		return filepath.Join(path, ResultsFile), filepath.Join(path, SamplesFile), nil
	}
	return path, filepath.Join(filepath.Dir(path), SamplesFile), nil
}

// OpenRun reads a run from its folder, or from the results in it, beside which the
// samples are.
func OpenRun(path string) (*Run, error) {
	results, samples, err := RunFiles(path)
	if err != nil {
		return nil, err
	}
	run := &Run{Path: path}
	err = readFile(results, func(f *os.File) (err error) {
		run.Eval, err = ReadEval(f)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = readFile(samples, func(f *os.File) (err error) {
		run.Samples, run.Torn, err = ReadSamples(f)
		return err
	})
	if err != nil {
		return nil, err
	}
	return run, nil
}

func readFile(path string, read func(f *os.File) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
