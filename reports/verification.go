package reports

import "time"

// VerificationVersion is the version of verifications that are written.
const VerificationVersion = 1

// Verification is what verify found about a file beside its source.
type Verification struct {
	Version  int       `json:"verification"` // VerificationVersion
	Program  Program   `json:"program"`
	Machine  Machine   `json:"machine"`
	Command  []string  `json:"command"`
	Started  time.Time `json:"started"`
	Source   string    `json:"source"`
	File     File      `json:"file"`
	Tensors  int       `json:"tensors"`
	Experts  int       `json:"experts"` // matrices
	Faults   int       `json:"faults"`
	Findings []string  `json:"findings"`
	RelRMS   float64   `json:"rel_rms"` // error of all weights, relative to their root mean square
}
