package main

import (
	"context"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/datasets"
	"lladakit/eval"
)

// sweepTasks lists the tasks that a sweep can ask: those that are asked by one user text.
// The others need an answer that has begun, or no chat form.
func sweepTasks() []string { return []string{"gsm8k", "humaneval", "tiny-gsm8k", "tiny-humaneval"} }

// sweepTask fills in prompts and how their answers are judged.
func (e *env) sweepTask(c *cli.Context, opt *bench.SweepOptions) error {
	task, err := eval.Find(c.String("task"))
	if err != nil || !slices.Contains(sweepTasks(), task.Name) {
		return usagef("--task: %.40q is not one of %s", c.String("task"), strings.Join(sweepTasks(), ", "))
	}
	if opt.Raw {
		return usagef("--raw is for --data: a task says itself how it is asked")
	}
	asked := eval.Options{Tasks: []*eval.Task{task}}
	if err := e.evalData(c, &asked); err != nil {
		return err
	}
	executor, _, err := e.sandbox(c, &asked)
	if err != nil {
		return err
	}
	all := asked.Data[task.Data].Records
	limit := len(all)
	if c.IsSet("limit") {
		limit = c.Int("limit")
	}
	var records []*datasets.Record
	for _, i := range eval.Subset(task.Form, all, limit) {
		records = append(records, &all[i])
		opt.Prompts = append(opt.Prompts, task.Prompt(&all[i], nil).Messages[0].Content)
	}
	opt.Data = task.Name
	if opt.GenLength == 0 {
		opt.GenLength = task.GenLength
	}
	opt.Judge = func(ctx context.Context, prompt int, text string) (bool, error) {
		return task.Right(ctx, executor, records[prompt], text)
	}
	return nil
}
