package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMan(t *testing.T) {
	page := done(t, "man")
	assert.Equal(t, page, done(t, "man"), "equal programs print equal pages")
	_, list, _ := strings.Cut(done(t, "help"), "COMMANDS:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.SplitSeq(list, "\n") {
		name := strings.Fields(line)[0]
		assert.Contains(t, page, "\n.SS "+name+"\n", "every command is there")
	}
	assert.Contains(t, page, "\n.SS datasets pull\n")
	assert.Contains(t, page, "\n\\fB\\-\\-threads, \\-t\\fR \\fIN\\fR\n")
	assert.Equal(t, 2, llada(t, "man x").code)
}

// TestManRenders has the page read by those programs that are there.
func TestManRenders(t *testing.T) {
	page := done(t, "man")
	read := func(program string, args ...string) (stdout, complaints string) {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s", program)
		}
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Stdin = strings.NewReader(page)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run() // which a warning makes fail; both streams are looked at
		return out.String(), errs.String()
	}
	t.Run("groff", func(t *testing.T) {
		text, complaints := read("groff", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u", "-rLL=200n")
		assert.Empty(t, complaints)
		assert.Contains(t, text, "llada datasets pull gsm8k humaneval", "examples are as they are written")
		assert.Contains(t, text, "EXIT STATUS")
	})
	t.Run("mandoc", func(t *testing.T) {
		text, complaints := read("mandoc", "-Tlint", "-Wwarning")
		for line := range strings.Lines(text + complaints) {
			assert.Contains(t, line, "missing date", "tests have no commit")
		}
	})
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"a-b\\c":         `a\-b\ec`,
		".SH x\n'y":      `\&.SH x` + "\n" + `\&'y`,
		"one\n\n  three": "one\n.sp\n  three",
		"":               ".sp",
		"NAME…":          `NAME\[u2026]`,
	} {
		assert.Equal(t, want, roff(text))
	}
	require.Equal(t, 5, len(exitMeanings()), "codes 0 to 4")
}
