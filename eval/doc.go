// Package eval measures what models answer: how many problems of a data set they get
// right, and how far a quantized model is from its reference.
//
// # Accuracy
//
// An evaluation goes through these pieces, of which each knows only the next:
//
//	datasets.Data ──Task.Prompt──▶ Prompt ──Generator──▶ Answer ──Task.Judge──▶ Judgement ──sandbox──▶ reports.Sample
//
// A [Task] is a way to ask the records of a data set and to judge the answers; [Tasks]
// lists them, [Find] finds one. Its prompts are frozen: tests pin a digest of each, and
// what changes them or the verdicts takes a new version. To add a task, write one file
// with its struct and put its name into the table of tasks.go.
//
// A [Generator] answers prompts: our runtime, or a server that speaks OpenAI's protocol.
// It says by its [Identity] what answers depend on.
//
// Judge is a pure function of a record and a text. All extractors read every answer, and
// the first one of a [Judgement] counts; that others see the same answer differently is
// worth knowing, as most of what people report as a model's errors are an extractor's.
//
//   - Numbers are compared as rationals, after currency, LaTeX, Markdown, separators of
//     thousands and units were put aside: see extract.go for where they are looked for,
//     number.go for how they are read. lm-eval's two filters stand beside, to the letter.
//     testdata/nasty.jsonl lists a hundred answers with their verdicts and the reasons.
//   - Code becomes a [Program], Python that runs to its end only if the answer is right.
//     The rules are in python/answer.py (what of a text is the function), python/check.py
//     (HumanEval), and python/plus.py (HumanEval+). It needs Python 3.9, and no modules.
//
// The runner asks, has programs executed by package sandbox, which believes nothing that
// they say, and keeps a line for every sample as soon as there is one. Statistics are
// made of these lines by package reports: accuracies with Wilson intervals, paired
// comparisons.
//
// Programs guard the check against accidents and simple tricks: the answer has its own
// namespace, the test is compiled before and runs in another, an exit is no pass. An
// answer that goes looking for its judge, through frames or by replacing Python's
// builtins, can still cheat.
//
// # Divergence
//
// What quantization loses shows sooner in the logits than in verdicts. It is measured
// where a diffusion model decides: at the masked positions of partly masked blocks.
// (Perplexity of the next token, the usual figure, says nothing of a model that never
// predicts one from left to right.) [Record] keeps such states of a model that answers,
// in a [Trajectory], along which divergence, importance and sensitivity are measured.
package eval
