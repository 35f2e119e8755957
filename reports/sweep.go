package reports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
)

// SweepVersion is the version of sweeps that are written.
const SweepVersion = 1

// Sweep is how fast and how good settings and models are. Everything is relative to the
// first cell, which has the first model and the recommended settings.
type Sweep struct {
	Version     int         `json:"sweep"` // SweepVersion
	Program     Program     `json:"program"`
	Machine     Machine     `json:"machine"`
	Command     []string    `json:"command"`
	Started     time.Time   `json:"started"`
	Data        string      `json:"data"`                  // where the prompts are from
	Prompts     int         `json:"prompts"`               // that every cell answered
	Asked       int         `json:"prompts_asked"`         // that they were to answer
	Repetitions int         `json:"repetitions"`           // whole ones
	Interrupted bool        `json:"interrupted,omitempty"` // whether there are fewer than were asked for
	Judged      bool        `json:"judged"`                // whether Right is known
	Axes        []string    `json:"axes"`                  // settings that vary
	Cells       []SweepCell `json:"cells"`
	Warnings    []string    `json:"warnings,omitempty"`
}

// SweepCell is one model with one combination of settings.
type SweepCell struct {
	Model       string          `json:"model_filename"`
	Type        string          `json:"model_type"` // name and type, as "llada2 16B Q4_0"
	Size        uint64          `json:"model_size"` // bytes of weights
	Threads     int             `json:"n_threads"`
	Values      []string        `json:"values"` // of Sweep.Axes
	Settings    json.RawMessage `json:"settings"`
	SHA256      string          `json:"model_sha256"` // of its files; empty in older results
	Class       string          `json:"class"`        // of exactness
	Recommended bool            `json:"recommended"`  // settings
	Front       bool            `json:"front"`        // no other cell is better in one and as good in the other, of speed and quality

	Speed    Spread  `json:"tokens_per_s"`   // of repetitions, prompts' prefill in it
	Relative float64 `json:"relative_speed"` // to the first cell
	Tokens   int     `json:"tokens"`         // of all answers
	Forwards int     `json:"forwards"`       // denoising ones, of all answers
	TPF      float64 `json:"tpf"`            // tokens per denoising forward
	MS       float64 `json:"ms_per_forward"` // denoising
	Same     float64 `json:"same_answers"`   // share of prompts with the first cell's answer
	Agree    float64 `json:"same_tokens"`    // share of positions with the first cell's token, mean over prompts
	Right    int     `json:"right"`          // answers, if judged
	Accuracy float64 `json:"accuracy"`       // share of them
}

// quality is what is set against speed.
func (s *Sweep) quality(c *SweepCell) float64 {
	if s.Judged {
		return c.Accuracy
	}
	return c.Agree
}

// Compare fills in what cells are beside each other: Relative and Front.
func (s *Sweep) Compare() {
	for i := range s.Cells {
		c := &s.Cells[i]
		if first := s.Cells[0].Speed.Median; first > 0 {
			c.Relative = c.Speed.Median / first
		}
		c.Front = c.Speed.Median > 0 && !slices.ContainsFunc(s.Cells, func(o SweepCell) bool {
			faster, better := o.Speed.Median-c.Speed.Median, s.quality(&o)-s.quality(c)
			return faster >= 0 && better >= 0 && (faster > 0 || better > 0)
		})
	}
}

// sweepForms are the forms of Write.
var sweepForms = map[string]func(s *Sweep, w io.Writer) error{
	"md": (*Sweep).markdown, "json": (*Sweep).json, "csv": (*Sweep).csv,
}

// SweepForms lists what Write can write.
func SweepForms() []string { return []string{"md", "json", "csv"} }

// Write writes the sweep in one of the forms of SweepForms.
func (s *Sweep) Write(w io.Writer, form string) error {
	write := sweepForms[form]
	if write == nil {
		return fmt.Errorf("form %.40q is not one of %s", form, strings.Join(SweepForms(), ", "))
	}
	if err := checkNumbers(s); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for i := range s.Cells {
		if len(s.Cells[i].Values) != len(s.Axes) {
			return fmt.Errorf("sweep: cells[%d] has not the %d values of the axes", i, len(s.Axes))
		}
	}
	return write(s, w)
}

func (s *Sweep) json(w io.Writer) error { return writeDocument(w, s) }

