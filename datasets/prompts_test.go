package datasets

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePrompts(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"text":           {"one\ntwo words\n", []string{"one", "two words"}},
		"no last line":   {"one\ntwo", []string{"one", "two"}},
		"empty lines":    {"\n\n one \n\t\n\ntwo\n\n", []string{" one ", "two"}},
		"CRLF":           {"one\r\n\r\ntwo\r\n", []string{"one", "two"}},
		"BOM":            {"\ufeffone\n", []string{"one"}},
		"quotes":         {`"one"` + "\n[2]\n", []string{`"one"`, "[2]"}},
		"long":           {strings.Repeat("x", 1<<17), []string{strings.Repeat("x", 1<<17)}},
		"HumanEval":      {`{"task_id":"HumanEval/0","prompt":"def f():\n","test":"x"}`, []string{"def f():\n"}},
		"GSM8K":          {`{"question":"How many?","answer":"#### 4"}` + "\n", []string{"How many?"}},
		"text records":   {"\n" + `{"text":"a"}` + "\r\n" + ` {"text":"\u00e9\n"} ` + "\n", []string{"a", "é\n"}},
		"BOM and record": {"\ufeff" + `{"text":"a"}`, []string{"a"}},
		"first of three": {`{"text":"t","question":"q","prompt":"p"}`, []string{"p"}},
		"empty fields":   {`{"prompt":"","question":null,"text":"t"}`, []string{"t"}},
	} {
		got, err := parsePrompts([]byte(c.data))
		require.NoError(t, err, name)
		assert.Equal(t, c.want, got, name)
	}
}

func TestParsePromptsRefuses(t *testing.T) {
	for data, want := range map[string]string{
		"":                                "no prompts",
		"\n \r\n":                         "no prompts",
		"\ufeff":                          "no prompts",
		"one\n\xff\n":                     "line 2 is not text in UTF-8",
		"GGUF\x03\x00\x00\x00\xf1\n":      "line 1 is not text in UTF-8",
		`{"text":"a"}` + "\n\n{\n":        "line 3: unexpected end of JSON input",
		`{"text":"a"}` + "\ntext\n":       "line 2: invalid character",
		`{"text":"a"} {"text":"b"}`:       "line 1: invalid character",
		`{"text":7}`:                      "line 1: json: cannot unmarshal number",
		`{"answer":"a"}`:                  `line 1: none of "prompt", "question", "text" has a text`,
		`{"text":"a"}` + "\n[\"text\"]\n": "line 2: json: cannot unmarshal array",
	} {
		prompts, err := parsePrompts([]byte(data))
		assert.ErrorContains(t, err, want, "%q", data)
		assert.Nil(t, prompts, "%q", data)
	}
}

func TestPrompts(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "prompts.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("one\ntwo\n"), 0o666))
	got, err := Prompts(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"one", "two"}, got)

	require.NoError(t, os.WriteFile(path, packed(t, []byte("one\ntwo\n")), 0o666))
	got, err = Prompts(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"one", "two"}, got)

	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o666))
	_, err = Prompts(path)
	assert.EqualError(t, err, path+`: line 1: none of "prompt", "question", "text" has a text`)
	_, err = Prompts(filepath.Join(dir, "missing"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Prompts(dir)
	assert.ErrorContains(t, err, dir)
}

// Whatever can be read is the same when it is written as records and read again.
func FuzzParsePrompts(f *testing.F) {
	for _, seed := range []string{"", "one\n\ntwo", "\ufeff{\"text\":\"a\"}\r\n{\"prompt\":\"\\ud800\"}", "{\"question\":\"\\n\"}\n", "{", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		prompts, err := parsePrompts(data)
		if err != nil {
			return
		}
		require.NotEmpty(t, prompts)
		require.LessOrEqual(t, len(prompts), bytes.Count(data, []byte("\n"))+1)
		var records bytes.Buffer
		for _, p := range prompts {
			require.NotEmpty(t, p)
			require.NoError(t, json.NewEncoder(&records).Encode(map[string]string{"text": p}))
		}
		again, err := parsePrompts(records.Bytes())
		require.NoError(t, err)
		require.Equal(t, prompts, again)
	})
}
