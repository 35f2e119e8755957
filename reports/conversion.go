package reports

import "time"

// ConversionVersion is the version of conversions that are written.
const ConversionVersion = 1

// Conversion says what convert or quantize made.
type Conversion struct {
	Version int       `json:"conversion"` // ConversionVersion
	Program Program   `json:"program"`
	Machine Machine   `json:"machine"`
	Command []string  `json:"command"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Source  string    `json:"source"`
	File    File      `json:"file"`
	Files   []string  `json:"files"`
	Tensors int       `json:"tensors"`
	Weights uint64    `json:"weights"`
	Types   []TypeUse `json:"types"`

	// Experts has the types of the experts' matrices, a row for each layer that has some.
	Experts []ExpertTypes `json:"experts,omitempty"`
}

// TypeUse is how much of a model has a type.
type TypeUse struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Weights uint64 `json:"weights"`
	Bytes   uint64 `json:"bytes"`
}

// ExpertTypes are the types of one layer's experts.
type ExpertTypes struct {
	Layer int      `json:"layer"`
	Gate  []string `json:"gate"` // [experts]
	Up    []string `json:"up"`
	Down  []string `json:"down"`
}
