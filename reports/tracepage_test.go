package reports_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"lladakit/reports"
)

// hostileTexts are tokens that a page could trip over.
var hostileTexts = []string{
	"</script><script>document.title='broken'</script>", "<img src=x onerror=\"document.title='broken'\">", "<!--<script>", "]]>",
	"\u202eback", "\u2066\u200b\u00ad\ufeff", "\x00\x1b[31m\x7f\u0085", "\u2028\u2029", "e" + strings.Repeat("\u0301", 50),
	"{{.Title}}${1}`", "\U000e0041\U0010ffff", "\n", "\t", "\ufffd", " عربى", strings.Repeat("long", 1000), "&lt;b>", "'\"\\",
}

// longTrace is a generation of so many tokens, with words, hostile tokens, a few edits and
// some confusion.
func longTrace(tokens int) *reports.Trace {
	const block, mask, eos, layers = 32, 9, 8, 20
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{" the", " answer", " is", " of", " model", "s", ",", ".", " 42", " =", " return", "\n"}
	text := func(id int32) string {
		if id%41 == 0 {
			return hostileTexts[int(id/41)%len(hostileTexts)]
		}
		return words[int(id)%len(words)]
	}
	t := &reports.Trace{Header: reports.TraceHeader{
		Trace: 1, Program: "llada test", Model: "models/" + hostileTexts[0] + ".gguf", Type: "q4_0", Kernels: "avx2", Threads: 2, Class: "exact",
		Mask: mask, EOS: eos, Block: block, PromptIDs: make([]int32, 40), Prompt: strings.Join(hostileTexts, " "),
		Settings: []byte(`{"threshold":0.95,"steps":32,"policy":{"name":"</script>\u202e"}}`),
	}}
	var answer []int32
	for b := 1; len(answer) < tokens; b++ {
		prompt := 0
		if b == 1 {
			prompt = 40 - block
		}
		now := slices.Repeat([]int32{mask}, block)
		for i := range prompt {
			now[i] = 5
		}
		for step, left := 0, block-prompt; left > 0; step++ {
			s := reports.TraceStep{
				Block: b, Step: step, Prompt: prompt, Wrote: make([]bool, block), Stats: make([]*reports.TracePrediction, block),
				Entropy: rng.Float64() * 3, Margin: rng.Float64(), Zone: rng.IntN(15) == 0, MS: reports.TraceTime{Attention: 10, FFN: 80, Head: 30, Total: 125 + rng.Float64()},
			}
			for l := range layers {
				s.Experts = append(s.Experts, min(l, 1)*(60+rng.IntN(90)))
			}
			for i := prompt; i < block; i++ {
				if now[i] != mask {
					continue
				}
				p := 1 - rng.Float32()*rng.Float32()
				id := int32(10 + rng.IntN(2000))
				if len(answer)+block > tokens && i > 20 { // the last block is filled with ends
					id = eos
				}
				s.Stats[i] = &reports.TracePrediction{Token: id, Text: text(id), Prob: p, Second: (1 - p) * rng.Float32(), Entropy: 3 * (1 - p)}
				if p > 0.9 || left == 1 {
					now[i], s.Wrote[i] = id, true
					left--
				}
			}
			if i := prompt + rng.IntN(block-prompt); rng.IntN(4) == 0 && now[i] != mask && !s.Wrote[i] {
				s.Edited = make([]bool, block)
				s.Edited[i] = true
				now[i] = int32(10 + rng.IntN(2000))
				s.Stats[i] = &reports.TracePrediction{Token: now[i], Text: text(now[i]), Prob: 0.97, Second: 0.01, Entropy: 0.1}
			}
			s.Tokens = slices.Clone(now)
			t.Steps = append(t.Steps, s)
		}
		answer = append(answer, now[prompt:]...)
	}
	t.End = &reports.TraceEnd{End: "length", IDs: answer[:tokens], Text: strings.Join(hostileTexts, "\n")}
	return t
}

// pageContents is what a page's data have.
type pageContents struct {
	Title    string      `json:"title"`
	Facts    [][2]string `json:"facts"`
	Settings [][2]string `json:"settings"`
	Notices  []string    `json:"notices"`
	Prompt   string      `json:"prompt"`
	Answer   string      `json:"answer"`
	Block    int         `json:"block"`
	Pieces   []string    `json:"pieces"`
	IDs      []int32     `json:"ids"`
	End      int         `json:"end"`
	Rows     [][2]int    `json:"rows"`
	Steps    []struct {
		Row         int    `json:"r"`
		Step        int    `json:"n"`
		Changes     []int  `json:"c"`
		Predictions []int  `json:"p"`
		Entropy     int    `json:"e"`
		Margin      int    `json:"m"`
		Change      int    `json:"d"`
		Zone        int    `json:"z"`
		Experts     []int  `json:"x"`
		Time        [4]int `json:"t"`
	} `json:"steps"`
}

