package eval

// Stand-ins, to be deleted when the real ones are there.

import "fmt"

func Tasks() []Task { return nil }

func Find(name string) (*Task, error) { return nil, fmt.Errorf("there is no task %q", name) }
