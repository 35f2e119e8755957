package reports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// evalForms are the forms of Write.
var evalForms = map[string]func(e *Eval, w io.Writer) error{
	"md": (*Eval).markdown, "json": (*Eval).json, "csv": (*Eval).csv,
}

// EvalForms lists what Write can write.
func EvalForms() []string { return []string{"md", "json", "csv"} }

// Write writes the result in one of the forms of EvalForms: md is tables for people with
// notes under them, json the whole document, which ReadEval reads, and csv a line for
// each task with all that it was made with. Numbers that cannot be are refused.
func (e *Eval) Write(w io.Writer, form string) error {
	write := evalForms[form]
	if write == nil {
		return fmt.Errorf("form %.40q is not one of %s", form, strings.Join(EvalForms(), ", "))
	}
	if err := e.check(); err != nil {
		return fmt.Errorf("evaluation: %w", err)
	}
	return write(e, w)
}

func (e *Eval) json(w io.Writer) error { return writeDocument(w, e) }

// evalLine is a task with what it was made with.
type evalLine struct {
	EvalTask
	Version     int             `json:"eval"`
	Model       EvalModel       `json:"model"`
	Settings    json.RawMessage `json:"settings"`
	GenLength   int             `json:"gen_length"`
	Repeats     int             `json:"repeats"`
	Sandbox     *EvalSandbox    `json:"sandbox"`
	Subset      string          `json:"subset"`
	Shard       string          `json:"shard"`
	Interrupted bool            `json:"interrupted"`
	Program     Program         `json:"program"`
	Machine     Machine         `json:"machine"`
	Command     []string        `json:"command"`
	Started     string          `json:"started"`
	Seconds     float64         `json:"seconds"`
}

func (e *Eval) csv(w io.Writer) error {
	out := bufio.NewWriter(w)
	row := func(line evalLine, text func(*field) string) {
		var cells []string
		for _, f := range fields(reflect.ValueOf(line), "") {
			cells = append(cells, text(&f))
		}
		writeCSV(out, cells)
	}
	row(evalLine{}, func(f *field) string { return f.name })
	for _, t := range e.Tasks {
		row(evalLine{
			EvalTask: t, Version: e.Version, Model: e.Model, Settings: e.Settings, GenLength: e.GenLength, Repeats: e.Repeats,
			Sandbox: e.Sandbox, Subset: e.Subset, Shard: e.Shard, Interrupted: e.Interrupted, Program: e.Program, Machine: e.Machine,
			Command: e.Command, Started: e.Started.UTC().Format("2006-01-02T15:04:05Z"), Seconds: e.Seconds,
		}, (*field).text)
	}
	return out.Flush()
}