// page writes a page, checks that it is well-formed, and returns it and its data.
func page(t testing.TB, trace *reports.Trace) (string, *pageContents) {
	t.Helper()
	var b bytes.Buffer
	written, err := trace.WritePage(&b)
	require.NoError(t, err)
	text := b.String()
	require.Equal(t, b.Len(), written.Bytes)
	for _, r := range text {
		require.True(t, r == '\n' || unicode.IsPrint(r), "%U in the page", r)
	}
	root, err := html.Parse(&b)
	require.NoError(t, err)
	var policy, data string
	var scripts, styles []string
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			require.NotContains(t, []string{"src", "href", "style", "srcset", "data", "action"}, a.Key)
			require.False(t, strings.HasPrefix(a.Key, "on"), a.Key)
		}
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "meta" && n.Attr[0].Val == "Content-Security-Policy":
			policy = n.Attr[1].Val
		case n.Data == "style":
			styles = append(styles, n.FirstChild.Data)
		case n.Data == "script" && len(n.Attr) > 0:
			require.Empty(t, data)
			data = n.FirstChild.Data
		case n.Data == "script":
			scripts = append(scripts, n.FirstChild.Data)
		case n.Data == "img" || n.Data == "iframe" || n.Data == "link":
			require.Fail(t, n.Data)
		}
	}
	require.Len(t, scripts, 1)
	require.Len(t, styles, 1)
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	require.Equal(t, "default-src 'none'; script-src "+hash(scripts[0])+"; style-src "+hash(styles[0])+"; base-uri 'none'; form-action 'none'", policy)
	c := new(pageContents)
	d := json.NewDecoder(strings.NewReader(data))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(c))
	require.Equal(t, len(c.Steps), written.Steps)
	require.Equal(t, c.Notices, written.Notices)
	return text, c
}

// TestTracePage replays the page's data, which have the trace's tokens after every step.
func TestTracePage(t *testing.T) {
	trace := longTrace(500)
	text, c := page(t, trace)
	assert.Equal(t, 2, strings.Count(text, "</script"))
	assert.NotContains(t, text, "<img")
	assert.Empty(t, c.Notices)
	require.Len(t, c.Steps, len(trace.Steps))
	assert.Contains(t, c.Facts, [2]string{"tokens", "500"})
	assert.Contains(t, c.Facts, [2]string{"forwards", fmt.Sprint(len(trace.Steps))})
	assert.Contains(t, c.Facts, [2]string{"threshold", "0.95"})
	assert.Equal(t, [][2]string{{"policy", `{"name":"</script>\u202e"}`}, {"steps", "32"}, {"threshold", "0.95"}}, c.Settings[:3])

	state := map[int][]int32{}
	edits := 0
	for n, s := range c.Steps {
		want := &trace.Steps[n]
		block, prompt := c.Rows[s.Row][0], c.Rows[s.Row][1]
		require.Equal(t, []int{want.Block, want.Step, want.Prompt}, []int{block, s.Step, prompt})
		if state[block] == nil {
			state[block] = slices.Repeat([]int32{trace.Header.Mask}, c.Block)
			copy(state[block], want.Tokens[:prompt])
		}
		for j := 0; j < len(s.Changes); j += 3 {
			i, kind := s.Changes[j], s.Changes[j+2]
			state[block][i] = c.IDs[s.Changes[j+1]]
			assert.Equal(t, want.Wrote[i], kind == 1)
			if assert.Equal(t, want.Edited != nil && want.Edited[i], kind == 2); kind == 2 {
				edits++
			}
		}
		require.Equal(t, want.Tokens, state[block], "step %d", n)
		predictions := 0
		for i, p := range want.Stats {
			if p == nil {
				continue
			}
			got := s.Predictions[5*predictions:][:5]
			predictions++
			assert.Equal(t, []int{i, int(p.Token)}, []int{got[0], int(c.IDs[got[1]])})
			assert.InDelta(t, p.Prob*1000, got[2], 0.51)
			assert.InDelta(t, p.Second*1000, got[3], 0.51)
			assert.InDelta(t, p.Entropy*1000, got[4], 0.51)
		}
		assert.Len(t, s.Predictions, 5*predictions)
		assert.Equal(t, want.Zone, s.Zone == 1)
		assert.Equal(t, want.Experts, s.Experts)
		assert.InDelta(t, want.MS.Total*1000, s.Time[3], 0.51)
	}
	assert.NotZero(t, edits)
}

// TestTracePageTexts: nothing that a token has is invisible or has an effect.
func TestTracePageTexts(t *testing.T) {
	for text, want := range map[string]string{
		"a b":                              "a b",
		"a\n":                              "a⏎\n",
		"\t\r\x00\x1b\x7f":                 "→␍␀␛␡",
		"\u202e\u200b":                     "⟨U+202E⟩⟨U+200B⟩",
		"\u0085\u2028\U000e0041\U0010ffff": "⟨U+0085⟩⟨U+2028⟩⟨U+E0041⟩⟨U+10FFFF⟩",
		"e" + strings.Repeat("\u0301", 5):  "e\u0301\u0301\u0301\u0301⟨U+0301⟩",
		"\u0301":                           "◌\u0301",
		"</script>":                        "</script>",
		strings.Repeat("世", 65):            strings.Repeat("世", 64) + "…",
		"":                                 "⟨3⟩",
	} {
		trace := example()
		trace.Steps[0].Stats[1].Text = text
		_, c := page(t, trace)
		assert.Equal(t, want, c.Pieces[slices.Index(c.IDs, 3)], "%q", text)
	}
}

