package eval_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/eval"
)

// shards runs all shards of the options and returns their folders.
func shards(t testing.TB, n int, change func(o *eval.Options)) []string {
	t.Helper()
	var dirs []string
	for i := range n {
		opt := options(t, 10)
		opt.Tasks = []*eval.Task{words(), code(), more()}
		opt.Limit, opt.Shard = 8, eval.Shard{I: i + 1, N: n}
		if change != nil {
			change(&opt)
		}
		finished(t, opt)
		dirs = append(dirs, opt.Dir)
	}
	return dirs
}

func TestMerge(t *testing.T) {
	whole := options(t, 10)
	whole.Tasks, whole.Limit = []*eval.Task{words(), code(), more()}, 8
	finished(t, whole)
	dirs := shards(t, 3, nil)
	dir := filepath.Join(t.TempDir(), "all")
	e, list, err := eval.Merge(eval.MergeOptions{Dir: dir, Shards: []string{dirs[2], dirs[0], dirs[1]}})
	require.NoError(t, err)
	assert.Len(t, list, 3*2*8)
	assert.False(t, e.Interrupted)
	assert.Equal(t, "8 of 10 tiny-gsm8k, 8 of 10 tiny-humaneval, stratified v1", e.Subset)
	assert.Equal(t, contents(t, whole.Dir), contents(t, dir))

	// It is a run like others.
	whole.Dir, whole.Resume = dir, true
	whole.Generator = options(t, 1).Generator
	finished(t, whole)
	assert.Empty(t, whole.Generator.(*oracle).asked)

	_, _, err = eval.Merge(eval.MergeOptions{Dir: dir, Shards: dirs})
	require.ErrorIs(t, err, eval.ErrExists)
}

func TestMergePartial(t *testing.T) {
	dirs := shards(t, 3, nil)
	dir := filepath.Join(t.TempDir(), "all")
	_, _, err := eval.Merge(eval.MergeOptions{Dir: dir, Shards: dirs[:2]})
	require.ErrorContains(t, err, "shard 3/3 is missing")
	assert.NoDirExists(t, dir)
	e, list, err := eval.Merge(eval.MergeOptions{Dir: dir, Shards: dirs[:2], Partial: true})
	require.NoError(t, err)
	assert.True(t, e.Interrupted)
	assert.Len(t, list, 3*2*6)

	// The rest can be made up for.
	whole := options(t, 10)
	whole.Tasks, whole.Limit, whole.Dir, whole.Resume = []*eval.Task{words(), code(), more()}, 8, dir, true
	finished(t, whole)
	assert.Len(t, whole.Generator.(*oracle).asked, 2*2*2)
}

func TestMergeRefuses(t *testing.T) {
	dirs := shards(t, 2, nil)
	other := shards(t, 2, func(o *eval.Options) { o.Seed = 5 })
	fewer := shards(t, 2, func(o *eval.Options) { o.Tasks = o.Tasks[:1] })
	thirds := shards(t, 3, nil)
	whole := options(t, 10)
	finished(t, whole)
	for want, list := range map[string][]string{
		"overlap: both are shard 1/2": {dirs[0], shards(t, 2, nil)[0]},
		"seed is 5, and was 0":        {dirs[0], other[1]},
		"other tasks":                 {dirs[0], fewer[1]},
		"one of 3 shards":             {dirs[0], thirds[1]},
		"no shard, but a whole run":   {dirs[0], whole.Dir},
		"no shards":                   {},
		"they are one folder":         {dirs[0], dirs[1], dirs[0] + "/../run"},
		"no such file":                {dirs[0], t.TempDir()},
	} {
		_, _, err := eval.Merge(eval.MergeOptions{Dir: filepath.Join(t.TempDir(), "all"), Shards: list, Partial: true})
		require.ErrorContains(t, err, want)
	}
	_, _, err := eval.Merge(eval.MergeOptions{Dir: filepath.Join(t.TempDir(), "all"), Shards: dirs, K: []int{3}})
	require.ErrorIs(t, err, eval.ErrDiffers)
	require.ErrorContains(t, err, "pass@3 is not of 1 to 2 repeats")
	_, _, err = eval.Merge(eval.MergeOptions{Dir: dirs[0], Shards: dirs})
	require.ErrorIs(t, err, eval.ErrExists)
	// Whatever the shards call themselves, a sample is there once.
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(dirs[1])))
	text, err := os.ReadFile(filepath.Join(dirs[0], "samples.jsonl"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(copied, "samples.jsonl"), text, 0o666))
	_, _, err = eval.Merge(eval.MergeOptions{Dir: filepath.Join(t.TempDir(), "all"), Shards: []string{dirs[0], copied}})
	require.ErrorContains(t, err, "overlap: both have")

	// Of a shard that is not complete, samples are missing.
	require.NoError(t, os.WriteFile(filepath.Join(copied, "samples.jsonl"), nil, 0o666))
	_, _, err = eval.Merge(eval.MergeOptions{Dir: filepath.Join(t.TempDir(), "all"), Shards: []string{dirs[0], copied}})
	require.ErrorContains(t, err, "24 samples are missing")
}

