package reports_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func keptDivergence() *reports.Divergence {
	figures := func(upTo float64, positions int, kld, most float64) reports.DivergenceFigures {
		return reports.DivergenceFigures{
			UpTo: upTo, Positions: positions, KLD: reports.Interval{Mean: kld, Low: kld / 2, High: kld * 2}, MaxKLD: most,
			Agreement: reports.Interval{Mean: 0.96875, Low: 0.95, High: 0.98}, ProbChange: reports.Interval{Mean: 0.03, Low: 0.02, High: 0.04},
		}
	}
	return &reports.Divergence{
		Version: 1, Program: fixture().Program, Machine: fixture().Machine, Command: []string{"kld", "--model", hostile},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ModelPath: "dir/" + hostile, ReferencePath: "mini-bf16.gguf",
		Model:     reports.File{Name: "dir/" + hostile, SHA256: hash("model"), Type: "q4_k", Size: 9_238_000_000, Bits: 4.5463},
		Reference: reports.File{Name: "mini-bf16.gguf", SHA256: hash("reference"), Type: "bf16", Size: 32_511_000_000, Bits: 16},
		Data:      "prompts.jsonl", DataHash: hash("data"), Settings: json.RawMessage(`{"steps":32}`), Prompts: 50,
		All: figures(1, 3000, 0.0125, 2.5),
		Buckets: []reports.DivergenceFigures{
			figures(0.25, 500, 0.005, 1), figures(0.5, 1000, 0.01, 2), {UpTo: 0.75}, figures(1, 1500, 0.0175, 2.5),
		},
	}
}

func conversion() *reports.Conversion {
	return &reports.Conversion{
		Version: 2, Program: fixture().Program, Machine: fixture().Machine, Command: []string{"convert", "--from", hostile},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 61.5, Source: hostile,
		Sources:    []reports.InputFile{{Name: "dir/" + hostile, Size: 1234, SHA256: hash("config")}, {Name: "dir/model.safetensors", Size: 32_511_000_000, SHA256: hash("weights")}},
		Importance: &reports.InputFile{Name: "mini.imatrix", Size: 9_000_000, SHA256: hash("imatrix")},
		File:       reports.File{Name: "mini-00001-of-00002.gguf", SHA256: hash("model"), Type: "q4_k_m", Size: 9_238_000_000, Bits: 4.5463},
		Files:      []string{"mini-00001-of-00002.gguf", "mini-00002-of-00002.gguf"}, Recipe: "mini.recipe.yaml", Bytes: 9_240_000_000, Type: "q4_k_m",
		Tensors: 403, Weights: 16_255_643_392, Bits: 4.5463, NonFinite: 1, Fallbacks: []string{"blk.1." + hostile}, Neutral: 3,
		Fit:   &reports.Fit{Error: 0.125, Gap: 0.001},
		Types: []reports.TypeUse{{Type: "q4_k", Tensors: 400, Weights: 16_000_000_000, Bytes: 9_000_000_000}, {Type: "f32", Tensors: 3, Weights: 4096, Bytes: 16384}},
		Experts: []reports.ExpertTypes{
			{Layer: 1, Gate: []string{"q4_k", "q6_k"}, Up: []string{"q4_k", "q4_k"}, Down: []string{"q8_0", hostile}},
			{Layer: 2, Gate: []string{"q4_k", "q4_k"}, Up: []string{"q4_k", "q4_k"}, Down: []string{"q4_k", "q4_k"}},
		},
	}
}

