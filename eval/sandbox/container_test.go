//go:build unix

package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// engine puts a program named podman first in the search path. It does not contain
// anything: it runs the worker with a Python of this machine, and notes its arguments.
func engine(t *testing.T, script string) (notes string) {
	t.Helper()
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("no /usr/bin/python3")
	}
	folder := t.TempDir()
	notes = filepath.Join(folder, "notes")
	script = "#!/bin/sh\necho \"$@\" >> " + notes + "\n" + script
	require.NoError(t, os.WriteFile(filepath.Join(folder, "podman"), []byte(script), 0o755))
	t.Setenv("PATH", folder+":/usr/bin:/bin")
	return notes
}

const runWorker = `while [ "$1" != python3 ]; do shift; done
shift
exec /usr/bin/python3 "$@"
`

func TestContainer(t *testing.T) {
	notes := engine(t, runWorker)
	s, err := New(t.Context(), Options{Tier: Container, Image: "some/python:3"})
	require.NoError(t, err)
	text, err := os.ReadFile(notes)
	require.NoError(t, err)
	for _, want := range []string{"run --rm", "--network none", "--read-only", "--cap-drop ALL", "no-new-privileges", "--pids-limit", "some/python:3 python3"} {
		assert.Contains(t, string(text), want)
	}
	for _, c := range []struct {
		source string
		want   Status
	}{
		{"print('x')", Passed},
		{"assert False", Failed},
		{"import os; os._exit(0)", Failed},
		{"import sys; sys.exit(0)", Failed},
		{"while True: pass", Timeout},
		{"bytearray(8 << 30)", Memory},
		{"import os; os.kill(os.getpid(), 9)", Killed},
	} {
		v, err := s.Run(t.Context(), Program{Source: c.source, Time: 2 * time.Second})
		require.NoError(t, err)
		assert.Equal(t, c.want, v.Status, "%s: %s", c.source, v.Message)
	}
	v, err := s.Run(t.Context(), Program{Source: "print(input() * 3)", Input: []byte("abc"), Output: 5})
	require.NoError(t, err)
	assert.Equal(t, "abcab", v.Output)
}

func TestContainerThatFails(t *testing.T) {
	engine(t, "echo no such image >&2\nexit 125\n")
	_, err := New(t.Context(), Options{Tier: Container})
	require.ErrorIs(t, err, ErrUnavailable)
	assert.ErrorContains(t, err, "no such image")

	engine(t, `echo '{"token":"A","code":0,"proved":true}'`+"\n")
	_, err = New(t.Context(), Options{Tier: Container})
	require.ErrorIs(t, err, ErrUnavailable)
}

func TestContainerIsRemovedWhenContextEnds(t *testing.T) {
	notes := engine(t, runWorker)
	s, err := New(t.Context(), Options{Tier: Container})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = s.Run(ctx, Program{Source: "import time; time.sleep(100)"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	text, err := os.ReadFile(notes)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	assert.Contains(t, lines[len(lines)-1], "rm --force llada-")
}
