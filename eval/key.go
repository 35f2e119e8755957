package eval

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"lladakit/reports"
)

// generationKey is what an answer depends on. Its JSON is hashed: a change of these fields
// makes all samples that exist new ones.
type generationKey struct {
	Task      string          `json:"task"` // whose prompts are asked
	Version   int             `json:"version"`
	Document  string          `json:"document"` // digest
	Prompt    Prompt          `json:"prompt"`
	GenLength int             `json:"gen_length"`
	Settings  json.RawMessage `json:"settings"`
	Model     string          `json:"model"` // digest; where that is not known, name
	Repeat    int             `json:"repeat"`
	Seed      uint64          `json:"seed"`
}

// sampleKey is what a judged answer depends on, and which document it is for: there may be
// others of the same content.
type sampleKey struct {
	Generation string `json:"generation"`
	Task       string `json:"task"` // that judges
	Version    int    `json:"version"`
	Document   string `json:"document"`
	Index      int    `json:"index"`
}

// canonical returns a value's JSON in one line, the same for equal values.
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// digest returns the SHA-256 of a value's JSON in hex.
func digest(v any) (string, error) {
	b, err := canonical(v)
	if err != nil {
		return "", fmt.Errorf("a key of samples: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// sampleSeed returns the seed of one answer, which depends on neither the order of
// documents nor on what else is asked. It has 53 bits, so that no reader of JSON rounds it.
func sampleSeed(seed uint64, document string, repeat int) uint64 {
	var b []byte
	b = binary.BigEndian.AppendUint64(b, seed)
	b = binary.BigEndian.AppendUint64(b, uint64(repeat))
	sum := sha256.Sum256(append(b, document...))
	return binary.BigEndian.Uint64(sum[:]) >> 11
}

// evalModel returns what a result says of a generator.
func (id *Identity) evalModel() reports.EvalModel {
	return reports.EvalModel{Name: id.Model, Endpoint: id.Endpoint, SHA256: id.SHA256, Type: id.Type, Size: id.Size}
}

// modelKey returns what tells a model from others: the digest of its files, else its name.
func modelKey(m *reports.EvalModel) string {
	if m.SHA256 != "" {
		return m.SHA256
	}
	return m.Name
}
