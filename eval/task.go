package eval

import "lladakit/datasets"

// Task is a way to ask the problems of a data set and to judge the answers. Its prompts
// and rules are frozen: whatever changes them takes a new version.
type Task struct {
	Name    string
	Version int
	Summary string // one line for people
	Data    string // the data set that it is for, as the registry names it
	Form    datasets.Form
	Support string // a data set that prompts take examples from; empty for none

	// Answers, if not empty, names the task whose answers are judged: this one asks
	// nothing itself. Records of both data sets belong together by their IDs.
	Answers string

	GenLength int // most tokens of an answer that the task is made for

	// Prompt returns how a record is asked. support has the records of Support. It is nil
	// if Answers is not empty.
	Prompt func(r *datasets.Record, support []datasets.Record) Prompt

	// Judge reads an answer's text, with the frozen start of the answer in front.
	Judge func(r *datasets.Record, text string) Judgement
}

// Prompt is what a model is asked. Its JSON is what keys of samples are made of.
type Prompt struct {
	Messages []Message `json:"messages,omitempty"` // in the chat form
	Text     string    `json:"text,omitempty"`     // instead of messages: as it is, without a chat form
	Prefix   string    `json:"prefix,omitempty"`   // with which the answer begins: frozen tokens for a diffusion model
	Stops    []string  `json:"stops,omitempty"`    // what is written after Prefix ends before the first of them
}

// Message is one turn of a chat.
type Message struct {
	Role    string `json:"role"` // system, user, assistant
	Content string `json:"content"`
}

// Judgement is what the extractors found in an answer, the one that counts first.
type Judgement struct {
	Gold        string // the right result; empty for code
	Extractions []Extraction
}

// Extraction is what one extractor found.
type Extraction struct {
	Extractor string
	Value     string // a number in its normal form, or code; empty if there was nothing
	Layer     string // which rule of a layered extractor found it; else empty
	Correct   bool   // for code not known before Program was run

	// Program, if not nil, decides about Correct.
	Program *Program
}

// Program is Python whose run to its end, the check included, means a right answer.
type Program struct {
	Source string

	// Expect, if not empty, is a program that prints what Source needs, the same for
	// every answer to the document: it is run once, and Source reads its output from
	// standard input. Of HumanEval+, it computes the right results and times them; it
	// prints up to MaxExpect bytes.
	Expect string

	// Seconds, if not 0, is the most that Source may take by the clock on a machine of
	// ordinary speed, instead of what the sandbox gives. Expect may take ten times as
	// long: no answer is judged by it.
	Seconds float64
}
