package reports_test

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"lladakit/reports"
)

func TestBenchGolden(t *testing.T) {
	for _, form := range reports.BenchForms() {
		if form != "json" { // of which TestVersions has one
			golden(t, "bench."+form, inForm(t, fixture(), form))
		}
	}
	golden(t, "bench-beside.md", inForm(t, beside(t), "md"))
	golden(t, "bench-nothing.md", inForm(t, &reports.Bench{}, "md"))
}

// llamaBench are the fields of llama-bench that ours share, in its order.
var llamaBench = []string{
	"build_commit", "cpu_info", "backends", "model_filename", "model_type", "model_size", "model_n_params", "n_threads",
	"type_k", "type_v", "n_prompt", "n_gen", "n_depth", "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts",
}

func TestBenchCSV(t *testing.T) {
	text := inForm(t, beside(t), "csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+4)
	header := rows[0]
	assert.Equal(t, llamaBench, header[:len(llamaBench)])
	column := func(name string) int {
		i := slices.Index(header, name)
		require.GreaterOrEqual(t, i, 0, name)
		return i
	}
	assert.Equal(t, "[169000000,171000000,173000000]", rows[1][column("samples_ns")])
	assert.Equal(t, "44", rows[1][column("limits_memory_gb_per_s")])
	assert.Equal(t, "0.99", rows[1][column("phases_ns_explained")])
	assert.Equal(t, "results/llama-bench.json", rows[3][column("source")])
	assert.Equal(t, "", rows[3][column("machine_cpu")], "that of another program is not known")
	sorted := slices.Clone(header)
	slices.Sort(sorted)
	assert.Len(t, slices.Compact(sorted), len(header), "a name appears twice")

	// Whatever a name has in it comes back, but for the carriage return, which the reader drops.
	rows, err = csv.NewReader(strings.NewReader(inForm(t, fixture(), "csv"))).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(hostile, "\r", ""), rows[5][column("model_type")])
}

// A line of JSON has all that the document has of a test, and what it was measured on.
func TestBenchLines(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(inForm(t, fixture(), "jsonl")), "\n")
	require.Len(t, lines, len(fixture().Tests))
	for i, line := range lines {
		var got struct {
			reports.Test
			Program reports.Program
			Machine reports.Machine
			Limits  reports.Limits
			Bench   int
		}
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		want := fixture()
		assert.Equal(t, want.Tests[i], got.Test)
		assert.Equal(t, want.Program, got.Program)
		assert.Equal(t, want.Machine, got.Machine)
		assert.Equal(t, reports.BenchVersion, got.Bench)
		assert.Equal(t, i < 4, got.Limits == want.Limits[0], "limits are those of the threads")
	}
	dec := json.NewDecoder(strings.NewReader(lines[0]))
	_, err := dec.Token()
	require.NoError(t, err)
	for _, name := range llamaBench {
		key, err := dec.Token()
		require.NoError(t, err)
		assert.Equal(t, name, key)
		require.NoError(t, dec.Decode(new(any)))
	}
}

func TestBenchstat(t *testing.T) {
	r := benchfmt.NewReader(strings.NewReader(inForm(t, beside(t), "benchstat")), "bench")
	lines := map[string][]float64{}
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			name, parts := rec.Name.Parts()
			assert.Equal(t, "/t=2", string(parts[len(parts)-1]))
			assert.Contains(t, rec.Name.String(), "/model=mini-q4_0.gguf/")
			ns, ok := rec.Value("sec/op")
			require.True(t, ok)
			lines[string(name)] = append(lines[string(name)], math.Round(1000*ns))
			assert.Equal(t, "AMD EPYC 7763 64-Core Processor", rec.GetConfig("cpu"))
			assert.Equal(t, "linux", rec.GetConfig("goos"))
			assert.Equal(t, "amd64", rec.GetConfig("goarch"))
			speed, ok := rec.Value("tok/s")
			assert.Equal(t, string(name) == "Pp512", ok)
			assert.Equal(t, ok, speed > 0)
		case *benchfmt.UnitMetadata:
		default:
			t.Fatalf("%v", rec)
		}
	}
	require.NoError(t, r.Err())
	assert.Equal(t, map[string][]float64{"Pp512": {169, 171, 173}, "Step32": {169, 171, 173}}, lines)
	assert.Equal(t, "higher", r.Units().Get("tok/s", "better").Value)
	assert.Equal(t, "lower", r.Units().Get("ns/op", "better").Value)
}

