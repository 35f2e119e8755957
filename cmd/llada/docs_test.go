package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// pageCommands returns the command lines of a page: lines of blocks that begin with
// llada, with what \ at their ends continues, as words.
func pageCommands(t *testing.T, path string) (commands [][]string) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	text := strings.ReplaceAll(string(data), "\\\n", " ")
	for _, line := range regexp.MustCompile(`(?m)^(?:    )?llada [^\n]*$`).FindAllString(text, -1) {
		if words, ok := shellWords(strings.TrimSpace(line)); ok {
			commands = append(commands, words[1:])
		}
	}
	return commands
}

// shellWords parts a line as a shell does, up to what a shell would do with its output;
// it knows quotes, but nothing that is replaced. A quote without end is no command.
func shellWords(line string) (words []string, ok bool) {
	word, in, quote := "", false, rune(0)
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, in = r, true
		case quote == 0 && r == ' ':
			if in {
				if slices.Contains([]string{">", "|", "#"}, word) {
					return words, true
				}
				words = append(words, word)
			}
			word, in = "", false
		default:
			word, in = word+string(r), true
		}
	}
	return words, quote == 0
}

// pages are those for users.
func pages(t *testing.T) []string {
	all, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return append(all, "../../README.md")
}

// TestPagesNameFlags holds every command of the pages against what commands and flags
// there are.
func TestPagesNameFlags(t *testing.T) {
	tree := commandTree(appOf(t))
	known := map[string]node{}
	for _, n := range tree.All() {
		known[n.Path] = n
	}
	count := 0
	for _, page := range pages(t) {
		for _, words := range pageCommands(t, page) {
			at := ""
			for len(words) > 0 && known[at+"/"+words[0]].Name != "" {
				at, words = at+"/"+words[0], words[1:]
			}
			if at == "" {
				assert.Equal(t, "COMMAND", words[0], "%s: there is no such command", page)
				continue
			}
			count++
			for _, word := range words {
				if flag, _, _ := strings.Cut(word, "="); strings.HasPrefix(flag, "-") && !strings.HasPrefix(flag, "-0") && flag != "-" {
					assert.Contains(t, known[at].FlagNames(), flag, "%s: llada%s", page, strings.ReplaceAll(at, "/", " "))
				}
			}
		}
	}
	assert.Greater(t, count, 30, "commands are found")
}

// appOf returns the program's commands.
func appOf(t *testing.T) (app *cli.App) {
	e := &env{stdout: newOutput(os.Stdout, nil), stderr: newOutput(os.Stderr, nil)}
	app = e.app()
	prepare(app.Commands)
	return app
}

// TestPagesLinks follows the links between files of the repository.
func TestPagesLinks(t *testing.T) {
	for _, page := range pages(t) {
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(string(data), -1) {
			assert.FileExists(t, filepath.Join(filepath.Dir(page), link[1]), page)
		}
	}
}

// TestPagesRun runs the commands of the pages that need the embedded model only.
func TestPagesRun(t *testing.T) {
	if os.Getenv(fullVariable) == "" {
		t.Skipf("takes half a minute: set %s", fullVariable)
	}
	var commands [][]string
	for _, page := range []string{"first-steps.md", "choosing-a-type.md"} {
		commands = append(commands, pageCommands(t, filepath.Join("../../docs", page))...)
	}
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("prompts.txt", []byte("Hugo has 6 keys. How many keys does he have?\nName a colour.\n"), 0o600))
	question := "Hugo has 6 keys. Uma has 10 more keys than Hugo. How many keys do they have together?\nPlease reason step by step, and put your final answer within \\boxed{}."
	require.NoError(t, os.WriteFile("question.txt", []byte(question), 0o600)) // which a printf on the page makes
	ran := 0
	for _, words := range commands {
		switch line := strings.Join(words, " "); {
		case words[0] == "demo": // its own test runs it; here only the checkpoint is of interest
			require.NoError(t, os.CopyFS("demo/tiny", os.DirFS(models.tinyDir)))
		case strings.HasPrefix(line, "plan --shape"): // measures the machine for a minute
		case strings.Contains(line, "mini"), words[0] == "doctor":
		default:
			o := lladaInput(t, "", words...)
			require.NoError(t, o.err, "llada %s", line)
			ran++
			if slices.Contains(words, "question.txt") && !slices.Contains(words, "--json") {
				assert.Contains(t, o.stdout, "6 + 10 = 16\n6 + 16 = 22\n\\boxed{22}")
			}
		}
	}
	assert.Greater(t, ran, 12)
	for _, path := range []string{"answer.html", "page/report.html", "fitted.gguf", "experts.gguf"} {
		assert.FileExists(t, path)
	}
	fitted, err := os.Stat("fitted.gguf")
	require.NoError(t, err)
	assert.LessOrEqual(t, fitted.Size(), int64(2300<<10))
}

func TestShellWords(t *testing.T) {
	words, ok := shellWords(`llada run --prompt 'a "b"  c' --x="y z" > out`)
	assert.True(t, ok)
	assert.Equal(t, []string{"llada", "run", "--prompt", `a "b"  c`, "--x=y z"}, words)
	_, ok = shellWords("llada run --prompt 'half")
	assert.False(t, ok)
}
