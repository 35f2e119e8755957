package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strings"
	"time"
)

// allTargets are what a release is made for.
var allTargets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// A source is the checkout that is built.
type source struct {
	root    string
	version string    // "0.9.0"
	commit  string    // in full
	time    time.Time // of the commit, in UTC
}

// openSource finds the checkout around the current folder.
func openSource(ctx context.Context, dirty bool) (*source, error) {
	root, err := output(ctx, "", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("a release is made from a checkout: %w", err)
	}
	status, err := output(ctx, root, nil, "git", "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if status != "" && !dirty {
		return nil, errDirty
	}
	s := &source{root: root}
	head, err := output(ctx, root, nil, "git", "log", "-1", "--format=%H %cI")
	if err != nil {
		return nil, err
	}
	var when string
	s.commit, when, _ = strings.Cut(head, " ")
	if s.time, err = time.Parse(time.RFC3339, when); err != nil {
		return nil, fmt.Errorf("time of the commit: %w", err)
	}
	s.time = s.time.UTC()
	tags, err := output(ctx, root, nil, "git", "-c", "versionsort.suffix=-", "tag", "--points-at", "HEAD", "--sort=-version:refname", "v[0-9]*")
	if err != nil {
		return nil, err
	}
	if tag, _, _ := strings.Cut(tags, "\n"); tag != "" {
		s.version = strings.TrimPrefix(tag, "v")
	} else {
		s.version = fmt.Sprintf("0.0.0-%s-%.12s", s.time.Format("20060102150405"), s.commit)
	}
	if status != "" {
		s.version += "+dirty"
	}
	if !versionName.MatchString(s.version) {
		return nil, fmt.Errorf("tag v%s: a version is digits, letters, dots, + and -", s.version)
	}
	return s, nil
}

// versionName is what may stand in names of files and flags of the linker.
var versionName = regexp.MustCompile(`^[0-9A-Za-z.+-]+$`)

// A program is the built llada of one target.
type program struct {
	OS, Arch string
	Version  string
	Path     string
	Info     *buildinfo.BuildInfo
}

// build builds the program of a target, "linux/amd64", below a folder. The environment
// says nothing of how: every machine builds the same.
func (s *source) build(ctx context.Context, target, work string) (program, error) {
	p := program{Version: s.version}
	p.OS, p.Arch, _ = strings.Cut(target, "/")
	p.Path = filepath.Join(work, p.OS+"_"+p.Arch, "llada")
	if p.OS == "windows" {
		p.Path += ".exe"
	}
	env := []string{"GOOS=" + p.OS, "GOARCH=" + p.Arch, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off"}
	set := fmt.Sprintf("-s -w -buildid= -X main.releaseVersion=%s -X main.releaseCommit=%s -X main.releaseDate=%s", s.version, s.commit, s.time.Format(time.DateOnly))
	if _, err := output(ctx, s.root, env, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags="+set, "-o", p.Path, "./cmd/llada"); err != nil {
		return p, fmt.Errorf("%s: %w", target, err)
	}
	var err error
	if p.Info, err = buildinfo.ReadFile(p.Path); err != nil {
		return p, fmt.Errorf("%s: %w", target, err)
	}
	return p, nil
}

// name returns the archive's name without its ending.
func (p *program) name() string {
	return "llada_" + p.Version + "_" + p.OS + "_" + p.Arch
}

// commonFiles returns what all archives have beside the program. Completions and manual
// page are printed by the program for this machine, which is built if it is not there.
func (s *source) commonFiles(ctx context.Context, work string, built []program) ([]file, error) {
	var here program
	for _, p := range built {
		if p.OS == goruntime.GOOS && p.Arch == goruntime.GOARCH {
			here = p
		}
	}
	if here.Path == "" {
		var err error
		if here, err = s.build(ctx, goruntime.GOOS+"/"+goruntime.GOARCH, work); err != nil {
			return nil, err
		}
	}
	files := []file{}
	for _, made := range []struct{ name, args string }{
		{"llada.1", "man"}, {"completions/llada.bash", "completion bash"}, {"completions/llada.fish", "completion fish"}, {"completions/_llada", "completion zsh"},
	} {
		text, err := output(ctx, s.root, nil, here.Path, strings.Fields(made.args)...)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: made.name, data: []byte(text + "\n")})
	}
	pages, err := pages(s.root)
	if err != nil {
		return nil, err
	}
	files = append(files, pages...)
	licenses, err := s.licenses(ctx, built)
	if err != nil {
		return nil, err
	}
	return append(files, file{name: "LICENSES-THIRD-PARTY", data: licenses}), nil
}

// roomPages are those of single rooms that the pages for users link to.
var roomPages = []string{"quant/README.md", "quant/RECIPES.md", "runtime/README.md"}

// pages returns what archives have to read, with all that it links to.
func pages(root string) (files []file, err error) {
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	for _, name := range append([]string{"README.md", "LICENSE"}, roomPages...) {
		paths = append(paths, filepath.Join(root, filepath.FromSlash(name)))
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: filepath.ToSlash(name), data: data})
	}
	return files, nil
}

// output runs a command in a folder, with more variables, and returns what it prints,
// without the last line break. Errors have what it complained of.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) && len(failed.Stderr) > 0 {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(name), err, strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSuffix(string(out), "\n"), err
}