func verification() *reports.Verification {
	v := &reports.Verification{
		Version: 1, Program: fixture().Program, Machine: fixture().Machine, Command: []string{"verify", "--source", hostile},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Source: "dir/" + hostile,
		File:  reports.File{Name: "mini-q4_0.gguf", SHA256: hash("model"), Type: "q4_0", Size: 9_238_000_000, Bits: 4.5463},
		Files: []string{"mini-q4_0.gguf"}, SHA256: hash("tensors"), Experts: 2, Faults: 1, RelRMS: 0.0625,
		Found: []reports.Finding{
			{Severity: "fault", Tensor: "blk.1.ffn_up_exps.weight", Layer: 1, Expert: 3, Kind: "swapped", Text: "holds expert 5's weights"},
			{Severity: "warning", Layer: -1, Expert: -1, Kind: "metadata", Text: hostile},
		},
		Checks: []reports.TensorCheck{
			{
				Name: "blk.1.ffn_up_exps.weight", Type: "q4_0", Dims: []uint64{64, 32, 2}, Elements: 4096, Compared: true,
				MaxAbs: 0.5, RelRMS: 0.0625, Reachable: 0.05, SHA256: hash("up"),
				Experts: []reports.ExpertCheck{{Expert: 0, MaxAbs: 0.1, RelRMS: 0.05, Reachable: 0.05}, {Expert: 1, MaxAbs: 0.5, RelRMS: 0.075, Reachable: 0.05}},
			},
			{Name: hostile, Type: "i32", Dims: []uint64{2}, Elements: 2, SHA256: hash("index")},
		},
	}
	v.Sum()
	return v
}

// compacted is JSON as it was before a document was indented.
func compacted(t testing.TB, data json.RawMessage) json.RawMessage {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, data))
	return b.Bytes()
}

// form returns a result in a form.
func form(t testing.TB, v interface {
	Write(w io.Writer, form string) error
}, name string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, v.Write(&out, name))
	return out.String()
}

// kind is a kind of result files: how it is written, read, and what must come of it. Only
// the newest version is written, by -update; files of those before stay as they were made.
type kind struct {
	name   string // of the file, without version and ending
	newest int
	ending string
	text   func(t testing.TB) string
	read   func(t testing.TB, r io.Reader) any
	want   any // of the newest version; nil: its text
}

func kinds() []kind {
	return []kind{
		{"bench", reports.BenchVersion, ".json", func(t testing.TB) string { return form(t, fixture(), "json") }, func(t testing.TB, r io.Reader) any {
			b, err := reports.ReadBench(r)
			require.NoError(t, err)
			return b
		}, fixture()},
		{"sweep", reports.SweepVersion, ".json", func(t testing.TB) string { return form(t, sweep(), "json") }, func(t testing.TB, r io.Reader) any {
			s, err := reports.ReadSweep(r)
			require.NoError(t, err)
			for i := range s.Cells {
				s.Cells[i].Settings = compacted(t, s.Cells[i].Settings)
			}
			return s
		}, sweep()},
		{"eval", reports.EvalVersion, "/results.json", func(t testing.TB) string { return form(t, evaluation(), "json") }, func(t testing.TB, r io.Reader) any {
			e, err := reports.ReadEval(r)
			require.NoError(t, err)
			e.Settings = compacted(t, e.Settings)
			return e
		}, evaluation()},
		{"eval", reports.EvalVersion, "/samples.jsonl", samplesText, func(t testing.TB, r io.Reader) any {
			samples, torn, err := reports.ReadSamples(r)
			require.NoError(t, err)
			require.False(t, torn)
			return samples
		}, evalSamples()},
		{"kld", reports.DivergenceVersion, ".json", func(t testing.TB) string { return form(t, keptDivergence(), "json") }, func(t testing.TB, r io.Reader) any {
			d, err := reports.ReadDivergence(r)
			require.NoError(t, err)
			d.Settings = compacted(t, d.Settings)
			return d
		}, keptDivergence()},
		{"conversion", reports.ConversionVersion, ".json", func(t testing.TB) string { return form(t, conversion(), "json") }, func(t testing.TB, r io.Reader) any {
			c, err := reports.ReadConversion(r)
			require.NoError(t, err)
			return c
		}, conversion()},
		{"verification", reports.VerificationVersion, ".json", func(t testing.TB) string { return form(t, verification(), "json") }, func(t testing.TB, r io.Reader) any {
			v, err := reports.ReadVerification(r)
			require.NoError(t, err)
			return v
		}, verification()},
		{"comparison", reports.ComparisonVersion, ".json", func(t testing.TB) string { return form(t, comparisonOf(t), "json") }, func(t testing.TB, r io.Reader) any {
			c, err := reports.ReadComparison(r)
			require.NoError(t, err)
			return form(t, c, "json") // nil and empty lists are the same there
		}, nil},
		{"trace", reports.TraceVersion, ".jsonl", func(t testing.TB) string { return string(written(t, example(), false)) }, func(t testing.TB, r io.Reader) any {
			trace, err := reports.ReadTrace(r)
			require.NoError(t, err)
			return trace
		}, example()},
	}
}

