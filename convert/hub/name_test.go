package hub

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{
		"config.json", "a/b/c.safetensors", ".gitattributes", "model-00001-of-00002.safetensors", "with space", "ünï/漢字.txt",
		"COM10", "console", "a..b", "..a", "a~1", "a~b/c", "sub/.llada-pull", strings.Repeat("x", maxPart), "100%.txt", "a#b",
	} {
		assert.NoError(t, checkName(name), "%q", name)
	}
	for _, name := range []string{
		"", ".", "..", "/", "/etc/passwd", "a//b", "a/", "../x", "a/../x", "./x", "a/./x", `a\b`, `..\x`, "C:", "C:/x", "C:x", `\\host\x`,
		"a\x00b", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\u200bb", "\xff", "a.", "a ", " a", "a./b", "x*", "x?", "x|y", "<x>", `"x"`,
		"CON", "con", "nul.txt", "a/aux.safetensors", "COM1", "lpt9.x", "COM¹", "conin$", "NUL .txt",
		".git", ".git/hooks/post-checkout", "a/.GIT/config", ".llada-pull", ".LLADA-pull/pull.json", "GIT~1/config", "LLADA-~1/pull.json", "a/x~12.y/b",
		strings.Repeat("x", maxPart+1), strings.Repeat("x/", maxDepth) + "x", strings.Repeat(strings.Repeat("x", 100)+"/", 6) + "x",
	} {
		assert.ErrorIs(t, checkName(name), ErrHub, "%q", name)
	}
}

func TestCheckNames(t *testing.T) {
	files := func(names ...string) (all []remote) {
		for _, n := range names {
			all = append(all, remote{Name: n})
		}
		return all
	}
	require.NoError(t, checkNames(files("a/b", "a/c", "b", "c/a", "d")))
	for _, names := range [][]string{
		{"a", "a"}, {"a", "A"}, {"a", "a/b"}, {"a/b", "a"}, {"A/b", "a/c"}, {"a/b/c", "a/B"}, {"straße", "STRASSE"},
		{"\u00e9", "e\u0301"}, {"x/y", "X"}, {"ok", "../x"},
	} {
		assert.ErrorIs(t, checkNames(files(names...)), ErrHub, "%q", names)
	}
}

const goodListing = `{"sha":"0123456789012345678901234567890123456789","siblings":[
 {"rfilename":"config.json","size":12,"blobId":"1111111111111111111111111111111111111111"},
 {"rfilename":"sub/config.json","size":12,"blobId":"1111111111111111111111111111111111111111"},
 {"rfilename":"model.safetensors","size":99,"blobId":"22","lfs":{"sha256":"3333333333333333333333333333333333333333333333333333333333333333","size":99,"pointerSize":1}},
 {"rfilename":"pytorch_model.bin"},{"rfilename":"../evil"},{"rfilename":"model.gguf","size":-1}, null]}`

func TestChoose(t *testing.T) {
	l, err := parseListing([]byte(goodListing))
	require.NoError(t, err)
	for _, c := range []struct {
		include, exclude []string
		want             string
	}{
		{nil, nil, "[config.json model.safetensors]"},
		{nil, []string{"*.safetensors"}, "[config.json]"},
		{[]string{"*.json"}, nil, "[config.json sub/config.json]"},
		{[]string{"sub/*"}, nil, "[sub/config.json]"},
		{[]string{"*.json"}, []string{"sub/*"}, "[config.json]"},
		{[]string{"nothing"}, nil, "[]"},
	} {
		chosen, err := l.choose(c.include, c.exclude)
		require.NoError(t, err)
		names := []string{}
		for _, f := range chosen {
			names = append(names, f.Name)
		}
		assert.Equal(t, c.want, fmt.Sprint(names))
	}
	for _, glob := range []string{"*", "*.bin", "../*", "*.gguf", "evil"} {
		_, err := l.choose([]string{glob}, nil)
		assert.ErrorIs(t, err, ErrHub, glob)
	}
	for name, want := range map[string]bool{
		"tokenizer_config.json": true, "chat_template.jinja": true, "LICENSE.txt": true, "README.md": true, "generation_config.json": true,
		"model.safetensors.index.json": true, "model-00001-of-00009.safetensors": true, "pytorch_model.bin": false, "x.pth": false,
		"modeling_llada2_moe.py": false, "model.gguf": false,
	} {
		assert.Equal(t, want, matches(DefaultFiles(), name), name)
	}
}

func TestParseListingFails(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "{}", `{"sha":"main"}`, `{"sha":1}`, "<html>", `{"sha":"` + testCommit + `","siblings":{}}`} {
		_, err := parseListing([]byte(text))
		assert.ErrorIs(t, err, ErrHub, text)
	}
}

// FuzzListing: whatever a hub says, the files that are chosen stay in the folder, apart from
// each other, and have digests.
func FuzzListing(f *testing.F) {
	f.Add([]byte(goodListing))
	f.Add([]byte(strings.ReplaceAll(goodListing, "config", "CONFIG")))
	f.Add([]byte(`{"sha":"0123456789012345678901234567890123456789","siblings":[{"rfilename":"a/../../b","size":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseListing(data)
		if err != nil {
			return
		}
		for _, include := range [][]string{nil, {"*"}} {
			chosen, err := l.choose(include, nil)
			if err != nil {
				continue
			}
			seen := map[string]bool{}
			for _, r := range chosen {
				require.NoError(t, checkName(r.Name))
				require.False(t, seen[strings.ToLower(r.Name)])
				seen[strings.ToLower(r.Name)] = true
				require.True(t, r.Size >= 0 && r.Size <= maxSize)
				require.True(t, sha256Form.MatchString(r.SHA256) || r.SHA256 == "" && commitForm.MatchString(r.Blob))
			}
		}
	})
}
