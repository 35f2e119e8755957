package reports

// Sample is one answer and its verdict: one line of a run's samples.jsonl.
type Sample struct {
	Key        string `json:"key"`        // digest of all that it depends on: task, version, document and its index, prompt, settings, model
	Generation string `json:"generation"` // the same of the answer alone, whatever judges it
	Task       string `json:"task"`
	Version    int    `json:"version"` // of the task
	DocID      string `json:"doc_id"`
	Index      int    `json:"index"` // of the document in the data set
	DocHash    string `json:"doc_hash"`
	PromptHash string `json:"prompt_hash"`
	Repeat     int    `json:"repeat"` // of the same prompt, from 0
	Seed       uint64 `json:"seed"`

	Text         string  `json:"text"`
	IDs          []int32 `json:"ids,omitempty"`
	Finish       string  `json:"finish"` // eos, stop, length, or error
	PromptTokens int     `json:"n_prompt"`
	Tokens       int     `json:"n_gen"`
	Prefill      int     `json:"forwards_prefill"`
	Denoise      int     `json:"forwards_denoise"`
	Commit       int     `json:"forwards_commit"`

	Gold        string       `json:"gold,omitempty"`
	Extractions []Extraction `json:"extractions"` // the one that counts first
	Correct     bool         `json:"correct"`     // that of the first
	Error       string       `json:"error"`       // class: "", no answer, wrong, failed, timeout, memory, killed, generation
	Message     string       `json:"message,omitempty"`

	Timings SampleTimings `json:"timings_ms"`
}

// Extraction is what an extractor found in an answer.
type Extraction struct {
	Extractor string `json:"extractor"`
	Value     string `json:"value"` // empty if it found nothing
	Layer     string `json:"layer,omitempty"`
	Correct   bool   `json:"correct"`
	Status    string `json:"status,omitempty"` // of the program that was run
}

// SampleTimings are milliseconds; nothing else in a sample differs between two equal runs.
type SampleTimings struct {
	Prefill float64 `json:"prefill"`
	Decode  float64 `json:"decode"`
	Judge   float64 `json:"judge"`
}

// TPF returns tokens per denoising forward, 0 where forwards are not known.
func (s *Sample) TPF() float64 {
	if s.Denoise == 0 {
		return 0
	}
	return float64(s.Tokens) / float64(s.Denoise)
}
