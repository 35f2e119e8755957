package convert

import (
	"context"
	"fmt"
	"math"
	"slices"

	"lladakit/internal/gguf"
	"lladakit/quant"
)

// VerifyOptions say how to compare a file with its checkpoint. The zero value
// uses all processors.
type VerifyOptions struct {
	// Importance is what the file was made with; nil: nothing, or it is not at
	// hand. A file of this program is compared bit by bit with what it should be
	// made of; one that was made with an importance not given here, or by another
	// program, gets the room that its rounding may need.
	Importance *quant.Importance

	// Threads is the number of workers; 0 means one per processor. More than 32
	// are never used, which bounds the memory.
	Threads int

	// MaskID and EOSID are what was given to Plan for a checkpoint that does not
	// name these tokens; nil means that the checkpoint says.
	MaskID, EOSID *int32

	// Progress, if not nil, is called from time to time with the bytes of the
	// file's tensors that are done, and all of them.
	Progress func(done, total int64)
}

// Severity says what a finding means for the file.
type Severity string

const (
	Fault   Severity = "fault"   // the file is not what the checkpoint says
	Warning Severity = "warning" // something could not be checked, or readers may differ about it
)

// Kind says what sort of fault a finding is.
type Kind string

const (
	KindMetadata  Kind = "metadata"   // a number of the model differs, is missing or cannot be read
	KindTokenID   Kind = "token-id"   // the id of the mask, the end or another special token
	KindTokenizer Kind = "tokenizer"  // vocabulary, merges, or a text that gets other ids
	KindChat      Kind = "chat"       // the chat form gets other ids, or none
	KindMissing   Kind = "missing"    // a tensor
	KindExtra     Kind = "extra"      // a tensor that the model does not have
	KindShape     Kind = "shape"      // dimensions
	KindType      Kind = "type"       // one that the tensor may not have or that cannot be checked
	KindIndex     Kind = "index"      // the tensor that says where experts are
	KindNonFinite Kind = "non-finite" // infinities or NaNs that the checkpoint does not explain

	// Weights in the wrong place.
	KindSwapped       Kind = "swapped"        // two experts hold each other's weights
	KindDuplicate     Kind = "duplicate"      // two experts hold the same weights
	KindOrder         Kind = "order"          // experts, or a vector's elements, in another order
	KindMissingExpert Kind = "missing-expert" // the file has no place for it, or nobody holds its weights
	KindMisplaced     Kind = "misplaced"      // holds another tensor, or an expert of one
	KindQKV           Kind = "qkv-order"      // rows of queries, keys and values in another order
	KindRows          Kind = "row-order"

	// Wrong weights.
	KindZero   Kind = "zero"
	KindStale  Kind = "stale"  // a norm that was not trained, or of another state of the training
	KindBlock  Kind = "block"  // some weights or blocks are damaged
	KindValues Kind = "values" // other weights, or more error than the type explains
)

// Finding is one thing that Verify has to say about a file.
type Finding struct {
	Severity Severity `json:"severity"`
	Tensor   string   `json:"tensor"` // of the file; "" where it is about metadata
	Layer    int      `json:"layer"`  // -1 outside the layers
	Expert   int      `json:"expert"` // -1 where it is not about one expert
	Kind     Kind     `json:"kind"`
	Text     string   `json:"text"`
}

// String returns the finding in one line.
func (f Finding) String() string {
	where := ""
	if f.Tensor != "" {
		where = f.Tensor + ": "
	}
	if f.Expert >= 0 {
		where += fmt.Sprintf("expert %d ", f.Expert)
	}
	return fmt.Sprintf("%s: %s: %s%s", f.Severity, f.Kind, where, f.Text)
}

// Errors measure weights against their source. Relative errors are
// √(Σ(w-source)² / Σsource²), and 1 where only the source is zero.
type Errors struct {
	MaxAbs    float64 `json:"max_abs_error"`
	RelRMS    float64 `json:"rel_rms"`
	Reachable float64 `json:"reachable_rel_rms"` // of the source, quantized anew to the same type
}

// TensorCheck is the result for one tensor of the file.
type TensorCheck struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Dims     []uint64 `json:"dims"` // the contiguous dimension first
	Elements uint64   `json:"elements"`
	Compared bool     `json:"compared"` // with a source; the errors are zero if not
	Errors
	SHA256  string        `json:"sha256"`            // of the encoded tensor, without padding
	Experts []ExpertCheck `json:"experts,omitempty"` // in the order of the stack
}

