package reports_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func svg(t testing.TB, f *reports.Figure) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, f.WriteSVG(&out))
	return out.String()
}

func figure(t testing.TB, c *reports.Collection, name string) *reports.Figure {
	t.Helper()
	for _, f := range c.Figures() {
		if f.Name == name {
			return f
		}
	}
	require.Fail(t, "there is no figure "+name)
	return nil
}

func names(c *reports.Collection) (all []string) {
	for _, f := range c.Figures() {
		all = append(all, f.Name)
	}
	return all
}

func TestFigureGolden(t *testing.T) {
	golden(t, "pareto.svg", svg(t, figure(t, usual(), "pareto")))
	golden(t, "experts.svg", svg(t, figure(t, &reports.Collection{Traces: results(recorded(2, 5))}, "experts")))
	golden(t, "limits.html", figure(t, usual(), "limits").Inline())
}

func TestFiguresHaveData(t *testing.T) {
	assert.Empty(t, new(reports.Collection).Figures())
	assert.Equal(t, []string{"pareto", "pareto-2", "size-kld", "phases", "limits", "tpf", "experts", "confusion", "expert-types"}, names(usual()))
	// Results without a value, and values with nothing in them.
	nothing := &reports.Collection{
		Benches: results(nil, &reports.Bench{}), Sweeps: results(nil, &reports.Sweep{}), Evals: results(nil, &reports.Run{}, &reports.Run{Eval: &reports.Eval{}}),
		Divergences: results(nil, &reports.Divergence{}), Conversions: results(nil, &reports.Conversion{}, &reports.Conversion{Experts: []reports.ExpertTypes{{Layer: 1}}}),
		Traces: results(nil, &reports.Trace{}, &reports.Trace{Steps: make([]reports.TraceStep, 2)}),
	}
	assert.Equal(t, []string{"confusion"}, names(nothing), "entropies of 0 are data")
}

// edges are collections at the ends of what there can be.
func edges() map[string]*reports.Collection {
	all := map[string]*reports.Collection{
		"usual": usual(),
		"one":   {Sweeps: results(sweepOf([2]float64{20, 0.5})), Divergences: results(divergence("q4_0", 9e9, 4.5, 0.02)), Traces: results(recorded(1, 1)), Evals: results(answered("m", "gsm8k", 1)), Benches: results(generation("m"))},
		"equal": {
			Sweeps: results(sweepOf([2]float64{20, 1}, [2]float64{20, 1}, [2]float64{20, 1})), Divergences: results(divergence("a", 9e9, 4.5, 0), divergence("b", 9e9, 4.5, 0)),
			Traces: results(recorded(3, 1)),
		},
		"range": {
			Sweeps:      results(sweepOf([2]float64{1e-3, 0}, [2]float64{1e9, 1}, [2]float64{1e14, 0.5})),
			Divergences: results(divergence("a", 1, 1, 1e-12), divergence("b", 1<<63, 16, 1e9), divergence("c", 1<<31, 16, 5e-324)),
		},
		"many": {Traces: results(recorded(300, 32)), Evals: results(answered("m", "gsm8k", 3000))},
	}
	cells, models := [][2]float64{}, []string{}
	for i := range 700 {
		cells = append(cells, [2]float64{10 + float64(i*37%100), float64(i*53%100) / 100})
	}
	for i := range 60 {
		models = append(models, "models/a-model-with-a-long-name-"+strconv.Itoa(i)+"-q4_0.gguf")
	}
	all["many"].Sweeps, all["many"].Benches = results(sweepOf(cells...)), results(generation(models...))

	types := make([]string, 3000)
	for i := range types {
		types[i] = "t" + strconv.Itoa(i*i%97)
	}
	wide := &reports.Conversion{}
	for layer := range 100 {
		wide.Experts = append(wide.Experts, reports.ExpertTypes{Layer: layer, Gate: types, Up: types[:layer], Down: types[layer:]})
	}
	all["many"].Conversions = results(wide)
	for range 20 {
		all["many"].Conversions = append(all["many"].Conversions, results(mixture())...)
	}
	return all
}

