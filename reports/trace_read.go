package reports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrTrace is what errors about the contents of a trace wrap.
var ErrTrace = errors.New("no trace")

// maxTrace bounds a trace in bytes, unpacked.
const maxTrace = 256 << 20

// traceBounds are what a trace may have: a small file may unpack to much, and what is read
// takes several times the room of its text.
type traceBounds struct {
	bytes     int64 // unpacked
	line      int   // bytes of one
	steps     int
	positions int // of the blocks of all steps
	layers    int
}

// Trace is a trace that was read. End is nil in one that was cut off.
type Trace struct {
	Header TraceHeader
	Steps  []TraceStep
	End    *TraceEnd
}

// ReadTrace reads a trace, compressed or not. A line that is cut off at the end is
// left out. One of more than 256 MiB, 262 144 steps, or 4 194 304 positions in them is
// refused.
func ReadTrace(r io.Reader) (*Trace, error) {
	return readTrace(r, &traceBounds{bytes: maxTrace, line: 16 << 20, steps: 1 << 18, positions: 4 << 20, layers: 1 << 12})
}

func readTrace(r io.Reader, most *traceBounds) (*Trace, error) {
	in, err := unpacked(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrace, err)
	}
	t, lines := new(Trace), bufio.NewScanner(&meter{r: in, left: most.bytes, full: fmt.Errorf("the trace has more than %d bytes, unpacked", most.bytes)})
	lines.Buffer(nil, most.line)
	lines.Split(wholeLines)
	n := 0
	for ; lines.Scan(); n++ {
		if err := t.line(n, lines.Bytes(), most); err != nil {
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
func (t *Trace) line(n int, data []byte, most *traceBounds) error {
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
	switch {
	case len(t.Steps) == most.steps:
		return fmt.Errorf("there are more than %d steps", most.steps)
	case (len(t.Steps)+1)*b > most.positions:
		return fmt.Errorf("there are more than %d positions in the blocks of all steps", most.positions)
	case len(s.Experts) > most.layers:
		return fmt.Errorf("%d layers", len(s.Experts))
	}
	t.Steps = append(t.Steps, *s)
	return nil
}
