package sandbox

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// driver is what the interpreter is started with.
//
//go:embed driver.py
var driver string

// survey asks an interpreter where it lives.
//
//go:embed survey.py
var survey string

// python is an interpreter, and what it reads.
type python struct {
	Path    string // of the program itself, not of a link or a script that starts it
	Version string
	Reads   []string // files and folders, absolute, none within another
}

// system is what programs find their libraries by.
var system = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"}

// findPython asks the interpreter of the name, or python3, about itself. It runs outside
// of a sandbox, with no code but ours.
func findPython(ctx context.Context, name string) (*python, error) {
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("no Python: %w; install python3, or name one", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var stdout, stderr head
	stdout.most, stderr.most = 1<<20, 1<<10
	cmd := exec.CommandContext(ctx, path, "-I", "-S", "-X", "utf8", "-c", survey)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("%s does not tell about itself: %w %s", path, err, lastLine(stderr.kept))
	}
	var answer struct {
		Path, Version string
		Reads         []string
	}
	if err := json.Unmarshal(stdout.kept, &answer); err != nil {
		return nil, fmt.Errorf("%s does not tell about itself: %w", path, err)
	}
	if !filepath.IsAbs(answer.Path) {
		return nil, fmt.Errorf("%s does not know its path", path)
	}
	reads := append([]string{answer.Path}, system...)
	return &python{Path: answer.Path, Version: answer.Version, Reads: outermost(append(reads, answer.Reads...))}, nil
}

// outermost returns the paths that exist, without those within others. Of "/" and of
// folders that hold more than programs nothing may be made of.
func outermost(paths []string) []string {
	var there []string
	for _, path := range paths {
		path = filepath.Clean(path)
		_, err := os.Stat(path)
		if !filepath.IsAbs(path) || err != nil || slices.Contains([]string{"/", "/etc", "/home", "/root", "/tmp", "/usr", "/var", "/proc", "/dev"}, path) {
			continue
		}
		there = append(there, path)
	}
	slices.Sort(there)
	var kept []string
	for _, path := range slices.Compact(there) {
		within := func(outer string) bool { return strings.HasPrefix(path, outer+"/") }
		if !slices.ContainsFunc(kept, within) {
			kept = append(kept, path)
		}
	}
	return kept
}

// head keeps the first bytes that are written, and takes the others too.
type head struct {
	most int
	kept []byte
}

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), h.most-len(h.kept))]...)
	return len(p), nil
}

// tail keeps the last bytes that are written.
type tail struct {
	kept []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	if len(p) >= tailSize {
		t.kept = append(t.kept[:0], p[len(p)-tailSize:]...)
		return len(p), nil
	}
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailSize; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

// lastLine returns the last line that is not empty, in 300 bytes at most.
func lastLine(text []byte) string {
	text = bytes.TrimRight(text, "\r\n \t")
	text = text[bytes.LastIndexByte(text, '\n')+1:]
	return strings.ToValidUTF8(string(text[:min(len(text), 300)]), "�")
}

// judge says what an end means that was not forced by us.
func judge(code int, token bool, stderr []byte) (Status, string) {
	message := lastLine(stderr)
	switch {
	case code == 0 && token:
		return Passed, message
	case strings.HasPrefix(message, "MemoryError"):
		return Memory, message
	case message == "":
		message = fmt.Sprintf("ended with status %d before its end", code)
	}
	return Failed, message
}

// readAll reads to the end or the bound.
func readAll(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = errors.New("too long")
	}
	return b, err
}
