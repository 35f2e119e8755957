package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIDs(t *testing.T) {
	for text, want := range map[string][]int32{"": {}, " ": {}, "7": {7}, " 1, 2,3 ": {1, 2, 3}, "-1": {-1}} {
		got, err := parseIDs(text)
		require.NoError(t, err)
		assert.Equal(t, want, got, "%q", text)
	}
	for _, text := range []string{",", "1,", "1,,2", "x", "1 2", "2147483648", "1.0"} {
		_, err := parseIDs(text)
		assert.Error(t, err, "%q", text)
	}
	assert.Equal(t, "1,2,3", joinIDs([]int32{1, 2, 3}))
	assert.Empty(t, joinIDs(nil))
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"1": 1, "1048576": 1 << 20, "1B": 1, "2kB": 2000, "2KB": 2000, "1.5MiB": 3 << 19, "500MB": 500e6,
		"40GiB": 40 << 30, "40 gib": 40 << 30, "1TiB": 1 << 40,
	} {
		got, err := parseSize(text)
		require.NoError(t, err)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "GiB", "0", "0.5", "-1", "NaN", "Inf", "1e30GiB", "5 apples", "1.", "4G5"} {
		_, err := parseSize(text)
		assert.Error(t, err, "%q", text)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 20: "5.00 MiB", 8 << 30: "8.00 GiB"} {
		assert.Equal(t, want, size(n))
	}
}
