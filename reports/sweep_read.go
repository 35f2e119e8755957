package reports

import (
	"errors"
	"fmt"
	"io"
)

// ErrSweep is what errors about the contents of a sweep wrap.
var ErrSweep = errors.New("no result of a sweep")

// ReadSweep reads what Write writes in the form json, of this version and those before.
// Fields that it does not know are passed over.
func ReadSweep(r io.Reader) (*Sweep, error) {
	d := document[Sweep]{kind: ErrSweep, key: "sweep", newest: SweepVersion, most: 32 << 20, objects: 200_000, check: (*Sweep).check}
	return d.read(r)
}

// check reports the first thing that cannot be.
func (s *Sweep) check() error {
	if err := checkVersion(s.Version, SweepVersion); err != nil {
		return err
	}
	if err := checkNumbers(s); err != nil {
		return err
	}
	for i := range s.Cells {
		c := &s.Cells[i]
		if len(c.Values) != len(s.Axes) {
			return fmt.Errorf("cells[%d] has not the %d values of the axes", i, len(s.Axes))
		}
		for _, share := range []struct {
			name  string
			value float64
		}{{"same_answers", c.Same}, {"same_tokens", c.Agree}, {"accuracy", c.Accuracy}} {
			if err := checkShare(share.name, share.value); err != nil {
				return fmt.Errorf("cells[%d].%w", i, err)
			}
		}
	}
	return nil
}
