package serve

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"lladakit/runtime"
)

// firstStop returns a text up to the stop that is complete first, by trying all its
// beginnings.
func firstStop(text string, stops []string) (string, bool) {
	for n := range len(text) + 1 {
		longest := -1
		for _, stop := range stops {
			if strings.HasSuffix(text[:n], stop) {
				longest = max(longest, len(stop))
			}
		}
		if longest >= 0 {
			return text[:n-longest], true
		}
	}
	return text, false
}

// TestStopTexts: an answer ends before its first stop, wherever that lies in blocks and
// tokens, and the blocks after it are not computed.
func TestStopTexts(t *testing.T) {
	m := loadTiny(t)
	r := longRequest(t, m)
	want, err := m.Generate(t.Context(), r.Prompt, r.Options)
	require.NoError(t, err)
	whole, turn := m.Text(want.IDs), m.Turn(want.IDs)
	e := startEngine(t, m, EngineOptions{})
	rng := rand.New(rand.NewPCG(54, 1))
	var answers []*Answer
	var texts [][]string
	saved := 0
	for i := range 16 {
		from := rng.IntN(len(whole) - 1)
		stops := []string{whole[from : from+1+rng.IntN(min(12, len(whole)-from))], "never said"}
		switch i {
		case 0:
			stops = []string{whole[:1]}
		case 1:
			stops = []string{whole + "!"} // which begins only
		case 2:
			stops = []string{whole}
		}
		with := r
		with.Stop = stops
		answers, texts = append(answers, submit(t, e, with)), append(texts, stops)
	}
	for i, a := range answers {
		text, _, done := read(a)
		cut, stopped := firstStop(whole, texts[i])
		require.NoError(t, done.Err)
		require.Equal(t, cut, text, "%q", texts[i])
		require.Equal(t, i == 1, !stopped)
		require.Equal(t, "stop", done.Finish)
		n := 0 // the fewest tokens that have the text
		for len(m.Text(turn[:n])) < len(cut) {
			n++
		}
		if !stopped {
			n = len(turn)
		}
		require.Equal(t, n, done.Tokens, "%q", texts[i])
		got := done.Result
		require.Equal(t, want.IDs[:len(got.IDs)], got.IDs)
		if !stopped {
			continue
		}
		end := n + 1 // the stop's last token is at or after this one
		for !strings.HasPrefix(m.Text(turn[:min(end, len(turn))]), cut+texts[i][0]) {
			end++
		}
		blocks := (len(r.Prompt)%8 + end + 7) / 8
		require.LessOrEqual(t, len(got.StepsPerBlock), blocks+1, "%q", texts[i])
		saved += want.Forwards.Denoise - got.Forwards.Denoise
	}
	require.Greater(t, saved, 3*16)
}

// TestSteps follows an answer pass by pass: after each there is the step that Generate
// tells of, and with a block's last one its text.
func TestSteps(t *testing.T) {
	m := loadTiny(t)
	r := longRequest(t, m)
	r.Options.Threshold = 0.9
	r.Options.GenLength = 45 // the last block goes on after the answer
	for _, policy := range []string{runtime.PolicyThreshold, runtime.PolicyJoint} {
		r.Options.Policy.Name, r.Steps = policy, true
		steps(t, m, r)
	}
}

func steps(t *testing.T, m *runtime.Model, r Request) {
	var all []Step
	o := r.Options
	prob := make([]float32, o.BlockLength)
	for i := range prob {
		prob[i] = 1
	}
	text := func(id int32) string { return m.Tokenizer.Decode([]int32{id}, false) }
	o.OnStep = func(s runtime.Step) {
		step := Step{Block: s.Block - len(r.Prompt)/8, Step: s.Step + 1, Forwards: len(all) + 1, Tokens: []Token{}}
		if n := len(all); n > 0 {
			all[n-1].Final = s.Step == 0
		}
		for i := s.Prompt; i < 8 && s.Block*8+i < len(r.Prompt)+o.GenLength; i++ {
			edited := s.Edited != nil && s.Edited[i]
			if s.Masked[i] || edited {
				prob[i] = s.Stats[i].Prob
			}
			x := Token{Text: text(s.Tokens[i]), Prob: prob[i], Wrote: s.Wrote[i] || edited}
			if x.Masked = s.Tokens[i] == m.MaskID; x.Masked {
				x.Text = text(s.Stats[i].Token)
			}
			step.Tokens = append(step.Tokens, x)
		}
		all = append(all, step)
	}
	want, err := m.Generate(t.Context(), r.Prompt, o)
	require.NoError(t, err)
	all[len(all)-1].Final = true

	e, g := startGated(t, m, EngineOptions{})
	defer m.Observe(nil)
	defer e.Close(context.Background())
	defer g.open()
	a := submit(t, e, r)
	for range want.Forwards.Prefill {
		g.pass()
	}
	got, finals := "", 0
	for i := range all {
		g.pass()
		event, ok := a.Next()
		require.True(t, ok)
		require.NotNil(t, event.Step)
		require.Equal(t, all[i], *event.Step)
		require.Equal(t, event.Step.Final, event.Text != "" || event.Done != nil)
		got += event.Text
		if event.Step.Final {
			finals++
		}
		if event.Done != nil {
			require.Equal(t, len(all), i+1)
		}
	}
	if event, ok := a.Next(); ok { // unless it came with the last step
		require.NotNil(t, event.Done)
		got += event.Text
	}
	require.Equal(t, m.Text(want.IDs), got)
	require.Greater(t, finals, 3)
}

// TestSlowReader: who reads late gets everything at once, and of the steps the last.
func TestSlowReader(t *testing.T) {
	m := loadTiny(t)
	r := longRequest(t, m)
	r.Steps = true
	e := NewEngine(m, EngineOptions{})
	a := submit(t, e, r)
	require.NoError(t, e.Close(t.Context()))
	event, ok := a.Next()
	require.True(t, ok)
	require.NotNil(t, event.Done)
	require.Equal(t, m.Text(event.Done.Result.IDs), event.Text)
	require.Equal(t, event.Done.Result.Forwards.Denoise, event.Step.Forwards)
	require.True(t, event.Step.Final)
	_, ok = a.Next()
	require.False(t, ok)
}

// TestGlanceCharacters: characters of several tokens are whole where all of their tokens
// are written, also over the border of blocks.
func TestGlanceCharacters(t *testing.T) {
	m := loadTiny(t)
	const text = "é日本😀"
	ids := m.Tokenizer.Encode(text)
	require.Greater(t, len(ids), utf8.RuneCountInString(text))
	spell := func(g glance) (all string) {
		for _, x := range g.clients(m.Tokenizer).Tokens {
			require.True(t, utf8.ValidString(x.Text))
			all += x.Text
		}
		return all
	}
	g := glance{ids: ids, prob: make([]float32, len(ids)), masked: make([]bool, len(ids)), wrote: make([]bool, len(ids))}
	require.Equal(t, text, spell(g))
	for at := 1; at < len(ids); at++ {
		g := g
		g.ids, g.before = ids[at:], ids[max(0, at-3):at]
		require.True(t, strings.HasSuffix(text, spell(g)), "cut at %d: %q", at, spell(g))

		g.ids, g.before, g.masked = ids, nil, make([]bool, len(ids))
		g.masked[at] = true // what is predicted there is shown apart
		decode := func(part []int32) string { return m.Tokenizer.Decode(part, false) }
		require.Equal(t, decode(ids[:at])+decode(ids[at:at+1])+decode(ids[at+1:]), spell(g), "masked at %d", at)
	}
}
