package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/kernels"
	"lladakit/reports"
)

// noCluster hides a cluster that the tests may run on.
func noCluster(t *testing.T) {
	t.Helper()
	for _, name := range []string{"SLURM_ARRAY_TASK_ID", "SLURM_PROCID", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"} {
		t.Setenv(name, "")
	}
}

var timings = regexp.MustCompile(`"timings_ms":\{[^}]*\}`)

// samplesOf returns the samples of a run's folder without times.
func samplesOf(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "samples.jsonl"))
	require.NoError(t, err)
	return timings.ReplaceAllString(string(text), "")
}

func TestEval(t *testing.T) {
	noCluster(t)
	dir := filepath.Join(t.TempDir(), "run")
	line := "eval --model " + models.tiny + " --task tiny_gsm8k --offline --limit 8 --out " + dir
	o := llada(t, line+" --json")
	require.NoError(t, o.err)
	var e reports.Eval
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
	require.Len(t, e.Tasks, 1)
	assert.Equal(t, 8, e.Tasks[0].N)
	assert.Equal(t, "8 of 200, stratified v1", e.Subset)
	assert.Equal(t, digest(t, models.tiny), e.Model.SHA256)
	assert.Equal(t, []any{goruntime.Version(), kernels.Implementation()}, []any{e.Program.Go, e.Program.Kernels})
	assert.Positive(t, e.Threads)
	assert.NotEmpty(t, e.Machine.CPU)
	assert.Regexp(t, `^llada: asking tiny-gsm8k v1: 8 documents, .* points .*; answers of up to 96 tokens; subset: 8 of 200, stratified v1\n$`, o.stderr)

	kept, err := os.Open(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	defer kept.Close()
	same, err := reports.ReadEval(kept)
	require.NoError(t, err)
	assert.Equal(t, e.Tasks, same.Tasks)

	o = llada(t, line)
	assert.Equal(t, 2, o.code)
	require.ErrorContains(t, o.err, "resume")
	assert.Equal(t, 2, llada(t, line+" --resume --seed 3").code, "other settings")
	text := done(t, line+" --resume")
	assert.Contains(t, text, "tiny-gsm8k v1")
	assert.Regexp(t, `\nbuild: .*, kernels .*\n(.*\n)*- machine: .*, \d+ threads?\n`, text)

	alone := filepath.Join(t.TempDir(), "alone")
	done(t, strings.ReplaceAll(line, dir, alone)+" --batch 1 -o md,csv")
	assert.Equal(t, samplesOf(t, dir), samplesOf(t, alone))

	o = llada(t, "eval --model "+models.tiny+" --task tiny-gsm8k --limit 2 --repeats 2 --k 1,2 --temperature 0.5")
	require.NoError(t, o.err)
	assert.Contains(t, o.stderr, "nothing is kept")
	assert.Contains(t, o.stdout, "pass@2")
}

// The embedded model solves what the program that trained it says.
func TestEvalTinyAccuracy(t *testing.T) {
	if os.Getenv(fullVariable) == "" {
		t.Skip("takes a minute: set " + fullVariable + " to run it")
	}
	noCluster(t)
	for task, want := range map[string][2]int{"tiny-gsm8k": {91, 200}, "tiny-humaneval": {96, 100}} {
		o := llada(t, "eval --json --task "+task+" --model "+models.tiny)
		if o.code == 3 {
			t.Log(o.err) // no sandbox
			continue
		}
		require.NoError(t, o.err)
		var e reports.Eval
		require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
		assert.Equal(t, want, [2]int{e.Tasks[0].Correct, e.Tasks[0].N}, task)
	}
}

func TestEvalCode(t *testing.T) {
	noCluster(t)
	line := "eval --model " + models.tiny + " --task tiny-humaneval --limit 6"
	o := llada(t, line+" --json")
	if o.code == 3 {
		t.Skip(o.err)
	}
	require.NoError(t, o.err)
	var e reports.Eval
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
	assert.Equal(t, 6, e.Tasks[0].N)
	assert.GreaterOrEqual(t, e.Tasks[0].Correct, 4, "of problems of which it solves nearly all")
	require.NotNil(t, e.Sandbox)
	assert.Contains(t, o.stderr, "sandbox tier "+e.Sandbox.Tier)

	o = llada(t, line+" --python "+filepath.Join(t.TempDir(), "nowhere"))
	assert.Equal(t, 3, o.code)
}

// The shards of a cluster go to folders of their own, and together are one run.
func TestEvalShards(t *testing.T) {
	noCluster(t)
	dir := t.TempDir()
	whole, shards, merged := filepath.Join(dir, "whole"), filepath.Join(dir, "shards"), filepath.Join(dir, "merged")
	line := "eval --model " + models.tiny + " --task tiny-gsm8k --limit 7 --out "
	done(t, line+whole)
	t.Setenv("JOB_COMPLETION_INDEX", "0")
	o := llada(t, line+shards)
	assert.Equal(t, 2, o.code)
	require.ErrorContains(t, o.err, "auto/N")
	o = llada(t, line+shards+" --shard auto/2")
	require.NoError(t, o.err)
	assert.Contains(t, o.stderr, "asking shard 1/2, as JOB_COMPLETION_INDEX say")
	require.DirExists(t, filepath.Join(shards, "shard-1-of-2"))

	first, second := filepath.Join(shards, "shard-1-of-2"), filepath.Join(shards, "shard-2-of-2")
	o = llada(t, "eval merge --out "+merged+" "+first)
	require.ErrorContains(t, o.err, "shard 2/2 is missing")
	done(t, line+second+" --shard 2/2")
	assert.Contains(t, done(t, "eval merge --out "+merged+" "+second+" "+first), "tiny-gsm8k v1")
	assert.Equal(t, samplesOf(t, whole), samplesOf(t, merged))
	assert.Equal(t, 2, llada(t, "eval merge --out "+merged+" "+first+" "+second).code, "the folder is taken")

	// Whoever wants all gets all.
	assert.Contains(t, done(t, line+filepath.Join(dir, "all")+" --shard all --json"), `"asked": 7`)
	t.Setenv("JOB_COMPLETIONS", "2")
	assert.Equal(t, 2, llada(t, "eval --task tiny-gsm8k --model "+models.tiny).code, "a shard that nobody keeps")
}

// A file of the user's is asked as a task of its form.
func TestEvalData(t *testing.T) {
	noCluster(t)
	path := filepath.Join(t.TempDir(), "mine.jsonl")
	record := `{"question": "Hugo has 6 keys. Uma has 10 more keys than Hugo. How many keys do they have together?", "answer": "22\n#### 22"}`
	require.NoError(t, os.WriteFile(path, []byte(record+"\n"), 0o666))
	o := llada(t, "eval --json --model "+models.tiny+" --task tiny-gsm8k --data "+path)
	require.NoError(t, o.err)
	var e reports.Eval
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
	assert.Equal(t, "mine", e.Data[0].Name)
	assert.Equal(t, 1, e.Tasks[0].Correct)
	o = llada(t, "eval --model "+models.tiny+" --task tiny-humaneval --data "+path)
	assert.Equal(t, 2, o.code)
	assert.Equal(t, 3, llada(t, "eval --model "+models.tiny+" --task tiny-gsm8k --data "+path+".missing").code)
}

func TestEvalEndpoint(t *testing.T) {
	noCluster(t)
	keys := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/chat/completions") {
			http.NotFound(w, r)
			return
		}
		keys <- r.Header.Get("Authorization")
		var body struct {
			Kwargs map[string]bool `json:"chat_template_kwargs"`
		}
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		assert.Equal(t, map[string]bool{"enable_thinking": false}, body.Kwargs)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices":[{"message":{"role":"assistant","content":"\\boxed{22}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":4}}`)
	}))
	defer server.Close()
	t.Setenv("LLADA_TEST_KEY", "secret")
	dir := filepath.Join(t.TempDir(), "run")
	o := llada(t, "eval --json --task tiny-gsm8k --limit 20 --endpoint "+server.URL+" --endpoint-model parrot --endpoint-key-env LLADA_TEST_KEY --endpoint-extra {\"chat_template_kwargs\":{\"enable_thinking\":false}} --endpoint-timeout 1m --endpoint-retries 0 --out "+dir)
	require.NoError(t, o.err)
	var e reports.Eval
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
	assert.Equal(t, "parrot", e.Model.Name)
	assert.Equal(t, 20, e.Tasks[0].N)
	assert.Zero(t, e.Tasks[0].Failed)
	assert.Equal(t, "Bearer secret", <-keys)
	for _, name := range []string{"manifest.json", "samples.jsonl", "results.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.NotContains(t, string(text), "secret")
	}
}

