package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// when is some commit's time.
var when = time.Date(2026, 3, 4, 5, 6, 8, 0, time.UTC)

// someProgram is not built: what is read of it is written here.
func someProgram(t *testing.T, system string) program {
	path := filepath.Join(t.TempDir(), "llada")
	if system == "windows" {
		path += ".exe"
	}
	require.NoError(t, os.WriteFile(path, []byte("a program"), 0o600))
	return program{OS: system, Arch: "arm64", Version: "1.2.3+x", Path: path, Info: &buildinfo.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "lladakit", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "example.org/a", Version: "v1.0.0+incompatible", Sum: "h1:" + strings.Repeat("A", 43) + "="},
			{Path: "example.org/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/c", Version: "v2.0.0"}},
		},
		Settings: []debug.BuildSetting{{Key: "CGO_ENABLED", Value: "0"}},
	}}
}

// read returns the texts, modes and times of an archive's files.
func read(t *testing.T, path string) (texts map[string]string, modes map[string]os.FileMode, times []time.Time) {
	texts, modes = map[string]string{}, map[string]os.FileMode{}
	add := func(name string, r io.Reader, mode os.FileMode, when time.Time) {
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		texts[name], modes[name], times = string(data), mode, append(times, when.UTC())
	}
	if strings.HasSuffix(path, ".zip") {
		z, err := zip.OpenReader(path)
		require.NoError(t, err)
		defer z.Close()
		for _, f := range z.File {
			r, err := f.Open()
			require.NoError(t, err)
			add(f.Name, r, f.Mode(), f.Modified)
		}
		return texts, modes, times
	}
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return texts, modes, times
		}
		require.NoError(t, err)
		add(h.Name, r, h.FileInfo().Mode(), h.ModTime)
	}
}

func TestArchive(t *testing.T) {
	files := []file{{name: "docs/x.md", data: []byte("x")}, {name: "README.md", data: []byte("readme")}}
	for system, want := range map[string]struct{ name, program string }{
		"linux":   {"llada_1.2.3+x_linux_arm64.tar.gz", "llada"},
		"windows": {"llada_1.2.3+x_windows_arm64.zip", "llada.exe"},
	} {
		p := someProgram(t, system)
		a, b := t.TempDir(), t.TempDir()
		name, err := p.archive(a, files, when)
		require.NoError(t, err)
		assert.Equal(t, want.name, name)
		texts, modes, times := read(t, filepath.Join(a, name))
		assert.Equal(t, map[string]string{
			p.name() + "/docs/x.md": "x", p.name() + "/README.md": "readme", p.name() + "/" + want.program: "a program",
		}, texts)
		assert.Equal(t, os.FileMode(0o755), modes[p.name()+"/"+want.program])
		assert.Equal(t, os.FileMode(0o644), modes[p.name()+"/README.md"])
		assert.Equal(t, []time.Time{when, when, when}, times)

		// The order of what is given, and times of files, are not in it.
		require.NoError(t, os.Chtimes(p.Path, time.Time{}, time.Unix(1, 0)))
		_, err = p.archive(b, []file{files[1], files[0]}, when)
		require.NoError(t, err)
		first, err := os.ReadFile(filepath.Join(a, name))
		require.NoError(t, err)
		second, err := os.ReadFile(filepath.Join(b, name))
		require.NoError(t, err)
		assert.Equal(t, sha256.Sum256(first), sha256.Sum256(second))
	}
}

func TestSums(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), []byte("abc"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o600))
	require.NoError(t, writeSums(dir, []string{"b", "a"}))
	data, err := os.ReadFile(filepath.Join(dir, sumsFile))
	require.NoError(t, err)
	assert.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"+
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n", string(data))
	require.Error(t, writeSums(dir, []string{"missing"}))
}

