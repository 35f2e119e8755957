package sandbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// open returns a sandbox of the tier, or skips the test.
func open(t *testing.T, tier Tier, python string) *Sandbox {
	t.Helper()
	s, err := New(t.Context(), Options{Tier: tier, Python: python})
	if err != nil {
		t.Skip(err)
	}
	require.Equal(t, tier, s.Tier())
	return s
}

// processes are the tiers that need no other program.
var processes = []Tier{Namespaces, Landlock, Unsafe}

func TestVerdicts(t *testing.T) {
	for _, tier := range processes {
		for _, name := range []string{"python3", "/usr/bin/python3"} {
			t.Run(string(tier)+" "+name, func(t *testing.T) {
				t.Parallel()
				s := open(t, tier, name)
				for _, c := range []struct {
					source  string
					want    Status
					message string
				}{
					{"", Passed, ""},
					{"import sys\nprint('x', file=sys.stderr)", Passed, "x"},
					{"assert 1 == 2, 'why'", Failed, "AssertionError: why"},
					{"1 +", Failed, "SyntaxError: invalid syntax"},
					{"x = 'a\x00b'", Failed, ""},
					{"\xff", Failed, ""},
					{"raise KeyboardInterrupt", Failed, "KeyboardInterrupt"},
					{"import sys; sys.exit(0)", Failed, "SystemExit: 0"},
					{"import os; os._exit(0)", Failed, "ended with status 0 before its end"},
					{"while True: pass", Timeout, ""},
					{"x = bytearray(8 << 30)", Memory, "MemoryError"},
					{"import ctypes; ctypes.string_at(0)", Killed, "signal: segmentation fault"},
					{"assert __name__ == 'program'", Passed, ""},
					{"from dataclasses import dataclass\n@dataclass\nclass C:\n x: int = 1\nassert C().x == 1", Passed, ""},
					{"import sys; assert '' not in sys.path and len(sys.argv) == 1", Passed, ""},
					{"import os; assert os.environ.get('USER') is None and os.environ['PYTHONHASHSEED'] == '0'", Passed, ""},
					{"import hashlib, json, re, heapq, math, random, itertools, functools, decimal, fractions, datetime, collections, bisect", Passed, ""},
				} {
					limit := 20 * time.Second
					if c.want == Timeout {
						limit = 200 * time.Millisecond
					}
					v, err := s.Run(t.Context(), Program{Source: c.source, Time: limit})
					require.NoError(t, err)
					if strings.Contains(c.source, "ctypes") && strings.Contains(v.Message, "_ctypes") {
						continue // an interpreter without it
					}
					assert.Equal(t, c.want, v.Status, "%q: %s", c.source, v.Message)
					assert.Contains(t, v.Message, c.message, "%q", c.source)
				}
			})
		}
	}
}

// TestAsOrdinaryUser: the tiers are there for users other than root too.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getenv("LLADA_TEST_ORDINARY") == "" {
		su, err := exec.LookPath("setpriv")
		if err != nil || os.Geteuid() != 0 {
			t.Skip("needs root and setpriv")
		}
		folder, err := os.MkdirTemp("", "llada-ordinary-")
		require.NoError(t, err)
		defer os.RemoveAll(folder)
		require.NoError(t, os.Chmod(folder, 0o755))
		program, err := os.ReadFile("/proc/self/exe")
		require.NoError(t, err)
		path := filepath.Join(folder, "test")
		require.NoError(t, os.WriteFile(path, program, 0o755))
		cmd := exec.CommandContext(t.Context(), su, "--reuid", "12345", "--regid", "12345", "--clear-groups", path, "-test.run", t.Name(), "-test.v")
		cmd.Env, cmd.Dir = []string{"LLADA_TEST_ORDINARY=1", "PATH=/usr/bin:/bin", "LLADA_TEST_FULL=" + os.Getenv("LLADA_TEST_FULL")}, "/"
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		require.NoError(t, err)
		return
	}
	for _, tier := range []Tier{Namespaces, Landlock} {
		t.Run(string(tier), func(t *testing.T) {
			s := open(t, tier, "") // which runs programs
			if os.Getenv("LLADA_TEST_FULL") == "" {
				return
			}
			attacks, err := s.Attacks(t.Context())
			require.NoError(t, err)
			for _, a := range attacks {
				assert.True(t, a.Contained, "%s: %s", a.Name, a.Detail)
			}
		})
	}
}

func TestInputAndOutput(t *testing.T) {
	for _, tier := range processes {
		t.Run(string(tier), func(t *testing.T) {
			s := open(t, tier, "")
			run := func(p Program) Verdict {
				p.Time = 20 * time.Second
				v, err := s.Run(t.Context(), p)
				require.NoError(t, err)
				assert.Equal(t, Passed, v.Status, v.Message)
				return v
			}
			big := strings.Repeat("0123456789", 300_000)
			v := run(Program{Source: "import sys\nx = '" + big + "'\nassert sys.stdin.read() == x\nprint(x)", Input: []byte(big)})
			assert.Equal(t, big[:64<<10], v.Output)
			assert.Positive(t, v.CPU)
			assert.GreaterOrEqual(t, v.Wall, v.CPU/8)
			assert.Equal(t, "01234", run(Program{Source: "print(input())", Input: []byte(big), Output: 5}).Output)
			assert.Equal(t, "é\n", run(Program{Source: "print('é')"}).Output)
			assert.Empty(t, run(Program{Source: "import sys\nassert sys.stdin.read() == ''"}).Output)
			// Orders of sets and hashes are the same every time.
			hash := Program{Source: "print(hash('a'), {str(i) for i in range(20)})"}
			assert.Equal(t, run(hash).Output, run(hash).Output)
		})
	}
}

