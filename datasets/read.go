package datasets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Bounds of a data set's file.
const (
	maxData    = 256 << 20 // bytes, packed and unpacked
	maxLine    = 16 << 20  // bytes
	maxRecords = 1 << 20
	maxName    = 200 // bytes of a task_id or an entry_point
)

var (
	goldLine   = regexp.MustCompile(`^#### -?[0-9][0-9,]*(\.[0-9]+)?$`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// formFields are the columns by which a form is known, the richer form first.
var formFields = []struct {
	form   Form
	fields []string
}{
	{HumanEvalPlus, []string{"task_id", "base_input"}},
	{HumanEval, []string{"task_id", "test"}},
	{GSM8K, []string{"question", "answer"}},
}

// parse reads the records of a text: one JSON object a line. They have the form that
// is asked for, or, if none is, that of the first. name is what GSM8K's records are
// called after. Errors name the line.
func parse(data []byte, name string, form Form) ([]Record, Form, error) {
	var records []Record
	seen := map[string]int{} // lines by ID
	err := lines(data, func(n int, line []byte) error {
		switch {
		case len(line) > maxLine:
			return fmt.Errorf("more than %d MiB are too long", maxLine>>20)
		case len(records) == maxRecords:
			return fmt.Errorf("more than %d records are too many", maxRecords)
		}
		f, err := parseFields(line)
		if err != nil {
			return err
		}
		if form == "" {
			if form, err = f.form(); err != nil {
				return err
			}
		}
		hash := sha256.Sum256(line)
		r := Record{Index: len(records), SHA256: hex.EncodeToString(hash[:])}
		switch form {
		case GSM8K:
			r.ID = fmt.Sprintf("%s/%d", name, r.Index)
			err = r.readGSM8K(f)
		case HumanEval:
			err = r.readHumanEval(f)
		case HumanEvalPlus:
			err = r.readHumanEvalPlus(f)
		default:
			err = fmt.Errorf("there is no reader for the form %q", form)
		}
		if err != nil {
			return err
		}
		if before, ok := seen[r.ID]; ok {
			return fmt.Errorf("task_id %q is line %d's, too", r.ID, before)
		}
		seen[r.ID] = n
		records = append(records, r)
		return nil
	})
	if err == nil && len(records) == 0 {
		err = errors.New("no records")
	}
	if err != nil {
		return nil, "", err
	}
	return records, form, nil
}

func (r *Record) readGSM8K(f fields) (err error) {
	if r.Question, err = f.text("question"); err != nil {
		return err
	}
	if r.Answer, err = f.text("answer"); err != nil {
		return err
	}
	last := strings.TrimRight(r.Answer, " \r\n")
	last = last[strings.LastIndexByte(last, '\n')+1:]
	if !goldLine.MatchString(last) {
		return fmt.Errorf(`"answer" ends in %.40q, not in a line of "#### " and a number`, last)
	}
	return nil
}

func (r *Record) readHumanEval(f fields) (err error) {
	if err := r.readCode(f); err != nil {
		return err
	}
	r.Test, err = f.text("test")
	return err
}

func (r *Record) readHumanEvalPlus(f fields) (err error) {
	if err := r.readCode(f); err != nil {
		return err
	}
	if f.has("contract") {
		if r.Contract, err = f.string("contract"); err != nil {
			return err
		}
	}
	if f.has("atol") {
		if r.Atol, err = f.number("atol"); err != nil {
			return err
		}
		if r.Atol < 0 {
			return fmt.Errorf(`"atol" is %g, not a tolerance`, r.Atol)
		}
	}
	var count int
	if r.BaseInput, count, err = f.inputs("base_input"); err != nil {
		return err
	}
	if count == 0 {
		return errors.New(`"base_input" is empty: any answer would be right`)
	}
	r.PlusInput, _, err = f.inputs("plus_input")
	return err
}

// readCode reads what both forms of code problems have.
func (r *Record) readCode(f fields) (err error) {
	if r.ID, err = f.text("task_id"); err != nil {
		return err
	}
	if len(r.ID) > maxName || strings.ContainsFunc(r.ID, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return fmt.Errorf(`"task_id" %.40q is not up to %d printable bytes`, r.ID, maxName)
	}
	if r.Prompt, err = f.text("prompt"); err != nil {
		return err
	}
	if r.EntryPoint, err = f.text("entry_point"); err != nil {
		return err
	}
	// It is written into programs.
	if len(r.EntryPoint) > maxName || !identifier.MatchString(r.EntryPoint) {
		return fmt.Errorf(`"entry_point" %.40q is not the name of a Python function`, r.EntryPoint)
	}
	r.CanonicalSolution, err = f.string("canonical_solution")
	return err
}

// fields are the columns of a record. Their names are taken exactly, as Python does.
type fields map[string]json.RawMessage

func parseFields(line []byte) (fields, error) {
	if line = bytes.TrimSpace(line); line[0] != '{' {
		return nil, fmt.Errorf("%.40q is not a JSON object", line)
	}
	var f fields
	if err := json.Unmarshal(line, &f); err != nil {
		return nil, err
	}
	return f, nil
}

func (f fields) has(name string) bool { _, ok := f[name]; return ok }

// form tells the form by the columns.
func (f fields) form() (Form, error) {
	for _, known := range formFields {
		if !slices.ContainsFunc(known.fields, func(name string) bool { return !f.has(name) }) {
			return known.form, nil
		}
	}
	columns := slices.Sorted(maps.Keys(f))
	found := strings.Join(columns[:min(len(columns), 10)], ", ")
	return "", fmt.Errorf("columns %.200q are those of no form: GSM8K's has question and answer; HumanEval's task_id, prompt, entry_point, canonical_solution and test; "+
		"HumanEval+'s base_input and plus_input instead of test", found)
}

// string returns a text, which may be empty.
func (f fields) string(name string) (text string, err error) {
	err = f.value(name, '"', "a text", &text)
	return text, err
}

// text returns a text that is not empty.
func (f fields) text(name string) (string, error) {
	text, err := f.string(name)
	if err == nil && strings.TrimSpace(text) == "" {
		err = fmt.Errorf("%q is empty", name)
	}
	return text, err
}

func (f fields) number(name string) (x float64, err error) {
	if err := json.Unmarshal(f[name], &x); err != nil || string(f[name]) == "null" || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is %.40s, not a number", name, f[name])
	}
	return x, nil
}

// inputs returns a list of argument lists as it is, and how many there are.
func (f fields) inputs(name string) (json.RawMessage, int, error) {
	var calls []json.RawMessage
	if err := f.value(name, '[', "a list", &calls); err != nil {
		return nil, 0, err
	}
	for i, call := range calls {
		if call[0] != '[' {
			return nil, 0, fmt.Errorf("%q has %.40s in place %d, not a list of arguments", name, call, i)
		}
	}
	return f[name], len(calls), nil
}

// value decodes a column whose JSON must begin with a character.
func (f fields) value(name string, first byte, what string, into any) error {
	raw, ok := f[name]
	if !ok {
		return fmt.Errorf("there is no %q", name)
	}
	if raw[0] != first {
		return fmt.Errorf("%q is %.40s, not %s", name, raw, what)
	}
	return json.Unmarshal(raw, into)
}
