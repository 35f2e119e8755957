package eval

import (
	"context"
	"time"
)

// Request asks for one answer.
type Request struct {
	Index     int // of the caller
	Prompt    Prompt
	GenLength int    // most tokens of the answer
	Seed      uint64 // of the sampling; without meaning at temperature 0
}

// Answer is what a model wrote.
type Answer struct {
	Request
	Text   string  // with the prefix in front, up to a stop and without it
	IDs    []int32 // nil where only the text is known
	Finish string  // eos, stop, or length

	PromptTokens int
	Tokens       int // of the answer
	Prefill      int // forwards; 0 where they are not known
	Denoise      int
	Commit       int
	PrefillTime  time.Duration
	DecodeTime   time.Duration
	Err          error // why there is no answer to this request, while others go on
}

// Identity is what answers depend on beside prompt, length and seed.
type Identity struct {
	Model    string // file, or the name that an endpoint knows
	Endpoint string // address, without credentials; empty for our runtime
	SHA256   string // of the model's files; empty where it is not known
	Type     string // of most weights
	Size     uint64 // bytes of weights
	Settings any    // of decoding; marshals to the same JSON every time
}

// Generator answers prompts.
type Generator interface {
	Identity() Identity

	// Generate takes requests of next until it returns false, and gives each answer to
	// done, in whatever order; next and done are called by one goroutine at a time.
	// An error of done, or the end of ctx, ends it: requests in work are given up.
	Generate(ctx context.Context, next func() (Request, bool), done func(Answer) error) error
}
