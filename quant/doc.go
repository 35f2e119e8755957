// Package quant turns float32 weights into the block formats of GGUF and says
// which format a tensor of a file gets.
//
// [Quantize] and [Dequantize] are the codecs. A [Recipe] chooses a format for
// every tensor, and for every expert of a stack: by a target such as q4_k_m, by
// rules, by the results of [Solve], which fits a model into a size. RECIPES.md
// describes the text forms. [Importance] says which columns of a matrix matter,
// how much experts are used and how sensitive the model is to a tensor's errors;
// the codecs and the solver make use of it.
//
// The package knows formats and tensor names, no models and no files but those
// of recipes and importance. What the formats cost is in README.md.
package quant
