package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lladakit/datasets"
	"lladakit/eval/sandbox"
)

// sandboxFindings are those about the tier that is taken by itself, and about others.
type sandboxFindings struct {
	tierFindings
	Others []tierFindings `json:"others"`
}

// tierFindings say what attacks did in one tier of the sandbox, or why it is not there.
type tierFindings struct {
	Tier    sandbox.Tier     `json:"tier"` // empty if none is there
	Python  string           `json:"python"`
	Why     string           `json:"why"`
	Attacks []sandbox.Attack `json:"attacks"`
}

func examineSandbox(ctx context.Context) (f sandboxFindings, err error) {
	for _, tier := range []sandbox.Tier{sandbox.Namespaces, sandbox.Landlock, sandbox.Container} {
		t := tierFindings{Tier: tier, Attacks: []sandbox.Attack{}}
		s, err := sandbox.New(ctx, sandbox.Options{Tier: tier})
		if err == nil {
			t.Python = s.Python()
			t.Attacks, err = s.Attacks(ctx)
		}
		switch {
		case errors.Is(err, sandbox.ErrUnavailable):
			t.Why = strings.TrimPrefix(err.Error(), sandbox.ErrUnavailable.Error()+": tier "+string(tier)+": ")
		case err != nil:
			return f, err
		case f.Tier == "":
			f.tierFindings = t
			continue
		}
		f.Others = append(f.Others, t)
	}
	if f.Tier == "" {
		f.Attacks, f.Why = []sandbox.Attack{}, "no tier is there"
	}
	return f, nil
}

// printData says where data sets are. It is no fault that one is missing.
func (e *env) printData(all []datasets.Found) error {
	var rows [][]string
	for _, f := range all {
		found := string(f.State)
		if f.Path != "" {
			found += ", " + f.Path
		}
		if f.Problem != "" {
			found = f.Problem
		}
		rows = append(rows, []string{f.Name, found})
	}
	return e.table([]string{"data set", "found"}, rows)
}

func (e *env) printSandbox(f sandboxFindings) error {
	var rows [][]string
	for _, t := range append([]tierFindings{f.tierFindings}, f.Others...) {
		if t.Why != "" {
			if t.Tier != "" {
				rows = append(rows, []string{string(t.Tier), t.Why})
			}
			continue
		}
		contained := 0
		for _, a := range t.Attacks {
			if a.Contained {
				contained++
			} else {
				rows = append(rows, []string{string(t.Tier), "not contained: " + a.Name + ": " + a.Detail})
			}
		}
		rows = append(rows, []string{string(t.Tier), fmt.Sprintf("%d of %d attacks contained, Python %s", contained, len(t.Attacks), t.Python)})
	}
	if f.Tier == "" {
		fmt.Fprintln(e.stdout, "warning: programs that models write cannot be run here: no tier of the sandbox is there")
	}
	return e.table([]string{"sandbox", "found"}, rows)
}
