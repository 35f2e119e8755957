package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/eval/sandbox"
)

// TestDoctor: the document has what is promised, the text says the same, and an
// interrupt ends it.
func TestDoctor(t *testing.T) {
	t.Setenv("PATH", "") // neither Python nor containers: attacks have their own test
	x := document[diagnosis](t, "doctor --json")
	assert.Empty(t, x.Sandbox.Tier)
	assert.Len(t, x.Sandbox.Others, 3)
	text := done(t, "doctor")
	for _, want := range []string{x.Kernels.Implementation, "huge pages", "governor", "memory, GB/s", "types in assembly", "no Python", "neither podman nor docker"} {
		assert.Contains(t, text, want)
	}
	assert.True(t, strings.Contains(text, "advice:") || strings.Contains(text, "nothing to advise"))
	assert.Equal(t, 2, llada(t, "doctor more").code)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := run(ctx, []string{"llada", "doctor"}, strings.NewReader(""), io.Discard, io.Discard)
	assert.Equal(t, 4, exitCode(err))
}

// TestDoctorAttacks: every attack is contained in every tier that is there.
func TestDoctorAttacks(t *testing.T) {
	if os.Getenv(fullVariable) == "" {
		t.Skip("set " + fullVariable + "=1")
	}
	f, err := examineSandbox(t.Context())
	require.NoError(t, err)
	if f.Tier == "" {
		t.Skip(f.Others)
	}
	for _, found := range append(f.Others, f.tierFindings) {
		for _, a := range found.Attacks {
			assert.True(t, a.Contained, "%s: %s: %s", found.Tier, a.Name, a.Detail)
		}
	}
	assert.Contains(t, []sandbox.Tier{sandbox.Namespaces, sandbox.Landlock, sandbox.Container}, f.Tier)
}
