package serve

import (
	"time"

	"lladakit/runtime"
)

// Event is what became known of an answer since the event before it.
type Event struct {
	Text string // more of the answer that is final, in whole characters
	Step *Step  // the newest denoising step, if they were asked for
	Done *Done  // in the last event only
}

// Step is a block after a denoising step, as clients see it.
type Step struct {
	Block    int     `json:"block"`    // counted from the block that the answer begins in, from 0
	Step     int     `json:"step"`     // of this block, from 1
	Forwards int     `json:"forwards"` // denoising steps of the answer so far
	Tokens   []Token `json:"tokens"`   // of the block, without the prompt's
}

// Token is a position of a block.
type Token struct {
	Text   string  `json:"text"`             // of a masked position what the model would write now; broken characters are U+FFFD
	Prob   float32 `json:"p"`                // of Text when it was last looked at, 0 to 1
	Masked bool    `json:"masked,omitempty"` // still after the step
	Wrote  bool    `json:"wrote,omitempty"`  // by this step
}

// Done is how an answer ended.
type Done struct {
	// Finish is "stop" after the end of the turn or a text of Request.Stop, "length"
	// after Options.GenLength tokens, and "interrupted".
	Finish string

	// Err is why an answer was interrupted: of its context, ErrClosed, or the model's.
	Err error

	Result *runtime.Result // of what was decided; nil if the answer was never begun
	Tokens int             // of the answer up to its end, without what a stop cut off
	Waited time.Duration   // in the queue
	Took   time.Duration   // from then to the end
}
