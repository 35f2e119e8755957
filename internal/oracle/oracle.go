// Package oracle gives tests an independent opinion of what a LLaDA2 model computes.
//
// The opinion comes from llada2_ref.py beside this file, a plain NumPy implementation. What it said of
// two random checkpoints is kept under golden/, so most tests need no Python: [Golden] lists them. A
// test that wants other shapes or settings runs the program itself, with [Make], [Logits] and
// [Generate]; these need the environment variable LLADA_ORACLE_PYTHON to name a Python interpreter
// with NumPy, and return [ErrUnavailable] where it is unset:
//
//	logits, err := oracle.Logits(dir, ids, 32)
//	if errors.Is(err, oracle.ErrUnavailable) {
//		t.Skip(err)
//	}
//
// Only tests import this package: it finds its files in the source tree.
package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
)

// PythonVariable is the environment variable that names the interpreter, a path or a name in PATH.
const PythonVariable = "LLADA_ORACLE_PYTHON"

// ErrUnavailable says that no interpreter is named, so that the oracle cannot be asked.
var ErrUnavailable = errors.New("oracle: " + PythonVariable + " names no Python interpreter")

// A Checkpoint is a golden checkpoint: a Hugging Face folder and what the oracle says of it.
type Checkpoint struct {
	Name     string // "narrow", "wide"
	Dir      string // absolute path of the folder
	Expected Expected
}

// Expected is the form of expected.json.
type Expected struct {
	Logits   Window `json:"logits"`
	Generate []Case `json:"generate"`
}

// A Window holds logits of one forward pass without a cache.
type Window struct {
	IDs         []int       `json:"ids"`          // the input; the last four are masks
	BlockLength int         `json:"block_length"` // positions per block of the block-causal mask
	Rows        []int       `json:"rows"`         // the positions that Values describes
	Values      [][]float64 `json:"values"`       // [len(Rows)][vocabulary], rounded to 6 decimals
	Argmax      []int       `json:"argmax"`       // of every position of IDs
}

// A Case is one greedy generation: what was asked, and the answer.
type Case struct {
	Settings
	Answer
}

// Settings say what to generate and how. All numbers are taken as they are but where a zero is
// documented.
type Settings struct {
	Prompt      []int   `json:"prompt"`
	GenLength   int     `json:"gen_length"`   // most tokens of the answer
	BlockLength int     `json:"block_length"` // positions per block
	Steps       int     `json:"steps"`        // most denoising forwards per block
	Threshold   float64 `json:"threshold"`    // a position above this probability is accepted

	// MinimalTopK caps Steps at GenLength / MinimalTopK; 0 means 1.
	MinimalTopK int `json:"minimal_topk,omitempty"`

	// EarlyStop ends as soon as an end token is written with no mask before it.
	EarlyStop bool `json:"early_stop,omitempty"`

	// EOS is the end token; 0 means the checkpoint's.
	EOS int `json:"eos,omitempty"`
}

// An Answer is what the oracle generated.
type Answer struct {
	Tokens   []int `json:"tokens"`   // up to and including the end token
	Forwards int   `json:"forwards"` // denoising forward passes

	// SmallestMargin is the smallest distance, in probability, by which any decision was taken. A
	// float32 run may differ from Tokens only where its own error is larger.
	SmallestMargin float64 `json:"smallest_margin"`
}

// Golden returns every checkpoint under golden/ in alphabetical order.
func Golden() ([]Checkpoint, error) {
	root, err := source("golden")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "expected.json"))
	if err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("oracle: no */expected.json in %s", root)
	}
	checkpoints := make([]Checkpoint, len(files))
	for i, file := range files {
		dir := filepath.Dir(file)
		checkpoints[i] = Checkpoint{Name: filepath.Base(dir), Dir: dir}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("oracle: %w", err)
		}
		if err := json.Unmarshal(data, &checkpoints[i].Expected); err != nil {
			return nil, fmt.Errorf("oracle: %s: %w", file, err)
		}
	}
	return checkpoints, nil
}

// Make writes a checkpoint of random weights to dir, which it creates. The arguments are those of the
// program's make command, such as "--seed", "3", "--hidden", "256"; equal arguments give equal bytes.
func Make(dir string, args ...string) error {
	_, err := run(append([]string{"make", dir}, args...)...)
	return err
}

// Logits returns the logits [len(ids)][vocabulary] of the checkpoint in dir in float64, with the
// block-causal mask of the given block length.
func Logits(dir string, ids []int, blockLength int) ([][]float64, error) {
	out, err := run("logits", dir, "--ids", join(ids), "--block", strconv.Itoa(blockLength))
	if err != nil {
		return nil, err
	}
	var logits [][]float64
	if err := json.Unmarshal(out, &logits); err != nil {
		return nil, fmt.Errorf("oracle: logits of %s: %w", dir, err)
	}
	return logits, nil
}

// Generate returns the greedy answer of the checkpoint in dir.
func Generate(dir string, s Settings) (Answer, error) {
	args := []string{
		"generate", dir,
		"--ids", join(s.Prompt),
		"--gen", strconv.Itoa(s.GenLength),
		"--block", strconv.Itoa(s.BlockLength),
		"--steps", strconv.Itoa(s.Steps),
		"--threshold", strconv.FormatFloat(s.Threshold, 'g', -1, 64),
		"--minimal-topk", strconv.Itoa(max(s.MinimalTopK, 1)),
	}
	if s.EarlyStop {
		args = append(args, "--early-stop")
	}
	if s.EOS != 0 {
		args = append(args, "--eos", strconv.Itoa(s.EOS))
	}
	out, err := run(args...)
	if err != nil {
		return Answer{}, err
	}
	var answer struct {
		IDs      []int
		Forwards int
		Margin   float64
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return Answer{}, fmt.Errorf("oracle: answer of %s: %w", dir, err)
	}
	return Answer{Tokens: answer.IDs, Forwards: answer.Forwards, SmallestMargin: answer.Margin}, nil
}

// Python returns the interpreter that [PythonVariable] names, or [ErrUnavailable].
func Python() (string, error) {
	python := os.Getenv(PythonVariable)
	if python == "" {
		return "", ErrUnavailable
	}
	return python, nil
}

// run runs llada2_ref.py and returns its standard output.
func run(args ...string) ([]byte, error) {
	python, err := Python()
	if err != nil {
		return nil, err
	}
	program, err := source("llada2_ref.py")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, append([]string{"-B", program}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("oracle: %s %s: %w\n%s", program, args[0], err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// source returns the path of a file or folder that stands beside this source file.
func source(name string) (string, error) {
	_, file, _, ok := goruntime.Caller(0)
	path := filepath.Join(filepath.Dir(file), name)
	if !ok || !filepath.IsAbs(path) { // -trimpath leaves "lladakit/internal/oracle"
		return "", errors.New("oracle: the source tree cannot be found from a binary built with -trimpath")
	}
	return path, nil
}

func join(ids []int) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(id)
	}
	return strings.Join(words, ",")
}
