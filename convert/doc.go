// Package convert turns a Hugging Face checkpoint folder into a GGUF file.
//
// [Open] reads and checks the folder: config.json, the tokenizer files, and
// the headers of all safetensors files, which it maps. [Checkpoint.Plan] says
// what the file will contain, and [Plan.Write] streams the tensors through the
// quantizers into it, in the order in which a pass over the model reads them.
// No tensor is ever held whole; memory is bounded by a few chunks per worker.
//
// A file appears under its name only when it is complete. Until then it has a
// temporary name in the same folder, and is removed on any error.
package convert
