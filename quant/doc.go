// Package quant turns float32 weights into the block formats of GGUF and says
// which format a tensor of a file gets.
//
// [Quantize] and [Dequantize] are the codecs, [Choose] the choice per tensor.
// The package knows formats and tensor names, no files.
package quant
