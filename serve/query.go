package serve

import (
	"encoding/json"
	"maps"
	"slices"

	"lladakit/runtime"
)

// query is what a request asks, by either endpoint.
type query struct {
	Request
	stream bool
	usage  bool // also of a stream
}

// harmless are fields of OpenAI's that change nothing here.
var harmless = []string{
	"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
	"parallel_tool_calls", "reasoning_effort", "verbosity",
}

// unsupported are fields of OpenAI's for what is not done here, with the values that do
// not ask for it.
var unsupported = map[string][]string{
	"n": {"1"}, "best_of": {"1"}, "echo": {"false"}, "suffix": {`""`},
	"logprobs": {"false"}, "top_logprobs": {"0"}, "logit_bias": {"{}"},
	"presence_penalty": {"0", "0.0"}, "frequency_penalty": {"0", "0.0"},
	"tools": {"[]"}, "tool_choice": {`"none"`, `"auto"`}, "functions": {"[]"}, "function_call": {`"none"`, `"auto"`},
	"response_format": {`{"type":"text"}`}, "modalities": {`["text"]`}, "audio": {}, "prediction": {}, "web_search_options": {},
	"audit": {"0"}, // of runtime.Options, but a check of this program, not a setting
}

// takeRest reads what both endpoints have but the prompt, which r has, and reports
// fields that nobody knows: a setting that is misspelt must not pass for one.
func takeRest(o fieldSet, m *runtime.Model, q *query) (err error) {
	if q.Options, err = takeSettings(o, m, len(q.Prompt)); err != nil {
		return err
	}
	if q.Stop, err = takeStop(o); err != nil {
		return err
	}
	if _, err := take(o, "stream", &q.stream); err != nil {
		return err
	}
	q.usage = !q.stream
	given, err := takeObject(o, "stream_options", func(f fieldSet) error {
		ignored := false
		return takeAll(f, map[string]any{"include_usage": &q.usage, "include_steps": &q.Steps, "include_obfuscation": &ignored})
	})
	if err != nil {
		return err
	}
	if given && !q.stream {
		return badRequest("stream_options", "stream_options need stream true")
	}
	for _, name := range harmless {
		delete(o, name)
	}
	for _, name := range slices.Sorted(maps.Keys(unsupported)) {
		raw, ok := o[name]
		delete(o, name)
		if ok && string(raw) != "null" && !slices.Contains(unsupported[name], compact(raw)) {
			return badRequest(name, "%s %.40s is not supported", name, compact(raw))
		}
	}
	return o.none("")
}

// compact returns a JSON value without white space between its parts.
func compact(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) == nil {
		if number, ok := v.(float64); ok && number == 0 {
			return "0"
		}
		if text, err := json.Marshal(v); err == nil {
			return string(text)
		}
	}
	return string(raw)
}

// takeStop reads a text or a list of them.
func takeStop(o fieldSet) ([]string, error) {
	const name = "stop"
	var stops []string
	if raw := o[name]; len(raw) > 0 && raw[0] == '"' {
		stops = []string{""}
		if _, err := take(o, name, &stops[0]); err != nil {
			return nil, err
		}
	} else if _, err := take(o, name, &stops); err != nil {
		return nil, badRequest(name, "stop must be a string or a list of strings")
	}
	if len(stops) > maxStops {
		return nil, badRequest(name, "stop has %d texts, and can have %d at most", len(stops), maxStops)
	}
	for _, s := range stops {
		if s == "" || len(s) > maxStopBytes {
			return nil, badRequest(name, "a stop text must have 1 to %d bytes, not %d", maxStopBytes, len(s))
		}
	}
	return stops, nil
}

// takeModel checks the name of the model, which may be left out.
func (s *Server) takeModel(o fieldSet) error {
	var name string
	given, err := take(o, "model", &name)
	if err == nil && given && name != s.opt.Name {
		err = s.noModel(name)
	}
	return err
}

// checkPrompt reports a prompt that leaves no room for an answer.
func checkPrompt(m *runtime.Model, param string, prompt []int32) error {
	switch {
	case len(prompt) == 0:
		return badRequest(param, "%s is empty", param)
	case len(prompt) >= m.Config.Context:
		e := badRequest(param, "%s has %d tokens, and the model %d positions for it and the answer", param, len(prompt), m.Config.Context)
		e.Code = "context_length_exceeded"
		return e
	}
	return nil
}
