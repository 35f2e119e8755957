package reports

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// ConversionVersion is the version of conversions that are written. In those of version 1
// it is not known which files were read.
const ConversionVersion = 2

// Conversion says what convert or quantize made.
type Conversion struct {
	Version int       `json:"conversion,omitempty"` // ConversionVersion; 0 for a plan, which is no result
	Program Program   `json:"program"`
	Machine Machine   `json:"machine"`
	Command []string  `json:"command"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"` // without the digests
	Source  string    `json:"source"`  // folder or file

	// Sources are the files of Source that were read, and Importance is nil if there was none.
	Sources    []InputFile `json:"source_files"`
	Importance *InputFile  `json:"imatrix"`

	File      File      `json:"file"`
	Files     []string  `json:"files"`
	Recipe    string    `json:"recipe,omitempty"` // file with the formats that were chosen for a size
	Bytes     uint64    `json:"bytes"`            // of all files
	Type      string    `json:"type"`
	Tensors   int       `json:"tensors"`
	Weights   uint64    `json:"weights"`
	Bits      float64   `json:"bits_per_weight"` // of the tensors
	NonFinite uint64    `json:"nonfinite"`       // weights
	Fallbacks []string  `json:"fallbacks"`       // tensors whose rows forced another format
	Neutral   int       `json:"neutral_experts"` // experts' matrices that the importance does not know
	Fit       *Fit      `json:"fit,omitempty"`   // nil where no size was given
	Types     []TypeUse `json:"types"`

	// Experts has the types of the experts' matrices, a row for each layer that has some.
	Experts []ExpertTypes `json:"experts,omitempty"`
}

// InputFile is a file that something was made from.
type InputFile struct {
	Name   string `json:"file"`   // path
	Size   uint64 `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // in hex
}

// Fit says how good the formats are that were chosen for a size.
type Fit struct {
	Error float64 `json:"error"` // expected, relative, summed over the matrices
	Gap   float64 `json:"gap"`   // at most this share of it could be saved by other choices
}

// TypeUse is how much of a model has a type.
type TypeUse struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Weights uint64 `json:"weights"`
	Bytes   uint64 `json:"bytes"`
}

// ExpertTypes are the types of one layer's experts. Lists are as long as there are experts,
// or empty where the layer has no such matrices.
type ExpertTypes struct {
	Layer int      `json:"layer"`
	Gate  []string `json:"gate"` // [experts]
	Up    []string `json:"up"`
	Down  []string `json:"down"`
}

// ErrConversion is what errors about the contents of a conversion wrap.
var ErrConversion = errors.New("no result of convert or quantize")

// ReadConversion reads what Write writes in the form json, of this version and those
// before. Fields that it does not know are passed over.
func ReadConversion(r io.Reader) (*Conversion, error) {
	d := document[Conversion]{kind: ErrConversion, key: "conversion", newest: ConversionVersion, most: 16 << 20, objects: 50_000, check: (*Conversion).check}
	return d.read(r)
}

// check reports the first thing that cannot be.
func (c *Conversion) check() error {
	if err := checkVersion(c.Version, ConversionVersion); err != nil {
		return err
	}
	if err := checkNumbers(c); err != nil {
		return err
	}
	if c.Version >= 2 {
		for i := range c.Sources {
			if err := c.Sources[i].check(); err != nil {
				return fmt.Errorf("source_files[%d].%w", i, err)
			}
		}
		if c.Importance != nil {
			if err := c.Importance.check(); err != nil {
				return fmt.Errorf("imatrix.%w", err)
			}
		}
	}
	for i := range c.Experts {
		x := &c.Experts[i]
		n := max(len(x.Gate), len(x.Up), len(x.Down))
		for _, m := range []struct {
			name  string
			types []string
		}{{"gate", x.Gate}, {"up", x.Up}, {"down", x.Down}} {
			if len(m.types) != 0 && len(m.types) != n {
				return fmt.Errorf("experts[%d].%s has %d of %d experts", i, m.name, len(m.types), n)
			}
		}
	}
	return nil
}

// check reports a file that is not told by its digest.
func (f *InputFile) check() error {
	if !digest(f.SHA256) {
		return fmt.Errorf("sha256 is %.80q", f.SHA256)
	}
	return nil
}

// Write writes the conversion in the form json, which is the only one. One with numbers
// that cannot be is refused.
func (c *Conversion) Write(w io.Writer, form string) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("conversion: %w", err)
	}
	if form != "json" {
		return fmt.Errorf("form %.40q is not json", form)
	}
	return writeDocument(w, c)
}
