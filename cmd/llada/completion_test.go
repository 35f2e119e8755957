package main

import (
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// completions are command lines and what their last word may become, in a folder with
// a file "notes of a run.txt" and a folder "models".
var completions = []struct {
	line string // words with | between them; the last is completed
	want []string
}{
	{"llada|ver", []string{"verify", "version"}},
	{"llada|--he", []string{"--help"}},
	{"llada|datasets|", []string{"list", "pull", "verify"}},
	{"llada|datasets|pull|--t", []string{"--to"}},
	{"llada|run|--model|x|--thres", []string{"--threshold"}},
	{"llada|help|tra", []string{"trace"}},
	{"llada|completion|z", []string{"zsh"}},
	{"llada|run|--profile|t", []string{"turbo"}},
	{"llada|plan|--shape|mini|--type|q4_k_", []string{"q4_k_m", "q4_k_s"}},
	{"llada|bench|-m|no", []string{"notes of a run.txt"}},
	{"llada|run|--prompt-file|no", []string{"notes of a run.txt"}},
	{"llada|inspect|no", []string{"notes of a run.txt"}},
	{"llada|convert|--from|", []string{"models"}}, // no file
	{"llada|run|--prompt|no", nil},                // a text
	{"llada|run|--prompt|datasets|--po", []string{"--policy", "--post-steps"}},
}

// shellScript writes the script of a shell, which must be installed, and the folder
// that is completed in.
func shellScript(t *testing.T, shell string) (script, dir string) {
	if _, err := exec.LookPath(shell); err != nil || goruntime.GOOS == "windows" {
		t.Skipf("there is no %s", shell)
	}
	dir = t.TempDir()
	script = filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(script, []byte(done(t, "completion "+shell)), 0o600))
	dir = filepath.Join(dir, "in")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "models"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes of a run.txt"), nil, 0o600))
	return script, dir
}

func shellOutput(t *testing.T, dir, shell string, args ...string) []string {
	cmd := exec.CommandContext(t.Context(), shell, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	require.Empty(t, stderr.String())
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

func TestCompletionBash(t *testing.T) {
	script, dir := shellScript(t, "bash")
	complete := func(words ...string) []string {
		return shellOutput(t, dir, "bash", append([]string{"--norc", "-u", "-c",
			`. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _llada; for x in ${COMPREPLY[@]+"${COMPREPLY[@]}"}; do echo "$x"; done`,
			"-", script}, words...)...)
	}
	for _, c := range completions {
		assert.ElementsMatch(t, c.want, complete(strings.Split(c.line, "|")...), c.line)
	}
	// Bash parts words at =.
	assert.Equal(t, []string{"turbo"}, complete("llada", "run", "--profile", "=", "t"))
	assert.Len(t, complete("llada", "run", "--profile", "="), 4)
	assert.Equal(t, []string{"complete -F _llada llada"}, shellOutput(t, dir, "bash", "--norc", "-c", `. "$1"; complete -p llada`, "-", script))
}

func TestCompletionFish(t *testing.T) {
	script, dir := shellScript(t, "fish")
	for _, c := range completions {
		words := strings.Split(c.line, "|")
		if words[len(words)-1] == "" {
			words[len(words)-1] = "''"
		}
		var got []string
		for _, line := range shellOutput(t, dir, "fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, script, strings.Join(words, " ")) {
			word, _, _ := strings.Cut(line, "\t") // and its description
			got = append(got, strings.TrimSuffix(strings.ReplaceAll(word, `\ `, " "), "/"))
		}
		assert.ElementsMatch(t, c.want, got, c.line)
	}
}

// TestCompletionZsh has functions in place of those of zsh that need its editor: they
// print what they are asked to offer, from which the test takes what begins right.
func TestCompletionZsh(t *testing.T) {
	script, dir := shellScript(t, "zsh")
	const offers = `
compdef() { }
compset() { cur=${cur#*=} }
compadd() { shift; print -rl -- "$@" }
_describe() { print -rl -- "${(@P)@[-1]}" }
_files() { if [[ $1 = -/ ]]; then print -rl -- *(/); else print -rl -- *; fi }
source $1; shift
words=("$@"); CURRENT=$#; _llada || true`
	for _, c := range completions {
		words := strings.Split(c.line, "|")
		var got []string
		for _, line := range shellOutput(t, dir, "zsh", append([]string{"-f", "-c", offers, "-", script}, words...)...) {
			word, _, _ := strings.Cut(line, ":")
			if strings.HasPrefix(word, words[len(words)-1]) {
				got = append(got, word)
			}
		}
		assert.ElementsMatch(t, c.want, got, c.line)
	}
}

func TestCompletionKnowsEverything(t *testing.T) {
	for _, shell := range shells() {
		script := done(t, "completion "+shell)
		for _, word := range []string{"sweep", "kl-threshold", "target-size", "experts-touched"} {
			assert.Contains(t, script, word, shell)
		}
		assert.NotContains(t, script, "<no value>")
	}
	for line, want := range map[string]string{
		"completion":          "SHELL (bash, fish, zsh) is missing",
		"completion csh":      `"csh" is not one of bash, fish, zsh`,
		"completion bash zsh": `"zsh" is one too many`,
	} {
		o := llada(t, line)
		assert.Equal(t, 2, o.code, line)
		assert.ErrorContains(t, o.err, want)
	}
}
