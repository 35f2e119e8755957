package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/tiny"
)

// runDocument is the contract of run --json.
type runDocument struct {
	PromptIDs []int  `json:"prompt_ids"`
	IDs       []int  `json:"ids"`
	Text      string `json:"text"`
	Finish    string `json:"finish"`
	Forwards  struct {
		Prefill int `json:"prefill"`
		Denoise int `json:"denoise"`
		Commit  int `json:"commit"`
		Fused   int `json:"fused"`
	} `json:"forwards"`
	StepsPerBlock []int   `json:"steps_per_block"`
	TPF           float64 `json:"tpf"`
	Counters      struct {
		TPFWithCommits float64        `json:"tpf_with_commits"`
		StepsHistogram map[string]int `json:"steps_histogram"`
		FallbackShare  float64        `json:"fallback_share"`
		Rows           struct {
			Prefill int `json:"prefill"`
			Denoise int `json:"denoise"`
			Commit  int `json:"commit"`
			Fused   int `json:"fused"`
		} `json:"rows"`
		CachedRows    int     `json:"cached_rows"`
		BytesPerToken float64 `json:"bytes_per_token"`
	} `json:"counters"`
	Class string `json:"class"`
	Audit *struct {
		Steps        int     `json:"steps"`
		Positions    int     `json:"positions"`
		Differ       int     `json:"differ"`
		LargestLogit float64 `json:"largest_logit"`
		LargestProb  float64 `json:"largest_prob"`
	} `json:"audit,omitempty"`
	TimingsMS struct {
		Load    float64 `json:"load"`
		Prefill float64 `json:"prefill"`
		Denoise float64 `json:"denoise"`
		Commit  float64 `json:"commit"`
		Total   float64 `json:"total"`
	} `json:"timings_ms"`
	Settings struct {
		BlockLength  int     `json:"block_length"`
		Steps        int     `json:"steps"`
		Threshold    float64 `json:"threshold"`
		GenLength    int     `json:"gen_length"`
		MinimalTopK  int     `json:"minimal_topk"`
		Temperature  float64 `json:"temperature"`
		TopK         int     `json:"top_k"`
		TopP         float64 `json:"top_p"`
		Seed         uint64  `json:"seed"`
		EOSEarlyStop bool    `json:"eos_early_stop"`
		Profile      string  `json:"profile"`
		Policy       struct {
			Name         string  `json:"name"`
			Factor       float64 `json:"factor,omitempty"`
			LowThreshold float64 `json:"low_threshold,omitempty"`
			SubBlock     int     `json:"sub_block,omitempty"`
		} `json:"policy"`
		Audit   int `json:"audit,omitempty"`
		Delayed int `json:"delayed,omitempty"`
		Coreset struct {
			Size int     `json:"size,omitempty"`
			Mass float64 `json:"mass,omitempty"`
			Min  int     `json:"min,omitempty"`
		} `json:"coreset,omitzero"`
		KVKeep   float64         `json:"kv_keep,omitempty"`
		Without  map[string]bool `json:"without,omitempty"`
		Template []int           `json:"template,omitempty"`
	} `json:"settings"`
	Model struct {
		File   string `json:"file"`
		SHA256 string `json:"sha256"`
		Type   string `json:"type"`
	} `json:"model"`
}

// The command computes what the oracle does, for every golden checkpoint (the
// small one alone, unless asked) and setting, as f32 and as bf16, with the cache
// and without.
func TestRunGolden(t *testing.T) {
	for _, c := range models.golden {
		if c.Dir != models.narrowDir && os.Getenv(fullVariable) == "" {
			continue
		}
		for _, typ := range []string{"f32", "bf16"} {
			path := filepath.Join(t.TempDir(), "golden.gguf")
			done(t, "convert --from "+c.Dir+" --out "+path+" --type "+typ)
			for i, want := range c.Expected.Generate {
				for _, profile := range []string{"exact", "reference"} {
					t.Run(fmt.Sprint(c.Name, "/", typ, "/", i, "/", profile), func(t *testing.T) {
						got := document[runDocument](t, fmt.Sprintf(
							"run --json --model %s --ids %s --gen-length %d --block-length %d --steps %d --threshold %g --minimal-topk %d --eos-early-stop=%t --profile %s",
							path, ids(want.Prompt), want.GenLength, want.BlockLength, want.Steps, want.Threshold, max(1, want.MinimalTopK), want.EarlyStop, profile))
						assert.Equal(t, want.Prompt, got.PromptIDs)
						assert.Equal(t, want.Tokens, got.IDs)
						assert.Equal(t, want.Forwards, got.Forwards.Denoise)
						assert.InDelta(t, float64(len(want.Tokens))/float64(want.Forwards), got.TPF, 1e-9)
						assert.Equal(t, typ, got.Model.Type)
						assert.Equal(t, profile, got.Settings.Profile)
						assert.Empty(t, got.Text)
						steps := 0
						for _, n := range got.StepsPerBlock {
							steps += n
						}
						assert.Equal(t, want.Forwards, steps)
					})
				}
			}
		}
	}
}

