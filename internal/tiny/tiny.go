// Package tiny holds a trained LLaDA2 checkpoint of 4.2 million parameters and problems that it can
// partly solve, small enough to be embedded in the program.
//
// The checkpoint is an ordinary Hugging Face folder with every feature of the large models: a dense first
// layer, 16 experts in 4 groups, a shared expert, expert bias, QK norm, half-rotary heads, block-causal
// attention with blocks of 32. [Checkpoint] gives its files to read; [Unpack] writes them to a folder
// for programs that want a path:
//
//	if err := tiny.Unpack(dir); err != nil {
//		return err
//	}
//	// dir now converts like any downloaded model.
//
// The problems, [WordProblems] and [CodeProblems], have the record forms of GSM8K and HumanEval and were
// never trained on. Greedy decoding with threshold 0.95 solves 91 of the 200 and 96 of the 100, which
// leaves room to see what a quantization or a faster decoding costs. The model answers the user texts that
// the problems' User methods return, without a system message; it has learned no others.
//
// README.md tells how the checkpoint was made; the programs are in train/.
package tiny

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed model
var model embed.FS

const (
	wordFile = "tiny-gsm8k.jsonl"
	codeFile = "tiny-humaneval.jsonl"
)

// Checkpoint returns the embedded files, all at the root: config.json, generation_config.json,
// tokenizer.json, tokenizer_config.json, model.safetensors.index.json, two BF16 shards, and the problems as
// tiny-gsm8k.jsonl and tiny-humaneval.jsonl.
func Checkpoint() fs.FS {
	root, err := fs.Sub(model, "model")
	if err != nil {
		panic(err) // the path is valid, which is all that Sub checks
	}
	return root
}

// Unpack writes the checkpoint to dir, creating it as needed and replacing files of the same names. The
// problems are left out: the folder is what a download from Hugging Face would be.
func Unpack(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("tiny: %w", err)
	}
	root := Checkpoint()
	files, err := fs.ReadDir(root, ".")
	if err != nil {
		return fmt.Errorf("tiny: %w", err)
	}
	for _, f := range files {
		if f.Name() == wordFile || f.Name() == codeFile {
			continue
		}
		data, err := fs.ReadFile(root, f.Name())
		if err != nil {
			return fmt.Errorf("tiny: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name()), data, 0o666); err != nil {
			return fmt.Errorf("tiny: %w", err)
		}
	}
	return nil
}

// A WordProblem is a grade-school problem with one or two steps, in the form of a GSM8K record.
type WordProblem struct {
	Question string `json:"question"`
	Answer   string `json:"answer"` // the steps, then "#### " and the result
}

// User returns the text with which a user poses the problem.
func (p WordProblem) User() string {
	return p.Question + "\nPlease reason step by step, and put your final answer within \\boxed{}."
}

// Result returns the number that ends the answer, as text; a right reply has it in its last \boxed{}.
func (p WordProblem) Result() string {
	_, result, _ := strings.Cut(p.Answer, "#### ")
	return result
}

// A CodeProblem asks for a Python function of one line, in the form of a HumanEval record.
type CodeProblem struct {
	TaskID            string `json:"task_id"`
	Prompt            string `json:"prompt"` // signature and docstring
	EntryPoint        string `json:"entry_point"`
	CanonicalSolution string `json:"canonical_solution"` // the indented body
	Test              string `json:"test"`               // defines check(candidate)
}

// User returns the text with which a user poses the problem.
func (p CodeProblem) User() string {
	return "Read the following function signature and docstring, and fully implement the function described. " +
		"Your response should only contain the code for this function.\n" + p.Prompt
}

// WordProblems returns the 200 held-out word problems.
func WordProblems() ([]WordProblem, error) { return records[WordProblem](wordFile) }

// CodeProblems returns the 100 held-out code problems.
func CodeProblems() ([]CodeProblem, error) { return records[CodeProblem](codeFile) }

// records decodes an embedded file of one JSON record a line.
func records[T any](name string) ([]T, error) {
	data, err := fs.ReadFile(Checkpoint(), name)
	if err != nil {
		return nil, fmt.Errorf("tiny: %w", err)
	}
	var list []T
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var record T
		err := d.Decode(&record)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("tiny: %s, record %d: %w", name, len(list), err)
		}
		list = append(list, record)
	}
}