// csv has a column for each axis.
func (s *Sweep) csv(w io.Writer) error {
	out := bufio.NewWriter(w)
	row := func(c *SweepCell, text func(*field) string, values []string) {
		var cells []string
		for _, f := range fields(reflect.ValueOf(*c), "") {
			if f.name == "values" {
				cells = append(cells, values...)
			} else {
				cells = append(cells, text(&f))
			}
		}
		writeCSV(out, cells)
	}
	row(new(SweepCell), func(f *field) string { return f.name }, s.Axes)
	for i := range s.Cells {
		row(&s.Cells[i], (*field).text, s.Cells[i].Values)
	}
	return out.Flush()
}

// sweepColumns are those of the table, of which the axes are a part.
func (s *Sweep) sweepColumns() []column[SweepCell] {
	type c = *SweepCell
	columns := []column[SweepCell]{
		{"model", false, func(c c) string { return c.Type }, differing},
		{"file", false, func(c c) string { return fileName(c.Model) }, differing},
		{"size", true, func(c c) string { return gibibytes(c.Size) }, differing},
		{"threads", true, func(c c) string { return count(c.Threads) }, differing},
	}
	for i, name := range s.Axes {
		columns = append(columns, column[SweepCell]{name, true, func(c c) string { return c.Values[i] }, nil})
	}
	known := func(c c, text string) string {
		if c.Tokens == 0 {
			return ""
		}
		return text
	}
	columns = append(columns, []column[SweepCell]{
		{"class", false, func(c c) string { return c.Class }, nil},
		{"t/s", true, func(c c) string {
			if c.Speed.N < 2 {
				return decimals(c.Speed.Median)
			}
			return known(c, fmt.Sprintf("%.2f (%.2f to %.2f)", c.Speed.Median, c.Speed.Low, c.Speed.High))
		}, nil},
		{"speed", true, func(c c) string { return known(c, fmt.Sprintf("%.2f ×", c.Relative)) }, nil},
		{"tokens/forward", true, func(c c) string { return decimals(c.TPF) }, nil},
		{"forwards", true, func(c c) string { return count(c.Forwards) }, nil},
		{"ms/forward", true, func(c c) string { return known(c, significant(c.MS)) }, nil},
		{"same answers", true, func(c c) string { return known(c, percent(c.Same)) }, nil},
		{"same tokens", true, func(c c) string { return known(c, percent(c.Agree)) }, nil},
	}...)
	if s.Judged {
		columns = append(columns, column[SweepCell]{"right", true, func(c c) string {
			return known(c, fmt.Sprintf("%d (%s)", c.Right, percent(c.Accuracy)))
		}, nil})
	}
	return append(columns, column[SweepCell]{"", false, func(c c) string {
		var marks []string
		if c.Recommended {
			marks = append(marks, "recommended")
		}
		if c.Front {
			marks = append(marks, "front")
		}
		return strings.Join(marks, ", ")
	}, nil})
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func (s *Sweep) markdown(w io.Writer) error { return s.sheet().markdown(w) }

// sheet has the table of all cells. A narrow one keeps the settings, and how good and fast
// they are.
func (s *Sweep) sheet() *sheet {
	kept := slices.Concat([]string{"t/s"}, s.Axes, []string{"right", "", "model", "same tokens", "speed", "file", "threads", "tokens/forward", "same answers", "ms/forward", "size"})
	table := columnsTable(s.sweepColumns(), s.Cells).prefer(kept...)
	return &sheet{tables: []*Table{table}, build: "build: " + s.Program.describe(), notes: s.notes()}
}

// notes are what is said of all cells.
func (s *Sweep) notes() []string {
	quality := "same tokens"
	if s.Judged {
		quality = "right answers"
	}
	notes := []string{
		fmt.Sprintf("%s of %s, one at a time; %s, in which the cells took turns prompt by prompt", plural(s.Prompts, "prompt"), fileName(s.Data), plural(s.Repetitions, "repetition")),
		"t/s: tokens of answers by time with prefill, median of repetitions (95 % interval)",
		"speed, same answers and same tokens: beside the first row, which has the first model and the recommended settings",
		"front: no other row is better in t/s or in " + quality + " and at least as good in the other",
		"machine: " + s.Machine.describe(),
	}
	if s.Interrupted {
		notes = append(notes, fmt.Sprintf("interrupted: %d prompts were to be answered", s.Asked))
	}
	for _, warning := range slices.Concat(s.Machine.Warnings, s.Warnings) {
		notes = append(notes, "warning: "+warning)
	}
	return notes
}
