package reports

import (
	"encoding/json"
	"time"
)

// EvalVersion is the version of evaluations that are written.
const EvalVersion = 1

// Eval is the result of an evaluation: how it was made, and what Summarise makes of its
// samples. In a run's folder it is results.json, beside samples.jsonl.
type Eval struct {
	Version     int             `json:"eval"` // EvalVersion
	Program     Program         `json:"program"`
	Machine     Machine         `json:"machine"`
	Threads     int             `json:"n_threads,omitempty"` // workers; 0 for an endpoint
	Command     []string        `json:"command"`
	Started     time.Time       `json:"started"`
	Seconds     float64         `json:"seconds"` // of all runs together that made the samples
	Model       EvalModel       `json:"model"`
	Settings    json.RawMessage `json:"settings"` // of decoding
	GenLength   int             `json:"gen_length"`
	Repeats     int             `json:"repeats"`          // answers to every prompt
	Seed        uint64          `json:"seed,omitempty"`   // of the sampling
	PassK       []int           `json:"pass_k,omitempty"` // k of pass@k; empty for 1, 10 and 100 if there are repeats
	Data        []EvalData      `json:"data"`
	Sandbox     *EvalSandbox    `json:"sandbox,omitempty"`     // nil if no code was run
	Subset      string          `json:"subset,omitempty"`      // what of the data was asked, as "100 of 1319, stratified v1"; empty for all
	Shard       string          `json:"shard,omitempty"`       // as 2/3; empty for all
	Interrupted bool            `json:"interrupted,omitempty"` // whether samples are missing
	Tasks       []EvalTask      `json:"tasks"`
	Warnings    []string        `json:"warnings,omitempty"`
}

// EvalModel is what answered.
type EvalModel struct {
	Name     string `json:"name"`               // file, or the name that the endpoint knows
	Endpoint string `json:"endpoint,omitempty"` // address, without credentials
	SHA256   string `json:"sha256,omitempty"`
	Type     string `json:"type,omitempty"` // of most weights
	Size     uint64 `json:"size,omitempty"` // bytes of weights
}

// EvalData is a data set that was asked.
type EvalData struct {
	Name    string `json:"name"`
	SHA256  string `json:"sha256"`
	Records int    `json:"records"`
}

// EvalSandbox is what programs were judged in.
type EvalSandbox struct {
	Tier   string  `json:"tier"`
	Python string  `json:"python"`      // version
	Factor float64 `json:"time_factor"` // of the time limits, from a calibration
}

// EvalTask is the accuracy of one task.
type EvalTask struct {
	Task      string  `json:"task"`
	Version   int     `json:"version"`
	Data      string  `json:"data"`
	N         int     `json:"n"`     // samples, those without an answer among them
	Asked     int     `json:"asked"` // that there were to be
	Correct   int     `json:"correct"`
	Accuracy  float64 `json:"accuracy"` // share, 0 to 1
	SE        float64 `json:"stderr"`
	Low       float64 `json:"low"` // of the 95 % Wilson interval
	High      float64 `json:"high"`
	Truncated int     `json:"truncated"` // answers that reached gen_length
	Failed    int     `json:"failed"`    // requests without an answer

	Extractors    []EvalExtractor `json:"extractors"`              // the one that counts first
	Any           int             `json:"any_correct"`             // samples that some extractor has right
	Disagreements []string        `json:"disagreements,omitempty"` // documents on which the verdicts of the first extractor and of others that found something differ
	PassAtK       []EvalPass      `json:"pass_at_k,omitempty"`
	Errors        map[string]int  `json:"errors"` // classes

	Tokens   int     `json:"n_gen"`
	Denoise  int     `json:"forwards_denoise"`
	TPF      float64 `json:"tpf"`
	Detected float64 `json:"detectable"` // smallest difference of two runs on these documents that would be seen (power 0.8, level 0.05), share

	Published []EvalPublished `json:"published,omitempty"`
}

// EvalExtractor is what one extractor made of all answers.
type EvalExtractor struct {
	Name    string `json:"name"`
	Found   int    `json:"found"`
	Correct int    `json:"correct"`
}

// EvalPass is the unbiased estimate of pass@k.
type EvalPass struct {
	K    int     `json:"k"`
	Rate float64 `json:"rate"`
}

// EvalPublished is a published figure beside ours.
type EvalPublished struct {
	Model    string  `json:"model"`
	Accuracy float64 `json:"accuracy"` // share
	N        int     `json:"n"`
	Source   string  `json:"source"`
	Apart    bool    `json:"apart"` // whether the difference is significant at 5 %
	P        float64 `json:"p"`     // two-sided
}
