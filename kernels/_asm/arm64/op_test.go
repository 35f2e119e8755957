package main

import (
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
)

// Of dot products the disassembler knows nothing: these are from an assembler.
func TestDotProducts(t *testing.T) {
	for text, want := range map[string]struct {
		operands []int
		word     uint32
	}{
		"sdot v0.4s, v0.16b, v0.4b[0]":    {[]int{0, 0, 0, 0}, 0x4f80e000},
		"sdot v1.4s, v2.16b, v3.4b[1]":    {[]int{1, 2, 3, 1}, 0x4fa3e041},
		"sdot v30.4s, v17.16b, v9.4b[2]":  {[]int{30, 17, 9, 2}, 0x4f89ea3e},
		"sdot v31.4s, v31.16b, v31.4b[3]": {[]int{31, 31, 31, 3}, 0x4fbfebff},
	} {
		w := newWriter("")
		w.do(sdot, want.operands...)
		if got := words(w); len(got) != 1 || got[0].text != text || got[0].word != want.word {
			t.Errorf("%v, not %#x, %s", got, want.word, text)
		}
	}
}

// Every word that is printed is what is written beside it.
func TestWords(t *testing.T) {
	names := map[string]bool{}
	for set, emit := range sets {
		w := newWriter("")
		emit(w)
		for _, f := range words(w) {
			names[f.name] = true
			if f.name == "sdot" {
				continue
			}
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], f.word)
			inst, err := arm64asm.Decode(b[:])
			if err != nil {
				t.Fatalf("%s: %#x, %s: %v", set, f.word, f.text, err)
			}
			if got := arm64asm.GNUSyntax(inst); got != strings.TrimSuffix(f.text, ".0") { // ARM writes #0.0
				t.Fatalf("%s: %#x is %s, not %s", set, f.word, got, f.text)
			}
		}
	}
	if len(names) < 30 {
		t.Errorf("only %d instructions", len(names))
	}
}

type word struct {
	word       uint32
	name, text string
}

var line = regexp.MustCompile(`WORD \$(0x[0-9a-f]{8}) // ((\S+) .*)`)

func words(w *writer) (words []word) {
	for _, m := range line.FindAllStringSubmatch(w.text.String(), -1) {
		v, err := strconv.ParseUint(m[1], 0, 32)
		if err != nil {
			panic(err)
		}
		words = append(words, word{uint32(v), m[3], m[2]})
	}
	return words
}
