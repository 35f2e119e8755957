package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// worker is the first process of a container.
//
//go:embed worker.py
var worker string

// request is what the worker reads.
type request struct {
	Token   string  `json:"token"` // which the answer has too; the program does not see it
	Driver  string  `json:"driver"`
	Source  []byte  `json:"source"`
	Input   []byte  `json:"input"`
	Seconds float64 `json:"seconds"`
	Memory  int64   `json:"memory"`
	Output  int     `json:"output"`
}

// answer is what the worker writes.
type answer struct {
	Token  string  `json:"token"`
	Code   int     `json:"code"` // below 0: the signal
	Proved bool    `json:"proved"`
	Late   bool    `json:"late"`
	Wall   float64 `json:"wall"` // seconds, the start of the interpreter included
	CPU    float64 `json:"cpu"`
	Output []byte  `json:"output"`
	Errors []byte  `json:"errors"`
}

// findEngine looks for podman and docker. Images are not pulled.
func (s *Sandbox) findEngine() error {
	s.image = cmp.Or(s.opt.Image, defaultImage)
	if strings.HasPrefix(s.image, "-") {
		return fmt.Errorf("%q is not the name of an image", s.image)
	}
	for _, name := range []string{"podman", "docker"} {
		if path, err := exec.LookPath(name); err == nil {
			s.engine = path
			return nil
		}
	}
	return errors.New("neither podman nor docker is there")
}

// arguments are those of the engine for one program in a container of the name. The
// worker needs two capabilities to run the program as another user.
func (s *Sandbox) arguments(name string, memory int64) []string {
	// Files in /tmp count as memory, and the worker has some too.
	most := strconv.FormatInt(memory+(256<<20), 10)
	return []string{
		"run", "--rm", "--interactive", "--name", name, "--pull", "never",
		"--network", "none", "--read-only", "--tmpfs", "/tmp:rw,nosuid,nodev,noexec,size=64m,mode=1777",
		"--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID", "--security-opt", "no-new-privileges",
		"--pids-limit", "64", "--memory", most, "--memory-swap", most, "--cpus", "1",
		s.image, "python3", "-I", "-S", "-c", worker,
	}
}

// containerStart is the most time of a container beside its program's.
const containerStart = 60 * time.Second

// contain runs a program in a container of its own. What the program writes beyond 1 MiB
// fails, because it goes to a file.
func (s *Sandbox) contain(ctx context.Context, p Program) (Verdict, error) {
	req := request{
		Token: rand.Text(), Driver: driver, Source: []byte(p.Source), Input: p.Input,
		Seconds: p.Time.Seconds(), Memory: p.Memory, Output: p.Output,
	}
	text, err := json.Marshal(req)
	if err != nil {
		return Verdict{}, err
	}
	name := "llada-" + strings.ToLower(rand.Text())
	limited, cancel := context.WithTimeout(ctx, p.Time+containerStart)
	defer cancel()
	out, errs := head{most: 2*p.Output + 64<<10}, head{most: 4 << 10}
	cmd := exec.CommandContext(limited, s.engine, s.arguments(name, p.Memory)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(text), &out, &errs, 5*time.Second
	if err = cmd.Run(); err != nil {
		// The engine's command is not the container: that goes on if the command is killed.
		s.remove(name)
	}
	if ctx.Err() != nil {
		return Verdict{}, ctx.Err()
	}
	var a answer
	if jsonErr := json.Unmarshal(out.kept, &a); err != nil || jsonErr != nil || a.Token != req.Token {
		why, _, _ := bytes.Cut(bytes.TrimSpace(errs.kept), []byte("\n")) // help may follow
		return Verdict{}, fmt.Errorf("sandbox: %s: no answer: %w: %s", s.engine, cmp.Or(err, jsonErr, errors.New("wrong token")), lastLine(why))
	}
	v := Verdict{
		Output: string(a.Output[:min(len(a.Output), p.Output)]),
		Wall:   time.Duration(a.Wall * float64(time.Second)), CPU: time.Duration(a.CPU * float64(time.Second)),
	}
	switch {
	case a.Late || a.Code == -int(syscall.SIGKILL) && v.CPU > p.Time:
		v.Status, v.Message = Timeout, fmt.Sprintf("no end in %v", p.Time)
	case a.Code < 0:
		v.Status, v.Message = Killed, "signal: "+syscall.Signal(-a.Code).String()
	default:
		v.Status, v.Message = judge(a.Code, a.Proved, a.Errors)
	}
	return v, nil
}

// remove ends a container, if it is there.
func (s *Sandbox) remove(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	exec.CommandContext(ctx, s.engine, "rm", "--force", name).Run()
}
