package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrImport is what errors about the contents of another program's results wrap.
var ErrImport = errors.New("no results of llama-bench")

// What rows of llama-bench are not.
const (
	noteHead = "llama-bench computes the head for the last position of a batch only, and attention is causal: " +
		"its pp has no counterpart of a denoising forward's head, and compares with our pp alone"
	noteGen = "llama-bench makes one token a forward, from left to right: of a diffusion model its tg is the time of a forward " +
		"with one row, and no speed of answers"
	noteRandom = "llama-bench feeds random ids, which touch more experts than texts, and neither tokenizes nor samples"
	noteCut    = "the file is cut off: rows may be missing"
	noteSteps  = "llama-diffusion-cli divides by the steps asked for, and not by those that it ran, and its time has prefill and commits in it: " +
		"compare whole times for the same tokens, never its time per step"
)

// llamaBenchRow has the fields of llama-bench that we know, by all builds of it and of
// ik_llama.cpp.
type llamaBenchRow struct {
	BuildCommit string    `json:"build_commit"`
	CPUInfo     string    `json:"cpu_info"`
	GPUInfo     string    `json:"gpu_info"`
	Backends    string    `json:"backends"`
	Model       string    `json:"model_filename"`
	Type        string    `json:"model_type"`
	Size        uint64    `json:"model_size"`
	Params      uint64    `json:"model_n_params"`
	Threads     int       `json:"n_threads"`
	TypeK       string    `json:"type_k"`
	TypeV       string    `json:"type_v"`
	F16KV       bool      `json:"f16_kv"` // before type_k and type_v
	Prompt      int       `json:"n_prompt"`
	Gen         int       `json:"n_gen"`
	Depth       int       `json:"n_depth"`
	Time        string    `json:"test_time"`
	AvgNS       uint64    `json:"avg_ns"`
	StddevNS    uint64    `json:"stddev_ns"`
	AvgTS       *float64  `json:"avg_ts"`
	StddevTS    float64   `json:"stddev_ts"`
	SamplesNS   []uint64  `json:"samples_ns"`
	SamplesTS   []float64 `json:"samples_ts"`
	Test        string    `json:"test"` // of ik_llama.cpp

	// Before backends: booleans, but rpc was a list of servers for a time.
	CUDA    any `json:"cuda"`
	OpenCL  any `json:"opencl"`
	Vulkan  any `json:"vulkan"`
	Kompute any `json:"kompute"`
	Metal   any `json:"metal"`
	SYCL    any `json:"sycl"`
	RPC     any `json:"rpc"`
	GPUBLAS any `json:"gpu_blas"`
	BLAS    any `json:"blas"`
}

// ImportLlamaBench reads the results of llama-bench, of old and new builds and of
// ik_llama.cpp's: its JSON array, also one that is cut off, or JSON lines; or an output
// of llama-diffusion-cli that has its line of times. The Warnings of a test and the
// notes say what does not compare with ours.
func ImportLlamaBench(r io.Reader) (tests []Test, notes []string, err error) {
	data, err := readAll(r, maxBench, ErrImport)
	if err != nil {
		return nil, nil, err
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	if len(data) == 0 || data[0] != '[' && data[0] != '{' {
		if tests = diffusionTimes(data); len(tests) == 0 {
			return nil, nil, fmt.Errorf("%w: neither JSON nor the times of llama-diffusion-cli", ErrImport)
		}
		return tests, nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if data[0] == '[' {
		if _, err := dec.Token(); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrImport, err)
		}
	}
	notes = []string{noteRandom}
	for dec.More() {
		var row llamaBenchRow
		if err := dec.Decode(&row); err != nil {
			if (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) && len(tests) > 0 {
				return tests, append(notes, noteCut), nil
			}
			return nil, nil, fmt.Errorf("%w: row %d: %w", ErrImport, len(tests)+1, err)
		}
		t, err := row.test()
		if err != nil {
			return nil, nil, fmt.Errorf("%w: row %d: %w", ErrImport, len(tests)+1, err)
		}
		if tests = append(tests, t); len(tests) > maxBenchTests {
			return nil, nil, fmt.Errorf("%w: more than %d rows", ErrImport, maxBenchTests)
		}
	}
	if len(tests) == 0 {
		return nil, nil, fmt.Errorf("%w: there is no row", ErrImport)
	}
	if data[0] == '[' {
		switch _, err := dec.Token(); {
		case errors.Is(err, io.EOF):
			notes = append(notes, noteCut)
		case err != nil:
			return nil, nil, fmt.Errorf("%w: after row %d: %w", ErrImport, len(tests), err)
		case dec.More():
			return nil, nil, fmt.Errorf("%w: something follows the last row", ErrImport)
		}
	}
	return tests, notes, nil
}

