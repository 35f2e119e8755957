//go:build linux || darwin

package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is the most time to become an interpreter, which takes milliseconds.
const patience = 30 * time.Second

// Files that a stage starts with, beside the standard ones. Those after the proof
// are closed when it becomes the interpreter.
const (
	sourceFile = 3 + iota
	tokenFile  // to read the token from
	proofFile  // to write it to
	stageFile  // a stage as JSON
	reportFile // what went wrong, or ready
)

// ready is reported just before a stage becomes the interpreter.
const ready = "r"

// stage is what a copy of this program needs to know to become the interpreter.
type stage struct {
	Tier    Tier
	Args    []string // of the interpreter, its path first
	Reads   []string // files and folders
	User    int      // user and group to be; -1: as it is
	Threads bool     // up to 64, else one
	CPU     uint64   // seconds
	Memory  uint64   // bytes of address space
}

// process runs a program in tier A, B or D, whose limits are p's.
func (s *Sandbox) process(ctx context.Context, p Program) (v Verdict, err error) {
	var files closers
	defer files.close()
	token := []byte(rand.Text())
	input := files.content(p.Input)
	source := files.content([]byte(p.Source))
	tokenRead, tokenWrite := files.pipe()
	proofRead, proofWrite := files.pipe()
	reportRead, reportWrite := files.pipe()
	st := stage{
		Tier:   s.tier,
		Args:   []string{s.python.Path, "-s", "-S", "-B", "-X", "utf8", "-c", driver, "3", "4", "5", s.id},
		Reads:  s.python.Reads,
		User:   -1,
		CPU:    uint64((p.Time+time.Second-1)/time.Second) + 1,
		Memory: uint64(p.Memory),
	}
	var out, errs = head{most: p.Output}, tail{}
	cmd := &exec.Cmd{
		Path: executable(), Args: []string{stageName}, Env: []string{"GOMAXPROCS=2"}, Dir: "/",
		Stdin: input, Stdout: &out, Stderr: &errs, WaitDelay: time.Second,
	}
	s.isolate(cmd, &st)
	text, _ := json.Marshal(st)
	cmd.ExtraFiles = []*os.File{source, tokenRead, proofWrite, files.content(text), reportWrite}
	if files.err == nil {
		_, files.err = tokenWrite.Write(token) // a pipe holds it
	}
	if files.err != nil {
		return Verdict{}, fmt.Errorf("sandbox: %w", files.err)
	}
	if err := cmd.Start(); err != nil {
		return Verdict{}, fmt.Errorf("sandbox: %w", err)
	}
	for _, file := range cmd.ExtraFiles {
		file.Close()
	}
	tokenWrite.Close()
	kill := func() {
		if s.tier == Unsafe {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		cmd.Process.Kill()
	}
	stop := context.AfterFunc(ctx, kill)
	defer stop()

	setup := time.AfterFunc(patience, kill)
	report, _ := readAll(reportRead, 4<<10)
	setup.Stop()
	if string(report) != ready {
		kill()
		cmd.Wait()
		if ctx.Err() != nil {
			return Verdict{}, ctx.Err()
		}
		why := strings.TrimPrefix(string(report), ready)
		if why == "" {
			why = "it died: " + cmd.ProcessState.String() + " " + lastLine(errs.kept)
		}
		return Verdict{}, fmt.Errorf("sandbox: %s", why)
	}

	begin := time.Now()
	var late atomic.Bool
	clock := time.AfterFunc(p.Time, func() {
		late.Store(true)
		kill()
	})
	err = cmd.Wait()
	v.Wall = time.Since(begin)
	clock.Stop()
	stop() // its number may soon be another's
	if s.tier == Unsafe {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left; the group's number is not taken again so soon
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !(s.tier == Unsafe && errors.Is(err, exec.ErrWaitDelay)) {
		return Verdict{}, fmt.Errorf("sandbox: %w", err)
	}
	if ctx.Err() != nil {
		return Verdict{}, ctx.Err()
	}
	proofRead.SetReadDeadline(time.Now().Add(time.Second)) // what is left over in tier D may keep it open
	proof, _ := readAll(proofRead, int64(len(token)))
	state := cmd.ProcessState
	v.CPU = state.UserTime() + state.SystemTime()
	v.Output = string(out.kept)
	status := state.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		v.Status, v.Message = judge(state.ExitCode(), bytes.Equal(proof, token), errs.kept)
		return v, nil
	}
	v.Status, v.Message = Killed, "signal: "+status.Signal().String()
	if late.Load() || status.Signal() == syscall.SIGXCPU || v.CPU >= time.Duration(st.CPU)*time.Second {
		v.Status, v.Message = Timeout, fmt.Sprintf("no end in %v", p.Time)
	}
	return v, nil
}

// closers are open files, and the first error of opening them.
type closers struct {
	open []*os.File
	err  error
}

func (c *closers) close() {
	for _, file := range c.open {
		file.Close()
	}
}

// content returns a nameless file with the bytes, at its start.
func (c *closers) content(b []byte) *os.File {
	file, err := nameless(b)
	c.add(err, file)
	return file
}

func (c *closers) pipe() (r, w *os.File) {
	r, w, err := os.Pipe()
	c.add(err, r, w)
	return r, w
}

func (c *closers) add(err error, files ...*os.File) {
	if err != nil {
		c.err = errors.Join(c.err, err)
		return
	}
	c.open = append(c.open, files...)
}
