package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestInspect(t *testing.T) {
	out := done(t, "inspect "+models.tiny)
	assert.Contains(t, out, "general.architecture")
	assert.NotContains(t, out, "token_embd.weight")
	assert.Contains(t, out, "4225840 weights")
	assert.Contains(t, done(t, "inspect --tensors "+models.tiny), "token_embd.weight")
}

func TestInspectJSON(t *testing.T) {
	got := document[struct {
		Files         []string `json:"files"`
		Weights       uint64   `json:"weights"`
		Bytes         uint64   `json:"bytes"`
		BitsPerWeight float64  `json:"bits_per_weight"`
		Types         []struct {
			Type    string `json:"type"`
			Tensors int    `json:"tensors"`
			Weights uint64 `json:"weights"`
			Bytes   uint64 `json:"bytes"`
		} `json:"types"`
		Metadata []struct {
			Key   string `json:"key"`
			Type  string `json:"type"`
			Value any    `json:"value"`
		} `json:"metadata"`
		Tensors []struct {
			Name   string   `json:"name"`
			Type   string   `json:"type"`
			Dims   []uint64 `json:"dims"`
			Bytes  uint64   `json:"bytes"`
			Shard  int      `json:"shard"`
			Offset uint64   `json:"offset"`
		} `json:"tensors"`
	}](t, "inspect --json --tensors "+models.tiny)
	assert.Equal(t, []string{models.tiny}, got.Files)
	assert.EqualValues(t, 4225840, got.Weights)
	var weights, bytes, typed uint64
	for _, tensor := range got.Tensors {
		n := uint64(1)
		for _, d := range tensor.Dims {
			n *= d
		}
		weights, bytes = weights+n, bytes+tensor.Bytes
	}
	for _, n := range got.Types {
		typed += n.Weights
	}
	assert.Equal(t, got.Weights, weights)
	assert.Equal(t, got.Weights, typed)
	assert.Equal(t, got.Bytes, bytes)
	assert.InDelta(t, 8*float64(bytes)/float64(weights), got.BitsPerWeight, 1e-9)
	assert.Equal(t, "bf16", got.Types[0].Type)
	assert.Equal(t, "token_embd.weight", got.Tensors[0].Name)
	assert.Equal(t, []uint64{256, 1024}, got.Tensors[0].Dims)
	assert.Equal(t, "general.architecture", got.Metadata[0].Key)
	assert.Equal(t, "string", got.Metadata[0].Type)
}

func TestShorten(t *testing.T) {
	assert.Equal(t, `a\nb\x1b[m`, shorten("a\nb\x1b[m"))
	assert.Equal(t, "3 values", shorten([]int32{1, 2, 3}))
	assert.Equal(t, strings.Repeat("x", 60)+"…", shorten(strings.Repeat("x", 99)))
	assert.Equal(t, "0.5", shorten(0.5))
}
