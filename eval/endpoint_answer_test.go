package eval_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/eval"
)

func TestEndpointAnswer(t *testing.T) {
	stops := sum
	stops.Stops = []string{"\n\n", "END"}
	prefixed := stops
	prefixed.Prefix = "Here END:\n```\n"
	chat := func(content, rest string) string {
		return `{"choices":[{"message":{"role":"assistant","content":` + content + `}` + rest + `}],
			"usage":{"prompt_tokens":7,"completion_tokens":9}}`
	}
	full := func(s string) string { return strings.Replace(s, `tokens":9}`, `tokens":16}`, 1) }
	for name, c := range map[string]struct {
		prompt       eval.Prompt
		body         string
		text, finish string
	}{
		"stop without stops":     {sum, chat(`"2"`, `,"finish_reason":"stop"`), "2", "eos"},
		"stop with stops":        {stops, chat(`"2"`, `,"finish_reason":"stop"`), "2", "stop"},
		"vLLM stop":              {stops, chat(`"2"`, `,"finish_reason":"stop","stop_reason":"END"`), "2", "stop"},
		"vLLM end token":         {stops, chat(`"2"`, `,"finish_reason":"stop","stop_reason":151645`), "2", "eos"},
		"SGLang stop":            {stops, chat(`"2"`, `,"finish_reason":"stop","matched_stop":"END"`), "2", "stop"},
		"SGLang end token":       {stops, chat(`"2"`, `,"finish_reason":"stop","matched_stop":2`), "2", "eos"},
		"a stop that is no one":  {stops, chat(`"2"`, `,"finish_reason":"stop","stop_reason":"</s>"`), "2", "eos"},
		"length":                 {sum, chat(`"2"`, `,"finish_reason":"length"`), "2", "length"},
		"no reason":              {sum, chat(`"2"`, ``), "2", "eos"},
		"no reason, full length": {sum, full(chat(`"2"`, ``)), "2", "length"},
		"stop, full length":      {stops, full(chat(`"2"`, `,"finish_reason":"stop"`)), "2", "length"},
		"stop in full length":    {stops, full(chat(`"2END"`, `,"finish_reason":"stop"`)), "2", "stop"},
		"told stop, full length": {stops, full(chat(`"2"`, `,"finish_reason":"stop","stop_reason":"END"`)), "2", "stop"},
		"TGI":                    {sum, chat(`"2"`, `,"finish_reason":"eos_token"`), "2", "eos"},
		"TGI stop":               {sum, chat(`"2"`, `,"finish_reason":"stop_sequence"`), "2", "stop"},
		"stop left in":           {stops, chat(`"2ENDEND\n\n3"`, `,"finish_reason":"stop"`), "2", "stop"},
		"stop not known":         {stops, chat(`"2\n\n3END"`, `,"finish_reason":"length"`), "2", "stop"},
		"parts":                  {sum, chat(`[{"type":"thinking","text":"hm"},{"type":"text","text":"2"},{"type":"text","text":"!"}]`, `,"finish_reason":"stop"`), "2!", "eos"},
		"thoughts":               {sum, `{"choices":[{"message":{"content":"2","reasoning_content":"3?","reasoning":"4?"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":9}}`, "2", "eos"},
		"only thoughts":          {sum, `{"choices":[{"message":{"content":null,"reasoning_content":"3?"},"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":9}}`, "", "length"},
		"no content":             {sum, `{"choices":[{"message":{"reasoning_content":"3?"},"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":9}}`, "", "length"},
		"continued":              {prefixed, chat(`"x = 1\n"`, `,"finish_reason":"stop"`), "Here END:\n```\nx = 1\n", "stop"},
		"repeated":               {prefixed, chat(`"Here END:\n`+"```"+`\nx = 1END"`, `,"finish_reason":"stop"`), "Here END:\n```\nx = 1", "stop"},
		"repeated trimmed":       {prefixed, chat(`"Here END:\n`+"```"+`x = 1"`, `,"finish_reason":"length"`), "Here END:\n```\nx = 1", "length"},
		"bad UTF-8":              {sum, chat("\"2\xff\"", `,"finish_reason":"stop"`), "2\ufffd", "eos"},
		"completions":            {sum, `{"choices":[{"text":" 2","finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":9}}`, " 2", "eos"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask(t, endpoint(t, eval.EndpointOptions{URL: serve(t, says(c.body)).URL}), c.prompt)
			require.NoError(t, a.Err)
			assert.Equal(t, c.text, a.Text)
			assert.Equal(t, c.finish, a.Finish)
			assert.Equal(t, 7, a.PromptTokens)
			assert.Contains(t, []int{9, 16}, a.Tokens)
			assert.Nil(t, a.IDs)
			assert.Zero(t, a.Denoise)
			assert.Positive(t, a.DecodeTime)
		})
	}
}