func samplesText(t testing.TB) string {
	var lines strings.Builder
	for _, s := range evalSamples() {
		data, err := json.Marshal(s)
		require.NoError(t, err)
		lines.Write(append(data, '\n'))
	}
	return lines.String()
}

// Files of every version of every kind are read for ever.
func TestVersions(t *testing.T) {
	for _, k := range kinds() {
		for version := 1; version <= k.newest; version++ {
			name := fmt.Sprintf("versions/%s-%d%s", k.name, version, k.ending)
			t.Run(name, func(t *testing.T) {
				if version == k.newest {
					require.NoError(t, os.MkdirAll(filepath.Dir("testdata/"+name), 0o777))
					golden(t, name, k.text(t))
				}
				data, err := os.ReadFile("testdata/" + name)
				require.NoError(t, err)
				got := k.read(t, bytes.NewReader(data))
				if version == k.newest && k.want != nil {
					assert.Equal(t, k.want, got)
				} else if version == k.newest {
					assert.Equal(t, k.text(t), got)
				}
			})
		}
	}
}

func TestDivergenceMarkdown(t *testing.T) { golden(t, "kld.md", form(t, keptDivergence(), "md")) }

func TestVerificationMarkdown(t *testing.T) {
	golden(t, "verification.md", form(t, verification(), "md"))
}

// What the readers that share a way refuse.
func TestReadRefuses(t *testing.T) {
	for _, k := range []struct {
		key     string
		newest  int
		kind    error
		objects int
		bytes   int
		read    func(io.Reader) error
		more    map[string]string // documents of the kind, with a version in place of V
	}{
		{"sweep", reports.SweepVersion, reports.ErrSweep, 200_000, 32 << 20, func(r io.Reader) error { _, err := reports.ReadSweep(r); return err }, map[string]string{
			`{V,"cells":[{"n_threads":-1}]}`:                   "cells[0].n_threads is -1",
			`{V,"axes":["threshold"],"cells":[{"values":[]}]}`: "cells[0] has not the 1 values of the axes",
			`{V,"cells":[{},{"same_tokens":1.5}]}`:             "cells[1].same_tokens is 1.5",
			`{V,"cells":[{"tokens_per_s":{"median":-2}}]}`:     "cells[0].tokens_per_s.median is -2",
			`{V,"cells":[{"accuracy":1e999}]}`:                 "1e999",
			`{V,"SWEEP":7}`:                                    "version 7",
			`{V,"machine":{"memory":-1}}`:                      "-1",
		}},
		{"kld", reports.DivergenceVersion, reports.ErrDivergence, 10_000, 4 << 20, func(r io.Reader) error { _, err := reports.ReadDivergence(r); return err }, map[string]string{
			`{V,"all":{"kld":{"mean":-0.5}}}`:         "all.kld.mean is -0.5",
			`{V,"all":{"top1":{"high":1.5}}}`:         "all.top1.high is 1.5",
			`{V,"by_mask_share":[{},{"up_to":2}]}`:    "by_mask_share[1].up_to is 2",
			`{V,"model":{"file":"x"}}`:                "cannot unmarshal object",
			`{V,"model_file":{"bits_per_weight":-4}}`: "model_file.bits_per_weight is -4",
		}},
		{"conversion", reports.ConversionVersion, reports.ErrConversion, 50_000, 16 << 20, func(r io.Reader) error { _, err := reports.ReadConversion(r); return err }, map[string]string{
			`{V,"experts":[{"gate":["a","b"],"up":["a"]}]}`: "experts[0].up has 1 of 2 experts",
			`{V,"fit":{"gap":-1}}`:                          "fit.gap is -1",
			`{V,"bytes":-1}`:                                "-1",
			`{"conversion":2,"source_files":[{}]}`:          `source_files[0].sha256 is ""`,
			`{"conversion":2,"imatrix":{"sha256":"0g"}}`:    `imatrix.sha256 is "0g"`,
			`{V,"nonfinite":1.5}`:                           "1.5",
		}},
		{"verification", reports.VerificationVersion, reports.ErrVerification, 500_000, 64 << 20, func(r io.Reader) error { _, err := reports.ReadVerification(r); return err }, map[string]string{
			`{V,"findings":[{"layer":-2}]}`:                "findings[0] has layer -2",
			`{V,"findings":[{"severity":"fault"}]}`:        "faults is 0, and 1 findings are some",
			`{V,"faults":1}`:                               "faults is 1, and 0 findings are some",
			`{V,"tensors":[{"experts":[{"rel_rms":-1}]}]}`: "tensors[0].experts[0].rel_rms is -1",
			`{V,"tensors":3}`:                              "cannot unmarshal number",
		}},
	} {
		version := fmt.Sprintf("%q:1", k.key)
		all := map[string]string{
			"": "unexpected end", "null": "no version under", "[]": "cannot unmarshal array", `{"bench":1}`: `no version under "` + k.key + `"`,
			fmt.Sprintf(`{%q:0}`, k.key): "no version under", fmt.Sprintf(`{%q:1.5}`, k.key): "its version",
			fmt.Sprintf(`{%q:%d,"all":[],"cells":1}`, k.key, k.newest+1): fmt.Sprintf("version %d, and this program reads up to %d: use a newer one", k.newest+1, k.newest),
			`{` + version + `}x`: "invalid character",
			`{` + version + `,"x":[` + strings.Repeat("{},", k.objects) + `{}]}`: fmt.Sprintf("%d objects are more than %d", k.objects+2, k.objects),
			`{` + version + `}` + strings.Repeat(" ", k.bytes):                   fmt.Sprintf("more than %d MiB", k.bytes>>20),
		}
		for text, want := range k.more {
			all[strings.Replace(text, "V", version, 1)] = want
		}
		for text, want := range all {
			err := k.read(strings.NewReader(text))
			short := text[:min(len(text), 80)]
			require.ErrorIs(t, err, k.kind, "%s", short)
			assert.ErrorContains(t, err, want, "%s", short)
			assert.NotContains(t, err.Error(), "\n")
		}
		assert.NoError(t, k.read(strings.NewReader(`{`+version+`,"unknown":[{}]}`)))
	}
}

