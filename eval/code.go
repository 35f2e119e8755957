package eval

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"lladakit/datasets"
)

// Extractors of code. All of them read every answer; which one counts is the task's.
const (
	fenced     = "fenced"     // a fenced block, as block says
	completion = "completion" // behind the frozen start, up to the next fence (lm-eval's humaneval_instruct)
	sanitized  = "sanitized"  // of the fenced code, the longest span of lines that is a program, reduced to what the function needs (EvalPlus)
	raw        = "raw"        // the whole text; a line that begins with a fence is no Python
	onlyBase   = "base"       // of HumanEval+: fenced, judged by HumanEval's own inputs
)

// The Python parts of programs. answer.py makes a function of an answer, the others
// judge it; see there for the rules.
var (
	//go:embed python/answer.py
	answerPy string
	//go:embed python/check.py
	checkPy string
	//go:embed python/values.py
	valuesPy string
	//go:embed python/expect.py
	expectPy string
	//go:embed python/plus.py
	plusPy string
)

// MaxExpect is the most that a Program.Expect prints, in bytes: what the data sets need
// is a quarter of it.
const MaxExpect = 16 << 20

// plusSeconds is EvalPlus's limit for all inputs of a problem.
const plusSeconds = 60

// codes returns the answer's code by each extractor of HumanEval's tasks but base. Those
// with nothing to run have an empty value.
func codes(r *datasets.Record, prefix, text string) map[string]Extraction {
	said := newlines(spoken(text))
	code, layer := block(said, r.EntryPoint)
	rest, cut := strings.CutPrefix(newlines(text), newlines(prefix))
	if !cut {
		rest = said
	}
	rest, _, _ = strings.Cut(rest, "```")
	whole := said
	if openFence.MatchString(said) {
		whole = "" // a verdict about fences would be no other reading of the answer
	}
	all := map[string]Extraction{}
	for name, value := range map[string]string{fenced: code, completion: rest, sanitized: code, raw: whole} {
		if strings.TrimSpace(value) == "" {
			value = ""
		}
		all[name] = Extraction{Extractor: name, Value: value}
	}
	e := all[fenced]
	e.Layer = layer
	all[fenced] = e
	return all
}

// judgeHumanEval judges with the test of the record.
func judgeHumanEval(r *datasets.Record, prefix, text string, order ...string) Judgement {
	all := codes(r, prefix, text)
	var j Judgement
	for _, name := range order {
		e := all[name]
		if e.Value != "" {
			call := call("check_humaneval", r.Prompt, e.Value, r.EntryPoint, r.Test, name == sanitized)
			e.Program = &Program{Source: answerPy + "\n\n" + checkPy + "\n\n" + call}
		}
		j.Extractions = append(j.Extractions, e)
	}
	return j
}

// judgePlus judges with the inputs of HumanEval+.
func judgePlus(r *datasets.Record, text string) Judgement {
	expected := answerPy + "\n\n" + valuesPy + "\n\n" + expectPy + "\n\n" +
		call("expect", r.Prompt, r.CanonicalSolution, r.EntryPoint, r.Atol, string(r.BaseInput), string(r.PlusInput))
	all := codes(r, "", text)
	all[onlyBase] = all[fenced]
	var j Judgement
	for _, name := range []string{fenced, onlyBase, sanitized, raw} {
		e := all[name]
		e.Extractor = name
		if e.Value != "" {
			call := call("check_plus", r.Prompt, e.Value, r.EntryPoint, r.Atol, name == onlyBase, name == sanitized)
			e.Program = &Program{Source: answerPy + "\n\n" + valuesPy + "\n\n" + plusPy + "\n\n" + call, Expect: expected, Seconds: plusSeconds}
		}
		j.Extractions = append(j.Extractions, e)
	}
	return j
}

