// Package bench measures how fast models run, and makes models to measure with.
//
// [Synthesize] writes a model of a published shape with random weights, so that
// a machine can be measured before the real one is downloaded.
package bench
