package eval

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"lladakit/internal/disk"
	"lladakit/reports"
)

// MergeOptions say what is put together.
type MergeOptions struct {
	Dir     string   // folder to make
	Shards  []string // folders of the runs of all shards, in whatever order
	Partial bool     // whether shards and samples may be missing; the result can be resumed

	// What the result says of itself.
	Command []string
	K       []int // of pass@k; nil: those of the shards
}

// shardRun is what one shard's folder has.
type shardRun struct {
	dir      string
	lock     *os.File // nil where the folder is read-only
	manifest *manifest
	samples  []reports.Sample
	result   *reports.Eval // nil if it was killed
}

// Merge puts the runs of shards together. The result is that of one run without shards, but
// for times. Shards of different runs, two runs of one shard, and, if not Partial, missing
// shards or samples are errors.
func Merge(opt MergeOptions) (*reports.Eval, []reports.Sample, error) {
	if len(opt.Shards) == 0 {
		return nil, nil, errors.New("there are no shards to merge")
	}
	if err := CheckFolder(opt.Dir, false); err != nil {
		return nil, nil, err
	}
	var runs []*shardRun
	for i, dir := range opt.Shards {
		for _, other := range opt.Shards[:i] {
			if sameFolder(dir, other) {
				return nil, nil, fmt.Errorf("%s and %s overlap: they are one folder", other, dir)
			}
		}
		r, err := openShard(dir)
		if err != nil {
			return nil, nil, err
		}
		defer r.close()
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b *shardRun) int { return a.manifest.shard().I - b.manifest.shard().I })
	if err := checkShards(runs, opt.Partial); err != nil {
		return nil, nil, err
	}
	whole := *runs[0].manifest
	whole.Shard = ""
	for _, k := range opt.K {
		if k < 1 || k > whole.Repeats {
			return nil, nil, fmt.Errorf("%w: pass@%d is not of 1 to %d repeats, which the shards have", ErrDiffers, k, whole.Repeats)
		}
	}
	list, err := joinSamples(runs, &whole)
	if err != nil {
		return nil, nil, err
	}
	e := whole.eval()
	seconds := describeShards(e, runs)
	f, err := openFolder(opt.Dir, &whole, circumstances{e.Program, e.Machine.CPU, e.Model.Endpoint, e.Sandbox}, false)
	if err != nil {
		return nil, nil, err
	}
	defer f.close()
	for i := range list {
		if err := f.samples.append(&list[i]); err != nil {
			return nil, nil, err
		}
	}
	e.Command, e.Interrupted = opt.Command, whole.missing(list) > 0
	f.session.Seconds = seconds
	if !e.Started.IsZero() {
		f.session.Started = e.Started
	}
	if len(opt.K) > 0 {
		e.PassK = opt.K
	}
	reports.Summarise(e, list)
	return e, list, f.finish(e)
}

func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// openShard reads a folder, and keeps others from going on with it meanwhile.
func openShard(dir string) (_ *shardRun, err error) {
	r := &shardRun{dir: dir}
	if r.manifest, err = readManifest(dir); err != nil {
		return nil, err
	}
	if r.lock, err = disk.Lock(filepath.Join(dir, sessionFile)); errors.Is(err, disk.ErrLocked) {
		return nil, err
	}
	if err = r.read(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *shardRun) read() (err error) {
	if r.manifest.Shard == "" {
		return fmt.Errorf("%s: it is no shard, but a whole run", r.dir)
	}
	if r.samples, err = readSamples(filepath.Join(r.dir, reports.SamplesFile), r.manifest); err != nil {
		return err
	}
	results, err := os.Open(filepath.Join(r.dir, reports.ResultsFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	defer results.Close()
	if r.result, err = reports.ReadEval(results); err != nil {
		return fmt.Errorf("%s: %w", results.Name(), err)
	}
	return nil
}

func (r *shardRun) close() {
	if r.lock != nil {
		r.lock.Close()
	}
}

// checkShards checks that shards are different parts of one run, and all of them. They are
// in order.
func checkShards(runs []*shardRun, partial bool) error {
	first := runs[0]
	n := first.manifest.shard().N
	for i, r := range runs {
		other := *r.manifest
		var all []string
		if s := other.shard(); s.N != n {
			all = append(all, fmt.Sprintf("one of %d shards, and %s is one of %d", s.N, first.dir, n))
		}
		if i > 0 && len(all) == 0 && other.Shard == runs[i-1].manifest.Shard {
			return fmt.Errorf("%s and %s overlap: both are shard %s", runs[i-1].dir, r.dir, other.Shard)
		}
		other.Shard = first.manifest.Shard
		known := *first.manifest
		known.Tasks, known.Data = slices.Clone(known.Tasks), slices.Clone(known.Data)
		all = append(all, known.grow(&other)...)
		if len(all) == 0 && (len(known.Tasks) != len(other.Tasks) || len(known.Tasks) != len(first.manifest.Tasks)) {
			all = append(all, "other tasks than "+first.dir)
		}
		if len(all) > 0 {
			return different(r.dir, all)
		}
	}
	if partial {
		return nil
	}
	at := 0
	for i := 1; i <= n; i++ {
		if at == len(runs) || runs[at].manifest.shard().I != i {
			return fmt.Errorf("shard %d/%d is missing: give its folder, or merge what there is with --partial", i, n)
		}
		if missing := runs[at].manifest.missing(runs[at].samples); missing > 0 {
			return fmt.Errorf("%s: %d samples are missing: resume it, or merge what there is with --partial", runs[at].dir, missing)
		}
		at++
	}
	return nil
}

// joinSamples returns the samples of all shards in the order of one run.
func joinSamples(runs []*shardRun, whole *manifest) ([]reports.Sample, error) {
	var list []reports.Sample
	from := map[place]string{} // folders
	for _, r := range runs {
		for i := range r.samples {
			s := &r.samples[i]
			if other := from[placeOf(s)]; other != "" {
				return nil, fmt.Errorf("%s and %s overlap: both have %.40q of task %s", other, r.dir, s.DocID, s.Task)
			}
			from[placeOf(s)] = r.dir
		}
		list = append(list, r.samples...)
	}
	return sortSamples(list, whole), nil
}

// describeShards fills in what shards have in common, says where they differ, and returns
// the seconds of all of them.
func describeShards(e *reports.Eval, runs []*shardRun) (seconds float64) {
	var first *shardRun
	for _, r := range runs {
		x := r.result
		if x == nil {
			continue
		}
		seconds += x.Seconds
		if e.Started.IsZero() || x.Started.Before(e.Started) {
			e.Started = x.Started
		}
		if first == nil {
			first = r
			e.Program, e.Machine, e.Threads, e.Sandbox = x.Program, x.Machine, x.Threads, x.Sandbox
			e.PassK = x.PassK
		}
		for _, w := range x.Warnings {
			if w = fmt.Sprintf("shard %s: %s", x.Shard, w); !slices.Contains(e.Warnings, w) {
				e.Warnings = append(e.Warnings, w)
			}
		}
		of := circumstances{x.Program, x.Machine.CPU, x.Model.Endpoint, x.Sandbox}
		for _, how := range of.apart(&circumstances{e.Program, e.Machine.CPU, e.Model.Endpoint, e.Sandbox}) {
			e.Warnings = append(e.Warnings, fmt.Sprintf("shard %s was made %s than shard %s", x.Shard, how, first.result.Shard))
		}
	}
	return seconds
}