// ExpertCheck is the result for one matrix of one expert.
type ExpertCheck struct {
	Expert int `json:"expert"`
	Errors
}

// Verification is what Verify found.
type Verification struct {
	Files    []string      `json:"files"`
	SHA256   string        `json:"sha256"`  // of the tensors' digests, as bytes, one after the other
	Experts  int           `json:"experts"` // matrices of routed experts that were compared
	Faults   int           `json:"faults"`  // findings that are faults
	RelRMS   float64       `json:"rel_rms"` // of all weights that were compared, as in Errors
	Findings []Finding     `json:"findings"`
	Tensors  []TensorCheck `json:"tensors"` // in the file's order

	inputs []string // all files that were read
}

// Verify proves a file against the checkpoint that it was made from: every
// weight, every number of the metadata, the tokenizer and the chat form. What it
// finds is in the result, in an order that depends on nothing but the two; an
// error means that there is nothing to compare with, or that ctx has ended.
//
// A file need not have been made by this program. What its quantized types may
// lose is what they lose here, with room for a rounding of another kind, not for
// having been rounded twice; float types must be exact.
//
// Everything is read once, what is at fault again. No more than one tensor of the
// file is in memory at a time.
func (c *Checkpoint) Verify(ctx context.Context, f *gguf.File, opt VerifyOptions) (*Verification, error) {
	v := &verifier{source: c, file: f, opt: opt, places: map[string][]*part{}}
	if err := v.findTensors(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	v.checkMetadata()
	if err := v.checkTokens(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	if err := v.stream(ctx); err != nil {
		return nil, err
	}
	if err := v.diagnose(ctx); err != nil {
		return nil, err
	}
	return v.result(), nil
}

// verifier is the state of one verification.
type verifier struct {
	source *Checkpoint
	file   *gguf.File
	opt    VerifyOptions

	general []Finding          // about metadata and tokenizer
	groups  []*group           // in the order of the model's table
	places  map[string][]*part // by the name of a tensor of the file, in the order of its bytes
	checks  []TensorCheck
	digest  string // over all tensors
}

// about adds a finding about metadata.
func (v *verifier) about(severity Severity, kind Kind, format string, args ...any) {
	v.general = append(v.general, Finding{
		Severity: severity, Layer: -1, Expert: -1, Kind: kind, Text: fmt.Sprintf(format, args...),
	})
}

// result puts everything together.
func (v *verifier) result() *Verification {
	r := &Verification{
		Files: append([]string{}, v.file.Paths...), SHA256: v.digest,
		Tensors: v.checks, Findings: append([]Finding{}, v.general...),
		inputs: slices.Concat(v.file.Paths, v.source.inputs),
	}
	for _, g := range v.groups {
		r.Findings = append(r.Findings, g.findings...)
	}
	var all tally
	for i := range v.file.Tensors {
		t := &v.file.Tensors[i]
		parts, known := v.places[t.Name]
		for _, p := range parts {
			all.add(&p.tally, 0)
		}
		if !known {
			r.Findings = append(r.Findings, Finding{
				Severity: Fault, Tensor: t.Name, Layer: -1, Expert: -1, Kind: KindExtra,
				Text: fmt.Sprintf("the model has no such tensor: %s %v", t.Type, t.Dims),
			})
		}
		if len(parts) > 0 && parts[0].expert >= 0 {
			r.Experts += len(parts)
		}
	}
	r.RelRMS = all.errors().RelRMS
	for _, f := range r.Findings {
		if f.Severity == Fault {
			r.Faults++
		}
	}
	return r
}

// newCheck returns the result for a tensor whose parts, if any, were compared.
func newCheck(t *gguf.Tensor, parts []*part, sha256 string) TensorCheck {
	c := TensorCheck{
		Name: t.Name, Type: t.Type.String(), Dims: slices.Clone(t.Dims), Elements: t.Elements(), SHA256: sha256,
		Compared: len(parts) > 0,
	}
	var all tally
	for _, p := range parts {
		all.add(&p.tally, 0)
		if p.expert >= 0 {
			c.Experts = append(c.Experts, ExpertCheck{p.expert, p.tally.errors()})
		}
	}
	c.Errors = all.errors()
	return c
}

func (t *tally) errors() Errors {
	return Errors{MaxAbs: t.most, RelRMS: relative(t.err, t.src), Reachable: relative(t.reach, t.src)}
}

// relative returns √(err/src) for sums of squares.
func relative(err, src float64) float64 {
	switch {
	case err == 0:
		return 0
	case src == 0:
		return 1
	}
	return math.Sqrt(err / src)
}
