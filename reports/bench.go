package reports

import "time"

// BenchVersion is the version of bench results that are written. Readers refuse higher
// ones, and read all lower ones.
const BenchVersion = 1

// Bench is the result of a benchmark.
type Bench struct {
	Version     int       `json:"bench"` // BenchVersion
	Program     Program   `json:"program"`
	Machine     Machine   `json:"machine"`
	Limits      []Limits  `json:"limits"` // one for each number of threads
	Command     []string  `json:"command"`
	Started     time.Time `json:"started"`
	Interleave  bool      `json:"interleave"`            // whether repetitions of all tests took turns
	Interrupted bool      `json:"interrupted,omitempty"` // whether some tests are missing, or have fewer repetitions
	Asked       int       `json:"tests_asked,omitempty"` // how many tests there were to be; 0 in older results
	Repetitions int       `json:"repetitions,omitempty"` // that each of them was to have; 0 in older results
	Tests       []Test    `json:"tests"`

	Imported []Imported `json:"imported,omitempty"` // to be shown beside Tests
}

// Imported are results of another program. What they do not tell is empty or zero.
type Imported struct {
	Source string   `json:"source"` // file
	Tests  []Test   `json:"tests"`  // Warnings say what of a row is not comparable
	Notes  []string `json:"notes"`  // on all of them
}

// Test is one row of a benchmark: a model, settings, and what they took. Where a field
// means what it means in llama-bench's results, it has that name.
type Test struct {
	BuildCommit string    `json:"build_commit"`
	CPUInfo     string    `json:"cpu_info"`
	Backends    string    `json:"backends"` // CPU
	Model       string    `json:"model_filename"`
	Type        string    `json:"model_type"` // name and type, as "llada2 16B Q4_0"
	Size        uint64    `json:"model_size"` // bytes of weights
	Params      uint64    `json:"model_n_params"`
	Threads     int       `json:"n_threads"`
	TypeK       string    `json:"type_k"`
	TypeV       string    `json:"type_v"`
	Prompt      int       `json:"n_prompt"`
	Gen         int       `json:"n_gen"`
	Depth       int       `json:"n_depth"`   // positions in the cache before the test
	Time        string    `json:"test_time"` // UTC, as 2006-01-02T15:04:05Z
	AvgNS       uint64    `json:"avg_ns"`    // of a repetition
	StddevNS    uint64    `json:"stddev_ns"`
	AvgTS       float64   `json:"avg_ts"` // tokens per second; NaN never: 0 where the test makes no tokens
	StddevTS    float64   `json:"stddev_ts"`
	SamplesNS   []uint64  `json:"samples_ns"`
	SamplesTS   []float64 `json:"samples_ts"`

	// What is diffusion's own.
	Name      string  `json:"test"`     // as "step32", "step32/16", "block32 @ d1024"
	Kind      string  `json:"kind"`     // prefill, step, commit, block, gen, or process
	Schedule  string  `json:"schedule"` // "forced: 4 tokens a step", or "threshold 0.95"
	Block     int     `json:"block_length"`
	Steps     int     `json:"steps"`
	Threshold float64 `json:"threshold"`
	Policy    string  `json:"policy"`
	Profile   string  `json:"profile"`
	Class     string  `json:"class"` // of exactness
	Pack      string  `json:"pack"`
	SHA256    string  `json:"model_sha256"` // of its files; empty for random weights, and in older results

	Forward  Spread   `json:"forward_ns"`        // time of an executed forward
	Forwards float64  `json:"forwards"`          // executed in a repetition
	Rows     float64  `json:"rows"`              // positions computed in a forward, on average
	Logits   float64  `json:"logits"`            // rows of it with logits
	Tokens   int      `json:"tokens"`            // prefilled or made in a repetition; 0 for single forwards
	TPF      float64  `json:"tpf"`               // tokens per denoising forward; 0 where none are made
	Experts  float64  `json:"experts_touched"`   // a layer in a forward, on average
	Bytes    float64  `json:"bytes_read"`        // of weights and cache in a forward, on average
	MACs     float64  `json:"macs"`              // in a forward
	Phases   Phases   `json:"phases_ns"`         // of an average forward
	Read     float64  `json:"gb_per_s"`          // Bytes of a forward by its time, of the one where that was most
	Products float64  `json:"gmac_per_s"`        // the same of MACs
	Memory   float64  `json:"memory_share"`      // Read as a share of the memory limit, 0 to 1
	Compute  float64  `json:"compute_share"`     // the greatest share of the compute limit, by the types of the weights, of a forward
	Process  *Process `json:"process,omitempty"` // of kind process
	Error    string   `json:"error,omitempty"`   // why there are fewer repetitions than were asked for
	Warnings []string `json:"warnings,omitempty"`
}

// Process is what a run of another program took, beside its time.
type Process struct {
	Command  string  `json:"command"`
	UserNS   float64 `json:"user_ns"` // of its processors, on average
	SystemNS float64 `json:"system_ns"`
	Memory   uint64  `json:"memory"` // most bytes that it had in memory; 0 if the system does not tell
}

// Phases is where the nanoseconds of a forward went.
type Phases struct {
	Projections float64 `json:"projections"` // query, key, value, and output of attention
	Attention   float64 `json:"attention"`
	FFN         float64 `json:"ffn"` // dense layers, routers, experts
	Head        float64 `json:"head"`
	Other       float64 `json:"other"`     // embeddings, norms, rotation, sums, acceptance
	Explained   float64 `json:"explained"` // the sum of the above as a share of the time that a forward took from outside, 0 to 1
}

// Spread describes samples.
type Spread struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Low    float64 `json:"low"` // of the median's 95 % bootstrap interval
	High   float64 `json:"high"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Mean   float64 `json:"mean"`
	Stddev float64 `json:"stddev"` // of the sample
}