func TestEvalUsage(t *testing.T) {
	noCluster(t)
	t.Setenv("LLADA_TEST_KEY", "")
	for args, want := range map[string]string{
		"":                  "--task is missing",
		"--task x":          "--task",
		"--task tiny-gsm8k": "exactly one of --model, --endpoint",
		"--task tiny-gsm8k --model a --endpoint b":                                                             "exactly one of",
		"--task tiny-gsm8k --model a --endpoint-model b":                                                       "--endpoint-model is for --endpoint",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1":                                                      "--endpoint-model is missing",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --threshold 1":                     "--threshold is for --model",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --batch 2":                         "--concurrency",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --concurrency 0":                   "--concurrency",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --endpoint-extra [1]":              "--endpoint-extra",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --endpoint-extra null":             "--endpoint-extra",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --endpoint-timeout 0s":             "--endpoint-timeout",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --endpoint-retries -1":             "--endpoint-retries",
		"--task tiny-gsm8k --endpoint http://127.0.0.1:1 --endpoint-model b --endpoint-key-env LLADA_TEST_KEY": "LLADA_TEST_KEY",
		"--task tiny-gsm8k --endpoint ftp://x --endpoint-model b":                                              "address",
		"--task tiny-gsm8k --model a --limit 0":                                                                "--limit",
		"--task tiny-gsm8k --model a --repeats -1":                                                             "--repeats",
		"--task tiny-gsm8k --model a --batch 0":                                                                "--batch",
		"--task tiny-gsm8k --model a --k 2":                                                                    "--repeats 2",
		"--task tiny-gsm8k --model a --k x":                                                                    "--k",
		"--task tiny-gsm8k --model a --shard 3/2 --out x":                                                      "--shard",
		"--task tiny-gsm8k --model a --shard auto --out x":                                                     "names no shard",
		"--task tiny-gsm8k --model a --shard auto/x --out x":                                                   "auto/N",
		"--task tiny-gsm8k --model a --shard 1/2":                                                              "--out",
		"--task tiny-gsm8k --model a --resume":                                                                 "--out",
		"--task tiny-gsm8k --model a --out=":                                                                   "--out is empty",
		"--task tiny-gsm8k --model a --json -o md":                                                             "--json",
		"--task tiny-gsm8k --model a -o svg":                                                                   "svg",
		"--task tiny-gsm8k --model a --policy x":                                                               "--policy",
		"--task tiny-gsm8k --model a --sandbox X":                                                              "--sandbox",
		"--task tiny-gsm8k --model a --sandbox A --unsafe-exec":                                                "--unsafe-exec",
		"--task tiny-gsm8k --model a more":                                                                     "one too many",
		"--task tiny-gsm8k,tiny-gsm8k --model " + models.tiny:                                                  "twice",
		"merge":              "--out is missing",
		"merge --out x":      "SHARD_DIR is missing",
		"merge --out x y -k": "must stand before",
		"--task tiny-gsm8k --model a --repeats 10001": "--repeats: 10001 is not between 1 and 10000",
	} {
		o := llada(t, "eval "+args)
		assert.Equal(t, 2, o.code, "%s: %v", args, o.err)
		assert.ErrorContains(t, o.err, want, args)
		assert.Empty(t, o.stdout)
	}
	for _, args := range []string{"--task tiny-gsm8k --model missing.gguf", "--task gsm8k --offline --model a", "--task tiny-gsm8k --endpoint http://x --endpoint-model b --endpoint-key-file missing"} {
		t.Setenv(dataFolder, t.TempDir())
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		assert.Equal(t, 3, llada(t, "eval "+args).code, args)
	}
	assert.Equal(t, 3, llada(t, "eval merge --out "+t.TempDir()+"/x "+t.TempDir()).code)

	// What --out has is looked at before a model is loaded.
	dir := t.TempDir()
	file := filepath.Join(dir, "manifest.json")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for out, code := range map[string]int{dir: 2, file: 2, file + "/x": 3} {
		o := llada(t, "eval --task tiny-gsm8k --model missing.gguf --out "+out)
		assert.Equal(t, code, o.code, o.err)
		assert.NotContains(t, o.err.Error(), "missing.gguf")
	}
}

