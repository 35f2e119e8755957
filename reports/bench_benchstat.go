package reports

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// benchstat writes our tests in the format of Go's benchmarks, with a line for each
// repetition. A name has all settings, whether they differ within this result or not, so
// that results compare by name.
func (b *Bench) benchstat(w io.Writer) error {
	out := bufio.NewWriter(w)
	// Note: as configuration, the build would put results that are to be compared into
	// different tables.
	fmt.Fprintf(out, "# build: %s\n", plainText(b.Program.describe()))
	for _, c := range []struct{ key, value string }{
		{"goos", b.Machine.OS}, {"goarch", b.Machine.Arch}, {"pkg", b.Program.Name}, {"cpu", b.Machine.CPU},
	} {
		if c.value != "" {
			fmt.Fprintf(out, "%s: %s\n", c.key, plainText(strings.Join(strings.Fields(c.value), " ")))
		}
	}
	fmt.Fprint(out, "Unit ns/op better=lower\nUnit tok/s better=higher\nUnit tok/forward better=higher\n")
	for i := range b.Tests {
		t := &b.Tests[i]
		name := t.benchstatName()
		for j, ns := range t.SamplesNS {
			fmt.Fprintf(out, "%s 1 %d ns/op", name, ns)
			if j < len(t.SamplesTS) && t.SamplesTS[j] > 0 {
				fmt.Fprintf(out, " %s tok/s", strconv.FormatFloat(t.SamplesTS[j], 'g', -1, 64))
			}
			if t.TPF > 0 {
				fmt.Fprintf(out, " %s tok/forward", strconv.FormatFloat(t.TPF, 'g', -1, 64))
			}
			fmt.Fprintln(out)
		}
	}
	return out.Flush()
}

// benchstatName ends in the number of threads, and not in one behind a hyphen, which
// would be taken for GOMAXPROCS.
func (t *Test) benchstatName() string {
	first, size := utf8.DecodeRuneInString(t.Name)
	name := "Benchmark" + benchstatWord(string(unicode.ToUpper(first))+t.Name[size:])
	file := t.Model[strings.LastIndexAny(t.Model, `/\`)+1:]
	for _, part := range []struct{ key, value string }{
		{"model", file}, {"kv", t.TypeK}, {"pack", t.Pack}, {"block", count(t.Block)}, {"steps", count(t.Steps)},
		{"threshold", number(t.Threshold)}, {"policy", t.Policy}, {"profile", t.Profile}, {"schedule", t.Schedule},
		{"t", strconv.Itoa(t.Threads)},
	} {
		if part.value != "" {
			name += "/" + part.key + "=" + benchstatWord(part.value)
		}
	}
	return name
}

// benchstatWord makes text a part of a name: no space ends it, and no slash divides it.
func benchstatWord(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == '/' {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}
