package bench

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/kernels"
	"lladakit/kernels/peak"
)

func TestExamine(t *testing.T) {
	x, err := Examine(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, x.CPU.Peak)
	assert.Equal(t, 1, x.CPU.Peak[0].Threads)
	assert.Len(t, x.Memory.Bandwidth, len(x.CPU.Peak))
	for i, p := range x.CPU.Peak {
		assert.Equal(t, peak.Supported(), p.Int4 > 0 && p.Int8 > 0 && p.Float > 0 && x.Memory.Bandwidth[i].Rate > 0)
	}
	assert.Equal(t, kernels.Implementation(), x.Kernels.Implementation)
	assert.Len(t, append(slices.Clone(x.Kernels.Assembly), x.Kernels.Plain...), 15)
	assert.Equal(t, x.Kernels.Implementation != "plain", slices.Contains(x.Kernels.Assembly, "q4_0"))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Examine(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// TestAdvice: every finding that can be helped has one sentence, and a good machine
// none.
func TestAdvice(t *testing.T) {
	good := func() *Examination {
		return &Examination{
			CPU: ExaminedCPU{OS: "linux", CPUs: 8, Cores: 8, Governor: "performance", Peak: []CPULimits{{1, 160, 100, 50}, {8, 1200, 790, 390}}},
			Kernels: ExaminedKernels{
				Implementation: "avx2", Implementations: []string{"avx2", "plain"}, Assembly: []string{"q4_0"},
			},
			Memory: ExaminedMemory{Huge: "madvise"},
		}
	}
	assert.Empty(t, good().advice(nil))
	for name, c := range map[string]struct {
		change func(*Examination)
		want   string
	}{
		"purego":      {func(x *Examination) { x.Kernels.PureGo = true }, "build the program without the tag purego"},
		"chosen":      {func(x *Examination) { x.Kernels.Implementation = "plain" }, "unset LLADA_KERNELS"},
		"slower":      {func(x *Examination) { x.Kernels.Implementations = []string{"avx512vnni", "avx2", "plain"} }, "unset LLADA_KERNELS: kernels avx512vnni"},
		"old":         {func(x *Examination) { x.Kernels.Implementation, x.Kernels.Implementations = "plain", []string{"plain"} }, "use a processor with AVX2"},
		"types":       {func(x *Examination) { x.Kernels.Plain = []string{"q2_k", "q3_k"} }, "choose none of the types q2_k, q3_k"},
		"small pages": {func(x *Examination) { x.Memory.Huge = "never" }, "set transparent huge pages to madvise"},
		"no pages":    {func(x *Examination) { x.Memory.Huge = "" }, "use a system with transparent huge pages"},
		"governor":    {func(x *Examination) { x.CPU.Governor = "performance, powersave" }, "set the governor to performance"},
		"siblings":    {func(x *Examination) { x.CPU.Cores = 4 }, "try --threads 4"},
		"scaling":     {func(x *Examination) { x.CPU.Peak[1].Int8 = 300 }, "8 of them compute 3.0 times as much as one"},
	} {
		x := good()
		c.change(x)
		all := x.advice(nil)
		if assert.Len(t, all, 1, name) {
			assert.True(t, strings.HasPrefix(all[0], c.want) || strings.HasSuffix(all[0], c.want), all[0])
		}
	}
	assert.Equal(t, []string{"measure again when the machine is quiet: others compute"}, good().advice([]string{"others compute"}))
}
