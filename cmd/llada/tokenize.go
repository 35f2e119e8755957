package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
)

func (e *env) tokenizeCommand() *cli.Command {
	return &cli.Command{
		Name:  "tokenize",
		Usage: "turn a text into token ids, or ids into text",
		UsageText: "llada tokenize --model FILE (--text TEXT | --text-file FILE | --ids 1,2,3)\n\n" +
			"Example: llada tokenize --model mini-q8_0.gguf --chat --text 'Hello'",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE`"},
			&cli.StringFlag{Name: "text", Usage: "`TEXT` to turn into ids"},
			&cli.StringFlag{Name: "text-file", Usage: "`FILE` with the text, - for standard input"},
			&cli.StringFlag{Name: "ids", Usage: "token ids `1,2,3` to turn into text"},
			&cli.BoolFlag{Name: "chat", Usage: "wrap the text as one user message in the chat form"},
			&cli.BoolFlag{Name: "json", Usage: "print ids, pieces and text as JSON"},
		},
		Action: e.tokenize,
	}
}

func (e *env) tokenize(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "model"); err != nil {
		return err
	}
	from, err := exactlyOne(c, "text", "text-file", "ids")
	if err != nil {
		return err
	}
	if c.Bool("chat") && from == "ids" {
		return usagef("--chat is for texts, not for --ids")
	}
	ids, err := parseIDs(c.String("ids"))
	if err != nil {
		return err
	}
	t, err := openTokenizer(c.String("model"))
	if err != nil {
		return err
	}
	switch from {
	case "ids":
		for _, id := range ids {
			if id < 0 || int(id) >= t.Size() {
				return usagef("--ids: %d is outside the vocabulary of %d", id, t.Size())
			}
		}
	default:
		text := c.String("text")
		if from == "text-file" {
			if text, err = e.readText(c.String("text-file")); err != nil {
				return err
			}
		}
		if c.Bool("chat") {
			ids, err = t.EncodeChat([]tokenizer.Message{{Role: "user", Content: text}})
			if err != nil {
				return err
			}
		} else {
			ids = t.Encode(text)
		}
	}
	text := t.Decode(ids, false)
	if c.Bool("json") {
		pieces := make([]string, len(ids))
		for i, id := range ids {
			pieces[i], _ = t.Piece(id)
		}
		return e.json(map[string]any{"ids": ids, "pieces": pieces, "text": text})
	}
	if from == "ids" {
		_, err = fmt.Fprintln(e.stdout, e.stdout.printable(text))
		return err
	}
	_, err = fmt.Fprintln(e.stdout, joinIDs(ids))
	return err
}

func openTokenizer(path string) (*tokenizer.Tokenizer, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := tokenizer.FromMetadata(f.Metadata)
	if errors.Is(err, tokenizer.ErrNoVocab) {
		return nil, fmt.Errorf("%s has no vocabulary: it was converted from a checkpoint without tokenizer.json", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}
