package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"lladakit/runtime"
)

func (e *env) logitsCommand() *cli.Command {
	return &cli.Command{
		Name:  "logits",
		Usage: "compute the logits of given ids, for checking",
		UsageText: "llada logits --model FILE --ids 1,2,3 [--block-length N] [--json]\n\n" +
			"Example: llada logits --model tiny.gguf --ids 1010,324,1004 --json",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE`"},
			&cli.StringFlag{Name: "ids", Usage: "token ids, separated by commas"},
			&cli.IntFlag{Name: "block-length", Usage: "of the block-causal mask (default: the model's)"},
			&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "workers (default: one per processor)"},
			&cli.BoolFlag{Name: "json", Usage: "print every logit as JSON, not the five greatest of each row"},
		},
		Action: e.logits,
	}
}

func (e *env) logits(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := require(c, "model", "ids"); err != nil {
		return err
	}
	ids, err := parseIDs(c.String("ids"))
	if err != nil {
		return err
	}
	m, err := runtime.Load(c.String("model"), runtime.LoadOptions{Threads: c.Int("threads")})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.CheckIDs(ids); err != nil {
		return usagef("--ids: %w", err)
	}
	block := m.Config.BlockLength
	if c.IsSet("block-length") {
		block = c.Int("block-length")
	}
	if c.Bool("json") {
		return e.logitsJSON(c, m, ids, block)
	}
	var rows [][]string
	err = m.Logits(c.Context, ids, block, func(row []float32) error {
		cells := []string{strconv.Itoa(len(rows)), strconv.Itoa(int(ids[len(rows)]))}
		for _, id := range greatest(row, 5) {
			cells = append(cells, fmt.Sprintf("%d %.4f", id, row[id]))
		}
		rows = append(rows, cells)
		return nil
	})
	if err != nil {
		return err
	}
	header := []string{"position", "id"}
	for k := range min(5, m.Config.Vocab) {
		header = append(header, fmt.Sprint("top ", k+1))
	}
	return e.table(header, rows, 0, 1)
}

// logitsJSON prints row by row: all rows of a large vocabulary need not fit into
// memory.
func (e *env) logitsJSON(c *cli.Context, m *runtime.Model, ids []int32, block int) error {
	w := bufio.NewWriter(e.stdout)
	head, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, `{"ids":%s,"logits":[`, head)
	first := true
	err = m.Logits(c.Context, ids, block, func(row []float32) error {
		line, err := json.Marshal(row)
		if err != nil {
			return err // a damaged model gave an infinity
		}
		if !first {
			w.WriteByte(',')
		}
		first = false
		_, err = w.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "]}")
	return w.Flush()
}

// greatest returns the ids of the n greatest logits, the greatest first.
func greatest(row []float32, n int) []int {
	var top []int
	for id, v := range row {
		at := len(top)
		for at > 0 && v > row[top[at-1]] {
			at--
		}
		if at < n {
			top = append(top[:at], append([]int{id}, top[at:]...)...)
			top = top[:min(n, len(top))]
		}
	}
	return top
}
