package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"lladakit/bench"
	"lladakit/convert"
	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
	"lladakit/reports"
	"lladakit/runtime"
)

// demoDivergenceFile is beside the other results of a demo.
const demoDivergenceFile = "kld.json"

// demoTypes are what the checkpoint is converted to.
var demoTypes = []gguf.Type{gguf.Q8_0, gguf.Q4_0}

// demoConvert unpacks the checkpoint into dir, converts it to each of demoTypes, and proves
// what was written. It adds the records of both to c.
func (e *env) demoConvert(ctx context.Context, dir string, c *reports.Collection) (paths []string, err error) {
	folder := filepath.Join(dir, "tiny")
	if err := tiny.Unpack(folder); err != nil {
		return nil, err
	}
	checkpoint, err := convert.Open(folder)
	if err != nil {
		return nil, err
	}
	defer checkpoint.Close()
	for _, typ := range demoTypes {
		name := strings.ToLower(typ.String())
		path := filepath.Join(dir, "tiny-"+name+".gguf")
		made, err := e.demoFile(ctx, checkpoint, typ, path)
		if err != nil {
			return nil, err
		}
		checked, err := e.demoVerify(ctx, checkpoint, path)
		if err != nil {
			return nil, err
		}
		record, proof := "convert-"+name+".json", "verify-"+name+".json"
		if err := keepResult(filepath.Join(dir, record), made.Write); err != nil {
			return nil, err
		}
		if err := keepResult(filepath.Join(dir, proof), checked.Write); err != nil {
			return nil, err
		}
		paths = append(paths, path)
		c.Conversions = append(c.Conversions, reports.Result[reports.Conversion]{Path: record, Value: made})
		c.Verifications = append(c.Verifications, reports.Result[reports.Verification]{Path: proof, Value: checked})
		if _, err := fmt.Fprintf(e.stdout, "Converted the tiny checkpoint (%d weights) to %s: %s, %s\n", made.Weights, name, filepath.Base(path), size(made.Bytes)); err != nil {
			return nil, err
		}
	}
	_, err = fmt.Fprintln(e.stdout)
	return paths, err
}

// demoFile writes a file of one type.
func (e *env) demoFile(ctx context.Context, checkpoint *convert.Checkpoint, typ gguf.Type, path string) (*reports.Conversion, error) {
	start := time.Now()
	made := &reports.Conversion{Program: thisProgram(), Machine: bench.ThisMachine(), Command: e.args, Started: now(), Source: checkpoint.Dir}
	recipe := quant.Plain(typ)
	plan, err := checkpoint.Plan(convert.Options{Recipe: recipe})
	if err != nil {
		return nil, err
	}
	takePlan(made, plan, recipe)
	result, err := plan.Write(ctx, path)
	if err != nil {
		return nil, err
	}
	takeWritten(made, result)
	made.Seconds = time.Since(start).Seconds()
	return made, completeConversion(ctx, made, checkpoint.Files(), "", func(_, _ int64) {})
}

// demoVerify proves a file against the checkpoint. A fault ends the demo.
func (e *env) demoVerify(ctx context.Context, checkpoint *convert.Checkpoint, path string) (*reports.Verification, error) {
	file, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	result := &reports.Verification{
		Version: reports.VerificationVersion, Program: thisProgram(), Machine: bench.ThisMachine(), Command: e.args, Started: now(), Source: checkpoint.Dir,
	}
	v, err := checkpoint.Verify(ctx, file, convert.VerifyOptions{})
	if err != nil {
		return nil, err
	}
	takeVerification(result, v)
	if result.Faults > 0 {
		return nil, fmt.Errorf("%s is not what the checkpoint says: %s", path, result.Findings[0])
	}
	result.File, err = describeFile(ctx, file, true)
	return result, err
}

// demoDivergence measures how far the second file is from the first, and prints it.
func (e *env) demoDivergence(ctx context.Context, dir string, paths []string) (*reports.Divergence, error) {
	task, err := eval.Find("tiny-gsm8k")
	if err != nil {
		return nil, err
	}
	data, err := datasets.Open(ctx, task.Data, datasets.Options{Offline: true})
	if err != nil {
		return nil, err
	}
	result := &reports.Divergence{
		Version: reports.DivergenceVersion, Program: thisProgram(), Machine: bench.ThisMachine(), Command: e.args, Started: now(),
		ModelPath: paths[1], ReferencePath: paths[0], Data: task.Data, DataHash: data.SHA256,
	}
	reference, err := runtime.Load(paths[0], runtime.LoadOptions{})
	if err != nil {
		return nil, err
	}
	defer reference.Close()
	model, err := runtime.Load(paths[1], runtime.LoadOptions{})
	if err != nil {
		return nil, err
	}
	defer model.Close()
	var prompts [][]int32
	records := data.Records[:min(demoPrompts, len(data.Records))]
	for i := range records {
		prompt, err := reference.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: task.Prompt(&records[i], nil).Messages[0].Content}})
		if err != nil {
			return nil, err
		}
		prompts = append(prompts, prompt)
	}
	opt := reference.Defaults()
	opt.GenLength = task.GenLength
	d, err := eval.Diverge(ctx, model, reference, prompts, opt, nil)
	if err != nil {
		return nil, err
	}
	takeDivergence(result, d, len(prompts))
	if result.Settings, err = json.Marshal(opt); err != nil {
		return nil, err
	}
	if result.Model, err = modelFile(ctx, paths[1], true); err != nil {
		return nil, err
	}
	if result.Reference, err = modelFile(ctx, paths[0], true); err != nil {
		return nil, err
	}
	if err := keepResult(filepath.Join(dir, demoDivergenceFile), result.Write); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(e.stdout, "\nHow far %s is from %s at masked positions: KLD %.5f nats, the same most probable token at %.2f %% of %d\n",
		filepath.Base(paths[1]), filepath.Base(paths[0]), result.All.KLD.Mean, 100*result.All.Agreement.Mean, result.All.Positions)
	return result, err
}
