package reports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrSamples is what errors about the contents of a file of samples wrap.
var ErrSamples = errors.New("no samples")

// MaxSamples is the most samples of a file that is read.
const MaxSamples = 1_000_000

const (
	maxSampleLine = 16 << 20 // bytes
	maxSampleFile = 2 << 30  // bytes
)

// ReadSamples reads a run's samples.jsonl. A last line without an end was being written
// when the program was killed: it is left out, and torn is true.
func ReadSamples(r io.Reader) (samples []Sample, torn bool, err error) {
	limited := &io.LimitedReader{R: r, N: maxSampleFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxSampleLine)
	lines.Split(func(data []byte, atEOF bool) (advance int, token []byte, err error) {
		advance, token, err = wholeLines(data, atEOF)
		torn = torn || atEOF && token == nil && len(data) > 0
		return advance, token, err
	})
	for lines.Scan() {
		if len(samples) == MaxSamples {
			return nil, false, fmt.Errorf("%w: there are more than %d", ErrSamples, MaxSamples)
		}
		var s Sample
		err := json.Unmarshal(lines.Bytes(), &s)
		if err == nil {
			err = s.check()
		}
		if err != nil {
			return nil, false, fmt.Errorf("%w: line %d: %w", ErrSamples, len(samples)+1, err)
		}
		samples = append(samples, s)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, false, fmt.Errorf("%w: line %d has more than %d MiB", ErrSamples, len(samples)+1, maxSampleLine>>20)
	case err != nil:
		return nil, false, err
	case limited.N <= 0:
		return nil, false, fmt.Errorf("%w: they have more than %d GiB", ErrSamples, maxSampleFile>>30)
	}
	return samples, torn, nil
}

// check reports what a sample that was written cannot have.
func (s *Sample) check() error {
	for _, text := range []struct{ name, value string }{{"key", s.Key}, {"generation", s.Generation}} {
		if !digest(text.value) {
			return fmt.Errorf("its %s %.70q is not 64 hexadecimal digits", text.name, text.value)
		}
	}
	if s.Task == "" || s.DocID == "" {
		return errors.New("it has no task or no doc_id")
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"version", s.Version}, {"index", s.Index}, {"repeat", s.Repeat}, {"n_prompt", s.PromptTokens}, {"n_gen", s.Tokens},
		{"forwards_prefill", s.Prefill}, {"forwards_denoise", s.Denoise}, {"forwards_commit", s.Commit},
	} {
		// Sums of them are whole numbers still.
		if n.value < 0 || n.value > math.MaxInt32 {
			return fmt.Errorf("its %s is %d", n.name, n.value)
		}
	}
	for _, ms := range []float64{s.Timings.Prefill, s.Timings.Decode, s.Timings.Judge} {
		if ms < 0 {
			return fmt.Errorf("a time of it is %g", ms)
		}
	}
	return nil
}

// digest reports whether text is a SHA-256 digest.
func digest(text string) bool {
	return len(text) == 64 && len(bytes.Trim([]byte(text), "0123456789abcdef")) == 0
}
