package runtime

import "slices"

// Done reports whether the answer is complete, or has failed.
func (q *Sequence) Done() bool { return q.done }

// Result returns the answer, or as much of it as is decided up to the last whole
// block, and what went wrong. Who keeps it does not keep the sequence's keys and values.
func (q *Sequence) Result() (*Result, error) {
	q.finish()
	r := q.result
	return &r, q.err
}

// Decided returns the tokens of the answer that no step to come changes: those of the
// blocks that are finished. They may go on after an end token, and must not be written to.
func (q *Sequence) Decided() []int32 {
	end := q.at
	if q.done {
		end = len(q.x)
	}
	answer := q.x[q.prompt:max(q.prompt, min(end, q.prompt+q.opt.GenLength))]
	if masked := slices.Index(answer, q.m.MaskID); masked >= 0 {
		answer = answer[:masked]
	}
	return answer
}

// ended reports whether the answer has an end token before position end.
func (q *Sequence) ended(end int) bool {
	return slices.Contains(q.x[min(q.prompt, end):end], q.m.EOSID)
}

// complete reports whether the last step wrote an end token and no mask stands
// before the answer's first one.
func (q *Sequence) complete() bool {
	wrote := false
	for i, take := range q.wrote {
		wrote = wrote || take && q.x[q.at+i] == q.m.EOSID
	}
	if !wrote {
		return false
	}
	answer := q.x[q.prompt : q.at+q.opt.BlockLength]
	end := slices.Index(answer, q.m.EOSID)
	return end >= 0 && !slices.Contains(answer[:end], q.m.MaskID)
}

// interrupt ends the sequence before its answer is complete: what the last block
// has is taken back.
func (q *Sequence) interrupt(err error) {
	if q.done {
		return
	}
	q.done, q.err = true, err
	for i := max(q.at, q.prompt); i < len(q.x); i++ {
		q.x[i] = q.m.MaskID
	}
}

// finish cuts the answer out of the window.
func (q *Sequence) finish() {
	if q.audit != nil && q.result.Audit == nil {
		q.result.Audit = q.audit.run(q)
	}
	answer := q.x[q.prompt:min(len(q.x), q.prompt+q.opt.GenLength)]
	q.result.Finish = "length"
	if end := slices.Index(answer, q.m.EOSID); end >= 0 {
		answer = answer[:end+1]
		q.result.Finish = "eos"
	}
	if masked := slices.Index(answer, q.m.MaskID); masked >= 0 {
		answer = answer[:masked]
		q.result.Finish = "interrupted"
	}
	q.result.IDs = answer
}