// call writes a call in Python.
func call(function string, arguments ...any) string {
	var b strings.Builder
	b.WriteString(function + "(")
	for i, a := range arguments {
		if i > 0 {
			b.WriteString(", ")
		}
		switch a := a.(type) {
		case string:
			b.WriteString(literal(a))
		case float64:
			b.WriteString(strconv.FormatFloat(a, 'g', -1, 64))
		case bool:
			b.WriteString(map[bool]string{true: "True", false: "False"}[a])
		}
	}
	b.WriteString(")\n")
	return b.String()
}

// literal writes a string that means the same in Python: JSON's escapes are Python's too.
// Bytes that are not UTF-8 become U+FFFD.
func literal(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // no string fails to be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// newlines makes \n of all ends of lines.
func newlines(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

// fence opens a block: three or more of ` anywhere, or of ~ at the start of a line, and
// at most one word of a language behind them.
var fence = regexp.MustCompile("(?m)(`{3,}|^[ \t]*~{3,})[ \t]*([\\w.+#-]*)[^\n`]*\n")

// openFence is a fence where no text within Python has one: in docstrings it is indented.
var openFence = regexp.MustCompile("(?m)^(`{3}|~{3})")

// block returns the fenced block of an answer that is taken for its code, and which it
// was: "defines" is the first that defines entry; if none does, "python" is the first
// that is marked as Python or not marked, and "first" just the first. Without fences it
// is "whole", the whole text (OpenCompass takes the first block, or the whole text). An
// answer that ends inside a block is taken up to its end.
func block(text, entry string) (code, layer string) {
	blocks := blocks(text)
	if len(blocks) == 0 {
		return text, "whole"
	}
	defines := regexp.MustCompile(`(?m)^[ \t]*(?:async[ \t]+)?def[ \t]+` + regexp.QuoteMeta(entry) + `[ \t]*\(`)
	for _, b := range blocks {
		if defines.MatchString(b.code) {
			return b.code, "defines"
		}
	}
	for _, b := range blocks {
		if b.python && strings.TrimSpace(b.code) != "" {
			return b.code, "python"
		}
	}
	return blocks[0].code, "first"
}

// fencedBlock is what stands between two fences.
type fencedBlock struct {
	code   string
	python bool // marked as Python, or not marked
}

func blocks(text string) []fencedBlock {
	var list []fencedBlock
	for {
		m := fence.FindStringSubmatchIndex(text)
		if m == nil {
			return list
		}
		mark := text[m[2]:m[3]]
		indent := ""
		if lineStart := strings.LastIndexByte(text[:m[3]], '\n') + 1; strings.TrimLeft(text[lineStart:m[3]], " \t") == strings.TrimLeft(mark, " \t") {
			indent = text[lineStart : m[3]-len(strings.TrimLeft(mark, " \t"))]
		}
		lang := strings.ToLower(text[m[4]:m[5]])
		code, rest := upTo(text[m[1]:], strings.TrimLeft(mark, " \t"))
		list = append(list, fencedBlock{
			code:   unindent(code, indent),
			python: lang == "" || strings.HasPrefix(lang, "py"),
		})
		text = rest
	}
}

// upTo cuts text at the closing mark: at the start of a line, or at the end of one.
func upTo(text, mark string) (inside, rest string) {
	for at := 0; at < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		trimmed := strings.TrimSpace(text[at:end])
		if strings.HasPrefix(trimmed, mark) {
			if behind := strings.TrimLeft(trimmed, mark[:1]); behind != "" && !strings.ContainsAny(behind, " \t"+mark[:1]) {
				return text[:at], text[at:] // of the next block: this one was not closed
			}
			start := at + strings.Index(text[at:end], mark)
			return text[:at], strings.TrimLeft(text[start:], mark[:1])
		}
		if strings.HasSuffix(trimmed, mark) {
			return strings.TrimRight(strings.TrimRight(text[:end], " \t\n"), mark[:1]) + "\n", text[end:]
		}
		at = end
	}
	return text, ""
}

// unindent takes the indentation of a fence, as in a list, from the lines of its block.
func unindent(code, indent string) string {
	if indent == "" {
		return code
	}
	lines := strings.SplitAfter(code, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, indent)
	}
	return strings.Join(lines, "")
}
