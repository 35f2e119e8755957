package serve

import (
	"time"

	"lladakit/runtime"
)

// Event is what became known of an answer since the event before it.
type Event struct {
	Text string // more of the answer that is final, in whole characters; "" for a model without a vocabulary
	Step *Step  // the newest denoising step, if they were asked for
	Done *Done  // in the last event only
}

// Step is a block after a denoising step, as clients see it.
type Step struct {
	Block    int     `json:"block"`           // counted from the block that the answer begins in, from 0
	Step     int     `json:"step"`            // of this block, from 1
	Forwards int     `json:"forwards"`        // denoising steps of the answer so far
	Tokens   []Token `json:"tokens"`          // of the block, without the prompt's, and without those beyond the answer's length
	Final    bool    `json:"final,omitempty"` // the block's last step: its text is in the same event, but for what may begin a stop
}

// Token is a position of a block.
type Token struct {
	Text   string  `json:"text"`             // of a masked position what the model would write now; broken characters are U+FFFD
	Prob   float32 `json:"p"`                // of Text when it was last looked at, 0 to 1; 1 if it was given
	Masked bool    `json:"masked,omitempty"` // still after the step
	Wrote  bool    `json:"wrote,omitempty"`  // by this step
}

// Done is how an answer ended.
type Done struct {
	// Finish is "stop" after the end of the turn or a text of Request.Stop, "length"
	// after Options.GenLength tokens, and "interrupted".
	Finish string

	// Err is why an answer was interrupted: of its context, ErrClosed, a *Failure, or
	// the model's.
	Err error

	// Result is of what was decided; nil if the answer was never begun. Its IDs may go
	// on after the end of the turn or a stop, to the end of the block. Where that was
	// not the end of the sequence, whose rest was not computed, they are a beginning of
	// what runtime.Model.Generate returns, and its Finish is "interrupted".
	Result *runtime.Result

	Tokens int           // of the answer up to its end, without the end token and what a stop cut off
	Waited time.Duration // in the queue
	Took   time.Duration // from then to the end
}