func TestEndpointPrefixModeNone(t *testing.T) {
	p := sum
	p.Prefix = "The sum"
	e := endpoint(t, eval.EndpointOptions{PrefixMode: "none", URL: serve(t, says(two)).URL})
	assert.Equal(t, "2", ask(t, e, p).Text)
}

func TestEndpointUsage(t *testing.T) {
	const start = `{"choices":[{"text":"2","finish_reason":"stop"}],`
	for usage, want := range map[string][2]int{
		`"usage":{"prompt_tokens":1,"completion_tokens":2}}`: {1, 2},
		`"usage":null}`:   {},
		`"usage":"none"}`: {},
		`"usage":{"prompt_tokens":-1,"completion_tokens":2}}`:                   {},
		`"usage":{"prompt_tokens":1,"completion_tokens":99999999999999999999}}`: {},
	} {
		a := ask(t, endpoint(t, eval.EndpointOptions{URL: serve(t, says(start+usage)).URL}), sum)
		require.NoError(t, a.Err, usage)
		assert.Equal(t, "2", a.Text)
		assert.Equal(t, want, [2]int{a.PromptTokens, a.Tokens}, usage)
	}
}

func TestEndpointTimings(t *testing.T) {
	const start = `{"choices":[{"text":"2","finish_reason":"stop"}],"timings":`
	a := ask(t, endpoint(t, eval.EndpointOptions{URL: serve(t, says(start+`{"prompt_ms":0.002,"predicted_ms":0.003}}`)).URL}), sum)
	require.NoError(t, a.Err)
	assert.Equal(t, 2*time.Microsecond, a.PrefillTime)
	assert.Equal(t, 3*time.Microsecond, a.DecodeTime)
	for _, lie := range []string{`{"prompt_ms":1e300,"predicted_ms":1}}`, `{"prompt_ms":-1,"predicted_ms":1}}`, `{"prompt_ms":9e9,"predicted_ms":9e9}}`, `[]}`} {
		a := ask(t, endpoint(t, eval.EndpointOptions{URL: serve(t, says(start+lie)).URL}), sum)
		require.NoError(t, a.Err)
		assert.Zero(t, a.PrefillTime, lie)
		assert.Positive(t, a.DecodeTime)
	}
}

