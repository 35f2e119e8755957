package reports_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"lladakit/reports"
)

// modelIndex is what the hub reads, with its required fields.
type modelIndex struct {
	Index []struct {
		Name    string
		Results []struct {
			Task    struct{ Type, Name string }
			Dataset struct{ Name, Type, Config, Split, Args string }
			Metrics []struct {
				Name, Type, Args string
				Value            *float64
			}
			Source *struct{ Name, URL string }
		}
	} `yaml:"model-index"`
}

func readCard(t *testing.T, text string) *modelIndex {
	t.Helper()
	card := new(modelIndex)
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	require.NoError(t, dec.Decode(card))
	for _, m := range card.Index {
		require.NotEmpty(t, m.Name)
		for _, r := range m.Results {
			require.Equal(t, "text-generation", r.Task.Type)
			require.NotEmpty(t, r.Dataset.Type)
			require.NotEmpty(t, r.Dataset.Name)
			require.Len(t, r.Metrics, 1)
			require.NotEmpty(t, r.Metrics[0].Type)
			require.NotNil(t, r.Metrics[0].Value)
		}
	}
	return card
}

func TestModelCard(t *testing.T) {
	for _, name := range []string{"GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"} {
		t.Setenv(name, "")
	}
	c := ciCollection(t)
	text := textOf(t, c.ModelCard)
	golden(t, "ci.modelcard.yaml", text)
	card := readCard(t, text)
	require.Len(t, card.Index, 1)
	assert.Equal(t, "tiny-q8_0", card.Index[0].Name)
	r := card.Index[0].Results[0]
	assert.Equal(t, []string{"GSM8K", "openai/gsm8k", "main", "test"}, []string{r.Dataset.Name, r.Dataset.Type, r.Dataset.Config, r.Dataset.Split})
	assert.Equal(t, []any{"accuracy", 75.0}, []any{r.Metrics[0].Type, *r.Metrics[0].Value})
	assert.Contains(t, r.Metrics[0].Args, "policy.name=threshold threshold=0.95")
	assert.Nil(t, r.Source)
	assert.Contains(t, text, "# left out: gsm8k of ")
	assert.Contains(t, text, "shard 2/3, 10 of 12 answers, 1 request failed")

	c.Evals[1].Value.Eval.Data[0].SHA256 = hash("a user's own")
	c.Evals[1].Value.Eval.Subset = "4 of 1319, stratified v1"
	t.Setenv("GITHUB_SERVER_URL", "https://github.com")
	t.Setenv("GITHUB_REPOSITORY", "someone/llada")
	t.Setenv("GITHUB_RUN_ID", "123")
	r = readCard(t, textOf(t, c.ModelCard)).Index[0].Results[0]
	assert.Equal(t, []string{"gsm8k (4 of 1319, stratified v1)", "gsm8k", ""}, []string{r.Dataset.Name, r.Dataset.Type, r.Dataset.Config})
	require.NotNil(t, r.Source)
	assert.Equal(t, "https://github.com/someone/llada/actions/runs/123", r.Source.URL)
}

func TestModelCardHostile(t *testing.T) {
	run := wholeRun()
	run.Eval.Model.Name = "---\nx: [\x00\xff" + hostile + "\u2028\u202e"
	run.Eval.Tasks[0].Data, run.Eval.Settings = "", []byte("no JSON")
	c := &reports.Collection{Evals: []reports.Result[reports.Run]{{Value: run}, {Value: new(reports.Run)}}}
	card := readCard(t, textOf(t, c.ModelCard))
	require.Len(t, card.Index, 1)
	assert.Len(t, card.Index[0].Results, 1)
	assert.Empty(t, readCard(t, textOf(t, new(reports.Collection).ModelCard)).Index)
}
