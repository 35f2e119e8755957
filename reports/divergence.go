package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// DivergenceVersion is the version of divergences that are written.
const DivergenceVersion = 1

// Divergence says how far a model is from its reference at masked positions: the result of
// kld.
type Divergence struct {
	Version       int             `json:"kld"` // DivergenceVersion
	Program       Program         `json:"program"`
	Machine       Machine         `json:"machine"`
	Command       []string        `json:"command"`
	Started       time.Time       `json:"started"`
	ModelPath     string          `json:"model"`     // as it was given
	ReferencePath string          `json:"reference"` // as it was given
	Model         File            `json:"model_file"`
	Reference     File            `json:"reference_file"`
	Data          string          `json:"data"`        // file of the prompts
	DataHash      string          `json:"data_sha256"` // in hex
	Settings      json.RawMessage `json:"settings"`    // of decoding, with which the reference answered
	Prompts       int             `json:"prompts"`

	All     DivergenceFigures   `json:"all"`
	Buckets []DivergenceFigures `json:"by_mask_share"`
}

// DivergenceFigures are means over positions; intervals hold 95 % of the means of bootstrap
// samples of prompts.
type DivergenceFigures struct {
	UpTo       float64  `json:"up_to"`       // masked share of the block, above that of the entry before; 1 for all
	Positions  int      `json:"positions"`   // 0: nothing is known
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
	Name   string  `json:"file"`            // as it was given; of a split one, any part
	SHA256 string  `json:"sha256"`          // in hex, of all parts one after the other
	Type   string  `json:"type"`            // of most weights, or of a mixture, as q4_k_m
	Size   uint64  `json:"size"`            // bytes of weights
	Bits   float64 `json:"bits_per_weight"` // of all weights
}

// ErrDivergence is what errors about the contents of a divergence wrap.
var ErrDivergence = errors.New("no result of kld")

// ReadDivergence reads what Write writes in the form json, of this version and those
// before. Fields that it does not know are passed over.
func ReadDivergence(r io.Reader) (*Divergence, error) {
	doc := document[Divergence]{kind: ErrDivergence, key: "kld", newest: DivergenceVersion, most: 4 << 20, objects: 10_000, check: (*Divergence).check}
	return doc.read(r)
}

// check reports the first thing that cannot be.
func (d *Divergence) check() error {
	if err := checkVersion(d.Version, DivergenceVersion); err != nil {
		return err
	}
	if err := checkNumbers(d); err != nil {
		return err
	}
	if err := d.All.check("all"); err != nil {
		return err
	}
	for i := range d.Buckets {
		if err := d.Buckets[i].check(fmt.Sprintf("by_mask_share[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (f *DivergenceFigures) check(at string) error {
	for _, share := range []struct {
		name  string
		value float64
	}{
		{"up_to", f.UpTo},
		{"top1.mean", f.Agreement.Mean}, {"top1.low", f.Agreement.Low}, {"top1.high", f.Agreement.High},
		{"prob_change.mean", f.ProbChange.Mean}, {"prob_change.low", f.ProbChange.Low}, {"prob_change.high", f.ProbChange.High},
	} {
		if err := checkShare(at+"."+share.name, share.value); err != nil {
			return err
		}
	}
	return nil
}

// DivergenceForms lists what Write can write.
func DivergenceForms() []string { return []string{"md", "json"} }

// Write writes the divergence in one of the forms of DivergenceForms. One with numbers that
// cannot be is refused.
func (d *Divergence) Write(w io.Writer, form string) error {
	return writeSheet(w, d, form, "divergence")
}

// Table has the figures by the masked share, and those of all in its last row.
func (d *Divergence) Table() *Table {
	t := &Table{
		Header: []string{"masked", "positions", "KLD, nats", "most", "same top token", "RMS change of its probability"},
		Right:  []int{1, 2, 3, 4, 5},
	}
	for i := range d.Buckets {
		t.Rows = append(t.Rows, d.Buckets[i].row(fmt.Sprintf("up to %.0f %%", 100*d.Buckets[i].UpTo)))
	}
	t.Rows = append(t.Rows, d.All.row("all"))
	return t.prefer("KLD, nats", "same top token", "positions")
}

func (f *DivergenceFigures) row(what string) []string {
	if f.Positions == 0 {
		return []string{what, "0", nothing, nothing, nothing, nothing}
	}
	shares := func(x Interval) string {
		return fmt.Sprintf("%.2f %% (%.2f to %.2f)", 100*x.Mean, 100*x.Low, 100*x.High)
	}
	return []string{
		what, strconv.Itoa(f.Positions),
		fmt.Sprintf("%.5f (%.5f to %.5f)", f.KLD.Mean, f.KLD.Low, f.KLD.High), fmt.Sprintf("%.4f", f.MaxKLD),
		shares(f.Agreement), shares(f.ProbChange),
	}
}

func (d *Divergence) sheet() *sheet {
	return &sheet{tables: []*Table{d.Table()}, build: "build: " + d.Program.describe(), notes: []string{
		fmt.Sprintf("%s of %s; in brackets 95 %% intervals over prompts", plural(d.Prompts, "prompt"), fileName(d.Data)),
		"model: " + d.Model.describe(),
		"reference, which answered the prompts: " + d.Reference.describe(),
		"masked: share of the block's positions that were masked when both models predicted them",
	}}
}

// describe says in a line what the file is.
func (f *File) describe() string {
	bits := decimals(f.Bits)
	if bits != "" {
		bits += " bits per weight"
	}
	return list(fileName(f.Name), f.Type, gibibytes(f.Size), bits)
}