// test returns the row in our form.
func (r *llamaBenchRow) test() (Test, error) {
	if r.AvgTS == nil || r.Prompt < 0 || r.Gen < 0 || r.Prompt == 0 && r.Gen == 0 {
		return Test{}, errors.New("n_prompt and n_gen or avg_ts are missing")
	}
	t := Test{
		BuildCommit: r.BuildCommit, CPUInfo: r.CPUInfo, Backends: r.backends(), Model: r.Model, Type: r.Type,
		Size: r.Size, Params: r.Params, Threads: r.Threads, TypeK: r.TypeK, TypeV: r.TypeV,
		Prompt: r.Prompt, Gen: r.Gen, Depth: r.Depth, Time: r.Time,
		AvgNS: r.AvgNS, StddevNS: r.StddevNS, AvgTS: *r.AvgTS, StddevTS: r.StddevTS, SamplesNS: r.SamplesNS, SamplesTS: r.SamplesTS,
	}
	if t.TypeK == "" && r.F16KV {
		t.TypeK, t.TypeV = "f16", "f16"
	}
	if r.GPUInfo != "" && t.Backends != "CPU" {
		t.CPUInfo = list(t.CPUInfo, r.GPUInfo)
	}
	// ik_llama.cpp's tg128@pp512 times the 128 alone: 512 is what its others call depth.
	if r.Test != "" && strings.Contains(r.Test, "@") {
		t.Depth, t.Prompt = r.Prompt, 0
	}
	t.Tokens = t.Prompt + t.Gen
	switch {
	case t.Gen == 0:
		t.Name, t.Kind, t.Warnings = fmt.Sprintf("pp%d", t.Prompt), "prefill", []string{noteHead}
	case t.Prompt == 0:
		t.Name, t.Kind, t.Warnings = fmt.Sprintf("tg%d", t.Gen), "gen", []string{noteGen}
	default:
		t.Name, t.Kind, t.Warnings = fmt.Sprintf("pp%d+tg%d", t.Prompt, t.Gen), "gen", []string{noteHead, noteGen}
	}
	if t.Depth > 0 {
		t.Name += fmt.Sprintf(" @ d%d", t.Depth)
	}
	return t, checkNumbers(t)
}

// backends names what computed.
func (r *llamaBenchRow) backends() string {
	if r.Backends != "" {
		return r.Backends
	}
	var names []string
	for _, b := range []struct {
		name string
		used any
	}{
		{"CUDA", r.CUDA}, {"OpenCL", r.OpenCL}, {"Vulkan", r.Vulkan}, {"Kompute", r.Kompute}, {"Metal", r.Metal}, {"SYCL", r.SYCL},
		{"RPC", r.RPC},
	} {
		switch used := b.used.(type) {
		case bool:
			if used {
				names = append(names, b.name)
			}
		case string:
			if !slices.Contains([]string{"", "0", "false"}, used) {
				names = append(names, b.name)
			}
		}
	}
	// The others set these two too.
	for _, b := range []struct {
		name string
		used any
	}{{"GPU BLAS", r.GPUBLAS}, {"BLAS", r.BLAS}} {
		if len(names) == 0 && b.used == true {
			names = append(names, b.name)
		}
	}
	if len(names) == 0 {
		return "CPU"
	}
	return strings.Join(names, ",")
}

// diffusionLine is what llama-diffusion-cli says when it is done. Some forks name the
// steps that they ran, and divide by those.
var diffusionLine = regexp.MustCompile(`total time: *([0-9]{1,12}(?:\.[0-9]{1,6})?) *ms, (?:steps: *([0-9]{1,9}), )?time per step: *([0-9]{1,12}(?:\.[0-9]{1,6})?) *ms`)

// diffusionTimes returns the runs of llama-diffusion-cli whose output this is.
func diffusionTimes(data []byte) []Test {
	var tests []Test
	for _, m := range diffusionLine.FindAllStringSubmatch(string(data), maxBenchTests) {
		total, _ := strconv.ParseFloat(m[1], 64) // of digits
		step, _ := strconv.ParseFloat(m[3], 64)
		if total == 0 || step == 0 {
			continue
		}
		ns := uint64(total * 1e6)
		t := Test{Name: "llama-diffusion-cli", Kind: "process", AvgNS: ns, SamplesNS: []uint64{ns}}
		if m[2] != "" {
			steps, _ := strconv.Atoi(m[2])
			t.Forwards = float64(steps)
			t.Warnings = []string{fmt.Sprintf("%s ms in all for %d steps, prefill and commits among it", m[1], steps)}
		} else {
			t.Steps = int(min(math.Round(total/step), 1e9))
			t.Warnings = []string{fmt.Sprintf("%s ms in all; %d steps were asked for", m[1], t.Steps), noteSteps}
		}
		tests = append(tests, t)
	}
	return tests
}
