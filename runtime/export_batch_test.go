package runtime

// Rows returns how many rows the buffers of a batch have.
func (b *Batch) Rows() int { return b.rows }
