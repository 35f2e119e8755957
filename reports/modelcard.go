package reports

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// modelCard is the part of a model card's front matter that the hub reads results from.
type modelCard struct {
	Index []cardModel `yaml:"model-index"`
}

type cardModel struct {
	Name    string       `yaml:"name"`
	Results []cardResult `yaml:"results"`
}

type cardResult struct {
	Task    cardTask     `yaml:"task"`
	Dataset cardData     `yaml:"dataset"`
	Metrics []cardMetric `yaml:"metrics"`
	Source  *cardSource  `yaml:"source,omitempty"`
}

type cardTask struct {
	Type string `yaml:"type"`
	Name string `yaml:"name"`
}

type cardData struct {
	Name   string `yaml:"name"`
	Type   string `yaml:"type"`
	Config string `yaml:"config,omitempty"`
	Split  string `yaml:"split,omitempty"`
	Args   string `yaml:"args,omitempty"`
}

type cardMetric struct {
	Name  string  `yaml:"name"`
	Type  string  `yaml:"type"`
	Value float64 `yaml:"value"` // percent
	Args  string  `yaml:"args,omitempty"`
}

type cardSource struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
}

// cardDatasets are data sets as the hub knows them, by the task whose published figures
// are of them.
var cardDatasets = map[string]cardData{
	"gsm8k":          {Name: "GSM8K", Type: "openai/gsm8k", Config: "main", Split: "test"},
	"humaneval":      {Name: "HumanEval", Type: "openai/openai_humaneval", Split: "test"},
	"humaneval-plus": {Name: "HumanEval+", Type: "evalplus/humanevalplus", Split: "test"},
}

// ModelCard writes a model-index for the front matter of a model card on the Hugging Face
// hub, with the accuracies of all evaluations in percent, model by model. Tasks that are
// not complete are left out, and comments say so. In a run of GitHub's, the run is the
// source.
func (c *Collection) ModelCard(w io.Writer) error {
	card := modelCard{Index: []cardModel{}}
	var leftOut []string
	source := runSource()
	for _, r := range c.Evals {
		e := r.Value.Eval
		if e == nil {
			continue
		}
		name := visibleLine(strings.TrimSuffix(fileName(e.Model.Name), ".gguf"), 200)
		for i := range e.Tasks {
			t := &e.Tasks[i]
			if why := e.partial(t); why != "" || t.N == 0 {
				leftOut = append(leftOut, visibleLine(fmt.Sprintf("%s of %s: %s", t.Task, name, list(why)), 300))
				continue
			}
			at := slices.IndexFunc(card.Index, func(m cardModel) bool { return m.Name == name })
			if at < 0 {
				at = len(card.Index)
				card.Index = append(card.Index, cardModel{Name: name})
			}
			result := e.cardResult(t)
			result.Source = source
			card.Index[at].Results = append(card.Index[at].Results, result)
		}
	}
	var out bytes.Buffer
	for _, text := range leftOut {
		fmt.Fprintf(&out, "# left out: %s\n", text)
	}
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(card); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}

// cardResult describes a task. What it was done with stands in the arguments, since
// accuracies depend on it.
func (e *Eval) cardResult(t *EvalTask) cardResult {
	hash := e.dataHash(t)
	data := cardData{Name: t.Task, Type: t.Data}
	for name, known := range cardDatasets {
		if hash != "" && hash == figureData[name] { // and not a user's own
			data = known
		}
	}
	data.Args = visibleLine(prefixed("sha256 ", hash), 100)
	metric := cardMetric{Name: "accuracy", Type: "accuracy"}
	if strings.HasPrefix(t.Task, "humaneval") {
		metric.Name, metric.Type = "pass@1", "pass@1"
	}
	if e.Subset != "" {
		data.Name += " (" + e.Subset + ")"
	}
	data.Name, data.Type = visibleLine(data.Name, 200), visibleLine(list(data.Type), 200)
	// Two digits behind the point tell all answers of 1319 apart.
	metric.Value = float64(int(1e4*t.Accuracy+0.5)) / 100
	metric.Args = visibleLine(list(
		fmt.Sprintf("task %s v%d", t.Task, t.Version), fmt.Sprintf("95 %% interval %.2f to %.2f", 100*t.Low, 100*t.High), fmt.Sprintf("n %d", t.N),
		prefixed("weights ", e.Model.Type), prefixed("gen_length=", count(e.GenLength)), strings.Join(e.settings(), " "), "llada "+e.Program.Commit,
	), 500)
	return cardResult{Task: cardTask{Type: "text-generation", Name: "Text Generation"}, Dataset: data, Metrics: []cardMetric{metric}}
}

// runSource is the run of GitHub's that this is, nil if it is none: the hub wants an
// address.
func runSource() *cardSource {
	server, repository, run := os.Getenv("GITHUB_SERVER_URL"), os.Getenv("GITHUB_REPOSITORY"), os.Getenv("GITHUB_RUN_ID")
	if server == "" || repository == "" || run == "" {
		return nil
	}
	return &cardSource{Name: "llada eval", URL: server + "/" + repository + "/actions/runs/" + run}
}
