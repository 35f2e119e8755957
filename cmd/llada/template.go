package main

import (
	"fmt"
	"regexp"
	"strconv"

	"lladakit/runtime"
)

// hole is how a template file says what is to be found: so many tokens, or one.
var hole = regexp.MustCompile(`<\|mask(?::([0-9]+))?\|>`)

// parseTemplate returns the tokens of an answer that is known in parts: masks in the
// place of holes, and the tokens of the texts between them.
func parseTemplate(text string, m *runtime.Model) ([]int32, error) {
	var ids []int32
	from := 0
	for _, at := range hole.FindAllStringSubmatchIndex(text, -1) {
		ids = append(ids, m.Tokenizer.Encode(text[from:at[0]])...)
		n := 1
		if at[2] >= 0 {
			var err error
			if n, err = strconv.Atoi(text[at[2]:at[3]]); err != nil || n < 1 || n > m.Config.Context {
				return nil, fmt.Errorf("a hole of %.20s tokens is not between 1 and the model's %d positions", text[at[2]:at[3]], m.Config.Context)
			}
		}
		for range n {
			ids = append(ids, m.MaskID)
		}
		if len(ids) > m.Config.Context {
			return nil, fmt.Errorf("more tokens than the model's %d positions", m.Config.Context)
		}
		from = at[1]
	}
	if from == 0 {
		return nil, fmt.Errorf("it has no hole: <|mask|>, or <|mask:12|> for 12 tokens")
	}
	return append(ids, m.Tokenizer.Encode(text[from:])...), nil
}
