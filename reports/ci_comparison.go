package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrComparison is what errors about the contents of a comparison wrap.
var ErrComparison = errors.New("no comparison")

const (
	maxComparison      = 64 << 20 // bytes of a result file
	maxComparisonTasks = 1000
	maxComparisonGates = 10_000
)

// ReadComparison reads what Write writes in the form json, of this version and those
// before. Fields that it does not know are passed over.
func ReadComparison(r io.Reader) (*Comparison, error) {
	data, err := readAll(r, maxComparison, ErrComparison)
	if err != nil {
		return nil, err
	}
	var outline struct {
		Comparison *int              `json:"comparison"`
		Tasks      []json.RawMessage `json:"tasks"`
		Gates      []json.RawMessage `json:"gates"`
	}
	switch err := json.Unmarshal(data, &outline); {
	case outline.Comparison != nil && *outline.Comparison > ComparisonVersion: // of which nothing else is known
		return nil, fmt.Errorf("%w: it has version %d, and this program reads up to %d: use a newer one", ErrComparison, *outline.Comparison, ComparisonVersion)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrComparison, err)
	case outline.Comparison == nil || *outline.Comparison < 1:
		return nil, fmt.Errorf(`%w: it has no version under "comparison"`, ErrComparison)
	case len(outline.Tasks) > maxComparisonTasks:
		return nil, fmt.Errorf("%w: %d tasks are more than %d", ErrComparison, len(outline.Tasks), maxComparisonTasks)
	case len(outline.Gates) > maxComparisonGates:
		return nil, fmt.Errorf("%w: %d gates are more than %d", ErrComparison, len(outline.Gates), maxComparisonGates)
	}
	c := new(Comparison)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrComparison, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrComparison, err)
	}
	return c, nil
}
