package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// licenseName matches the files that must go with what is built from a module.
var licenseName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|copyright|patents)([.-].*)?$`)

// licenses returns the texts for everything that is linked into some of the programs,
// Go's library included. They ask to be there wherever the program is.
func (s *source) licenses(ctx context.Context, built []program) ([]byte, error) {
	modules := map[string]bool{}
	for _, p := range built {
		for _, d := range p.Info.Deps {
			d = linked(d)
			modules[d.Path+"@"+d.Version] = true
		}
	}
	goroot, err := output(ctx, s.root, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := appendLicenses(&b, "Go's standard library", goroot); err != nil {
		return nil, err
	}
	list, err := output(ctx, s.root, []string{"GOFLAGS="}, "go", "list", "-m", "-f", "{{with .Replace}}{{.Path}}@{{.Version}} {{.Dir}}{{else}}{{.Path}}@{{.Version}} {{.Dir}}{{end}}", "all")
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for line := range strings.SplitSeq(list, "\n") {
		module, dir, _ := strings.Cut(line, " ")
		folders[module] = dir
	}
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		if folders[module] == "" {
			return nil, fmt.Errorf("%s is not in the module cache: go mod download fetches it", module)
		}
		if err := appendLicenses(&b, module, folders[module]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// linked returns what a module was replaced with, or itself.
func linked(m *debug.Module) *debug.Module {
	if m.Replace != nil {
		return m.Replace
	}
	return m
}

func appendLicenses(b *bytes.Buffer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenseName.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%s\n%s: %s\n\n%s\n\n", strings.Repeat("=", 80), name, e.Name(), bytes.TrimSpace(text))
		found = true
	}
	if !found {
		return fmt.Errorf("%s has no license in %s: it cannot be part of a release", name, dir)
	}
	return nil
}