// TestSBOM checks what the schema of CycloneDX 1.6 requires: fields, patterns, and that
// references are unique and lead somewhere.
func TestSBOM(t *testing.T) {
	p := someProgram(t, "linux")
	data, err := p.sbom(when)
	require.NoError(t, err)
	again, err := p.sbom(when)
	require.NoError(t, err)
	require.Equal(t, data, again)
	var b map[string]any
	require.NoError(t, json.Unmarshal(data, &b))
	assert.Equal(t, "CycloneDX", b["bomFormat"])
	assert.Equal(t, "1.6", b["specVersion"])
	assert.Equal(t, 1.0, b["version"])
	assert.Regexp(t, `^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, b["serialNumber"])
	meta := b["metadata"].(map[string]any)
	assert.Equal(t, "2026-03-04T05:06:08Z", meta["timestamp"])
	main := meta["component"].(map[string]any)
	sum := sha256.Sum256([]byte("a program"))
	assert.Equal(t, []any{map[string]any{"alg": "SHA-256", "content": hex.EncodeToString(sum[:])}}, main["hashes"])
	refs := map[string]bool{}
	var purls []string
	for _, c := range append(b["components"].([]any), main) {
		c := c.(map[string]any)
		assert.Contains(t, []string{"application", "library"}, c["type"])
		assert.NotEmpty(t, c["name"])
		ref := c["bom-ref"].(string)
		assert.False(t, refs[ref], "%s is there twice", ref)
		refs[ref] = true
		purls = append(purls, c["purl"].(string))
		for _, h := range append([]any{}, orEmpty(c["hashes"])...) {
			assert.Regexp(t, regexp.MustCompile(`^[a-f0-9]{64}$`), h.(map[string]any)["content"])
		}
	}
	assert.Equal(t, []string{"pkg:golang/std@1.26.8", "pkg:golang/example.org/a@v1.0.0%2Bincompatible", "pkg:golang/example.org/c@v2.0.0", "pkg:golang/lladakit@1.2.3%2Bx"}, purls)
	for _, d := range b["dependencies"].([]any) {
		d := d.(map[string]any)
		assert.True(t, refs[d["ref"].(string)])
		assert.Len(t, d["dependsOn"], 3)
		for _, ref := range d["dependsOn"].([]any) {
			assert.True(t, refs[ref.(string)], "%s", ref)
		}
	}
	p.Info.Deps[0].Sum = "h1:?"
	_, err = p.sbom(when)
	require.ErrorContains(t, err, "example.org/a")
}

func orEmpty(v any) []any {
	all, _ := v.([]any)
	return all
}

func TestLicenses(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	require.ErrorContains(t, appendLicenses(&b, "example.org/a", dir), "example.org/a has no license in "+dir)
	for _, name := range []string{"LICENSE", "COPYING.txt", "notice.md", "licenses.go", "README"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("text of "+name+"\n"), 0o600))
	}
	require.NoError(t, appendLicenses(&b, "example.org/a", dir))
	for _, name := range []string{"LICENSE", "COPYING.txt", "notice.md"} {
		assert.Contains(t, b.String(), "example.org/a: "+name+"\n\ntext of "+name+"\n")
	}
	assert.NotContains(t, b.String(), "licenses.go")
	assert.NotContains(t, b.String(), "README")
}

// TestPages: every page that a page in an archive links to is there as well.
func TestPages(t *testing.T) {
	files, err := pages("..")
	require.NoError(t, err)
	there := map[string]bool{}
	for _, f := range files {
		there[f.name] = true
	}
	require.True(t, there["LICENSE"])
	for _, f := range files {
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllSubmatch(f.data, -1) {
			assert.True(t, there[path.Join(path.Dir(f.name), string(link[1]))], "%s links to %s", f.name, link[1])
		}
	}
}

// TestSource looks at a checkout of one file.
func TestSource(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	_, err := openSource(t.Context(), false)
	require.ErrorContains(t, err, "a release is made from a checkout")
	git := func(args ...string) {
		args = append([]string{"-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)
		_, err := output(t.Context(), dir, []string{"GIT_COMMITTER_DATE=2026-03-04T07:06:08+02:00"}, "git", args...)
		require.NoError(t, err)
	}
	git("init", "-q")
	require.NoError(t, os.WriteFile("file", nil, 0o600))
	git("add", "file")
	git("commit", "-q", "-m", "x")
	s, err := openSource(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, when, s.time)
	assert.Equal(t, "0.0.0-20260304050608-"+s.commit[:12], s.version)
	git("tag", "v0.9.0")
	git("tag", "v0.10.0-rc.1")
	git("tag", "vague")
	s, err = openSource(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, "0.10.0-rc.1", s.version, "the newest")
	git("tag", "v0.10.0")
	s, err = openSource(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, "0.10.0", s.version, "the release, not the candidate that it was")
	git("tag", "-d", "v0.10.0")
	require.NoError(t, os.WriteFile("new", nil, 0o600))
	_, err = openSource(t.Context(), false)
	require.ErrorIs(t, err, errDirty)
	s, err = openSource(t.Context(), true)
	require.NoError(t, err)
	assert.Equal(t, "0.10.0-rc.1+dirty", s.version)
}

func TestRefused(t *testing.T) {
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "x"), nil, 0o600))
	for want, opt := range map[string]options{
		`"plan9/386" is not one of linux/amd64`: {Out: t.TempDir(), Targets: []string{"plan9/386"}},
		"is not empty":                          {Out: full, Targets: allTargets},
	} {
		assert.ErrorContains(t, release(t.Context(), &opt), want)
	}
	// Before minutes of work, not after.
	out := filepath.Join(t.TempDir(), "out")
	assert.ErrorContains(t, run(t.Context(), []string{"-out", out, "linux/amd64"}), `"linux/amd64" is one argument too many`)
	assert.NoDirExists(t, out)
}
