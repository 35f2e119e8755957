package arch_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/arch"
)

func TestHF(t *testing.T) {
	c := arch.Config{
		Name: "LLaDA2", Vocab: 1000, Hidden: 96, Layers: 3, Context: 4096, Heads: 3, KVHeads: 3, HeadDim: 32, RotaryDim: 10,
		RopeTheta: 600000, RMSEps: 1e-6, QKNorm: true, DenseLayers: 1, DenseFF: 160, Experts: 12, ExpertsUsed: 2, ExpertFF: 32,
		ExpertGroups: 3, GroupsUsed: 2, ExpertScale: 2.5, Shared: 2, SharedFF: 48,
		BlockLength: arch.DefaultBlockLength, Steps: arch.DefaultSteps, Threshold: arch.DefaultThreshold,
	}
	plain := c
	plain.QKNorm, plain.Shared, plain.SharedFF = false, 0, 0
	for _, want := range []arch.Config{c, plain} {
		data, err := want.HF("bfloat16", 999, 998)
		require.NoError(t, err)
		got, err := arch.ParseHF(data)
		require.NoError(t, err)
		assert.Equal(t, want, got.Config)
		assert.EqualValues(t, []int32{999, 998}, []int32{*got.MaskID, *got.EOSID})
	}
	c.Context = 1 << 17 // read as a sign of a later model
	_, err := c.HF("bfloat16", 999, 998)
	require.ErrorIs(t, err, arch.ErrUnsupported)
}