func TestEndpointBadAnswers(t *testing.T) {
	for name, c := range map[string]struct{ kind, body, want string }{
		"empty":         {"text/plain", "", `the answer is empty (text/plain)`},
		"page":          {"text/html", "<html>\n<title>Sign in</title> sk-secret", `the answer is no completion (text/html): "<html> <title>Sign in</title> ***"`},
		"stream":        {"text/event-stream", "data: {}\n\n", `(text/event-stream): "data: {}"`},
		"cut":           {"application/json", two[:30], `is no completion (application/json): "{\"choices\"`},
		"array":         {"application/json", "[1]", `no completion (application/json): "[1]"`},
		"two":           {"application/json", two + two, `no completion`},
		"binary":        {"", "\x00\x01\xff\xfe", `the answer is empty (`},
		"long":          {"text/html", strings.Repeat("x", 1000), strings.Repeat("x", 200) + `…"`},
		"null":          {"application/json", "null", `no choices: "null"`},
		"no choices":    {"application/json", `{"choices":[]}`, `no choices: "{\"choices\":[]}"`},
		"no text":       {"application/json", `{"choices":[{}]}`, `no text`},
		"number":        {"application/json", `{"choices":[{"message":{"content":2}}]}`, `no text`},
		"error object":  {"application/json", `{"error":{"message":"out of memory sk-secret","code":500}}`, `status 200 with an error: "out of memory ***"`},
		"error string":  {"application/json", `{"error":"no GPU","choices":[]}`, `with an error: "no GPU"`},
		"error of vLLM": {"application/json", `{"object":"error","message":"bad","code":40001}`, `with an error: "bad"`},
		"error unknown": {"application/json", `{"error":{"code":7}}`, `with an error: "{\"error\":{\"code\":7}}"`},
		"filter":        {"application/json", `{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]}`, `ended for the reason "content_filter"`},
		"tools":         {"application/json", `{"choices":[{"message":{"content":null},"finish_reason":"tool_calls"}]}`, `ended for the reason "tool_calls"`},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				n++
				w.Header().Set("Content-Type", c.kind)
				w.Write([]byte(c.body))
			})
			a := ask(t, endpoint(t, eval.EndpointOptions{URL: s.URL, Key: "sk-secret"}), sum)
			require.ErrorContains(t, a.Err, c.want)
			require.ErrorContains(t, a.Err, "endpoint "+s.URL+"/v1/chat/completions: ")
			assert.Equal(t, 16, a.GenLength, "an answer of this request, not the end of the run")
			assert.Equal(t, 1, n, "asked once")
			assert.Empty(t, a.Text)
			oneLine(t, a.Err)
		})
	}
}

func TestEndpointRefusesPromptsOfTheOtherInterface(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	a := ask(t, endpoint(t, eval.EndpointOptions{URL: s.URL, API: "completions"}), sum)
	require.ErrorContains(t, a.Err, "take chat")
	a = ask(t, endpoint(t, eval.EndpointOptions{URL: s.URL}), eval.Prompt{Text: "1+1="})
	require.ErrorContains(t, a.Err, "take completions")
	assert.Zero(t, a.GenLength, "the end of the run")
}

func FuzzEndpointAnswer(f *testing.F) {
	f.Add(200, []byte(two))
	f.Add(200, []byte(`{"choices":[{"text":"Here\n2END","finish_reason":"stop","stop_reason":7}],"usage":{"completion_tokens":3},"timings":{"prompt_ms":1}}`))
	f.Add(200, []byte(`{"error":{"message":"sk-secret"}}`))
	f.Add(503, []byte(`{"detail":"\u0000sk-secret"}`))
	f.Add(404, []byte("<html>sk-se\x00cret"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 999 {
			t.Skip()
		}
		client := posts(func(int, *http.Request) (*http.Response, error) { return reply(status, string(body)), nil })
		e := endpoint(t, eval.EndpointOptions{URL: "http://h", Client: client, Key: "sk-secret", Retries: -1})
		p := eval.Prompt{Messages: sum.Messages, Prefix: "Here\n", Stops: []string{"END"}}
		a := ask(t, e, p)
		if a.Err != nil {
			oneLine(t, a.Err)
			return
		}
		assert.Equal(t, 200, status)
		rest, ok := strings.CutPrefix(a.Text, p.Prefix)
		assert.True(t, ok && utf8.ValidString(rest) && !strings.Contains(rest, "END"), a.Text)
		assert.Contains(t, []string{"eos", "stop", "length"}, a.Finish)
		assert.GreaterOrEqual(t, a.Tokens, 0)
	})
}

// FuzzEndpointModels reads what the server says about itself.
func FuzzEndpointModels(f *testing.F) {
	f.Add([]byte(`{"data":[{"id":"m","owned_by":"vllm","meta":{"n_params":1,"size":2}}]}`))
	f.Add([]byte(`{"data":[{"id":"m","owned_by":"\u001bsk-secret"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return reply(200, string(body)), nil })}
		id := endpoint(t, eval.EndpointOptions{URL: "http://h", Client: client, Key: "sk-secret"}).Identity()
		assert.NotContains(t, id.Type, "sk-secret")
		assert.LessOrEqual(t, len(id.Type), 210)
		_, err := json.Marshal(id)
		assert.NoError(t, err)
	})
}
