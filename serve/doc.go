// Package serve answers many requests with one model, over HTTP.
//
// An Engine runs the model: answers that are in the making at the same time are one
// runtime.Batch, each equal to what it would be alone. A Server speaks the OpenAI API
// with an Engine behind it, and shows the page at /.
//
//	POST /v1/chat/completions   messages → an answer, whole or as server-sent events
//	POST /v1/completions        the same for a text without the chat form
//	GET  /v1/models             the model, with its recommended settings
//	GET  /health                200 while requests are taken
//	GET  /metrics               for Prometheus
//	GET  /                      a page to try the model, denoising in sight
//
// # Beyond the OpenAI API
//
// A request may have the settings of the diffusion as further fields, named as in
// runtime.Options: block_length, steps, threshold, minimal_topk, top_k, policy, profile,
// eos_early_stop and so on. What is left out is the model's recommendation. Temperature
// is 0 unless it is given.
//
// Usage has, beside the counts of tokens, "forwards" (prefill, denoise, commit, fused)
// and "tokens_per_forward".
//
// An answer is streamed by decided block. With stream_options.include_steps, chunks
// without choices tell of the denoising steps between: their field "llada" has "step", a
// Step. A slow reader gets fewer of these, and all of the text.
package serve
