package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lladakit/reports"
)

// manifestVersion is the version of runs that are written. Others are refused.
const manifestVersion = 1

// mostManifest bounds a manifest, in bytes.
const mostManifest = 16 << 20

var (
	// ErrExists says that a folder has a run already, and Resume was not asked for.
	ErrExists = errors.New("there is a run already")

	// ErrDiffers says that a folder has another run than the one that is to be resumed or merged.
	ErrDiffers = errors.New("the runs differ")
)

// manifest is what samples of a folder have in common: all that they depend on. Two runs
// with equal manifests give equal samples.
type manifest struct {
	Version   int                `json:"run"` // manifestVersion
	Model     reports.EvalModel  `json:"model"`
	Settings  json.RawMessage    `json:"settings"`
	GenLength int                `json:"gen_length"` // 0: each task's own
	Repeats   int                `json:"repeats"`
	Seed      uint64             `json:"seed"`
	Limit     int                `json:"limit"` // 0: all
	Shard     string             `json:"shard"` // as 2/3; empty for all
	Data      []reports.EvalData `json:"data"`
	Tasks     []manifestTask     `json:"tasks"`
}

// manifestTask is a task of a run. Tasks may be added, but not taken away or changed.
type manifestTask struct {
	Task      string `json:"task"`
	Version   int    `json:"version"`
	Data      string `json:"data"`  // name of the data set that is judged by
	Asked     string `json:"asked"` // and of the one whose documents are asked
	GenLength int    `json:"gen_length"`
	Records   int    `json:"records"`   // in the data set that is asked
	Documents int    `json:"documents"` // of those, what all shards together ask
	Prompts   string `json:"prompts"`   // digest of all prompts for the data set
}

// shard returns the part of the run that a folder has.
func (m *manifest) shard() Shard {
	s, _ := ParseShard(m.Shard) // which check has seen, or nobody wrote
	return s
}

// samples returns how many samples the task has in this folder.
func (m *manifest) samples(t *manifestTask) int { return m.shard().of(t.Documents) * m.Repeats }

// task returns the position of a task, -1 if there is none.
func (m *manifest) task(name string) int {
	return slices.IndexFunc(m.Tasks, func(t manifestTask) bool { return t.Task == name })
}

// differences says in which points another run is another one, beside its tasks, its data
// sets and its shard.
func (m *manifest) differences(o *manifest) []string {
	var all []string
	differ := func(what string, a, b any) {
		if a != b {
			all = append(all, fmt.Sprintf("%s is %v, and was %v", what, b, a))
		}
	}
	differ("model", modelKey(&m.Model), modelKey(&o.Model))
	differ("settings", string(m.Settings), string(o.Settings))
	differ("generation length", m.GenLength, o.GenLength)
	differ("number of repeats", m.Repeats, o.Repeats)
	differ("seed", m.Seed, o.Seed)
	differ("limit", m.Limit, o.Limit)
	return all
}

// grow adds the tasks and data sets of another manifest, and says in which points it is of
// another run.
func (m *manifest) grow(o *manifest) []string {
	all := m.differences(o)
	if m.Shard != o.Shard {
		all = append(all, fmt.Sprintf("shard is %q, and was %q", o.Shard, m.Shard))
	}
	for _, d := range o.Data {
		i := slices.IndexFunc(m.Data, func(have reports.EvalData) bool { return have.Name == d.Name })
		switch {
		case i < 0:
			m.Data = append(m.Data, d)
		case m.Data[i] != d:
			all = append(all, fmt.Sprintf("data set %s has SHA-256 %.12s, and had %.12s", d.Name, d.SHA256, m.Data[i].SHA256))
		}
	}
	for _, t := range o.Tasks {
		switch i := m.task(t.Task); {
		case i < 0:
			m.Tasks = append(m.Tasks, t)
		case m.Tasks[i].Version != t.Version:
			all = append(all, fmt.Sprintf("task %s has version %d, and had %d", t.Task, t.Version, m.Tasks[i].Version))
		case m.Tasks[i] != t:
			all = append(all, fmt.Sprintf("task %s has other data or prompts", t.Task))
		}
	}
	return all
}

// different makes an error of differences.
func different(folder string, all []string) error {
	return fmt.Errorf("%s: %w: %s", folder, ErrDiffers, strings.Join(all, "; "))
}

// readManifest reads the manifest of a folder.
func readManifest(folder string) (*manifest, error) {
	path := filepath.Join(folder, manifestFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostManifest+1))
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func parseManifest(data []byte) (*manifest, error) {
	if len(data) > mostManifest {
		return nil, fmt.Errorf("more than %d MiB are no manifest", mostManifest>>20)
	}
	m := new(manifest)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, err
	}
	var settings bytes.Buffer
	if err := json.Compact(&settings, m.Settings); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	m.Settings = settings.Bytes()
	if m.Version != manifestVersion {
		return nil, fmt.Errorf("version %d of runs is not %d", m.Version, manifestVersion)
	}
	if m.Shard != "" {
		if _, err := ParseShard(m.Shard); err != nil {
			return nil, err
		}
	}
	const most = 1 << 30
	if m.Repeats < 1 || m.Repeats > MostRepeats {
		return nil, fmt.Errorf("%d repeats are not between 1 and %d", m.Repeats, MostRepeats)
	}
	for i, t := range m.Tasks {
		switch {
		case t.Task == "" || m.task(t.Task) != i:
			return nil, fmt.Errorf("task %q is there twice, or has no name", t.Task)
		case t.Documents < 0 || t.Documents > t.Records || t.Records > most:
			return nil, fmt.Errorf("task %q has %d documents of %d", t.Task, t.Documents, t.Records)
		}
	}
	return m, nil
}

// write writes the manifest to a folder.
func (m *manifest) write(folder string) error {
	return writeFile(filepath.Join(folder, manifestFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		return enc.Encode(m)
	})
}

// eval returns the result that the manifest is of, without its samples.
func (m *manifest) eval() *reports.Eval {
	e := &reports.Eval{
		Version: reports.EvalVersion, Model: m.Model, Settings: m.Settings,
		GenLength: m.GenLength, Repeats: m.Repeats, Seed: m.Seed, Data: m.Data, Shard: m.Shard,
	}
	var names []string
	var totals []int
	for i := range m.Tasks {
		t := &m.Tasks[i]
		if m.GenLength == 0 {
			e.GenLength = max(e.GenLength, t.GenLength)
		}
		e.Tasks = append(e.Tasks, reports.EvalTask{Task: t.Task, Version: t.Version, Data: t.Data, Asked: m.samples(t)})
		if !slices.Contains(names, t.Asked) {
			names, totals = append(names, t.Asked), append(totals, t.Records)
		}
	}
	e.Subset = subsetText(names, totals, m.Limit)
	return e
}

// missing returns how many samples are not there.
func (m *manifest) missing(samples []reports.Sample) int {
	n := -len(samples)
	for i := range m.Tasks {
		n += m.samples(&m.Tasks[i])
	}
	return n
}
