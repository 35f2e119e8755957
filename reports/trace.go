package reports

import (
	"compress/gzip"
	"encoding/json"
	"io"
)

// A trace is the record of one generation: JSON objects, one a line. The first is a
// TraceHeader, then there is a TraceStep for each denoising step, and the last is a
// TraceEnd, unless the program was killed. docs/trace.md describes the fields.

// TraceVersion is the version of traces that are written. Readers refuse higher ones.
const TraceVersion = 1

// TraceHeader is the first line.
type TraceHeader struct {
	Trace     int             `json:"trace"` // TraceVersion
	Program   string          `json:"program"`
	Model     string          `json:"model"` // file
	Type      string          `json:"type"`  // that most weights have
	Kernels   string          `json:"kernels"`
	Threads   int             `json:"threads"`
	Class     string          `json:"class"` // of exactness
	Mask      int32           `json:"mask"`  // the id of the mask token
	EOS       int32           `json:"eos"`
	Block     int             `json:"block_length"`
	PromptIDs []int32         `json:"prompt_ids"`
	Prompt    string          `json:"prompt"` // text
	Settings  json.RawMessage `json:"settings"`
}

// TraceStep is the line of one denoising step. Lists have an entry for every position
// of the block.
type TraceStep struct {
	Block  int                `json:"block"`  // counted from position 0
	Step   int                `json:"step"`   // of the block, from 0
	Prompt int                `json:"prompt"` // how many positions of the block belong to the prompt
	Tokens []int32            `json:"tokens"` // after the step; the mask's id where nothing is decided
	Wrote  []bool             `json:"wrote"`  // whether this step decided it
	Edited []bool             `json:"edited"` // whether this step replaced what was decided before; null if it replaced nothing
	Stats  []*TracePrediction `json:"stats"`  // null where nothing was predicted

	Entropy float64 `json:"entropy"` // mean over the masked positions, in nats
	Margin  float64 `json:"margin"`  // 1 - mean(p₁ - p₂)
	Change  float64 `json:"change"`  // of entropy since the step before, relative
	Zone    bool    `json:"zone"`    // of confusion

	Experts []int     `json:"experts"` // routed experts used, by layer
	MS      TraceTime `json:"ms"`
}

// TraceTime is where the milliseconds of a step went.
type TraceTime struct {
	Attention float64 `json:"attention"`
	FFN       float64 `json:"ffn"`
	Head      float64 `json:"head"`
	Total     float64 `json:"total"`
}

// TracePrediction is the prediction for one position.
type TracePrediction struct {
	Token   int32   `json:"token"`   // the most probable one, or the one drawn
	Text    string  `json:"text"`    // its text; bytes that are no UTF-8 are replaced
	Prob    float32 `json:"prob"`    // its probability
	Second  float32 `json:"second"`  // the probability of the next most probable one
	Entropy float32 `json:"entropy"` // of the whole distribution, in nats
}

// TraceEnd is the last line.
type TraceEnd struct {
	End   string  `json:"end"` // eos, length, or interrupted
	IDs   []int32 `json:"ids"`
	Text  string  `json:"text"`
	Error string  `json:"error,omitempty"`
}

// TraceWriter writes a trace line by line: whatever ends the program, all lines that
// were written are whole.
type TraceWriter struct {
	w   io.Writer
	zip *gzip.Writer // nil without compression
}

// NewTraceWriter writes to w, compressed if zip is set.
func NewTraceWriter(w io.Writer, zip bool) *TraceWriter {
	t := &TraceWriter{w: w}
	if zip {
		t.zip = gzip.NewWriter(w)
	}
	return t
}

// Write writes a line: a *TraceHeader, *TraceStep or *TraceEnd.
func (t *TraceWriter) Write(line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if t.zip == nil {
		_, err = t.w.Write(data)
		return err
	}
	if _, err := t.zip.Write(data); err != nil {
		return err
	}
	return t.zip.Flush()
}

// Close writes the end of compressed data. It does not close the file.
func (t *TraceWriter) Close() error {
	if t.zip == nil {
		return nil
	}
	return t.zip.Close()
}
