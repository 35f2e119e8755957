// Package runtime computes LLaDA2 models: the weights in memory, the forward
// pass, the block cache, and the diffusion loop that turns masks into text.
//
//	m, err := runtime.Load("model.gguf", runtime.LoadOptions{})
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	result, err := m.Generate(ctx, m.Tokenizer.Encode("…"), m.Defaults())
//
// # The pass
//
// Positions form blocks of BlockLength, counted from position 0 of the prompt.
// A position sees every position of its own and of earlier blocks, and none of
// later ones. [State.Forward] computes consecutive positions against a [Cache]
// that holds the keys and values of all earlier ones, and writes theirs into it.
//
// # The loop
//
// The whole blocks of the prompt are computed once. Then, block by block, the
// prompt's tail and masks are denoised: each step computes the block, reads the
// distribution at every masked position, and writes the tokens that the policy
// accepts. Keys and values of a block that still has masks are scratch: the
// next step overwrites them. When no mask is left, one more pass over the final
// tokens (the commit) leaves the block's keys and values for good. Because
// nothing of a finished block can change any more, this equals recomputing
// everything at every step, bit for bit.
package runtime
