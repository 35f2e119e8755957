package bench_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/arch"
)

func TestShape(t *testing.T) {
	mini, err := bench.Shape("mini")
	require.NoError(t, err)
	assert.Equal(t, []int{20, 2048, 157184, 256, 8, 512}, []int{mini.Layers, mini.Hidden, mini.Vocab, mini.Experts, mini.ExpertsUsed, mini.ExpertFF})
	assert.Equal(t, "synthetic LLaDA2.0-mini", mini.Name)
	upper, err := bench.Shape("MINI")
	require.NoError(t, err)
	assert.Equal(t, mini, upper)

	// The proportions are mini's: its own width gives its own numbers.
	free, err := bench.Shape("20x2048")
	require.NoError(t, err)
	free.Name = mini.Name
	assert.Equal(t, mini, free)

	for text, want := range map[string]func(c *arch.Config){
		"mini:layers=4": func(c *arch.Config) { c.Layers = 4 },
		"4x2048:experts=64,used=8,ff=512,vocab=32000": func(c *arch.Config) { c.Layers, c.Experts, c.Vocab = 4, 64, 32000 },
		"mini:ff=1024,shared=2":                       func(c *arch.Config) { c.ExpertFF, c.Shared, c.SharedFF = 1024, 2, 2048 },
		"mini:shared=0":                               func(c *arch.Config) { c.Shared, c.SharedFF = 0, 0 },
		"mini:heads=32":                               func(c *arch.Config) { c.Heads, c.KVHeads, c.HeadDim, c.RotaryDim = 32, 8, 64, 32 },
		"mini:heads=6,head-dim=96":                    func(c *arch.Config) { c.Heads, c.KVHeads, c.HeadDim, c.RotaryDim = 6, 1, 96, 48 },
		"mini:experts=100":                            func(c *arch.Config) { c.Experts, c.ExpertGroups, c.GroupsUsed = 100, 1, 1 },
		"mini:experts=8,used=8":                       func(c *arch.Config) { c.Experts, c.ExpertGroups, c.GroupsUsed = 8, 1, 1 },
		"mini:groups=4":                               func(c *arch.Config) { c.ExpertGroups, c.GroupsUsed = 4, 2 },
		"mini:groups=4,groups-used=3":                 func(c *arch.Config) { c.ExpertGroups, c.GroupsUsed = 4, 3 },
		"6x192:dense=2,context=512": func(c *arch.Config) {
			c.Layers, c.Hidden, c.DenseLayers, c.Context = 6, 192, 2, 512
			c.Heads, c.KVHeads, c.HeadDim, c.RotaryDim = 3, 1, 64, 32
			c.DenseFF, c.ExpertFF, c.SharedFF = 512, 256, 256
		},
	} {
		c := mini
		want(&c)
		c.Name = "synthetic " + text
		got, err := bench.Shape(text)
		if assert.NoError(t, err, text) {
			assert.Equal(t, c, got, text)
		}
	}
}

func TestShapeErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                           `"" is not mini, flash, tiny or LAYERSxHIDDEN`,
		"huge":                       `"huge" is not mini, flash, tiny`,
		"mini ":                      `"mini " is not mini`,
		"4x":                         `"4x" is not`,
		"x2048":                      `"x2048" is not`,
		"4x2048x2":                   `"4x2048x2" is not`,
		"+4x2048":                    `"+4x2048" is not`,
		"mini:":                      `"" is not KEY=NUMBER`,
		"mini:layers":                `"layers" is not KEY=NUMBER`,
		"mini:layers=4,":             `"" is not KEY=NUMBER`,
		"mini:layer=4":               `"layer" is not one of context, dense,`,
		"mini:Layers=4":              `"Layers" is not one of`,
		"mini:layers=":               `layers: "" is not a number`,
		"mini:layers=-4":             `layers: "-4" is not a number`,
		"mini:layers= 4":             `layers: " 4" is not a number`,
		"mini:layers=4_0":            `layers: "4_0" is not a number`,
		"mini:layers=4,layers=4":     "layers is given twice",
		"4x2048:layers=4":            "layers is given twice",
		"mini:layers=99999999999999": "layers: 99999999999999 is out of range",
		"mini:layers=0":              "layers: 0 is out of range",
		"mini:vocab=2":               "a vocabulary of 2 has no room",
		"mini:kv-heads=3":            "16 heads do not share 3 key-value heads evenly",
		"mini:rotary=7":              "rotary dimension: 7 is not an even part",
		"4x2049":                     "rotary dimension: 0 is not an even part of a head of 1",
		"mini:groups=7":              "256 experts do not form 7 equal groups",
		"mini:used=257":              "257 experts cannot be chosen from 1 groups of 256",
		"4000x1000000":               "4000 layers of 256 experts are out of range",
		"200x300000":                 "weights are too many",
		"mini:heads=2147483647":      "heads: 2147483647 is out of range",
		strings.Repeat("9", 500):     "500 bytes are too many",
	} {
		_, err := bench.Shape(text)
		if assert.ErrorContains(t, err, want, text) {
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 600)
		}
	}
}

func FuzzShape(f *testing.F) {
	for _, text := range []string{
		"mini", "FLASH", "tiny:experts=32", "4x2048:experts=64,used=8,ff=512,vocab=32000", "mini:layers=4,shared=0", "1x1", "x", "mini:=",
		"9x96:heads=3,kv-heads=3,head-dim=32,rotary=10,dense=2,dense-ff=160,groups=1,groups-used=1,shared=2,shared-ff=64,context=99",
		"mini:hidden=2147483647,heads=2147483647", "tiny:shared=2147483647,ff=2147483647",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := bench.Shape(text)
		if err != nil {
			if m := err.Error(); strings.ContainsRune(m, '\n') || !utf8.ValidString(m) || len(m) > 600 {
				t.Fatalf("%q", m)
			}
			return
		}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		again, err := bench.Shape(strings.ToLower(text))
		if err != nil || again != c {
			t.Fatalf("%v is not %v", again, c)
		}
	})
}
