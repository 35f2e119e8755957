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
	benchstatHead(out, &b.Program, &b.Machine)
	b.benchstatLines(out)
	return out.Flush()
}

// benchstatHead writes what all lines behind it have in common. A key without a value
// takes back the one of a head before.
func benchstatHead(out *bufio.Writer, p *Program, m *Machine) {
	// Note: as configuration, the build would put results that are to be compared into
	// different tables.
	fmt.Fprintf(out, "# build: %s\n", benchstatText(p.describe()))
	for _, c := range []struct{ key, value string }{{"goos", m.OS}, {"goarch", m.Arch}, {"pkg", p.Name}, {"cpu", m.CPU}} {
		fmt.Fprintln(out, strings.TrimSpace(c.key+": "+benchstatText(c.value)))
	}
	fmt.Fprint(out, "Unit ns/op better=lower\nUnit tok/s better=higher\nUnit tok/forward better=higher\n")
}

// benchstatText makes text a line.
func benchstatText(text string) string {
	return plainText(strings.Join(strings.Fields(strings.ToValidUTF8(text, "\ufffd")), " "))
}

func (b *Bench) benchstatLines(out *bufio.Writer) {
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
}

// benchstatName ends in the number of threads, and not in one behind a hyphen, which
// would be taken for GOMAXPROCS.
func (t *Test) benchstatName() string {
	first, size := utf8.DecodeRuneInString(t.Name)
	name := "Benchmark" + benchstatWord(string(unicode.ToUpper(first))+t.Name[size:])
	if file := t.Model[strings.LastIndexAny(t.Model, `/\`)+1:]; file != "" {
		name += "/model=" + benchstatWord(file)
	}
	for _, setting := range t.settings() {
		name += "/" + benchstatWord(setting)
	}
	return name
}

// settings are all that a test was done with, as key=value, whether tests differ in it or
// not.
func (t *Test) settings() []string {
	var all []string
	for _, part := range []struct{ key, value string }{
		{"kv", t.TypeK}, {"pack", t.Pack}, {"block", count(t.Block)}, {"steps", count(t.Steps)},
		{"threshold", number(t.Threshold)}, {"policy", t.Policy}, {"profile", t.Profile}, {"schedule", t.Schedule},
		{"t", strconv.Itoa(t.Threads)},
	} {
		if part.value != "" {
			all = append(all, part.key+"="+part.value)
		}
	}
	return all
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
