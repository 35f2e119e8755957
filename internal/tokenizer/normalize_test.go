package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

func TestComposeNFC(t *testing.T) {
	marks := strings.Repeat("\u0301", 100)
	for in, want := range map[string]string{
		"":                                  "",
		"e\u0301":                           "é",
		"\u1100\u1161\u11a8":                "각",
		"a\u0315\u0300\u05ae\u0300\u0062":   "\u00e0\u05ae\u0300\u0315\u0062",                 // from NormalizationTest.txt
		"e" + marks:                         "é" + marks[2:],                                  // nothing is inserted
		"a" + marks + "\u0327\xffe" + marks: "á\u0327" + marks[2:] + "\xff" + "é" + marks[2:], // put in order, then composed
		"\u1100\u1161" + strings.Repeat("\u1161", 100): "가" + strings.Repeat("\u1161", 100),
		"\xef" + marks + "\xef\xbf":                    "\xef" + marks + "\xef\xbf",
	} {
		assert.Equal(t, want, composeNFC(in), "%+q", in)
	}
}

// TestComposeSlowly compares with x/text where that is plain NFC.
func TestComposeSlowly(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	marks := []rune("\u0300\u0301\u0327\u0323\u0344\u0345\u1161\u11a8\u3099\u05ae\u0f71\u0f72\u0f73ạ̈ǭếᾂ가ﾞ각か\u212b\u1e9b\ufb1d")
	for range 20_000 {
		var b strings.Builder
		for range r.IntN(maxSafeRun) {
			if r.IntN(3) == 0 {
				b.WriteString(randomText(r, 2))
			} else {
				b.WriteRune(marks[r.IntN(len(marks))])
			}
		}
		s := b.String()
		require.Equal(t, norm.NFC.String(s), composeSlowly(s), "%+q", s)
	}
}

// TestRunBound checks the numbers behind maxSafeRun for every character.
func TestRunBound(t *testing.T) {
	joins := func(s string) bool { return !norm.NFD.PropertiesString(s).BoundaryBefore() }
	for r := range rune(0x110000) {
		d := norm.NFD.String(string(r))
		all := 0
		for i := range d {
			if joins(d[i:]) {
				all++
			}
		}
		if joins(string(r)) {
			require.LessOrEqual(t, all, 2, "%U", r)
		}
		require.LessOrEqual(t, all, 3, "%U", r)
	}
	require.LessOrEqual(t, 2*maxSafeRun+3, 30)
}
