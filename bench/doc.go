// Package bench measures how fast models run, and makes models to measure with.
//
// [Run] runs tests ([Scenario], most easily made by a [Grid]) on models and beside other
// programs, with what the machine can do at most ([Meter]) measured between their
// repetitions. docs/bench.md says what the tests are and what their figures mean.
//
// [Sweep] has models answer prompts with many settings, for how fast and how good each is.
//
// # Random models
//
// [Synthesize] writes a GGUF file with random weights, [SynthesizeHF] a checkpoint
// folder, and [LoadSynthetic] loads a model whose file has no name, so that a machine
// can be measured before 30 GB are downloaded. How long a pass takes depends on the
// numbers of a model, which [Shape] reads from a text, on the type of the weights, and
// on how many experts the tokens of a pass use together; on nothing else of the weights.
// So these repeat a few random rows: mini in q4_0 has 9 GB, which take seconds.
//
// The last number has to be chosen: 32 tokens of LLaDA2.0-mini use about 70 of the 256
// experts of a layer, and would use 163 if they chose by chance. [Synthetic.Touched]
// sets it. Routers then offer some of the experts only, always the same, and how many
// is tried on a model with the same numbers and thin experts; [MeasureTouched] says
// what came out. It is within about 5 % in each layer up to some 125 experts of mini,
// more than that random tokens do not touch. Three things are not as in trained models:
//
//   - All blocks use the same experts, where those of a trained model change from block
//     to block. For a model that does not fit into memory that is kinder than reality.
//   - The rows of an expert are spread evenly, while in trained models some have many.
//   - Confidence has no meaning: blocks do not finish early, and schedules are forced.
//
// Masks without a prompt are no test: with nothing else to see, all rows of a block of
// masks are equal in any model, and share their experts.
package bench
