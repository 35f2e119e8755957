package serve

import "lladakit/runtime"

// Request asks an Engine for an answer.
type Request struct {
	Prompt  []int32
	Options runtime.Options // without OnStep and PromptCache, which are the engine's

	// Stop has texts that end the answer before the first of them. None is empty.
	Stop []string

	// Steps asks for events of denoising steps.
	Steps bool
}