// question returns a held-out problem, which the embedded model solves.
func question(t testing.TB) string {
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	require.Equal(t, "22", words[0].Result())
	return words[0].User()
}

const solution = "6 + 10 = 16\n6 + 16 = 22\n\\boxed{22}\n"

func TestRunText(t *testing.T) {
	model := "run --gen-length 96 --model " + models.tiny
	o := llada(t, model, "--prompt", question(t))
	require.NoError(t, o.err)
	assert.Equal(t, solution, o.stdout)
	assert.Regexp(t, `^27 tokens, 6 forwards \(4\.50 tokens per forward\), \d+\.\d s\n$`, o.stderr)

	path := filepath.Join(t.TempDir(), "prompt.txt")
	require.NoError(t, os.WriteFile(path, []byte(question(t)), 0o666))
	assert.Equal(t, solution, done(t, model+" --prompt-file "+path))
	o = lladaInput(t, question(t), append(strings.Fields(model), "--prompt-file", "-")...)
	require.NoError(t, o.err)
	assert.Equal(t, solution, o.stdout)

	require.NoError(t, os.WriteFile(path, []byte("\xff\xfe"), 0o666))
	o = llada(t, model+" --prompt-file "+path)
	assert.Equal(t, 1, o.code)
	assert.EqualError(t, o.err, path+" is not text in UTF-8")
}

func TestRunJSON(t *testing.T) {
	got := document[runDocument](t, "run --json --gen-length 96 --seed 7 --model "+models.tiny, "--prompt", question(t))
	chat := document[tokenizeDocument](t, "tokenize --json --chat --model "+models.tiny, "--text", question(t))
	assert.Equal(t, chat.IDs, got.PromptIDs)
	assert.Equal(t, solution, got.Text+"\n")
	assert.Equal(t, "eos", got.Finish)
	assert.Equal(t, [3]int{1, 6, 1}, [3]int{got.Forwards.Prefill, got.Forwards.Denoise, got.Forwards.Commit})
	assert.Equal(t, []int{1, 5}, got.StepsPerBlock)
	assert.InDelta(t, float64(len(got.IDs))/6, got.TPF, 1e-9)
	assert.InDelta(t, float64(len(got.IDs))/6, got.Counters.TPFWithCommits, 1e-9, "the commit is fused")
	assert.Equal(t, map[string]int{"1": 1, "5": 1}, got.Counters.StepsHistogram)
	assert.Equal(t, [3]int{6 * 32, 32, 32}, [3]int{got.Counters.Rows.Denoise, got.Counters.Rows.Commit, got.Counters.Rows.Fused})
	assert.Positive(t, got.Counters.BytesPerToken)
	assert.Equal(t, "exact", got.Class)
	ms := got.TimingsMS
	assert.Positive(t, ms.Load)
	assert.Positive(t, ms.Denoise)
	assert.InDelta(t, ms.Load+ms.Prefill+ms.Denoise+ms.Commit, ms.Total, 0.01)
	assert.Equal(t, 32, got.Settings.BlockLength)
	assert.Equal(t, 32, got.Settings.Steps)
	assert.InDelta(t, 0.95, got.Settings.Threshold, 1e-6)
	assert.Equal(t, 96, got.Settings.GenLength)
	assert.EqualValues(t, 7, got.Settings.Seed)
	assert.Equal(t, models.tiny, got.Model.File)
	assert.Equal(t, digest(t, models.tiny), got.Model.SHA256)
	assert.Equal(t, "bf16", got.Model.Type)
}

// The forms of a prompt differ in its ids alone.
func TestRunPromptForms(t *testing.T) {
	decode := func(args ...string) string {
		got := document[runDocument](t, "run --json --gen-length 8 --model "+models.tiny, args...)
		return document[tokenizeDocument](t, "tokenize --json --model "+models.tiny+" --ids="+ids(got.PromptIDs)).Text
	}
	const system, human, assistant = "<role>SYSTEM</role>", "<role>HUMAN</role>", "<role>ASSISTANT</role>"
	const off = "detailed thinking off<|role_end|>"
	assert.Equal(t, system+off+human+"Hello<|role_end|>"+assistant, decode("--prompt", "Hello"))
	assert.Equal(t, system+"Be brief.\n"+off+human+"Hello<|role_end|>"+assistant, decode("--system", "Be brief.", "--prompt", "Hello"))
	assert.Equal(t, "Hello", decode("--raw", "--prompt", "Hello"))
	assert.Empty(t, decode("--raw", "--prompt", ""))
}

