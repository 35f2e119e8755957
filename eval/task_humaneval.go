package eval

import "lladakit/datasets"

// humaneval asks in the words of simple-evals and of OpenCompass's humaneval_gen. It is
// judged as OpenAI's program does, but for the namespaces (see python/check.py). The length
// is that of gsm8k: answers that are done end sooner.
var humaneval = Task{
	Name:    "humaneval",
	Version: 1,
	Summary: "Python functions, asked in chat (OpenCompass's words)",
	Data:    "humaneval", Form: datasets.HumanEval,
	GenLength: 2048,
	Prompt:    askFunction,
	Judge: func(r *datasets.Record, text string) Judgement {
		return judgeHumanEval(r, "", text, fenced, sanitized, raw)
	},
}

// humanevalInstruct is lm-eval's humaneval_instruct, version 4. The start of the answer
// is given, which chat endpoints cannot do, and a diffusion model can.
var humanevalInstruct = Task{
	Name:    "humaneval-instruct",
	Version: 1,
	Summary: "Python functions, asked in chat with the start of the answer given (lm-eval's humaneval_instruct)",
	Data:    "humaneval", Form: datasets.HumanEval,
	GenLength: 1024,
	Prompt: func(r *datasets.Record, _ []datasets.Record) Prompt {
		p := ask("Write a solution to the following problem and make sure that it passes the tests:\n```python\n" + r.Prompt + "\n```\n")
		p.Prefix = completed(r)
		p.Stops = []string{"\nclass", "\ndef", "\n#", "\nif", "\nprint"}
		return p
	},
	Judge: func(r *datasets.Record, text string) Judgement {
		return judgeHumanEval(r, completed(r), text, completion, fenced, sanitized, raw)
	},
}

// completed is how answers of humaneval-instruct begin.
func completed(r *datasets.Record) string {
	return "Here is the completed function:\n```python\n" + r.Prompt + "\n"
}

// tinyHumaneval asks the embedded checkpoint what it was trained for.
var tinyHumaneval = Task{
	Name:    "tiny-humaneval",
	Version: 1,
	Summary: "Python functions of one line, which the embedded checkpoint can mostly write",
	Data:    "tiny-humaneval", Form: datasets.HumanEval,
	GenLength: 96,
	Prompt:    askFunction,
	Judge:     humaneval.Judge,
}

func askFunction(r *datasets.Record, _ []datasets.Record) Prompt {
	return ask("Read the following function signature and docstring, and fully implement the function described. " +
		"Your response should only contain the code for this function.\n" + r.Prompt)
}