// A hostile name stays within its part of a benchmark's name.
func TestBenchstatNames(t *testing.T) {
	r := benchfmt.NewReader(strings.NewReader(inForm(t, fixture(), "benchstat")), "bench")
	n := 0
	for r.Scan() {
		if rec, ok := r.Result().(*benchfmt.Result); ok {
			_, parts := rec.Name.Parts()
			assert.True(t, strings.HasPrefix(string(parts[0]), "/model="), "%s", rec.Name)
			assert.True(t, strings.HasPrefix(string(parts[len(parts)-1]), "/t="), "%s", rec.Name)
			n++
			continue
		}
		_, ok := r.Result().(*benchfmt.UnitMetadata)
		require.True(t, ok, "%v", r.Result())
	}
	assert.Equal(t, 4*3+1, n)
}

// cells divides a line of a markdown table as GitHub does, and gives the text of each.
func cells(line string) []string {
	var all []string
	var cell strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			i++
			cell.WriteByte(line[i])
		case line[i] == '|':
			all = append(all, strings.TrimSpace(cell.String()))
			cell.Reset()
		default:
			cell.WriteByte(line[i])
		}
	}
	return all[1:]
}

func TestBenchMarkdown(t *testing.T) {
	text := inForm(t, fixture(), "md")
	lines := strings.Split(text, "\n")
	header := cells(lines[0])
	assert.Equal(t, []string{"model", "size", "params", "backend", "threads", "policy", "class", "test", "t/s", "ms/forward"}, header[:10])
	for _, line := range lines[2 : 2+5] {
		require.Len(t, cells(line), len(header), "%s", line)
	}
	odd := cells(lines[6])
	assert.Equal(t, "a|b\\|c`d`'e''f\"g\"&lt;b>&amp;amp;*h* -- i; DROP TABLE llada_bench;·[31m·  é世界 [j](k)", odd[0])
	assert.Equal(t, "-", odd[1])
	assert.NotContains(t, text, "\x1b")

	process := fixture()
	process.Tests = []reports.Test{{
		Name: "other", Kind: "process", AvgNS: 125e6, StddevNS: 25e5, SamplesNS: []uint64{122.5e6, 127.5e6},
	}}
	lines = strings.Split(inForm(t, process, "md"), "\n")
	header = cells(lines[0])
	at := slices.Index(header, "ms/run")
	require.Positive(t, at, "the time of a process has a column")
	assert.Equal(t, "125.0 ± 2.500", cells(lines[2])[at])

	same := fixture()
	same.Tests = same.Tests[1:2]
	assert.NotContains(t, inForm(t, same, "md"), "policy", "a column that is as usual")
	assert.NotContains(t, inForm(t, same, "md"), "ms/run", "without other programs")
	other := same.Tests[0]
	other.Model = `dir\other.gguf`
	same.Tests = append(same.Tests, other)
	header = cells(strings.Split(inForm(t, same, "md"), "\n")[0])
	assert.Equal(t, "file", header[1], "where names do not tell models apart")
	assert.Contains(t, inForm(t, same, "md"), "| other.gguf ")
}

func TestBenchRefusesForms(t *testing.T) {
	assert.ErrorContains(t, fixture().Write(io.Discard, "xml"), `form "xml" is not one of md, json, jsonl, csv, sql, benchstat`)
	for _, form := range reports.BenchForms() {
		for _, x := range []float64{math.NaN(), math.Inf(1), -1} {
			b := fixture()
			b.Tests[3].Forward.High = x
			assert.ErrorContains(t, b.Write(io.Discard, form), "tests[3].forward_ns.high is", form)
		}
	}
}

// Notes that differ in numbers alone are one, with ranges.
func TestBenchFootnotes(t *testing.T) {
	b := fixture()
	b.Tests = b.Tests[:3]
	b.Tests[0].Warnings = []string{"others computed on 1.04 of 2 processors"}
	b.Tests[1].Warnings = []string{"others computed on 0.9 of 2 processors", "stolen: 3 %"}
	b.Tests[2].Warnings = []string{"stolen: 12 %", "others computed on 1.5 of 2 processors"}
	text := inForm(t, b, "md")
	assert.Contains(t, text, "pp512 (1) ")
	assert.Contains(t, text, "step32 (1) (2) ")
	assert.Contains(t, text, "step32/16 (2) (1) ")
	assert.Contains(t, text, "\n- (1) others computed on 0.9 to 1.5 of 2 processors\n- (2) stolen: 3 to 12 %\n- machine")
}
