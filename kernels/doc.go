// Package kernels is the arithmetic of the forward pass: products of quantized
// matrices with rows of activations, and the small vector operations between
// them.
//
// # Conventions
//
// Every slice is row major. A matrix has Rows output features and Cols input
// features; its rows lie one after the other in the block layout of its [Type].
// Activations are float32: n rows of Cols values, without gaps.
//
// # Row independence
//
// The result of one row never depends on how many rows are computed together,
// nor on the number of workers: every sum over a row has one fixed order. A
// batch of eight sequences therefore gives bit for bit what eight single runs
// give, and a cached pass what a full recomputation gives.
//
// What is here is plain Go, and as such the specification of every faster
// version.
package kernels
