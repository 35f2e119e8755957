package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"lladakit/bench"
)

// TestDoctor: the document has what is promised, the text says the same, and an
// interrupt ends it.
func TestDoctor(t *testing.T) {
	x := document[bench.Examination](t, "doctor --json")
	text := done(t, "doctor")
	for _, want := range []string{x.Kernels.Implementation, "huge pages", "governor", "memory, GB/s", "types in assembly"} {
		assert.Contains(t, text, want)
	}
	assert.True(t, strings.Contains(text, "advice:") || strings.Contains(text, "nothing to advise"))
	assert.Equal(t, 2, llada(t, "doctor more").code)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := run(ctx, []string{"llada", "doctor"}, strings.NewReader(""), io.Discard, io.Discard)
	assert.Equal(t, 4, exitCode(err))
}
