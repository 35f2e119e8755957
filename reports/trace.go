package reports

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
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

// ErrTrace is what errors about the contents of a trace wrap.
var ErrTrace = errors.New("no trace")

// maxTraceLine bounds a line of a trace in bytes.
const maxTraceLine = 64 << 20

// Trace is a trace that was read. End is nil in one that was cut off.
type Trace struct {
	Header TraceHeader
	Steps  []TraceStep
	End    *TraceEnd
}

// ReadTrace reads a trace, compressed or not. A line that is cut off at the end is
// left out.
func ReadTrace(r io.Reader) (*Trace, error) {
	in := bufio.NewReader(r)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		zip, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTrace, err)
		}
		in = bufio.NewReader(zip)
	}
	t, lines := new(Trace), bufio.NewScanner(in)
	lines.Buffer(nil, maxTraceLine)
	lines.Split(wholeLines)
	n := 0
	for ; lines.Scan(); n++ {
		if err := t.line(n, lines.Bytes()); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTrace, n+1, err)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: line %d: %w", ErrTrace, n+1, err)
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: it has no line", ErrTrace)
	}
	return t, nil
}

// wholeLines is bufio.ScanLines without the last line if that has no end.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

// line takes the n-th line.
func (t *Trace) line(n int, data []byte) error {
	if t.End != nil {
		return errors.New("it follows the last one")
	}
	if n == 0 {
		if err := json.Unmarshal(data, &t.Header); err != nil {
			return err
		}
		if v := t.Header.Trace; v < 1 || v > TraceVersion {
			return fmt.Errorf("version %d is not between 1 and %d", v, TraceVersion)
		}
		if b := t.Header.Block; b < 1 || b > 1<<20 {
			return fmt.Errorf("block length %d", b)
		}
		return nil
	}
	var line struct {
		TraceStep
		*TraceEnd
	}
	if err := json.Unmarshal(data, &line); err != nil {
		return err
	}
	if line.TraceEnd != nil && line.End != "" {
		t.End = line.TraceEnd
		return nil
	}
	s := &line.TraceStep
	b := t.Header.Block
	if len(s.Tokens) != b || len(s.Wrote) != b || len(s.Stats) != b || s.Edited != nil && len(s.Edited) != b {
		return fmt.Errorf("its lists have not the block's %d entries", b)
	}
	if s.Block < 0 || s.Step < 0 || s.Prompt < 0 || s.Prompt > b {
		return fmt.Errorf("block %d, step %d, %d positions of the prompt", s.Block, s.Step, s.Prompt)
	}
	t.Steps = append(t.Steps, *s)
	return nil
}
