// Package datasets reads the data that models are measured on.
package datasets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// maxPrompts bounds a prompt file, in bytes.
const maxPrompts = 1 << 30

// Prompts reads the user texts of a file: one JSON object a line, with the text
// under "prompt" (as HumanEval has it), "question" (as GSM8K has it) or "text";
// or, in a file that does not begin with an object, one text a line. Empty lines
// are passed over. It is an error if there is no text; errors name file and line.
func Prompts(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPrompts+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPrompts {
		return nil, fmt.Errorf("%s: more than %d MiB are too many prompts", path, maxPrompts>>20)
	}
	prompts, err := parsePrompts(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return prompts, nil
}

func parsePrompts(data []byte) ([]string, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // with which some editors begin a file
	isJSON := bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
	var prompts []string
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("line %d is not text in UTF-8", n)
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		text := string(line)
		if isJSON {
			var err error
			if text, err = promptOf(line); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		prompts = append(prompts, text)
	}
	if len(prompts) == 0 {
		return nil, errors.New("no prompts")
	}
	return prompts, nil
}

// promptOf returns the user text of a JSON record.
func promptOf(line []byte) (string, error) {
	var record struct{ Prompt, Question, Text string }
	if err := json.Unmarshal(line, &record); err != nil {
		return "", err
	}
	for _, text := range []string{record.Prompt, record.Question, record.Text} {
		if text != "" {
			return text, nil
		}
	}
	return "", errors.New(`none of "prompt", "question", "text" has a text`)
}
