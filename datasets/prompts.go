// Package datasets reads the data that models are measured on.
package datasets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// maxPrompts bounds a prompt file, in bytes.
const maxPrompts = 1 << 30

// Prompts reads the user texts of a file: one JSON object a line, with the text
// under "prompt" (as HumanEval has it), "question" (as GSM8K has it) or "text";
// or, in a file of any other kind, one text a line. Empty lines are passed over.
// Errors name file and line.
func Prompts(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPrompts {
		return nil, fmt.Errorf("%s: %d bytes are too many", path, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	isJSON := bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
	var prompts []string
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxPrompts)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		if strings.TrimSpace(text) == "" {
			continue
		}
		if isJSON {
			if text, err = promptOf(lines.Bytes()); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
			}
		}
		prompts = append(prompts, text)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(prompts) == 0 {
		return nil, fmt.Errorf("%s: no prompts", path)
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
	return "", fmt.Errorf(`none of "prompt", "question", "text" has a text`)
}