// What cannot be is not written either.
func TestWriteRefuses(t *testing.T) {
	d := keptDivergence()
	d.Buckets[1].Agreement.Mean = 2
	assert.ErrorContains(t, d.Write(io.Discard, "md"), "by_mask_share[1].top1.mean is 2")
	v := verification()
	v.Faults = 0
	assert.ErrorContains(t, v.Write(io.Discard, "json"), "faults is 0")
	c := conversion()
	c.Version = 0
	assert.ErrorContains(t, c.Write(io.Discard, "json"), "version 0")
	assert.ErrorContains(t, keptDivergence().Write(io.Discard, "csv"), `form "csv" is not one of md, json`)
	assert.ErrorContains(t, verification().Write(io.Discard, "csv"), `form "csv" is not one of md, json`)
	assert.ErrorContains(t, conversion().Write(io.Discard, "md"), `form "md" is not json`)
}

// writer is a result.
type writer interface {
	Write(w io.Writer, form string) error
}

// fuzzRead requires that what can be read can be written, and read again as it was.
func fuzzRead[T any, P interface {
	*T
	writer
}](f *testing.F, file string, forms []string, read func(io.Reader) (*T, error)) {
	data, err := os.ReadFile("testdata/versions/" + file)
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := read(bytes.NewReader(data))
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		for _, name := range forms {
			form(t, P(v), name)
		}
		text := form(t, P(v), "json")
		again, err := read(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, text, form(t, P(again), "json"))
	})
}

func FuzzReadSweep(f *testing.F) {
	fuzzRead(f, "sweep-1.json", reports.SweepForms(), reports.ReadSweep)
}

func FuzzReadDivergence(f *testing.F) {
	fuzzRead(f, "kld-1.json", reports.DivergenceForms(), reports.ReadDivergence)
}

func FuzzReadConversion(f *testing.F) {
	fuzzRead(f, "conversion-2.json", []string{"json"}, reports.ReadConversion)
}

func FuzzReadComparison(f *testing.F) {
	fuzzRead(f, "comparison-1.json", reports.ComparisonForms(), reports.ReadComparison)
}

func FuzzReadVerification(f *testing.F) {
	fuzzRead(f, "verification-1.json", reports.VerificationForms(), reports.ReadVerification)
}