// Neither the number of workers nor the way of computing changes an answer.
func TestRunThreads(t *testing.T) {
	line := "run --ids 5,6,7 --gen-length 40 --threshold 0.3 --model " + models.narrow
	want := done(t, line)
	assert.Len(t, strings.Split(want, ","), 40)
	for _, more := range []string{" --threads 1", " -t 3", " --threads 0", " --profile reference -t 2"} {
		assert.Equal(t, want, done(t, line+more), more)
	}
}

func TestRunSampling(t *testing.T) {
	line := "run --ids 5,6,7 --gen-length 40 --steps 8 --temperature 1.5 --top-k 50 --top-p 0.9 --model " + models.narrow
	assert.Equal(t, done(t, line+" --seed 1"), done(t, line+" --seed 1"))
	assert.NotEqual(t, done(t, line+" --seed 1"), done(t, line+" --seed 2"))
}

// Without --gen-length an answer takes what the model has room for.
func TestRunContext(t *testing.T) {
	got := document[runDocument](t, "run --json --ids 1,2,3,4 --model "+models.small)
	assert.Equal(t, 60, got.Settings.GenLength)
	o := llada(t, "run --model "+models.small+" --ids 1"+strings.Repeat(",1", 63))
	assert.Equal(t, 2, o.code)
	assert.ErrorContains(t, o.err, "exceed the model's 64 positions")
}

func TestRunWithoutVocabulary(t *testing.T) {
	got := document[runDocument](t, "run --json --ids 1,2,3 --gen-length 8 --model "+models.narrow)
	assert.Equal(t, ids(got.IDs)+"\n", done(t, "run --ids 1,2,3 --gen-length 8 --model "+models.narrow))
	for _, prompt := range []string{"--prompt x", "--prompt x --raw", "--prompt-file -"} {
		o := llada(t, "run "+prompt+" --model "+models.narrow)
		assert.Equal(t, 2, o.code)
		assert.EqualError(t, o.err, models.narrow+" has no vocabulary, since it was converted from a checkpoint without tokenizer.json: use --ids")
		assert.Empty(t, o.stdout)
	}
}

// interrupted runs a long generation, and interrupts it once its trace says that
// block 3 has begun.
func interrupted(t *testing.T, line string) (stdout, stderr string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, progress strings.Builder
	path := filepath.Join(t.TempDir(), "trace")
	args := strings.Fields("llada run --ids 1,2,3 --gen-length 16000 --threshold 1 --steps 4 --block-length 8 --model " + models.narrow + " --trace " + path + " " + line)
	go func() {
		for ctx.Err() == nil {
			if data, _ := os.ReadFile(path); strings.Contains(string(data), `{"block":3,`) {
				cancel()
			}
		}
	}()
	err := run(ctx, args, strings.NewReader(""), &out, &progress)
	assert.Equal(t, 4, exitCode(err), "%v", err)
	assert.Equal(t, "interrupted", message(err))
	return out.String(), progress.String()
}

// What was decided before the interrupt is printed, up to the last whole block.
func TestRunInterrupted(t *testing.T) {
	whole := strings.TrimSpace(done(t, "run --ids 1,2,3 --gen-length 200 --threshold 1 --steps 4 --block-length 8 --model "+models.narrow))
	for _, line := range []string{"", "--show"} {
		stdout, stderr := interrupted(t, line)
		decided := strings.Split(strings.TrimSpace(stdout), ",")
		assert.GreaterOrEqual(t, len(decided), 3*8-3)
		assert.Zero(t, (len(decided)+3)%8, "whole blocks")
		n := min(len(decided), 200)
		assert.Equal(t, strings.Split(whole, ",")[:n], decided[:n])
		assert.Contains(t, stderr, fmt.Sprint(len(decided), " tokens, "))
	}
	stdout, stderr := interrupted(t, "--json")
	assert.Empty(t, stderr)
	var got runDocument
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	assert.Equal(t, "interrupted", got.Finish)
	assert.Zero(t, (len(got.IDs)+3)%8)
	assert.Empty(t, got.Model.SHA256)
}
