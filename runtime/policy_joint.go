package runtime

// decideJoint is "joint", the decoding of LLaDA2.1, whose training included the
// correction of wrong tokens (LLaDA2.1 technical report; its generate). Masked
// positions are chosen by the official rule, and with them every position that
//
//   - has a token, which is not the prompt's,
//   - for which the model now predicts another one, with a probability above
//     EditThreshold.
//
// The published default is a threshold of 0.95 with an EditThreshold of 0.9. The
// report's quality mode is 0.7 with 0.5, its speed mode 0.5 with 0, which is written
// -1. LLaDA2.0 never saw wrong tokens in training, and corrections make it worse.
func decideJoint(take []bool, v *view, o *PolicyOptions) (passed int) {
	passed = acceptThreshold(take, v.conf, v.least(), v.threshold)
	for i := range take {
		s := &v.stats[i]
		if !v.masked[i] && !v.fixed[i] && s.Token != v.current[i] && s.Prob > o.EditThreshold {
			take[i] = true
		}
	}
	return passed
}

// A pass is a kind of pass over a block.
type pass uint8

const (
	passDenoise pass = iota // predicts, to write masks (and corrections)
	passEdit                // predicts, to write corrections in a block without masks
	passCommit              // computes the final keys and values
	passNone                // nothing is left to compute
)

// A stage is how far a block has come. The zero value is its beginning.
//
// A block is denoised while it has masks, then edited, then committed. Edits end
// with a pass that writes nothing, or with PostSteps passes; without "joint" there
// are none. A pass that writes nothing ran on the final tokens: it is the commit as
// well, if it computed all positions of the block as a commit does. With B masks a
// block takes at most B denoising passes, PostSteps edit passes, and one commit.
type stage struct {
	edits   int  // edit passes so far
	settled bool // the last of them wrote nothing
	final   bool // the last pass was a commit
}

// next returns the pass that comes next for a block with or without masks.
func (d *decider) next(s stage, masks bool) pass {
	switch {
	case s.final:
		return passNone
	case masks:
		return passDenoise
	case d.policy.Name == PolicyJoint && !s.settled && s.edits < d.opt.PostSteps:
		return passEdit
	}
	return passCommit
}

// after returns the stage after a pass. wrote says whether it changed any token,
// whole whether it computed the block as a commit does.
func (s stage) after(p pass, wrote, whole bool) stage {
	switch p {
	case passEdit:
		s.edits++
		s.settled = !wrote
		s.final = !wrote && whole
	case passCommit:
		s.final = true
	}
	return s
}
