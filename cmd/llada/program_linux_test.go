package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// program returns the program as a process of its own.
func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// signalled starts the program, sends it a signal when the time has come, and
// returns its exit code.
func signalled(t *testing.T, cmd *exec.Cmd, sig os.Signal, now func() bool) int {
	t.Helper()
	require.NoError(t, cmd.Start())
	for range 10000 {
		if now() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, cmd.Process.Signal(sig))
	var failed *exec.ExitError
	if err := cmd.Wait(); err != nil {
		require.ErrorAs(t, err, &failed)
	}
	return cmd.ProcessState.ExitCode()
}

// TestProgramKernels: a misspelt name does not go unnoticed.
func TestProgramKernels(t *testing.T) {
	for name, want := range map[string]string{"plain": "", "fastest": `LLADA_KERNELS: there are no kernels "fastest"`} {
		cmd := program("version")
		cmd.Env = append(cmd.Env, "LLADA_KERNELS="+name)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Run())
		if want == "" {
			assert.Empty(t, stderr.String())
		} else {
			assert.Contains(t, stderr.String(), want)
		}
	}
}

func TestProgramInterrupted(t *testing.T) {
	dir := t.TempDir()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := program("convert", "-t", "1", "--type", "iq4_nl", "--from", models.tinyDir, "--out", filepath.Join(dir, "x.gguf"))
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		code := signalled(t, cmd, sig, func() bool { return len(files(t, dir)) > 0 })
		assert.Equal(t, 4, code)
		assert.Equal(t, "llada: interrupted\n", stderr.String())
		assert.Empty(t, stdout.String())
		assert.Empty(t, files(t, dir))
	}

	trace := filepath.Join(dir, "trace")
	cmd := program("run", "--ids", "1,2,3", "--gen-length", "16000", "--threshold", "1", "--block-length", "8",
		"--model", models.narrow, "--trace", trace)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	code := signalled(t, cmd, os.Interrupt, func() bool {
		data, _ := os.ReadFile(trace)
		return bytes.Contains(data, []byte(`{"block":2,`))
	})
	assert.Equal(t, 4, code)
	assert.Regexp(t, `^\d+ tokens, .*\nllada: interrupted\n$`, stderr.String())
	assert.Regexp(t, `^\d+(,\d+){12,}\n$`, stdout.String())
}

func TestProgramExitCodes(t *testing.T) {
	for want, args := range map[int][]string{
		0: {"version"},
		1: {"inspect", os.Args[0]},
		2: {"run", "--model", "x", "--ids", "1", "y"},
		3: {"inspect", filepath.Join(t.TempDir(), "missing")},
	} {
		cmd := program(args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Run()
		assert.Equal(t, want, cmd.ProcessState.ExitCode(), "%v", args)
		if want == 0 {
			assert.Empty(t, stderr.String())
			continue
		}
		assert.Regexp(t, `^llada: .+\n$`, stderr.String())
		assert.Empty(t, stdout.String())
	}
}

// A reader that has seen enough, as head, is no reason for a complaint.
func TestProgramClosedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	cmd := program("logits", "--json", "--ids", "1", "--model", models.narrow)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	cmd.Run()
	w.Close()
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Empty(t, stderr.String())
}

// onTerminal runs the program with its output on a pseudo-terminal, and returns
// all that it wrote there.
func onTerminal(t *testing.T, columns, rows int, args ...string) (string, int) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer master.Close()
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(columns)}))
	cmd := program(args...)
	cmd.Stdout, cmd.Stderr = terminal, terminal
	require.NoError(t, cmd.Start())
	terminal.Close()
	all, _ := io.ReadAll(master) // ends with EIO when nobody has the terminal open
	cmd.Wait()
	return string(all), cmd.ProcessState.ExitCode()
}

func TestProgramOnTerminal(t *testing.T) {
	all, code := onTerminal(t, 60, 24, "run", "--show", "--gen-length", "96", "--model", models.tiny, "--prompt", question(t))
	require.Zero(t, code)
	assert.Contains(t, all, "[block 1, step 1]")
	s := newScreen(t, 60, 24)
	fmt.Fprint(s, all)
	assert.True(t, strings.HasPrefix(s.text(), solution+"27 tokens, 6 forwards"), "%s", s.text())

	// The bar is gone when the work is done.
	out := filepath.Join(t.TempDir(), "x.gguf")
	all, code = onTerminal(t, 120, 24, "convert", "-t", "1", "--type", "iq4_nl", "--from", models.tinyDir, "--out", out)
	require.Zero(t, code)
	assert.Regexp(t, `writing +\d+\.\d %`, all)
	s = newScreen(t, 120, 24)
	fmt.Fprint(s, all)
	assert.True(t, strings.HasPrefix(s.text(), out+"\n"), "%s", s.text())
	assert.NotContains(t, s.text(), "writing")

	// Tables are as wide as the terminal.
	all, code = onTerminal(t, 70, 24, "bench", "--synthetic", "tiny", "--layers", "2", "--type", "q8_0", "-r", "1", "--tests", "step,gen32")
	require.Zero(t, code)
	s = newScreen(t, 70, 24)
	fmt.Fprint(s, all)
	assert.Contains(t, s.text(), "│ ")
	for _, l := range s.lines {
		if row := strings.Join(l.cells, ""); strings.HasPrefix(row, "│") {
			assert.False(t, l.wrapped, "%s", row)
		}
	}
	assert.Contains(t, s.text(), "left out: ")

	// The program's own complaints are shown, not obeyed.
	all, code = onTerminal(t, 120, 24, "inspect", "\x1b[2J")
	assert.Equal(t, 3, code)
	s = newScreen(t, 120, 24)
	fmt.Fprint(s, all)
	assert.Contains(t, s.text(), "·[2J")
}