func TestEvalProgress(t *testing.T) {
	var text strings.Builder
	p := newEvalProgress(newOutput(&text, nil))
	defer p.end()
	p.update(eval.Progress{Done: 30, Total: 100, Kept: 10, Failed: 1, Tasks: []eval.TaskProgress{{Task: "gsm8k", Done: 30, Total: 50, Correct: 27}, {Task: "other", Total: 50}}})
	p.line()
	p.line()
	lines := strings.Split(text.String(), "\n")
	assert.Regexp(t, `^llada: 30 of 100 samples, .* a minute, .* left, 1 without an answer; gsm8k 90.0 % \(74\.4 to 96\.5\)$`, lines[0])
	assert.Contains(t, lines[1], "at work for")
}

// A server that knows the canonical solutions is right by all judges, in a sandbox.
func TestEvalCanonical(t *testing.T) {
	noCluster(t)
	folder := os.Getenv("LLADA_TEST_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	from := datasets.Options{Folder: folder, Cache: t.TempDir(), Offline: true}
	data, err := datasets.Open(t.Context(), "humaneval", from)
	if err != nil {
		t.Skip("without LLADA_TEST_DATA: ", err)
	}
	plus, err := datasets.Open(t.Context(), "humaneval-plus-mini", from) // whose solutions pass where HumanEval's are wrong
	require.NoError(t, err)
	t.Setenv(dataFolder, folder)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Messages []struct{ Content string } }
		if json.NewDecoder(r.Body).Decode(&request) != nil || len(request.Messages) == 0 {
			http.NotFound(w, r)
			return
		}
		asked.Add(1)
		text := ""
		for i, record := range data.Records {
			if strings.Contains(request.Messages[0].Content, record.Prompt) {
				text = "Here it is:\n```python\n" + record.Prompt + plus.Records[i].CanonicalSolution + "```\n"
			}
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"choices": []any{
			map[string]any{"message": map[string]string{"role": "assistant", "content": text}, "finish_reason": "stop"},
		}})
	}))
	defer server.Close()
	limit := 3
	if os.Getenv(fullVariable) != "" {
		limit = 40
	}
	dir := filepath.Join(t.TempDir(), "run")
	line := fmt.Sprintf("eval --json --offline --limit %d --endpoint %s --endpoint-model canonical --out %s --task ", limit, server.URL, dir)
	o := llada(t, line+"humaneval")
	if o.code == 3 {
		t.Skip(o.err)
	}
	require.NoError(t, o.err)
	require.EqualValues(t, limit, asked.Load())
	o = llada(t, line+"humaneval,humaneval-plus-mini --resume")
	require.NoError(t, o.err)
	assert.EqualValues(t, limit, asked.Load(), "answers that are there are judged again, not asked for")
	var e reports.Eval
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
	require.Len(t, e.Tasks, 2)
	for _, task := range e.Tasks {
		assert.Equal(t, limit, task.N)
		assert.Equal(t, limit, task.Correct, "%s: %v", task.Task, task.Errors)
	}
}
