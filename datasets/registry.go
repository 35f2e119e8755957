package datasets

import (
	"slices"
	"strings"
)

// Set is a data set that is known by its name.
type Set struct {
	Name    string `json:"name"`
	Form    Form   `json:"form"`
	File    string `json:"file"` // its name in folders
	URL     string `json:"url"`  // where it is fetched from; empty for embedded ones
	License string `json:"license"`
	SHA256  string `json:"sha256"` // of the file, in hex
	Size    int64  `json:"size"`   // of the file, in bytes
	Records int    `json:"records"`
}

// The addresses name commits and a release: what is there does not change.
const (
	gradeSchoolMath = "https://raw.githubusercontent.com/openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/"
	humanEval       = "https://raw.githubusercontent.com/openai/human-eval/6d43fb980f9fee3c892a914eda09951f772ad10d/data/"
	humanEvalPlus   = "https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/"
)

var sets = []Set{
	{
		Name: "gsm8k", Form: GSM8K, File: "gsm8k_test.jsonl", URL: gradeSchoolMath + "test.jsonl", License: "MIT",
		SHA256: "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14", Size: 749738, Records: 1319,
	},
	{
		Name: "gsm8k-train", Form: GSM8K, File: "gsm8k_train.jsonl", URL: gradeSchoolMath + "train.jsonl", License: "MIT",
		SHA256: "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465", Size: 4166206, Records: 7473,
	},
	{
		Name: "humaneval", Form: HumanEval, File: "HumanEval.jsonl.gz", URL: humanEval + "HumanEval.jsonl.gz", License: "MIT",
		SHA256: "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef", Size: 44877, Records: 164,
	},
	{
		Name: "humaneval-plus", Form: HumanEvalPlus, File: "HumanEvalPlus.jsonl.gz", URL: humanEvalPlus + "HumanEvalPlus.jsonl.gz", License: "Apache-2.0",
		SHA256: "272720b90ac375502c8ed23cd791c2a93dfb22a911641a494da74a426c09f101", Size: 925932, Records: 164,
	},
	{
		Name: "humaneval-plus-mini", Form: HumanEvalPlus, File: "HumanEvalPlus-Mini.jsonl.gz", URL: humanEvalPlus + "HumanEvalPlus-Mini.jsonl.gz", License: "Apache-2.0",
		SHA256: "91486741f1627101021fbe50523df08eebb5b0bf5e804b633dcd5ca3c14dbd2f", Size: 57064, Records: 164,
	},
	{
		Name: "tiny-gsm8k", Form: GSM8K, File: "tiny-gsm8k.jsonl", License: "Apache-2.0",
		SHA256: "d3992f19e0c2eb21a73612f7c6f26eba1ca0f68398c22d7f21e11d3b9070dc52", Size: 32125, Records: 200,
	},
	{
		Name: "tiny-humaneval", Form: HumanEval, File: "tiny-humaneval.jsonl", License: "Apache-2.0",
		SHA256: "fc577eeaf75de1c6a1d8a3f11ebcbec81069e965192f8f64c804e5594825b724", Size: 39780, Records: 100,
	},
}

// Sets returns all registered data sets.
func Sets() []Set { return slices.Clone(sets) }

// Find returns the data set with a name.
func Find(name string) (Set, bool) {
	i := slices.IndexFunc(sets, func(s Set) bool { return s.Name == name })
	if i < 0 {
		return Set{}, false
	}
	return sets[i], true
}

// Embedded says whether the program has the data set in itself.
func (s *Set) Embedded() bool { return s.URL == "" }

// names lists the registered data sets for people.
func names() string {
	var all []string
	for _, s := range sets {
		all = append(all, s.Name)
	}
	return strings.Join(all, ", ")
}
