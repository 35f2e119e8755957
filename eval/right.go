package eval

import (
	"context"

	"lladakit/datasets"
	"lladakit/eval/sandbox"
)

// Right judges one answer by the extractor that counts. e runs the programs of tasks that
// have them, and may be nil for others. An error means that there is no verdict.
func (t *Task) Right(ctx context.Context, e Executor, r *datasets.Record, text string) (bool, error) {
	found := t.Judge(r, text).Extractions
	if len(found) == 0 {
		return false, nil
	}
	if found[0].Program == nil {
		return found[0].Correct, nil
	}
	v, err := newJudge(e).run(ctx, found[0].Program)
	return v.Status == sandbox.Passed, err
}
