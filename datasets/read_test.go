package datasets

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	gsm8kLine = `{"question": "1 + 1?", "answer": "1 + 1 = <<1+1=2>>2\n#### 2"}`
	codeLine  = `{"task_id": "T/0", "prompt": "def f():\n", "entry_point": "f", "canonical_solution": "    return 1\n", "test": "def check(f):\n    assert f() == 1\n"}`
	plusLine  = `{"task_id": "T/0", "prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": "    return x\n", "test": "x", "contract": "", "base_input": [[1], [18446744073709551617]], "plus_input": [], "atol": 1e-6}`
)

func TestParse(t *testing.T) {
	got, form, err := parse([]byte("\ufeff"+gsm8kLine+"\r\n\n \n"+`{"cleaning_status":"ok","question":"q","answer":"#### -1,234.50 \n"}`), "mine", "")
	require.NoError(t, err)
	assert.Equal(t, GSM8K, form)
	assert.Equal(t, []Record{
		{ID: "mine/0", Index: 0, SHA256: sum([]byte(gsm8kLine)), Question: "1 + 1?", Answer: "1 + 1 = <<1+1=2>>2\n#### 2"},
		{ID: "mine/1", Index: 1, SHA256: sum([]byte(`{"cleaning_status":"ok","question":"q","answer":"#### -1,234.50 \n"}`)), Question: "q", Answer: "#### -1,234.50 \n"},
	}, got)

	got, form, err = parse([]byte(codeLine), "mine", "")
	require.NoError(t, err)
	assert.Equal(t, HumanEval, form)
	assert.Equal(t, []Record{{
		ID: "T/0", SHA256: sum([]byte(codeLine)), Prompt: "def f():\n", EntryPoint: "f",
		CanonicalSolution: "    return 1\n", Test: "def check(f):\n    assert f() == 1\n",
	}}, got)

	got, form, err = parse([]byte(plusLine), "mine", "")
	require.NoError(t, err)
	assert.Equal(t, HumanEvalPlus, form)
	assert.Equal(t, []Record{{
		ID: "T/0", SHA256: sum([]byte(plusLine)), Prompt: "def f(x):\n", EntryPoint: "f", CanonicalSolution: "    return x\n",
		BaseInput: json.RawMessage("[[1], [18446744073709551617]]"), PlusInput: json.RawMessage("[]"), Atol: 1e-6,
	}}, got)

	_, form, err = parse([]byte(plusLine), "mine", HumanEval)
	require.NoError(t, err, "a record may have more than its form")
	assert.Equal(t, HumanEval, form)
}

