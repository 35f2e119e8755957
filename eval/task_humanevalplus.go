package eval

import "lladakit/datasets"

// humanevalPlus judges the answers to humaneval with the inputs of EvalPlus, HumanEval's
// own among them; both must be right, and extractor base tells of HumanEval's alone. The
// prompts of the two sets are the same but that of HumanEval/115, where an import stands
// elsewhere.
var humanevalPlus = Task{
	Name:    "humaneval-plus",
	Version: 1,
	Summary: "the answers to humaneval, judged with 80 times as many inputs (EvalPlus)",
	Data:    "humaneval-plus", Form: datasets.HumanEvalPlus,
	Answers:   "humaneval",
	GenLength: humaneval.GenLength,
	Judge:     judgePlus,
}

// humanevalPlusMini does it with EvalPlus's selection of inputs that find as much.
var humanevalPlusMini = Task{
	Name:    "humaneval-plus-mini",
	Version: 1,
	Summary: "the answers to humaneval, judged with a selection of the inputs of humaneval-plus",
	Data:    "humaneval-plus-mini", Form: datasets.HumanEvalPlus,
	Answers:   "humaneval",
	GenLength: humaneval.GenLength,
	Judge:     judgePlus,
}
