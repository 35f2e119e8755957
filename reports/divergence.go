package reports

import "time"

// DivergenceVersion is the version of divergences that are written.
const DivergenceVersion = 1

// Divergence says how far a model is from its reference at masked positions: the result of
// kld.
type Divergence struct {
	Version   int       `json:"kld"` // DivergenceVersion
	Program   Program   `json:"program"`
	Machine   Machine   `json:"machine"`
	Command   []string  `json:"command"`
	Started   time.Time `json:"started"`
	Model     File      `json:"model"`
	Reference File      `json:"reference"`
	Data      string    `json:"data"`        // file of the prompts
	DataHash  string    `json:"data_sha256"` // in hex
	Prompts   int       `json:"prompts"`

	All     DivergenceFigures   `json:"all"`
	Buckets []DivergenceFigures `json:"by_mask_share"`
}

// DivergenceFigures are means over positions; intervals hold 95 % of the means of bootstrap
// samples of prompts.
type DivergenceFigures struct {
	UpTo       float64  `json:"up_to"` // masked share of the block, above that of the entry before; 1 for all
	Positions  int      `json:"positions"`
	KLD        Interval `json:"kld"`         // nats
	Agreement  Interval `json:"top1"`        // share of positions with the same most probable token
	ProbChange Interval `json:"prob_change"` // RMS change of the probability of the reference's most probable token
	MaxKLD     float64  `json:"max_kld"`
}

// Interval is a mean and its 95 % interval.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// File is a model's file.
type File struct {
	Name   string  `json:"file"`
	SHA256 string  `json:"sha256"`
	Type   string  `json:"type"`            // of most weights, or of a mixture, as q4_k_m
	Size   uint64  `json:"size"`            // bytes of weights
	Bits   float64 `json:"bits_per_weight"` // of all weights
}
