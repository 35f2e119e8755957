package eval

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTask says that there is no task of a name.
var ErrTask = errors.New("unknown task")

// tasks has a line for every task; each stands in a file of its kind.
var tasks = []Task{
	gsm8k, gsm8kFewShot,
	humaneval, humanevalInstruct, humanevalPlus, humanevalPlusMini,
	tinyGSM8K, tinyHumaneval,
}

// Tasks returns all tasks.
func Tasks() []Task { return append([]Task(nil), tasks...) }

// Find returns the task of a name, in which _ may stand for -. It fails with ErrTask.
func Find(name string) (*Task, error) {
	plain := strings.ReplaceAll(name, "_", "-")
	names := make([]string, len(tasks))
	for i, t := range tasks {
		if t.Name == plain {
			return &t, nil
		}
		names[i] = t.Name
	}
	return nil, fmt.Errorf("%w: %q; there are %s", ErrTask, name, strings.Join(names, ", "))
}
