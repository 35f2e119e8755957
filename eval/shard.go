package eval

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Shard is one of N parts of what is asked, I of 1 to N: the documents whose positions
// give I-1 by division by N. The zero value is all.
type Shard struct{ I, N int }

// mostShards bounds what a slip of the finger can ask for.
const mostShards = 100_000

// ErrNoShard says that the environment names no shard.
var ErrNoShard = errors.New("the environment names no shard: there is neither SLURM_ARRAY_TASK_ID, nor SLURM_PROCID, nor JOB_COMPLETION_INDEX")

// String returns 2/3, or nothing for all.
func (s Shard) String() string {
	if s.N == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.I, s.N)
}

// Folder returns the name of a folder for the shard, as shard-2-of-3.
func (s Shard) Folder() string { return fmt.Sprintf("shard-%d-of-%d", s.I, s.N) }

// ParseShard reads what String writes.
func ParseShard(text string) (s Shard, err error) {
	i, n, ok := strings.Cut(text, "/")
	if ok {
		s.I, err = strconv.Atoi(i)
		if err == nil {
			s.N, err = strconv.Atoi(n)
		}
	}
	if !ok || err != nil || s.N == 0 || s.check() != nil {
		return Shard{}, fmt.Errorf("%.40q is not a shard such as 2/3", text)
	}
	return s, nil
}

func (s Shard) check() error {
	if s != (Shard{}) && (s.I < 1 || s.I > s.N || s.N > mostShards) {
		return fmt.Errorf("shard %d/%d is not one of 1/N to N/N, with N up to %d", s.I, s.N, mostShards)
	}
	return nil
}

// take returns the shard's part of a list.
func (s Shard) take(all []int) []int {
	if s.N == 0 {
		return all
	}
	var part []int
	for i := s.I - 1; i < len(all); i += s.N {
		part = append(part, all[i])
	}
	return part
}

// of returns how many of n documents the shard has.
func (s Shard) of(n int) int {
	if s.N == 0 {
		return n
	}
	return (n - s.I + s.N) / s.N
}

// ClusterShard returns the shard that a cluster's scheduler gives to this process, and the
// names of the variables that say so:
//
//   - of a SLURM job array SLURM_ARRAY_TASK_ID, _COUNT, _MIN and _STEP;
//   - in a step of srun, SLURM_PROCID and SLURM_STEP_NUM_TASKS or SLURM_NTASKS. With an array,
//     each of its jobs has that many shards;
//   - of a Kubernetes Job with completionMode Indexed, JOB_COMPLETION_INDEX. Kubernetes does not
//     say how many there are: that is count, or the job's own variable JOB_COMPLETIONS.
//
// A count that is not 0 must be that of the variables, where they have one. ErrNoShard means
// that there are no such variables.
//
// Note: a batch script outside of srun has SLURM_PROCID=0 and the job's SLURM_NTASKS, though
// nobody runs the other tasks. SLURM_STEP_ID tells it from a step.
func ClusterShard(lookup func(name string) (string, bool), count int) (s Shard, from string, err error) {
	e := environment{lookup: lookup}
	switch {
	case e.has("SLURM_ARRAY_TASK_ID") || e.has("SLURM_PROCID") && e.has("SLURM_STEP_ID"):
		s = e.slurm()
	case e.has("JOB_COMPLETION_INDEX"):
		s.I = e.number("JOB_COMPLETION_INDEX") + 1
		switch {
		case e.has("JOB_COMPLETIONS"):
			s.N = e.number("JOB_COMPLETIONS")
		case count > 0:
			s.N = count
		case e.err == nil:
			e.err = errors.New("JOB_COMPLETION_INDEX names a shard, but nothing says of how many: give --shard auto/N, or set JOB_COMPLETIONS")
		}
	default:
		return Shard{}, "", ErrNoShard
	}
	from = strings.Join(e.used, ", ")
	switch {
	case e.err != nil:
		return Shard{}, from, e.err
	case count > 0 && count != s.N:
		return Shard{}, from, fmt.Errorf("%d shards are asked for, and %s say %d", count, from, s.N)
	case s.N < 1 || s.check() != nil:
		return Shard{}, from, fmt.Errorf("%s make shard %d/%d, which there is not", from, s.I, s.N)
	}
	return s, from, nil
}

// environment reads variables and remembers which, and the first that is no number.
type environment struct {
	lookup func(name string) (string, bool)
	used   []string
	err    error
}

func (e *environment) has(name string) bool {
	text, ok := e.lookup(name)
	return ok && text != ""
}

func (e *environment) number(name string) int {
	text, _ := e.lookup(name)
	n, err := strconv.Atoi(text)
	if (err != nil || n < 0 || n > 1<<30) && e.err == nil {
		e.err = fmt.Errorf("%s: %.40q is not a number of tasks or of one of them", name, text)
	}
	e.used = append(e.used, name)
	return n
}

// slurm returns the shard of a job array, of a step, or of a step in an array.
func (e *environment) slurm() Shard {
	s := Shard{1, 1}
	if e.has("SLURM_ARRAY_TASK_ID") {
		s.I, s.N = e.number("SLURM_ARRAY_TASK_ID"), e.number("SLURM_ARRAY_TASK_COUNT")
		first, step := e.number("SLURM_ARRAY_TASK_MIN"), 1
		if e.has("SLURM_ARRAY_TASK_STEP") {
			step = max(1, e.number("SLURM_ARRAY_TASK_STEP"))
		}
		regular := (s.I-first)%step == 0 && (s.I-first)/step < s.N
		if e.has("SLURM_ARRAY_TASK_MAX") {
			regular = regular && e.number("SLURM_ARRAY_TASK_MAX") == first+(s.N-1)*step
		}
		if !regular && e.err == nil {
			e.err = errors.New("the SLURM job array has not the form first-last:step, so that its tasks cannot be counted: give --shard I/N")
		}
		s.I = (s.I-first)/step + 1
	}
	if e.has("SLURM_PROCID") && e.has("SLURM_STEP_ID") {
		count := "SLURM_NTASKS"
		if e.has("SLURM_STEP_NUM_TASKS") {
			count = "SLURM_STEP_NUM_TASKS"
		}
		task, tasks := e.number("SLURM_PROCID"), e.number(count)
		if e.err == nil && (tasks < 1 || task >= tasks || tasks > mostShards || s.N > mostShards) {
			e.err = fmt.Errorf("SLURM_PROCID %d is not one of %s %d", task, count, tasks)
			return s
		}
		s.I, s.N = (s.I-1)*tasks+task+1, s.N*tasks
	}
	return s
}
