package convert_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	goruntime "runtime"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// fullVariable is the environment variable that turns on tests of minutes and
// gigabytes.
const fullVariable = "LLADA_TEST_FULL"

// miniLayers cuts the largest of those: 20 is LLaDA2.0-mini whole, which reads
// 32 GB and writes 9.
var miniLayers = flag.Int("mini-layers", 4, "layers of the model of LLaDA2.0-mini's shape that TestMemory converts")

// sparse writes a checkpoint of one file with the folder's config.json, whose
// weights are a hole: zeros that take no room on the disk. Tensors stand in
// alphabetical order, as in published files.
func sparse(t *testing.T, f *folder) string {
	t.Helper()
	config, err := json.Marshal(f.config)
	require.NoError(t, err)
	hf, err := arch.ParseHF(config)
	require.NoError(t, err)
	shapes := map[string][]int{}
	for _, tensor := range hf.Tensors() {
		shape := tensor.Shape
		if tensor.Merged != "" {
			shape = shape[1:]
		}
		for _, name := range tensor.HF {
			shapes[name] = shape
		}
	}
	var names []string
	for name := range shapes {
		names = append(names, name)
	}
	sort.Strings(names)
	end := 0
	var header strings.Builder
	for i, name := range names {
		start := end
		n := 2
		for _, d := range shapes[name] {
			n *= d
		}
		end += n
		shape, err := json.Marshal(shapes[name])
		require.NoError(t, err)
		fmt.Fprintf(&header, `%c"%s":{"dtype":"BF16","shape":%s,"data_offsets":[%d,%d]}`, "{,"[min(i, 1)], name, shape, start, end)
	}
	header.WriteByte('}')
	data := frame([]byte(header.String()))
	f.shards, f.noIndex = nil, true
	dir := f.write(t)
	path := filepath.Join(dir, "model.safetensors")
	require.NoError(t, os.WriteFile(path, data, 0o666))
	if err := os.Truncate(path, int64(len(data)+end)); err != nil {
		t.Skip("this file system has no large files: ", err)
	}
	return dir
}

// resident returns the bytes of memory that the process has in use, mapped
// files included.
func resident(t *testing.T) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	defer f.Close()
	var sum int64
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int64
		key, value, _ := strings.Cut(s.Text(), ":")
		if key == "RssAnon" || key == "RssFile" || key == "RssShmem" {
			fmt.Sscan(value, &kib)
			sum += kib << 10
		}
	}
	return sum
}

// peak runs f and returns by how much memory in use was above the start at most.
func peak(t *testing.T, f func()) int64 {
	t.Helper()
	goruntime.GC()
	start := resident(t)
	done, result := make(chan bool), make(chan int64)
	go func() {
		most := start
		for {
			select {
			case <-done:
				result <- most
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, resident(t))
			}
		}
	}()
	f()
	close(done)
	return <-result - start
}

// Memory does not grow with the model: a hole of the shape of LLaDA2.0-mini, 800
// tensors a layer, and one of a few tensors that are much larger than what is
// converted at a time, on as many workers as there may be.
func TestMemory(t *testing.T) {
	if os.Getenv(fullVariable) == "" {
		t.Skip("converts gigabytes; set " + fullVariable)
	}
	const most = 512 << 20
	for _, c := range []struct {
		name    string
		config  map[string]any
		typ     gguf.Type
		bits    float64 // per weight
		weights int64   // at least
	}{
		{"LLaDA2.0-mini", map[string]any{"num_hidden_layers": *miniLayers, "vocab_size": 157184, "num_experts": 256, "moe_intermediate_size": 512,
			"num_experts_per_tok": 8, "n_group": 8, "topk_group": 4}, gguf.Q4_0, 4.5, int64(*miniLayers-1) * 8e8},
		{"large tensors", map[string]any{"num_hidden_layers": 12, "vocab_size": 32768, "num_experts": 8, "moe_intermediate_size": 4096}, gguf.F16, 16, 2e9},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := toy()
			maps.Copy(f.config, map[string]any{
				"hidden_size": 2048, "intermediate_size": 5120, "num_attention_heads": 16,
				"num_key_value_heads": 4, "head_dim": 128, "rotary_dim": 64, "mask_token_id": 45, "eos_token_id": 44,
			})
			maps.Copy(f.config, c.config)
			dir := sparse(t, f)
			info, err := os.Stat(filepath.Join(dir, "model.safetensors"))
			require.NoError(t, err)
			require.Greater(t, info.Size(), 2*c.weights)
			path := filepath.Join(t.TempDir(), "out.gguf")
			start := time.Now()
			grown := peak(t, func() {
				_, err := run(t, dir, path, convert.Options{Recipe: quant.Plain(c.typ), Threads: 32})
				require.NoError(t, err)
			})
			t.Logf("%d MiB in %.1f s: %d MiB above the start", info.Size()>>20, time.Since(start).Seconds(), grown>>20)
			assert.Less(t, grown, int64(most))
			out, err := os.Stat(path)
			require.NoError(t, err)
			assert.InEpsilon(t, float64(info.Size())/16*c.bits, float64(out.Size()), 0.02)
		})
	}
}
