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
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE`"},
			&cli.StringFlag{Name: "ids", Usage: "token ids `1,2,3`"},
			&cli.IntFlag{Name: "block-length", Usage: "blocks of `N` positions in the block-causal mask", DefaultText: "the model's"},
			&cli.BoolFlag{Name: "json", Usage: "print every logit as JSON, not the five greatest of each row"},
		}, loadFlags()...),
		Action: e.logits,
	}
}

func (e *env) logits(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "model", "ids"); err != nil {
		return err
	}
	ids, err := parseIDs(c.String("ids"))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return usagef("--ids: there is no id")
	}
	m, err := e.load(c, c.String("model"))
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
	// Before any work, since JSON that has begun cannot be taken back.
	if block < 1 || block > m.Config.Context {
		return usagef("--block-length: %d is not between 1 and the model's %d positions", block, m.Config.Context)
	}
	if len(ids) > m.Config.Context {
		return usagef("--ids: %d ids exceed the model's %d positions", len(ids), m.Config.Context)
	}
	if c.Bool("json") {
		return e.logitsJSON(c, m, ids, block)
	}
	var rows [][]string
	err = m.Logits(c.Context, ids, block, func(row []float32) error {
		if !allFinite(row) {
			return notFinite(m, len(rows))
		}
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
	row := 0
	err = m.Logits(c.Context, ids, block, func(logits []float32) error {
		if !allFinite(logits) {
			return notFinite(m, row)
		}
		line, err := json.Marshal(logits)
		if err != nil {
			return err
		}
		if row > 0 {
			w.WriteByte(',')
		}
		row++
		_, err = w.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "]}")
	return w.Flush()
}

// allFinite reports whether JSON has numbers for all of row.
func allFinite(row []float32) bool {
	for _, v := range row {
		if !finite(v) {
			return false
		}
	}
	return true
}

func notFinite(m *runtime.Model, position int) error {
	return fmt.Errorf("%s: the logits at position %d are not finite: the file's weights are damaged", m.Paths()[0], position)
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
