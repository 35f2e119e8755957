package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrEval is what errors about the contents of an evaluation wrap.
var ErrEval = errors.New("no result of an evaluation")

const (
	maxEval      = 8 << 20 // bytes of a result file
	maxEvalTasks = 1000
)

// ReadEval reads what Write writes in the form json, of this version and those before.
// Fields that it does not know are passed over.
func ReadEval(r io.Reader) (*Eval, error) {
	data, err := readAll(r, maxEval, ErrEval)
	if err != nil {
		return nil, err
	}
	var outline struct {
		Eval *int `json:"eval"`
	}
	switch err := json.Unmarshal(data, &outline); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrEval, err)
	case outline.Eval == nil || *outline.Eval < 1:
		return nil, fmt.Errorf(`%w: it has no version under "eval"`, ErrEval)
	case *outline.Eval > EvalVersion:
		return nil, fmt.Errorf("%w: it has version %d, and this program reads up to %d: use a newer one", ErrEval, *outline.Eval, EvalVersion)
	}
	// Tasks are counted before they take the room that they take here.
	var tasks struct {
		Tasks []json.RawMessage `json:"tasks"`
	}
	if err := json.Unmarshal(data, &tasks); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEval, err)
	}
	if n := len(tasks.Tasks); n > maxEvalTasks {
		return nil, fmt.Errorf("%w: %d tasks are more than %d", ErrEval, n, maxEvalTasks)
	}
	e := new(Eval)
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEval, err)
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEval, err)
	}
	return e, nil
}

// check reports the first number that cannot be.
func (e *Eval) check() error {
	if err := checkNumbers(e); err != nil {
		return err
	}
	for i := range e.Tasks {
		t := &e.Tasks[i]
		for _, share := range []struct {
			name  string
			value float64
		}{{"accuracy", t.Accuracy}, {"stderr", t.SE}, {"low", t.Low}, {"high", t.High}, {"detectable", t.Detected}} {
			if share.value > 1 {
				return fmt.Errorf("tasks[%d].%s is %g", i, share.name, share.value)
			}
		}
		for _, part := range []struct {
			name string
			n    int
		}{{"correct", t.Correct}, {"truncated", t.Truncated}, {"failed", t.Failed}, {"any_correct", t.Any}} {
			if part.n > t.N {
				return fmt.Errorf("tasks[%d].%s is %d of %d", i, part.name, part.n, t.N)
			}
		}
	}
	return nil
}
