package reports

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// VerificationVersion is the version of verifications that are written.
const VerificationVersion = 1

// Verification is what verify found about a file beside its source.
type Verification struct {
	Version int       `json:"verification"` // VerificationVersion
	Program Program   `json:"program"`
	Machine Machine   `json:"machine"`
	Command []string  `json:"command"`
	Started time.Time `json:"started"`
	Source  string    `json:"source"` // folder
	File    File      `json:"file"`
	Files   []string  `json:"files"`
	SHA256  string    `json:"sha256"`  // of the tensors' digests, as bytes, one after the other
	Experts int       `json:"experts"` // matrices that were compared
	Faults  int       `json:"faults"`
	RelRMS  float64   `json:"rel_rms"` // error of all weights, relative to their root mean square

	Found  []Finding     `json:"findings"`
	Checks []TensorCheck `json:"tensors"` // in the file's order

	// What follows is of the lists above: see Sum.
	Tensors  int      `json:"-"`
	Findings []string `json:"-"` // in a line each
}

// Finding is one thing that verify has to say about a file.
type Finding struct {
	Severity string `json:"severity"` // fault or warning
	Tensor   string `json:"tensor"`   // of the file; "" where it is about metadata
	Layer    int    `json:"layer"`    // -1 outside the layers
	Expert   int    `json:"expert"`   // -1 where it is not about one expert
	Kind     string `json:"kind"`     // as swapped, stale, token-id
	Text     string `json:"text"`
}

// String returns the finding in one line, as verify prints it.
func (f *Finding) String() string {
	where := ""
	if f.Tensor != "" {
		where = f.Tensor + ": "
	}
	if f.Expert >= 0 {
		where += fmt.Sprintf("expert %d ", f.Expert)
	}
	return fmt.Sprintf("%s: %s: %s%s", f.Severity, f.Kind, where, f.Text)
}

// TensorCheck is what verify found about one tensor. Relative errors are
// √(Σ(w-source)² / Σsource²), and 1 where only the source is zero.
type TensorCheck struct {
	Name      string        `json:"name"`
	Type      string        `json:"type"`
	Dims      []uint64      `json:"dims"` // the contiguous dimension first
	Elements  uint64        `json:"elements"`
	Compared  bool          `json:"compared"` // with a source; the errors are zero if not
	MaxAbs    float64       `json:"max_abs_error"`
	RelRMS    float64       `json:"rel_rms"`
	Reachable float64       `json:"reachable_rel_rms"` // of the source, quantized anew to the same type
	SHA256    string        `json:"sha256"`            // of the encoded tensor, without padding
	Experts   []ExpertCheck `json:"experts,omitempty"` // in the order of the stack
}

// ExpertCheck is what verify found about one matrix of one expert.
type ExpertCheck struct {
	Expert    int     `json:"expert"`
	MaxAbs    float64 `json:"max_abs_error"`
	RelRMS    float64 `json:"rel_rms"`
	Reachable float64 `json:"reachable_rel_rms"`
}

// Sum fills in Tensors and Findings. Readers do.
func (v *Verification) Sum() {
	v.Tensors, v.Findings = len(v.Checks), nil
	for i := range v.Found {
		v.Findings = append(v.Findings, v.Found[i].String())
	}
}

// ErrVerification is what errors about the contents of a verification wrap.
var ErrVerification = errors.New("no result of verify")

// ReadVerification reads what Write writes in the form json, of this version and those
// before. Fields that it does not know are passed over.
func ReadVerification(r io.Reader) (*Verification, error) {
	d := document[Verification]{
		kind: ErrVerification, key: "verification", newest: VerificationVersion, most: 64 << 20, objects: 500_000, check: (*Verification).check,
	}
	v, err := d.read(r)
	if err == nil {
		v.Sum()
	}
	return v, err
}

// check reports the first thing that cannot be.
func (v *Verification) check() error {
	if err := checkVersion(v.Version, VerificationVersion); err != nil {
		return err
	}
	rest, faults := *v, 0
	rest.Found = nil // whose numbers may be -1
	if err := checkNumbers(&rest); err != nil {
		return err
	}
	for i := range v.Found {
		f := &v.Found[i]
		if f.Layer < -1 || f.Expert < -1 {
			return fmt.Errorf("findings[%d] has layer %d, expert %d", i, f.Layer, f.Expert)
		}
		if f.Severity == "fault" {
			faults++
		}
	}
	if faults != v.Faults {
		return fmt.Errorf("faults is %d, and %d findings are some", v.Faults, faults)
	}
	return nil
}

// VerificationForms lists what Write can write.
func VerificationForms() []string { return []string{"md", "json"} }

// Write writes the verification in one of the forms of VerificationForms. One with numbers
// that cannot be is refused.
func (v *Verification) Write(w io.Writer, form string) error {
	return writeSheet(w, v, form, "verification")
}

// Table has the errors of every tensor; of a stack of experts, also the expert whose
// relative error is the greatest.
func (v *Verification) Table() *Table {
	t := &Table{
		Header: []string{"tensor", "type", "max error", "relative RMS", "reachable", "worst expert"},
		Right:  []int{2, 3, 4, 5},
	}
	for i := range v.Checks {
		t.Rows = append(t.Rows, v.Checks[i].row())
	}
	return t.prefer("relative RMS", "type", "worst expert", "reachable")
}

func (c *TensorCheck) row() []string {
	if !c.Compared {
		return []string{c.Name, c.Type, nothing, nothing, nothing, nothing}
	}
	worst, most := nothing, -1.0
	for _, x := range c.Experts {
		if x.RelRMS > most {
			most, worst = x.RelRMS, fmt.Sprintf("%d: %.4f", x.Expert, x.RelRMS)
		}
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
	return []string{c.Name, c.Type, number(c.MaxAbs), number(c.RelRMS), number(c.Reachable), worst}
}

// sheet leaves nothing out: a reader of it has no other form at hand.
func (v *Verification) sheet() *sheet {
	notes := []string{
		fmt.Sprintf("%s, %s compared, %s", plural(len(v.Checks), "tensor"), expertMatrices(v.Experts), plural(v.Faults, "fault")),
		"file: " + v.File.describe() + ", from " + fileName(v.Source),
		"relative RMS: error by the source's root mean square, of all weights " + strconv.FormatFloat(v.RelRMS, 'g', 4, 64),
		"reachable: the same of the source quantized anew",
		"sha256 of the tensors' digests: " + v.SHA256,
	}
	for i := range v.Found {
		notes = append(notes, v.Found[i].String())
	}
	return &sheet{tables: []*Table{v.Table()}, build: "build: " + v.Program.describe(), notes: notes}
}

func expertMatrices(n int) string {
	if n == 1 {
		return "1 expert matrix"
	}
	return fmt.Sprintf("%d expert matrices", n)
}