func TestParseRefuses(t *testing.T) {
	code := func(old, new string) string { return strings.Replace(codeLine, old, new, 1) }
	plus := func(old, new string) string { return strings.Replace(plusLine, old, new, 1) }
	for data, want := range map[string]string{
		"":                                  "no records",
		"\n \n":                             "no records",
		gsm8kLine + "\n\xff":                "line 2 is not text in UTF-8",
		gsm8kLine + "\n\n" + gsm8kLine[:30]: "line 3: unexpected end of JSON input",
		gsm8kLine + gsm8kLine:               "line 1: invalid character",
		"[1]":                               `line 1: "[1]" is not a JSON object`,
		"null":                              `line 1: "null" is not a JSON object`,
		"text":                              `line 1: "text" is not a JSON object`,
		"{}":                                `line 1: columns "" are those of no form: GSM8K's has question and answer`,
		`{"q":1,"Answer":"","answer":"x"}`:  `line 1: columns "Answer, answer, q" are those of no form`,
		gsm8kLine + "\n" + codeLine:         `line 2: there is no "question"`,
		codeLine + "\n" + gsm8kLine:         `line 2: there is no "task_id"`,
		codeLine + "\n\n" + codeLine:        `line 3: task_id "T/0" is line 1's, too`,
		gsm8kLine + "\n" + `{"question":7,"answer":"#### 1"}`: `line 2: "question" is 7, not a text`,
		`{"question":null,"answer":"#### 1"}`:                 `line 1: "question" is null, not a text`,
		`{"question":" ","answer":"#### 1"}`:                  `line 1: "question" is empty`,
		`{"question":"q","answer":["#### 1"]}`:                `line 1: "answer" is ["#### 1"], not a text`,
		`{"question":"q","answer":"1"}`:                       `line 1: "answer" ends in "1", not in a line of "#### " and a number`,
		`{"question":"q","answer":"#### "}`:                   `line 1: "answer" ends in "####", not`,
		`{"question":"q","answer":"#### 1\n2"}`:               `line 1: "answer" ends in "2", not`,
		`{"question":"q","answer":"x #### 1"}`:                `line 1: "answer" ends in "x #### 1", not`,
		`{"question":"q","answer":"#### ,"}`:                  `line 1: "answer" ends in`,
		`{"question":"q","answer":"#### 1.2.3"}`:              `line 1: "answer" ends in`,
		code(`"entry_point": "f", `, ""):                      `line 1: there is no "entry_point"`,
		code(`"prompt"`, `"Prompt"`):                          `line 1: there is no "prompt"`,
		code(`"T/0"`, `""`):                                   `line 1: "task_id" is empty`,
		code(`"T/0"`, `"T\n0"`):                               `line 1: "task_id" "T\n0" is not up to 200 printable bytes`,
		code(`"T/0"`, `"`+strings.Repeat("x", 201)+`"`):       `line 1: "task_id"`,
		code(`"f"`, `"f()\nimport os"`):                       `line 1: "entry_point" "f()\nimport os" is not the name of a Python function`,
		code(`"f"`, `"f\n"`):                                  `line 1: "entry_point" "f\n"`,
		code(`"f"`, `"1f"`):                                   `line 1: "entry_point" "1f"`,
		code(`"    return 1\n"`, "1"):                         `line 1: "canonical_solution" is 1, not a text`,
		code(`"def check(f):\n    assert f() == 1\n"`, `""`):  `line 1: "test" is empty`,
		plus(`"plus_input": [], `, ""):                        `line 1: there is no "plus_input"`,
		plus(`[]`, `{}`):                                      `line 1: "plus_input" is {}, not a list`,
		plus(`[]`, `[[1], 2]`):                                `line 1: "plus_input" has 2 in place 1, not a list of arguments`,
		plus(`[[1], [18446744073709551617]]`, `[]`):           `line 1: "base_input" is empty: any answer would be right`,
		plus(`[]`, `[[NaN]]`):                                 `line 1: invalid character 'N'`,
		plus(`1e-6`, `"0"`):                                   `line 1: "atol" is "0", not a number`,
		plus(`1e-6`, `null`):                                  `line 1: "atol" is null, not a number`,
		plus(`1e-6`, `-1`):                                    `line 1: "atol" is -1, not a tolerance`,
		plus(`1e-6`, `1e999`):                                 `line 1: "atol" is 1e999, not a number`,
		plus(`"contract": ""`, `"contract": 1`):               `line 1: "contract" is 1, not a text`,
		strings.Repeat("[", 100_000):                          `line 1: "[[[`,
		`{"question":` + strings.Repeat("[", 100_000):         "line 1: invalid character '[' exceeded max depth",
	} {
		records, _, err := parse([]byte(data), "mine", "")
		assert.ErrorContains(t, err, want, "%.100q", data)
		assert.Nil(t, records)
		if err != nil {
			assert.Less(t, len(err.Error()), 500, "%.100q", data)
			assert.NotContains(t, err.Error(), "\n")
		}
	}
	long := `{"question":"` + strings.Repeat("x", maxLine) + `","answer":"#### 1"}`
	_, _, err := parse([]byte(gsm8kLine+"\n"+long), "mine", "")
	assert.EqualError(t, err, "line 2: more than 16 MiB are too long")
}

func TestUnpack(t *testing.T) {
	text := []byte(strings.Repeat(gsm8kLine+"\n", 500))
	for name, data := range map[string][]byte{"plain": text, "gzip": packed(t, text), "two gzips": append(packed(t, text[:99]), packed(t, text[99:])...)} {
		got, err := unpack(data, int64(len(text)))
		require.NoError(t, err, name)
		assert.Equal(t, text, got, name)
	}
	whole := packed(t, text)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // of the CRC
	for want, data := range map[string][]byte{
		"gzip is torn in or after line ": whole[:len(whole)/2],
		"gzip is damaged: ":              append(bytes.Clone(whole), "more than was packed"...),
		"gzip is damaged: gzip: invalid": flipped,
		"gzip is damaged: unexpected":    whole[:5],
	} {
		_, err := unpack(data, maxData)
		assert.ErrorContains(t, err, want)
	}
	bomb := packed(t, make([]byte, 8<<20))
	require.Less(t, len(bomb), 10_000)
	_, err := unpack(bomb, 1<<20)
	assert.EqualError(t, err, "more than 1 MiB are too much")
}

// Whatever is read keeps what programs and prompts rely on, and is the same when read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{gsm8kLine, codeLine, plusLine, gsm8kLine + "\n\n" + gsm8kLine, "\ufeff" + codeLine + "\r\n", "{", "", "\x1f\x8b"} {
		f.Add([]byte(seed))
	}
	f.Add(packed(f, []byte(plusLine)))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := unpack(data, 1<<20)
		if err != nil {
			return
		}
		records, form, err := parse(text, "fuzz", "")
		if err != nil {
			require.Nil(t, records)
			return
		}
		require.NotEmpty(t, records)
		ids := map[string]bool{}
		for i, r := range records {
			require.Equal(t, i, r.Index)
			require.False(t, ids[r.ID])
			ids[r.ID] = true
			switch form {
			case GSM8K:
				require.NotEmpty(t, r.Question)
				require.Contains(t, r.Answer, "#### ")
			case HumanEvalPlus:
				require.True(t, json.Valid(r.BaseInput) && json.Valid(r.PlusInput))
				require.GreaterOrEqual(t, r.Atol, 0.0)
				fallthrough
			default:
				require.NotContains(t, r.EntryPoint, "\n")
				require.Regexp(t, identifier, r.EntryPoint)
			}
		}
		again, _, err := parse(text, "fuzz", form)
		require.NoError(t, err)
		require.Equal(t, records, again)
	})
}
