package runtime

import (
	"unsafe"

	"lladakit/internal/arch"
	"lladakit/kernels"
)

// AttendRows returns how many rows of a block attend together at most, where there are
// so many workers.
func AttendRows(c *arch.Config, workers int) int {
	return min(attendRows, max(attendRows/4, attendRows*c.KVHeads/workers))
}

// StateBytes returns about how many bytes the buffers of NewState(rows, headRows) take,
// with keys and values of type kv. scratch is what the products of a worker take, which
// is kernels.ScratchBytes of the largest matrix.
func StateBytes(c *arch.Config, kv kernels.Type, workers, rows, headRows, scratch int) int {
	const float, number = 4, 4
	most, heads, slots := max(rows, headRows), c.Heads*c.HeadDim, rows*c.ExpertsUsed

	n := float * (2*rows*c.Hidden + most*c.Hidden + rows*c.QKVDim() + rows*heads + 2*rows*c.DenseFF + rows*c.RotaryDim)
	n += kernels.ActivationBytes(most * max(c.Hidden, heads, c.DenseFF))

	n += float * (rows*c.Experts + slots*c.ExpertFF + slots*c.Hidden + rows*c.SharedFF)
	n += number * (6*slots + rows)
	n += kernels.ActivationBytes(slots*c.ExpertFF) + kernels.ActivationBytes(rows*c.SharedFF)
	n += workers * 2 * pieceBuffer(rows) * float

	n += tiles(c.Vocab)*headRows*int(unsafe.Sizeof(kernels.Partial{})) + workers*headRows*HeadRows*float

	queries := min(rows, AttendRows(c, workers)) * c.Heads / c.KVHeads
	n += workers * (kernels.AttendBytes(kv, queries, c.HeadDim) + queries*(c.HeadDim*float+number))
	return n + workers*scratch
}
