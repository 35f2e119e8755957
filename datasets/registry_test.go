package datasets

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSets(t *testing.T) {
	names, files := map[string]bool{}, map[string]bool{}
	for _, s := range Sets() {
		assert.False(t, names[s.Name] || files[s.File], s.Name)
		names[s.Name], files[s.File] = true, true
		found, ok := Find(s.Name)
		assert.True(t, ok)
		assert.Equal(t, s, found)
		assert.Regexp(t, `^[0-9a-f]{64}$`, s.SHA256)
		assert.NotEmpty(t, s.License)
		if !s.Embedded() {
			assert.Regexp(t, `^https://(raw\.githubusercontent\.com/.*/[0-9a-f]{40}/|github\.com/.*/releases/download/v)`, s.URL, "what a branch has may change")
		}
	}
	for _, name := range []string{"gsm8k", "gsm8k-train", "humaneval", "humaneval-plus", "humaneval-plus-mini", "tiny-gsm8k", "tiny-humaneval"} {
		assert.True(t, names[name], name)
	}
	_, ok := Find("GSM8K")
	assert.False(t, ok)
	Sets()[0].Name = "changed"
	_, ok = Find("gsm8k")
	assert.True(t, ok, "the registry is not given away")
}

// TestRegisteredFiles reads the real files, and the embedded ones.
func TestRegisteredFiles(t *testing.T) {
	for _, s := range Sets() {
		t.Run(s.Name, func(t *testing.T) {
			opt := Options{Cache: t.TempDir(), Offline: true}
			path := ""
			if !s.Embedded() {
				opt.Folder = testData(t)
				path = filepath.Join(opt.Folder, s.File)
			}
			d, err := Open(t.Context(), s.Name, opt)
			require.NoError(t, err)
			assert.Equal(t, s.Name, d.Name)
			assert.Equal(t, path, d.Path)
			assert.Equal(t, s.Form, d.Form)
			assert.Equal(t, s.SHA256, d.SHA256)
			require.Len(t, d.Records, s.Records)
			for i, r := range d.Records {
				require.Equal(t, i, r.Index)
				require.Len(t, r.SHA256, 64)
				if s.Form == GSM8K {
					require.NotEmpty(t, r.Question)
					require.NotEmpty(t, r.Answer)
					continue
				}
				require.Contains(t, r.Prompt, "def "+r.EntryPoint)
				require.NotEmpty(t, r.CanonicalSolution)
				require.Equal(t, s.Form == HumanEval, r.Test != "")
				require.Equal(t, s.Form == HumanEvalPlus, len(r.BaseInput) > 2)
				require.Equal(t, s.Form == HumanEvalPlus, len(r.PlusInput) > 2)
				require.Equal(t, s.Form == HumanEvalPlus, r.Contract != "")
			}
		})
	}
}

// TestRecordsOfKnownFiles compares single records with what the files are known to have.
func TestRecordsOfKnownFiles(t *testing.T) {
	opt := Options{Folder: testData(t), Cache: t.TempDir(), Offline: true}
	d, err := Open(t.Context(), "gsm8k", opt)
	require.NoError(t, err)
	assert.Equal(t, "gsm8k/0", d.Records[0].ID)
	assert.Contains(t, d.Records[0].Question, "Janet’s ducks lay 16 eggs per day.")
	assert.Contains(t, d.Records[0].Answer, "\n#### 18")
	assert.Equal(t, "gsm8k/1318", d.Records[1318].ID)

	d, err = Open(t.Context(), "humaneval-plus", opt)
	require.NoError(t, err)
	plain, err := Open(t.Context(), "humaneval", opt)
	require.NoError(t, err)
	var differ, tolerant []string
	for i, r := range d.Records {
		assert.Equal(t, plain.Records[i].ID, r.ID)
		assert.Equal(t, plain.Records[i].EntryPoint, r.EntryPoint)
		if r.Prompt != plain.Records[i].Prompt {
			differ = append(differ, r.ID)
		}
		if r.Atol != 0 {
			tolerant = append(tolerant, r.ID)
		}
	}
	assert.Equal(t, []string{"HumanEval/115"}, differ)
	assert.Equal(t, []string{"HumanEval/2", "HumanEval/4", "HumanEval/32"}, tolerant)
	assert.Equal(t, 1e-4, d.Records[32].Atol)
	assert.JSONEq(t, `[[3.5],[1.33],[123.456]]`, string(d.Records[2].BaseInput))
}