func TestContextEnds(t *testing.T) {
	for _, tier := range processes {
		t.Run(string(tier), func(t *testing.T) {
			s := open(t, tier, "")
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			_, err := s.Run(ctx, Program{Source: "while True: pass", Time: time.Hour})
			require.ErrorIs(t, err, context.Canceled)
			_, err = s.Run(ctx, Program{Source: ""})
			require.ErrorIs(t, err, context.Canceled)
			assert.Zero(t, s.left())
		})
	}
}

// TestNothingIsLeft: after many runs from several goroutines that end in every way there
// are as many open files and goroutines as before, no process and no file.
func TestNothingIsLeft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	t.Setenv("TMPDIR", t.TempDir())
	for _, tier := range processes {
		t.Run(string(tier), func(t *testing.T) {
			s := open(t, tier, "")
			files := count(t, "/proc/self/fd")
			routines := runtime.NumGoroutine()
			sources := []string{"", "assert False", "import os; os._exit(0)", "while True: pass", "import os; os.kill(os.getpid(), 11)", "print('x' * 100000)"}
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					for j := range 6 {
						ctx, cancel := context.WithCancel(t.Context())
						if i == 3 {
							time.AfterFunc(time.Duration(j)*5*time.Millisecond, cancel)
						}
						_, err := s.Run(ctx, Program{Source: sources[(i+j)%len(sources)], Time: 100 * time.Millisecond})
						assert.True(t, err == nil || ctx.Err() != nil, err)
						cancel()
					}
				})
			}
			wg.Wait()
			assert.Zero(t, s.left())
			assert.Zero(t, count(t, os.Getenv("TMPDIR")))
			assert.LessOrEqual(t, count(t, "/proc/self/fd"), files)
			// Eventually has one of its own.
			assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= routines+1 }, 10*time.Second, time.Millisecond)
			tasks, err := filepath.Glob("/proc/self/task/*/children") // zombies too
			require.NoError(t, err)
			for _, task := range tasks {
				children, _ := os.ReadFile(task) // the thread may have ended
				assert.Empty(t, string(children))
			}
		})
	}
}

func count(t *testing.T, folder string) int {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	return len(entries)
}

func TestCalibrate(t *testing.T) {
	s := open(t, Namespaces, "")
	assert.Equal(t, 1.0, s.Factor())
	factor, err := s.Calibrate(t.Context(), nil)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, factor, 1.0)
	assert.Equal(t, factor, s.Factor())
	_, err = s.Calibrate(t.Context(), []Program{{Source: "1"}, {Source: "1/0"}})
	require.ErrorContains(t, err, "program 2 of 2, which should pass, does not: failed, ZeroDivisionError")
	assert.Equal(t, factor, s.Factor())
}

func TestNewErrors(t *testing.T) {
	_, err := New(t.Context(), Options{Tier: "E"})
	require.ErrorContains(t, err, `tier "E"`)
	_, err = New(t.Context(), Options{Time: -1})
	require.ErrorContains(t, err, "negative")
	s, err := New(t.Context(), Options{})
	if err == nil {
		_, err = s.Run(t.Context(), Program{Memory: -1})
		require.ErrorContains(t, err, "negative")
		assert.NotEqual(t, Unsafe, s.Tier())
	}

	t.Setenv("PATH", t.TempDir())
	_, err = New(t.Context(), Options{})
	require.ErrorIs(t, err, ErrUnavailable)
	for _, want := range []string{"tier A: no Python", "tier B: no Python", "tier C: neither podman nor docker"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = New(t.Context(), Options{Tier: Unsafe})
	require.ErrorIs(t, err, ErrUnavailable)

	fake := filepath.Join(t.TempDir(), "python3")
	require.NoError(t, os.WriteFile(fake, []byte("#!/bin/sh\necho '{'\n"), 0o755))
	_, err = New(t.Context(), Options{Tier: Namespaces, Python: fake})
	require.ErrorContains(t, err, "does not tell about itself")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = New(ctx, Options{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestOutermost(t *testing.T) {
	folder := t.TempDir()
	sub := filepath.Join(folder, "a")
	require.NoError(t, os.MkdirAll(filepath.Join(sub, "b"), 0o755))
	require.NoError(t, os.WriteFile(sub+"a", nil, 0o644))
	assert.Equal(t, []string{sub, sub + "a"}, outermost([]string{sub + "/b", sub + "a", sub + "/", sub, "/", "/etc", "relative", sub + "/absent"}))
}

func TestLastLine(t *testing.T) {
	for text, want := range map[string]string{"": "", "\n\n": "", "a": "a", "a\nb\r\n \n": "b", "x\n\xff": "�"} {
		assert.Equal(t, want, lastLine([]byte(text)))
	}
	assert.Len(t, lastLine([]byte(strings.Repeat("x", 1000))), 300)
	var h = head{most: 3}
	var l tail
	for range 1000 {
		h.Write([]byte("0123456789"))
		l.Write([]byte("0123456789"))
	}
	l.Write([]byte("end"))
	assert.Equal(t, "012", string(h.kept))
	assert.Len(t, l.kept, tailSize)
	assert.True(t, strings.HasSuffix(string(l.kept), "789end"))
	l.Write(make([]byte, 2*tailSize))
	assert.Len(t, l.kept, tailSize)
}