func TestParseShard(t *testing.T) {
	s, err := eval.ParseShard("2/3")
	require.NoError(t, err)
	assert.Equal(t, eval.Shard{I: 2, N: 3}, s)
	assert.Equal(t, "2/3", s.String())
	assert.Equal(t, "shard-2-of-3", s.Folder())
	for _, text := range []string{"", "2", "0/3", "4/3", "1/0", "0/0", "-1/3", "a/3", "1/100000000", "1/3/4", "1 / 3"} {
		_, err := eval.ParseShard(text)
		assert.Error(t, err, text)
	}
}

func TestClusterShard(t *testing.T) {
	array := map[string]string{
		"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5",
		"SLURM_ARRAY_TASK_MAX": "11", "SLURM_ARRAY_TASK_STEP": "2",
	}
	with := func(base map[string]string, more ...string) map[string]string {
		all := map[string]string{}
		for k, v := range base {
			all[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	step := map[string]string{"SLURM_PROCID": "2", "SLURM_NTASKS": "3", "SLURM_STEP_ID": "0"}
	job := map[string]string{"JOB_COMPLETION_INDEX": "0"}
	for _, c := range []struct {
		name  string
		env   map[string]string
		count int
		want  string
		err   string
	}{
		{"nothing", nil, 0, "", "names no shard"},
		{"array", array, 0, "2/4", ""},
		{"array, as many as are expected", array, 4, "2/4", ""},
		{"array, other than expected", array, 5, "", "5 shards are asked for"},
		{"irregular array", with(array, "SLURM_ARRAY_TASK_MAX", "20"), 0, "", "give --shard I/N"},
		{"between the tasks", with(array, "SLURM_ARRAY_TASK_ID", "8"), 0, "", "give --shard I/N"},
		{"before the first", with(array, "SLURM_ARRAY_TASK_ID", "3"), 0, "", "which there is not"},
		{"no number", with(array, "SLURM_ARRAY_TASK_COUNT", "x"), 0, "", "SLURM_ARRAY_TASK_COUNT"},
		{"step", step, 0, "3/3", ""},
		{"step of some tasks", with(step, "SLURM_NTASKS", "8", "SLURM_STEP_NUM_TASKS", "3"), 0, "3/3", ""},
		{"task that there is not", with(step, "SLURM_PROCID", "3"), 0, "", "SLURM_PROCID"},
		{"batch script", map[string]string{"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, 0, "", "names no shard"},
		{"step in an array", with(array, "SLURM_PROCID", "2", "SLURM_NTASKS", "3", "SLURM_STEP_ID", "0"), 0, "6/12", ""},
		{"job without a count", job, 0, "", "auto/N"},
		{"job", job, 3, "1/3", ""},
		{"job with a count", with(job, "JOB_COMPLETIONS", "5"), 0, "1/5", ""},
		{"job that there is not", with(job, "JOB_COMPLETION_INDEX", "3"), 3, "", "which there is not"},
	} {
		s, from, err := eval.ClusterShard(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, c.count)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, s.String(), c.name)
		assert.NotEmpty(t, from)
	}
}

// All shards together have every document once.
func TestShardsPartition(t *testing.T) {
	for n := 1; n <= 5; n++ {
		seen := map[string]int{}
		for i := range n {
			opt := options(t, 7)
			opt.Shard, opt.Repeats, opt.Dir = eval.Shard{I: i + 1, N: n}, 1, ""
			e, list := finished(t, opt)
			require.Equal(t, e.Tasks[0].Asked, len(list))
			for j := range list {
				seen[list[j].DocID]++
			}
		}
		assert.Len(t, seen, 7, fmt.Sprint(n))
		for _, times := range seen {
			assert.Equal(t, 1, times)
		}
	}
}
