package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/disk"
)

func TestUsageErrors(t *testing.T) {
	tiny, narrow := "--model "+models.tiny, "--model "+models.narrow
	for _, c := range []struct{ line, want string }{
		{"nonsense", `there is no command "nonsense"; see llada --help`},
		{"--nonsense", "-nonsense; see llada --help"},
		{"help nonsense", `there is no command "nonsense"`},
		{"help run logits", `"logits" is one too many`},
		{"run --nonsense", "-nonsense; see llada run --help"},
		{"run nonsense", `"nonsense" is one too many; see llada run --help`},
		{"run", "--model is missing"},
		{"run --model", "-model"},
		{"run --model=", "--model is empty"},
		{"run --model= --prompt x", "--model is empty"},
		{"run --prompt x", "--model is missing"},
		{"run " + narrow, "give exactly one of --prompt, --prompt-file, --ids"},
		{"run " + narrow + " --ids 1 --prompt x", "give exactly one of --prompt, --prompt-file, --ids"},
		{"run " + narrow + " --prompt-file=", "--prompt-file is empty"},
		{"run " + narrow + " --ids 1,,2", `--ids: "" is not a token id`},
		{"run " + narrow + " --ids 1,x", `--ids: "x" is not a token id`},
		{"run " + narrow + " --ids 1,", `--ids: "" is not a token id`},
		{"run " + narrow + " --ids 99999999999", `--ids: "99999999999" is not a token id`},
		{"run " + narrow + " --ids=", "--ids: there is no id"},
		{"run " + narrow + " --ids 1,320", "--ids: id 320 at position 1 is outside the vocabulary of 320"},
		{"run " + narrow + " --ids -1", "--ids: id -1 at position 0 is outside"},
		{"run " + narrow + " --ids 1 --raw", "--system and --raw are for texts"},
		{"run " + narrow + " --ids 1 --system x", "--system and --raw are for texts"},
		{"run " + tiny + " --prompt x --raw --system x", "--system needs the chat form"},
		{"run " + narrow + " --ids 1 --json --show", "give one of them"},
		{"run " + narrow + " --ids 1 extra --json", "flag --json must stand before other arguments"},
		{"run --model missing --ids x", "is not a token id"}, // before the model is opened
		{"run --model missing --ids 1 --policy best", `--policy: "best" is not one of threshold`},
		{"run " + narrow + " --ids 1 --profile fast", `profile "fast" is not one of exact, balanced, turbo, reference`},
		{"run " + narrow + " --ids 1 --gen-length 0", "generation length 0"},
		{"run " + narrow + " --ids 1 --gen-length -5", "generation length -5"},
		{"run " + narrow + " --ids 1 --gen-length 99999", "exceed the model's 16384 positions"},
		{"run " + narrow + " --ids 1 --gen-length 9223372036854775807", "exceed the model's 16384 positions"},
		{"run " + narrow + " --ids 1 --gen-length 99999999999999999999", "gen-length"},
		{"run " + narrow + " --ids 1 --gen-length=", "gen-length"},
		{"run " + narrow + " --ids 1 --block-length 0", "block length 0"},
		{"run " + narrow + " --ids 1 --block-length 9223372036854775807", "exceed the model's"},
		{"run " + narrow + " --ids 1 --steps 0", "steps 0"},
		{"run " + narrow + " --ids 1 --threshold NaN", "threshold NaN"},
		{"run " + narrow + " --ids 1 --threshold 1e300", "threshold +Inf"},
		{"run " + narrow + " --ids 1 --threshold x", "threshold"},
		{"run " + narrow + " --ids 1 --temperature NaN", "temperature NaN"},
		{"run " + narrow + " --ids 1 --temperature -1", "temperature -1"},
		{"run " + narrow + " --ids 1 --temperature Inf", "temperature +Inf"},
		{"run " + narrow + " --ids 1 --top-k -1", "top-k -1"},
		{"run " + narrow + " --ids 1 --top-p NaN", "top-p NaN"},
		{"run " + narrow + " --ids 1 --top-p 1.5", "top-p 1.5"},
		{"run " + narrow + " --ids 1 --seed -1", "seed"},
		{"run " + narrow + " --ids 1 --minimal-topk 0", "minimal top-k 0"},
		{"run " + narrow + " --ids 1 --threads -1", "--threads: -1 is not between 0 and 1024"},
		{"run " + narrow + " --ids 1 -t 1 --threads 2", "threads"},
		{"run " + narrow + " --ids 1 -t 100000", "--threads: 100000 is not between 0 and 1024"},
		{"run " + narrow + " --ids 1 --kv-type q9", `--kv-type: "q9" is not one of f32, f16, q8_0`},
		{"logits " + narrow, "--ids is missing"},
		{"logits " + narrow + " --ids ,", "is not a token id"},
		{"logits " + narrow + " --ids 320", "--ids: id 320"},
		{"logits " + narrow + " --ids 1 --block-length 0", "--block-length: 0 is not between 1 and the model's 16384"},
		{"logits " + narrow + " --ids 1 --block-length 16385 --json", "--block-length: 16385 is not between"},
		{"logits --model " + models.small + " --ids 1" + strings.Repeat(",1", 64), "--ids: 65 ids exceed the model's 64 positions"},
		{"logits " + narrow + " --ids 1 -t -1", "--threads: -1"},
		{"tokenize " + tiny, "give exactly one of --text, --text-file, --ids"},
		{"tokenize " + tiny + " --text x --ids 1", "give exactly one of --text, --text-file, --ids"},
		{"tokenize " + tiny + " --chat --ids 1", "--chat is for texts"},
		{"tokenize " + tiny + " --ids 1024", "--ids: 1024 is outside the vocabulary"},
		{"tokenize " + tiny + " --ids -1", "--ids: -1 is outside the vocabulary"},
		{"tokenize --model missing --ids 1;2", "is not a token id"},
		{"inspect", "FILE is missing; see llada inspect --help"},
		{"inspect a b", `"b" is one too many`},
		{"inspect " + models.tiny + " --json", "flag --json must stand before other arguments"},
		{"inspect -- --json", "flag --json must stand before other arguments"},
		{"convert", "--from is missing"},
		{"convert --from x", "--out is missing"},
		{"convert --from= --out x", "--from is empty"},
		{"convert --from x --out=", "--out is empty"},
		{"convert --from x --out y --type q9", `--type: type "q9" is not one of`},
		{"convert --from x --out y --type=", `--type: type "" is not one of`},
		{"convert --from x --out y --split-size lots", `--split-size: "lots" is not a size such as 40GiB`},
		{"convert --from x --out y --split-size 0.5", "--split-size"},
		{"convert --from x --out y --split-size -1GiB", "--split-size"},
		{"convert --from x --out y --split-size NaN", "--split-size"},
		{"convert --from x --out y --split-size 1e30GiB", "--split-size"},
		{"convert --from x --out y --threads -1", "--threads: -1"},
		{"convert --from x --out y --mask-id x", "mask-id"},
		{"version x", `"x" is one too many`},
		{"demo x", `"x" is one too many`},
	} {
		t.Run(c.line, func(t *testing.T) {
			o := llada(t, c.line)
			require.Error(t, o.err)
			assert.Equal(t, 2, o.code, "%v", o.err)
			assert.Contains(t, message(o.err), c.want)
			assert.NotContains(t, message(o.err), "\n")
			assert.Empty(t, o.stdout)
			assert.Empty(t, o.stderr, "main prints the error, nobody else")
		})
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	for _, line := range []string{
		"run --ids 1 --model " + missing,
		"run --model " + models.tiny + " --prompt-file " + missing,
		"logits --ids 1 --model " + missing,
		"tokenize --text x --model " + missing,
		"tokenize --model " + models.tiny + " --text-file " + missing,
		"inspect " + missing,
		"convert --from " + missing + " --out " + dir + "/x.gguf",
		"convert --from " + models.tinyDir + " --out " + missing + "/x.gguf",
	} {
		o := llada(t, line)
		assert.Equal(t, 3, o.code, "%s: %v", line, o.err)
		assert.ErrorContains(t, o.err, missing)
		assert.Empty(t, o.stdout)
	}
}

func TestDamaged(t *testing.T) {
	whole, err := os.ReadFile(models.tiny)
	require.NoError(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "damaged.gguf")
	for name, data := range map[string][]byte{
		"empty": {}, "magic": []byte("GGML" + string(whole[4:])), "header": whole[:20],
		"metadata": whole[:1000], "tensors": whole[:len(whole)/2], "text": []byte(strings.Repeat("no model\n", 99)),
	} {
		require.NoError(t, os.WriteFile(path, data, 0o666))
		for _, line := range []string{"run --ids 1 --model ", "logits --ids 1 --model ", "tokenize --text x --model ", "inspect "} {
			o := llada(t, line+path)
			assert.Equal(t, 1, o.code, "%s %s: %v", name, line, o.err)
			assert.ErrorContains(t, o.err, path)
			assert.Empty(t, o.stdout)
		}
	}
	for _, line := range []string{
		"run --ids 1 --model " + dir, "inspect " + dir,
		"run --prompt-file " + dir + " --model " + models.tiny,
		"convert --from " + models.tinyDir + " --out " + dir,
	} {
		o := llada(t, line)
		assert.Equal(t, 1, o.code, "%s: %v", line, o.err)
		assert.ErrorContains(t, o.err, dir)
	}
}

// full is a disk without space, or a pipe without a reader.
type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func TestOutputFails(t *testing.T) {
	narrow := "--model " + models.narrow
	for _, line := range []string{
		"", "help", "run -h", "version", "version --json", "inspect " + models.narrow, "inspect --json " + models.narrow,
		"tokenize --text x --model " + models.tiny, "tokenize --text x --json --model " + models.tiny,
		"logits --ids 1 " + narrow, "logits --ids 1 --json " + narrow,
		"run --ids 1 --gen-length 8 " + narrow, "run --ids 1 --gen-length 8 --show " + narrow,
		"run --ids 1 --gen-length 8 --json " + narrow,
		"convert --from " + models.narrowDir + " --out " + t.TempDir() + "/x.gguf", "demo",
	} {
		for errno, code := range map[syscall.Errno]int{syscall.ENOSPC: 3, syscall.EPIPE: 1} {
			err := run(t.Context(), append([]string{"llada"}, strings.Fields(line)...), strings.NewReader(""), full{errno}, io.Discard)
			assert.ErrorIs(t, err, errno, "%s", line)
			assert.Equal(t, code, exitCode(err), "%s", line)
		}
	}
}

func TestHelp(t *testing.T) {
	app := done(t, "help")
	assert.Equal(t, app, done(t, ""))
	assert.Equal(t, app, done(t, "--help"))
	assert.Equal(t, app, done(t, "-h"))
	_, list, _ := strings.Cut(app, "COMMANDS:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	commands := []string{}
	for line := range strings.SplitSeq(list, "\n") {
		commands = append(commands, strings.Fields(line)[0])
	}
	assert.Subset(t, commands, []string{"demo", "convert", "inspect", "tokenize", "run", "logits", "version", "help"})
	for _, command := range commands {
		help := done(t, "help "+command)
		if command != "help" { // whose own --help is the program's
			assert.Equal(t, help, done(t, command+" --help"))
		}
		assert.Contains(t, help, "Example: llada "+command)
		assert.NotRegexp(t, `-\w+ value\b`, help, "a flag's value has a name")
		assert.NotContains(t, help, "(default: false)")
		assert.NotContains(t, help, ") (")
	}
}

func TestVersion(t *testing.T) {
	assert.Regexp(t, `^llada \S+( \S+)? go\S+ \w+/\w+\n$`, done(t, "version"))
	v := document[struct {
		Version  string `json:"version"`
		Commit   string `json:"commit"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}](t, "version --json")
	assert.NotEmpty(t, v.Version)
	assert.True(t, strings.HasPrefix(v.Go, "go"))
}

func TestMessage(t *testing.T) {
	assert.Equal(t, "interrupted", message(fmt.Errorf("x: %w", context.Canceled)))
	assert.Equal(t, "a; b", message(fmt.Errorf("a\nb")))
}

func TestExitCodes(t *testing.T) {
	for _, err := range []error{syscall.EROFS, syscall.ENOTDIR, syscall.EDQUOT, syscall.ENOSPC, disk.ErrLocked, fs.ErrPermission} {
		assert.Equal(t, 3, exitCode(fmt.Errorf("x: %w", err)), "%v", err)
	}
	assert.Equal(t, "one; two", message(errors.Join(errors.New("one"), errors.New("two"))))
}
