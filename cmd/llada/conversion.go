package main

import (
	"context"
	"os"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
	"lladakit/reports"
)

// takePlan puts into a result what is going to be written.
func takePlan(out *reports.Conversion, p *convert.Plan, recipe quant.Recipe) {
	out.Type, out.Tensors, out.Weights = recipe.Target.String(), len(p.Tensors), p.Weights()
	out.Bits = 8 * float64(p.Bytes()) / float64(p.Weights())
	out.Fallbacks, out.Neutral = append([]string{}, p.Fallbacks...), p.Neutral
	out.Types = typeUses(p.Tensors)
}

// takeWritten puts into a result what was written.
func takeWritten(out *reports.Conversion, r convert.Result) {
	out.Files, out.Bytes, out.NonFinite = r.Paths, uint64(r.Bytes), uint64(r.NonFinite)
}

// completeConversion makes a whole result of one that has what was written: with the types
// of experts, and the digests of the file, of the sources, and of the importance if there
// is one. It reads all of them; progress gets the bytes of the sources.
//
// Note: the digests are of the files as they are then. Taking them while tensors are read
// would cost less and tell less: tensors are read out of order, and not all bytes belong
// to one.
func completeConversion(ctx context.Context, out *reports.Conversion, sources []string, importance string, progress func(done, total int64)) error {
	file, err := gguf.Open(out.Files[0])
	if err != nil {
		return err
	}
	defer file.Close()
	out.Version = reports.ConversionVersion
	if out.File, err = describeFile(ctx, file, true); err != nil {
		return err
	}
	out.File.Type = out.Type
	matrices, err := findExpertTypes(file)
	if err != nil {
		return err
	}
	out.Experts = expertsByLayer(matrices)
	if importance != "" {
		if out.Importance, err = inputFile(ctx, importance); err != nil {
			return err
		}
	}
	return inputFiles(ctx, out, sources, progress)
}

// inputFiles adds the files that were read.
func inputFiles(ctx context.Context, out *reports.Conversion, paths []string, progress func(done, total int64)) error {
	var done, total int64
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		total += info.Size()
	}
	out.Sources = []reports.InputFile{}
	for _, path := range paths {
		f, err := inputFile(ctx, path)
		if err != nil {
			return err
		}
		out.Sources = append(out.Sources, *f)
		done += int64(f.Size)
		progress(done, total)
	}
	return nil
}

func inputFile(ctx context.Context, path string) (*reports.InputFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	sum, err := fileDigest(ctx, path)
	return &reports.InputFile{Name: path, Size: uint64(info.Size()), SHA256: sum}, err
}

// expertsByLayer puts the matrices of a layer together.
func expertsByLayer(matrices []expertTypes) (all []reports.ExpertTypes) {
	for _, m := range matrices {
		if n := len(all); n == 0 || all[n-1].Layer != m.Layer {
			all = append(all, reports.ExpertTypes{Layer: m.Layer})
		}
		row := &all[len(all)-1]
		*map[string]*[]string{"gate": &row.Gate, "up": &row.Up, "down": &row.Down}[m.Matrix] = m.Types
	}
	return all
}