// bad has numbers that no result has, and texts that are more than text.
func bad() *reports.Collection {
	c := usual()
	numbers := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -1, 1e15}
	text := hostile + "\u202e</script></svg>]]>\ufffe\x85\u2028\xff" + strings.Repeat("W", 1<<17)
	sweep, bench, trace, run := c.Sweeps[0].Value, c.Benches[0].Value, c.Traces[0].Value, c.Evals[0].Value
	for i, v := range numbers {
		sweep.Cells = append(sweep.Cells, sweepOf([2]float64{v, 0.5}, [2]float64{20, v}).Cells...)
		test := bench.Tests[0]
		test.Memory, test.Compute, test.Phases.FFN, test.Phases.Explained, test.AvgTS, test.SamplesTS = v, v, v, 1e-300, v, numbers
		test.Name, test.Type, test.Model, test.Threads = text, text, text, i
		bench.Tests = append(bench.Tests, test)
		step := trace.Steps[i]
		step.Entropy, step.Margin, step.Experts = v, v, []int{math.MaxInt, math.MinInt, -1, i}
		trace.Steps = append(trace.Steps, step)
		d := divergence(text, math.MaxUint64, v, v)
		d.Model.Name, d.Reference.Name = text, text
		c.Divergences = append(c.Divergences, results(d, divergence("q", 1, v, 0.1))...)
		run.Eval.Tasks[0].Low, run.Eval.Tasks[0].High = v, -v
	}
	for i := range sweep.Cells {
		sweep.Cells[i].Values[0] += text
	}
	sweep.Data, sweep.Axes = text, []string{text}
	run.Eval.Tasks[0].Task, run.Samples[0].Task, run.Samples[1].Tokens, run.Samples[2].Denoise = text, text, math.MaxInt, -5
	c.Conversions[0].Value.Experts[2].Gate[3] = text
	c.Conversions[0].Value.Experts[2].Layer = math.MinInt
	for i := range c.Traces {
		c.Traces[i].Path = text
	}
	c.Traces = append(c.Traces, c.Traces[0])
	return c
}

func TestFiguresAreWhole(t *testing.T) {
	all := edges()
	all["bad"] = bad()
	for name, c := range all {
		figures := c.Figures()
		require.NotEmpty(t, figures, name)
		seen := map[string]bool{}
		for _, f := range figures {
			require.False(t, seen[f.Name], "%s: two figures %s", name, f.Name)
			seen[f.Name] = true
			text := svg(t, f)
			whole(t, name+": "+f.Name, text)
			whole(t, name+": "+f.Name, f.Inline())
			assert.Less(t, len(text), 400_000, "%s: %s", name, f.Name)
			assert.NotEmpty(t, f.Title)
			assert.NotEmpty(t, f.Note)
		}
	}
}

var (
	unwanted  = regexp.MustCompile(`(?i)NaN|Inf\b|%!|<script|https?://[^w]|url\(|[\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
	numbersOf = regexp.MustCompile(`-?[0-9.]+`)
)

// whole holds that a figure is XML, that all that it draws is inside of it, and that it
// needs nothing else.
func whole(t *testing.T, name, text string) {
	t.Helper()
	require.Empty(t, unwanted.FindString(text), name)
	dec := xml.NewDecoder(strings.NewReader(text))
	var top, bottom float64
	ids := map[string]bool{}
	for depth := 0; ; {
		token, err := dec.Token()
		if err == io.EOF {
			require.Zero(t, depth)
			break
		}
		require.NoError(t, err, name)
		switch e := token.(type) {
		case xml.EndElement:
			depth--
		case xml.StartElement:
			depth++
			at := map[string]float64{}
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "viewBox":
					parts := strings.Fields(a.Value)
					top = must(t, parts[1])
					bottom = top + must(t, parts[3])
					require.Equal(t, "720", parts[2])
				case "id":
					require.False(t, ids[a.Value], a.Value)
					ids[a.Value] = true
				case "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height":
					at[a.Name.Local] = must(t, a.Value)
				case "d":
					pathInside(t, name, a.Value, top, bottom)
				case "class", "xmlns", "role", "aria-labelledby":
				default:
					require.Fail(t, "attribute", "%s: %s", name, a.Name.Local)
				}
			}
			if e.Name.Local == "svg" {
				continue
			}
			for key, v := range at {
				switch key {
				case "x", "x1", "x2", "cx":
					require.True(t, v >= 0 && v+at["width"] <= 720.01, "%s: %s %g", name, key, v)
				case "y", "y1", "y2", "cy":
					require.True(t, v >= top && v+at["height"] <= bottom+0.01, "%s: %s %g", name, key, v)
				}
			}
		}
	}
}

func pathInside(t *testing.T, name, data string, top, bottom float64) {
	t.Helper()
	for _, part := range regexp.MustCompile(`[A-Z][^A-Z]*`).FindAllString(data, -1) {
		numbers := numbersOf.FindAllString(part, -1)
		xs, ys := numbers[:0], numbers[:0]
		switch part[0] {
		case 'M', 'L':
			require.Len(t, numbers, 2)
			xs, ys = numbers[:1], numbers[1:]
		case 'H':
			xs = numbers
		case 'V':
			ys = numbers
		case 'Z':
		default:
			require.Fail(t, "path", part)
		}
		for _, x := range xs {
			require.True(t, must(t, x) >= 0 && must(t, x) <= 720, "%s: %s", name, part)
		}
		for _, y := range ys {
			require.True(t, must(t, y) >= top && must(t, y) <= bottom, "%s: %s", name, part)
		}
	}
}

func must(t testing.TB, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return v
}

func TestFiguresAreDeterministic(t *testing.T) {
	draw := func() (all string) {
		c := edges()["many"]
		c.Traces = nil
		for _, f := range append(c.Figures(), usual().Figures()...) {
			all += f.Inline()
		}
		return all
	}
	first := draw()
	for range 3 {
		require.Equal(t, first, draw())
	}
}