// TestTracePageParts: what is missing is said, and the rest is there.
func TestTracePageParts(t *testing.T) {
	torn := example()
	torn.End = nil
	_, c := page(t, torn)
	assert.Equal(t, []string{"The trace has no end: the program was stopped, or still writes. It is shown as far as it goes."}, c.Notices)
	assert.Contains(t, c.Facts, [2]string{"tokens", "1"})
	assert.Contains(t, c.Facts, [2]string{"end", "none"})

	failed := example()
	failed.End = &reports.TraceEnd{End: "interrupted", Error: "no\x1bspace\n" + strings.Repeat("x", 1000)}
	_, c = page(t, failed)
	assert.Equal(t, []string{"The generation ended with an error: no␛space⏎" + strings.Repeat("x", 391) + "…"}, c.Notices)
	failed.End.Error = ""
	_, c = page(t, failed)
	assert.Equal(t, []string{"The generation was interrupted: it is shown as far as it goes."}, c.Notices)

	empty := example()
	empty.Steps, empty.Header.Settings = nil, []byte(`[]`)
	_, c = page(t, empty)
	assert.Equal(t, []string{"The trace has no denoising step."}, c.Notices)
	assert.NotContains(t, fmt.Sprint(c.Facts), "tokens per forward")

	// A template's token is there before the steps, and an answer may end.
	given := example()
	given.Header.Prompt, given.Header.PromptIDs = "", nil
	for i := range given.Steps {
		given.Steps[i].Prompt = 0
	}
	given.Steps[1].Tokens[1] = 8
	_, c = page(t, given)
	assert.Equal(t, []int{0, 0, 0}, c.Steps[0].Changes)
	assert.Equal(t, int32(8), c.IDs[c.End])
}

// TestTracePageBounds: numbers that nobody measures, and traces of any size, give pages.
func TestTracePageBounds(t *testing.T) {
	trace := example()
	s := &trace.Steps[0]
	s.Block, s.Entropy, s.Margin, s.Change, s.Experts, s.MS.Total = 1<<40, 1e300, -3, 1e300, []int{-1, 1 << 60}, 1e300
	s.Stats[1].Prob, s.Stats[1].Entropy = -1e30, 1e30
	_, c := page(t, trace)
	assert.Equal(t, [][2]int{{1 << 40, 1}, {0, 1}}, c.Rows)
	assert.Equal(t, []int{0, 1 << 20}, c.Steps[0].Experts)
	assert.Equal(t, []int{100_000, 0, 1_000_000_000, 86_400_000_000}, []int{c.Steps[0].Entropy, c.Steps[0].Margin, c.Steps[0].Change, c.Steps[0].Time[3]})
	assert.Equal(t, []int{1, c.Steps[0].Predictions[1], 0, 0, 100_000}, c.Steps[0].Predictions)

	var b bytes.Buffer
	wide := longTrace(60_000) // more positions than a page has
	written, err := wide.WritePage(&b)
	require.NoError(t, err)
	require.Len(t, written.Notices, 1)
	assert.Equal(t, fmt.Sprintf("The trace has %d steps: the page has the first %d.", len(wide.Steps), written.Steps), written.Notices[0])
	assert.Equal(t, 60_000, written.Tokens)

	layers := example()
	layers.Steps[0].Experts = make([]int, 100_000)
	_, c = page(t, layers)
	assert.Len(t, c.Steps[0].Experts, 512)

	many := example()
	many.Header.Block = 200
	step := reports.TraceStep{Tokens: slices.Repeat([]int32{9}, 200), Wrote: make([]bool, 200), Stats: slices.Repeat([]*reports.TracePrediction{{Token: 3}}, 200), Experts: make([]int, 5000)}
	many.Steps = slices.Repeat([]reports.TraceStep{step}, 4500)
	b.Reset()
	written, err = many.WritePage(&b)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"The trace has 900000 predictions: only those of tokens that their step decided are here.",
		"The trace has too many numbers of experts: they are not here.",
	}, written.Notices)
	assert.Equal(t, 4500, written.Steps)
	assert.Less(t, b.Len(), 300_000)
}

// TestTracePageSize: a page of 5 000 tokens can be sent to somebody.
func TestTracePageSize(t *testing.T) {
	text, c := page(t, longTrace(5000))
	assert.Empty(t, c.Notices)
	assert.Less(t, len(text), 2<<20)
	t.Logf("%d steps, %d bytes", len(c.Steps), len(text))
}

func FuzzTracePage(f *testing.F) {
	f.Add(written(f, example(), false))
	f.Add(written(f, longTrace(40), true))
	f.Fuzz(func(t *testing.T, data []byte) {
		trace, err := reports.ReadTrace(bytes.NewReader(data))
		if err == nil {
			page(t, trace)
		}
	})
}
