package eval

import (
	"strings"

	"lladakit/datasets"
)

// gsm8k asks as OpenCompass's gsm8k_0shot_v2_gen_a58960 does. Of the public protocols it
// is the nearest to how LLaDA2's figures were made, whose recipe is not published; 2048
// is what the model's card says of the length.
var gsm8k = Task{
	Name:    "gsm8k",
	Version: 1,
	Summary: "grade-school mathematics, asked in chat without examples (OpenCompass's words)",
	Data:    "gsm8k", Form: datasets.GSM8K,
	GenLength: 2048,
	Prompt:    askBoxed,
	Judge: func(r *datasets.Record, text string) Judgement {
		return judgeNumber(r.Answer, text, layered)
	},
}

// gsm8kFewShot is lm-eval's gsm8k, version 3. There are two differences: lm-eval draws
// other examples for every question, by Python's random generator, while ours are the
// same for all; and its usual 256 tokens cut long answers, so there are 512.
var gsm8kFewShot = Task{
	Name:    "gsm8k-5shot",
	Version: 1,
	Summary: "grade-school mathematics, continued after five examples (lm-eval's gsm8k)",
	Data:    "gsm8k", Form: datasets.GSM8K,
	Support:   "gsm8k-train",
	GenLength: 512,
	Prompt: func(r *datasets.Record, support []datasets.Record) Prompt {
		var b strings.Builder
		for _, i := range examples {
			if i < len(support) {
				b.WriteString("Question: " + support[i].Question + "\nAnswer: " + support[i].Answer + "\n\n")
			}
		}
		b.WriteString("Question: " + r.Question + "\nAnswer:")
		return Prompt{Text: b.String(), Stops: []string{"Question:", "</s>", "<|im_end|>"}}
	},
	Judge: func(r *datasets.Record, text string) Judgement {
		return judgeNumber(r.Answer, text, strictLM, flexibleLM)
	},
}

// examples are indices in gsm8k-train: the first five, so that nobody can have chosen
// them for their effect.
var examples = [...]int{0, 1, 2, 3, 4}

// tinyGSM8K asks the embedded checkpoint what it was trained for.
var tinyGSM8K = Task{
	Name:    "tiny-gsm8k",
	Version: 1,
	Summary: "word problems that the embedded checkpoint can partly solve",
	Data:    "tiny-gsm8k", Form: datasets.GSM8K,
	GenLength: 96,
	Prompt:    askBoxed,
	Judge:     gsm8k.Judge,
}

func askBoxed(r *datasets.Record, _ []datasets.Record) Prompt {
	return ask(r.Question + "\nPlease reason step by step, and put your final answer within \\boxed{}.")
}

// ask is one message of the user.
func ask(content string) Prompt {
	return Prompt{Messages: []Message{{Role: "user", Content: content}}}
}
