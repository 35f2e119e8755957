package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Words splits a command line at spaces. Single quotes keep what they enclose as it is;
// double quotes do, but that a backslash in them takes the next character as it is, as
// it does outside of quotes. There is nothing else to it: for variables, patterns or
// pipes, name a shell: sh -c '…'.
func Words(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	begun, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			begun, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			begun, quote = true, r
		case r == ' ' || r == '\t' || r == '\n':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("%.80q has a quote %c that does not end", line, quote)
	case escaped:
		return nil, fmt.Errorf("%.80q ends in a backslash", line)
	}
	if begun {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("there is no command")
	}
	return words, nil
}

// external is another program's command.
type external struct {
	path  string
	words []string

	user, system time.Duration // of all runs
	memory       int64         // most bytes that a run has had in memory; 0 if unknown
}

// newExternal reads a command line and finds its program.
func newExternal(line string) (*external, error) {
	words, err := Words(line)
	if err != nil {
		return nil, err
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return nil, err
	}
	return &external{path: path, words: words}, nil
}

// tailBytes is how much of what a program writes is kept, to tell why it failed.
const tailBytes = 4 << 10

// run runs the command to its end, or to that of ctx, which ends all that it started.
func (x *external) run(ctx context.Context, t *tally) error {
	var out tail
	cmd := exec.CommandContext(ctx, x.path)
	cmd.Args = x.words
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // a command that leaves something behind with its output fails: that delay is not its time
	group(cmd)
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if cmd.Process != nil {
		endGroup(cmd.Process) // what it left behind would disturb what is measured next
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if line := out.line(); line != "" {
			return fmt.Errorf("%s: %w: %s", x.words[0], err, line)
		}
		return fmt.Errorf("%s: %w", x.words[0], err)
	}
	x.user += cmd.ProcessState.UserTime()
	x.system += cmd.ProcessState.SystemTime()
	x.memory = max(x.memory, mostMemory(cmd.ProcessState))
	t.repetition(took, 0, 0)
	return nil
}

// tail keeps the end of what is written.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > tailBytes {
		p = p[len(p)-tailBytes:]
	}
	if t.Len()+len(p) > tailBytes {
		t.Next(t.Len() + len(p) - tailBytes)
	}
	t.Buffer.Write(p)
	return n, nil
}

// line returns the last line that has something in it, without control characters.
func (t *tail) line() string {
	text := strings.TrimSpace(strings.ToValidUTF8(t.String(), "?"))
	text = text[strings.LastIndexByte(text, '\n')+1:]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}
