package datasets

import "encoding/json"

// Form is the form of a data set's records.
type Form string

const (
	GSM8K         Form = "gsm8k"          // question, answer
	HumanEval     Form = "humaneval"      // task_id, prompt, entry_point, canonical_solution, test
	HumanEvalPlus Form = "humaneval-plus" // the same without test; contract, base_input, plus_input, atol
)

// Data is a data set that was read.
type Data struct {
	Name    string // registered, or of the file without its ending
	Path    string // of the file; empty for embedded ones
	Form    Form
	SHA256  string // of the file, in hex
	Records []Record
}

// Record is one problem. Fields that its form does not have are zero.
type Record struct {
	ID     string // task_id; for GSM8K's form the set's name and the index, as gsm8k/12
	Index  int    // in the data set
	SHA256 string // of the record's line without the end of the line, in hex

	// Of GSM8K's form.
	Question string
	Answer   string // steps, and "#### " with the number

	// Of HumanEval's form.
	Prompt            string // imports, signature, docstring
	EntryPoint        string
	CanonicalSolution string // the indented body
	Test              string // defines check(candidate)

	// Of HumanEval+'s.
	Contract  string          // assertions on arguments
	BaseInput json.RawMessage // list of argument lists
	PlusInput json.RawMessage
	Atol      float64
}
