package eval

import (
	"fmt"
	"slices"

	"lladakit/datasets"
	"lladakit/reports"
)

// item is one sample to be.
type item struct {
	task    *Task // that judges
	record  *datasets.Record
	request Request
	sample  reports.Sample // as far as it is known before there is an answer
}

// plan is all that a run asks and judges.
type plan struct {
	manifest manifest
	items    []*item // by task, repeat and document
}

// newPlan works out what options ask for.
func newPlan(opt *Options) (*plan, error) {
	id := opt.Generator.Identity()
	settings, err := canonical(id.Settings)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	p := &plan{manifest: manifest{
		Version: manifestVersion, Model: id.evalModel(), Settings: settings, GenLength: opt.GenLength,
		Repeats: opt.Repeats, Seed: opt.Seed, Limit: opt.Limit, Shard: opt.Shard.String(),
	}}
	for _, t := range opt.Tasks {
		if err := p.add(opt, t); err != nil {
			return nil, fmt.Errorf("task %s: %w", t.Name, err)
		}
		if len(p.items) > reports.MaxSamples {
			return nil, fmt.Errorf("more than %d samples are too many for one run: divide them into shards", reports.MaxSamples)
		}
	}
	return p, nil
}

// add plans one task.
func (p *plan) add(opt *Options, t *Task) error {
	if p.manifest.task(t.Name) >= 0 {
		return fmt.Errorf("it is named twice")
	}
	asking, err := opt.asking(t)
	if err != nil {
		return err
	}
	judged, err := p.data(opt, t.Data, t.Form)
	if err != nil {
		return err
	}
	asked, err := p.data(opt, asking.Data, asking.Form)
	if err != nil {
		return err
	}
	var support []datasets.Record
	if asking.Support != "" {
		d, err := p.data(opt, asking.Support, "")
		if err != nil {
			return err
		}
		support = d.Records
	}
	records, err := match(asked, judged)
	if err != nil {
		return err
	}
	length := asking.GenLength
	if opt.GenLength > 0 {
		length = opt.GenLength
	}
	prompts := make([]Prompt, len(asked.Records))
	for i := range prompts {
		prompts[i] = asking.Prompt(&asked.Records[i], support)
	}
	all, err := digest(prompts)
	if err != nil {
		return err
	}
	chosen := Subset(asked.Form, asked.Records, opt.Limit)
	p.manifest.Tasks = append(p.manifest.Tasks, manifestTask{
		Task: t.Name, Version: t.Version, Data: judged.Name, Asked: asked.Name, GenLength: length,
		Records: len(asked.Records), Documents: len(chosen), Prompts: all,
	})
	for repeat := range opt.Repeats {
		for _, i := range opt.Shard.take(chosen) {
			it := &item{task: t, record: records[i], request: Request{
				Prompt: prompts[i], GenLength: length, Seed: sampleSeed(opt.Seed, asked.Records[i].SHA256, repeat),
			}}
			if err := it.name(&p.manifest, asking, &asked.Records[i], repeat); err != nil {
				return err
			}
			p.items = append(p.items, it)
		}
	}
	return nil
}

// data returns a data set and notes it in the manifest.
func (p *plan) data(opt *Options, name string, form datasets.Form) (*datasets.Data, error) {
	d := opt.Data[name]
	switch {
	case d == nil:
		return nil, fmt.Errorf("data set %s is missing", name)
	case len(d.Records) == 0:
		return nil, fmt.Errorf("data set %s has no records", name)
	case form != "" && d.Form != form:
		return nil, fmt.Errorf("data set %s has the form of %s, and not of %s", d.Name, d.Form, form)
	}
	entry := reports.EvalData{Name: d.Name, SHA256: d.SHA256, Records: len(d.Records)}
	i := slices.IndexFunc(p.manifest.Data, func(have reports.EvalData) bool { return have.Name == d.Name })
	switch {
	case i < 0:
		p.manifest.Data = append(p.manifest.Data, entry)
	case p.manifest.Data[i] != entry:
		return nil, fmt.Errorf("two data sets have the name %s", d.Name)
	}
	return d, nil
}

// match returns, for each record that is asked, the one to judge its answer by.
func match(asked, judged *datasets.Data) ([]*datasets.Record, error) {
	records := make([]*datasets.Record, len(asked.Records))
	byID := make(map[string]*datasets.Record, len(judged.Records))
	for i := range judged.Records {
		byID[judged.Records[i].ID] = &judged.Records[i]
	}
	for i := range records {
		if records[i] = byID[asked.Records[i].ID]; records[i] == nil {
			return nil, fmt.Errorf("data set %s has no %.40q, which %s has", judged.Name, asked.Records[i].ID, asked.Name)
		}
	}
	return records, nil
}

// name gives a sample its keys.
func (it *item) name(m *manifest, asking *Task, asked *datasets.Record, repeat int) error {
	prompt, err := digest(it.request.Prompt)
	if err != nil {
		return err
	}
	generation, err := digest(generationKey{
		Task: asking.Name, Version: asking.Version, Document: asked.SHA256, Prompt: it.request.Prompt,
		GenLength: it.request.GenLength, Settings: m.Settings, Model: modelKey(&m.Model),
		Repeat: repeat, Seed: it.request.Seed,
	})
	if err != nil {
		return err
	}
	key, err := digest(sampleKey{generation, it.task.Name, it.task.Version, it.record.SHA256, it.record.Index})
	if err != nil {
		return err
	}
	it.sample = reports.Sample{
		Key: key, Generation: generation, Task: it.task.Name, Version: it.task.Version,
		DocID: it.record.ID, Index: it.record.Index, DocHash: it.record.SHA256, PromptHash: prompt,
		Repeat: repeat, Seed: it.request.Seed,
	}
	return nil
}
