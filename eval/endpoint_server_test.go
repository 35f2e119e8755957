package eval_test

import (
	"cmp"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/eval"
)

// A real server is asked if LLADA_TEST_ENDPOINT is its address, for the model
// LLADA_TEST_ENDPOINT_MODEL and with the key of the file LLADA_TEST_ENDPOINT_KEY.
func realServer(t *testing.T, opt eval.EndpointOptions) *eval.Endpoint {
	t.Helper()
	address := os.Getenv("LLADA_TEST_ENDPOINT")
	if address == "" {
		t.Skip("LLADA_TEST_ENDPOINT has no address of a server")
	}
	opt.URL = address + opt.URL
	opt.Model = cmp.Or(opt.Model, os.Getenv("LLADA_TEST_ENDPOINT_MODEL"), "default")
	if path := os.Getenv("LLADA_TEST_ENDPOINT_KEY"); path != "" && opt.Key == "" {
		key, err := eval.ReadKey(path)
		require.NoError(t, err)
		opt.Key = key
	}
	opt.Retries = -1
	return endpoint(t, opt)
}

func TestEndpointServer(t *testing.T) {
	for api, prompt := range map[string]eval.Prompt{
		"chat":        {Messages: []eval.Message{{Role: "user", Content: "Count from one to twenty in words."}}},
		"completions": {Text: "one two three four five six seven eight"},
	} {
		t.Run(api, func(t *testing.T) {
			get := func(opt eval.EndpointOptions, p eval.Prompt, length int, seed uint64) eval.Answer {
				t.Helper()
				opt.API = api
				var answers []eval.Answer
				left := 1
				err := realServer(t, opt).Generate(t.Context(), func() (eval.Request, bool) {
					left--
					return eval.Request{Prompt: p, GenLength: length, Seed: seed}, left == 0
				}, collect(&answers))
				require.NoError(t, err)
				require.NoError(t, answers[0].Err)
				a := answers[0]
				t.Logf("%s, %d + %d tokens, prefill %v, decode %v: %.60q", a.Finish, a.PromptTokens, a.Tokens, a.PrefillTime, a.DecodeTime, a.Text)
				return a
			}
			t.Logf("%+v", realServer(t, eval.EndpointOptions{API: api}).Identity())

			whole := get(eval.EndpointOptions{}, prompt, 48, 0)
			require.Greater(t, len([]rune(whole.Text)), 12, "the test needs a model that writes something")
			assert.Positive(t, whole.PromptTokens)
			assert.Positive(t, whole.Tokens)
			assert.Contains(t, []string{"eos", "length"}, whole.Finish)
			assert.Equal(t, whole.Text, get(eval.EndpointOptions{}, prompt, 48, 7).Text, "greedy")

			short := get(eval.EndpointOptions{}, prompt, 3, 0)
			assert.Equal(t, "length", short.Finish)
			assert.Equal(t, 3, short.Tokens)

			runes := []rune(whole.Text)
			at := len(runes) / 2
			p := prompt
			p.Stops = []string{"no such text \x1f", string(runes[at : at+4])}
			stopped := get(eval.EndpointOptions{}, p, 48, 0)
			before, _, _ := strings.Cut(whole.Text, p.Stops[1])
			assert.Equal(t, before, stopped.Text)
			assert.Equal(t, "stop", stopped.Finish)
			assert.Less(t, stopped.Tokens, whole.Tokens, "the server itself stopped")

			warm := eval.EndpointOptions{Temperature: 1, TopP: 0.9}
			first := get(warm, prompt, 48, 1<<40+5)
			assert.Equal(t, first.Text, get(warm, prompt, 48, 1<<40+5).Text, "the same seed")
			assert.NotEqual(t, first.Text, get(warm, prompt, 48, 6).Text, "another seed")

			p = prompt
			p.Prefix = string(runes[:at])
			continued := get(eval.EndpointOptions{}, p, 48, 0)
			assert.True(t, strings.HasPrefix(continued.Text, p.Prefix))
			assert.Greater(t, continued.PromptTokens, whole.PromptTokens, "the prefix was asked with")
			assert.Equal(t, 1, strings.Count(continued.Text, p.Prefix), "the prefix is there once")
			if api == "chat" {
				none := get(eval.EndpointOptions{PrefixMode: "none"}, p, 48, 0)
				assert.Equal(t, whole.Text, none.Text)
			}
		})
	}
}

func TestEndpointServerTogether(t *testing.T) {
	e := realServer(t, eval.EndpointOptions{Concurrency: 4})
	var answers []eval.Answer
	require.NoError(t, e.Generate(t.Context(), requests(sum, 12), collect(&answers)))
	require.Len(t, answers, 12)
	for _, a := range answers {
		require.NoError(t, a.Err)
	}
}

func TestEndpointServerRefusals(t *testing.T) {
	e := realServer(t, eval.EndpointOptions{URL: "/nowhere"})
	a := ask(t, e, sum)
	require.ErrorContains(t, a.Err, "404")
	assert.Zero(t, a.GenLength, "the end of the run")
	t.Log(a.Err)

	// Servers of one model may answer for any name, or refuse.
	t.Log("another model: ", ask(t, realServer(t, eval.EndpointOptions{Model: "no-such-model"}), sum).Err)

	// Some refuse, some leave out a part.
	long := sum
	long.Messages = []eval.Message{{Role: "user", Content: strings.Repeat("long ", 20_000)}}
	t.Log("too long: ", ask(t, realServer(t, eval.EndpointOptions{}), long).Err)

	if os.Getenv("LLADA_TEST_ENDPOINT_KEY") != "" {
		a = ask(t, realServer(t, eval.EndpointOptions{Key: "sk-secret"}), sum)
		require.ErrorContains(t, a.Err, "check the key")
		assert.Zero(t, a.GenLength, "the end of the run")
		oneLine(t, a.Err)
		t.Log(a.Err)
	}
}
