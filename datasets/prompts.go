package datasets

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
)

// maxPrompts bounds a prompt file, in bytes, packed and unpacked.
const maxPrompts = 1 << 30

// Prompts reads the user texts of a file: one JSON object a line, with the text
// under "prompt" (as HumanEval has it), "question" (as GSM8K has it) or "text";
// or, in a file that does not begin with an object, one text a line. Empty lines
// are passed over. The file may be packed with gzip. It is an error if there is no
// text; errors name file and line.
func Prompts(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f, maxPrompts)
	if err == nil {
		data, err = unpack(data, maxPrompts)
	}
	var prompts []string
	if err == nil {
		prompts, err = parsePrompts(data)
	}
	if err != nil {
		return nil, inFile(path, err)
	}
	return prompts, nil
}

func parsePrompts(data []byte) ([]string, error) {
	isJSON := false
	var prompts []string
	err := lines(data, func(_ int, line []byte) (err error) {
		if len(prompts) == 0 {
			isJSON = bytes.HasPrefix(bytes.TrimSpace(line), []byte("{"))
		}
		text := string(line)
		if isJSON {
			text, err = promptOf(line)
		}
		prompts = append(prompts, text)
		return err
	})
	if err != nil {
		return nil, err
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
