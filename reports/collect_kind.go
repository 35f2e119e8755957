package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// resultKeys are the keys under which results have their version, by which they are told.
var resultKeys = []string{"bench", "sweep", "eval", "kld", "conversion", "verification", "comparison", "trace"}

// maxKind bounds what is read of a file to tell its kind, in bytes unpacked.
const maxKind = 32 << 20

// resultKind returns the key of the version of the first object in r; "" for what is no
// result. It needs no more of the object than what is before the version, which our files
// have first, so that one that is cut off is known for what it was.
func resultKind(r io.Reader) string {
	r, err := unpacked(r)
	if err != nil {
		return ""
	}
	in := json.NewDecoder(io.LimitReader(r, maxKind))
	if start, err := in.Token(); err != nil || start != json.Delim('{') {
		return ""
	}
	for in.More() {
		token, err := in.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return ""
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return ""
		}
		// Other programs' files may have such a key with something else under it.
		if slices.Contains(resultKeys, key) && (value[0] == '-' || '0' <= value[0] && value[0] <= '9') {
			return key
		}
	}
	return ""
}

// What follows says what is missing in results, a line each.

func (b *Bench) missing() (all []string) {
	failed, first := 0, ""
	for i := range b.Tests {
		if t := &b.Tests[i]; t.Error != "" {
			if failed++; failed == 1 {
				first = t.Name + ": " + t.Error
			}
		}
	}
	if b.Interrupted {
		all = append(all, "interrupted: "+b.part())
	}
	if failed > 0 {
		all = append(all, fmt.Sprintf("%d of %s have fewer repetitions than were asked for, the first %s", failed, plural(len(b.Tests), "test"), first))
	}
	return all
}

func (s *Sweep) missing() []string {
	if !s.Interrupted {
		return nil
	}
	return []string{fmt.Sprintf("interrupted: %d of %s, %s", s.Prompts, plural(s.Asked, "prompt"), plural(s.Repetitions, "whole repetition"))}
}

func (r *Run) missing() (all []string) {
	e := r.Eval
	for i := range e.Tasks {
		t := &e.Tasks[i]
		switch {
		case t.N < t.Asked && e.Interrupted:
			all = append(all, fmt.Sprintf("interrupted: %d of %s of %s", t.N, plural(t.Asked, "answer"), t.Task))
		case t.N < t.Asked:
			all = append(all, fmt.Sprintf("%d of %s of %s", t.N, plural(t.Asked, "answer"), t.Task))
		}
		if t.Failed > 0 {
			all = append(all, fmt.Sprintf("%d of %s of %s failed, and count as wrong", t.Failed, plural(t.N, "request"), t.Task))
		}
	}
	if e.Interrupted && len(all) == 0 {
		all = append(all, "interrupted")
	}
	if e.Shard != "" {
		all = append(all, "a part of the data alone: shard "+e.Shard)
	}
	if r.Torn {
		all = append(all, "the last sample is cut off")
	}
	if r.Samples == nil {
		return all
	}
	count := map[string]int{}
	for _, s := range inOrder(r.Samples) {
		count[s.Task]++
	}
	for i := range e.Tasks {
		if t := &e.Tasks[i]; count[t.Task] != t.N {
			all = append(all, fmt.Sprintf("it is of %s of %s, and beside it are %d", plural(t.N, "sample"), t.Task, count[t.Task]))
		}
	}
	return all
}

func (v *Verification) missing() (all []string) {
	if v.Faults > 0 {
		all = append(all, fmt.Sprintf("the file is not what its source says: %s, the first %s", plural(v.Faults, "fault"), v.firstFault()))
	}
	return all
}

func (v *Verification) firstFault() string {
	for i := range v.Found {
		if v.Found[i].Severity == "fault" {
			return v.Found[i].String()
		}
	}
	return ""
}

func (t *Trace) missing() []string {
	switch {
	case t.End == nil:
		return []string{fmt.Sprintf("it is cut off after %s", plural(len(t.Steps), "step"))}
	case t.End.Error != "":
		return []string{"it ended with an error: " + t.End.Error}
	case t.End.End == "interrupted":
		return []string{fmt.Sprintf("interrupted after %s", plural(len(t.Steps), "step"))}
	}
	return nil
}
