package convert_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/oracle"
	"lladakit/internal/tiny"
	"lladakit/quant"
)

// verified are the folders whose files are verified: the golden ones, and the
// trained one, which has a tokenizer.
func verified(t testing.TB) map[string]string {
	t.Helper()
	dirs := map[string]string{"tiny": filepath.Join(t.TempDir(), "tiny")}
	require.NoError(t, tiny.Unpack(dirs["tiny"]))
	golden, err := oracle.Golden()
	require.NoError(t, err)
	for _, g := range golden {
		dirs[g.Name] = g.Dir
	}
	return dirs
}

// importanceOf returns importances of all matrices of a folder that differ by a
// factor of 10 000, and for the fourth expert of every stack none.
func importanceOf(t testing.TB, dir string) *quant.Importance {
	cfg := configOf(t, dir)
	r := rand.New(rand.NewPCG(5, 6))
	m := &quant.Importance{Entries: map[string]*quant.Columns{}}
	for _, tensor := range cfg.Tensors() {
		if tensor.Exact() {
			continue
		}
		c := &quant.Columns{Cols: tensor.Shape[len(tensor.Shape)-1]}
		for e := range len(tensor.HF) {
			c.Counts = append(c.Counts, float32((e+1)%4))
			for range c.Cols {
				c.Sum2 = append(c.Sum2, float32(math.Exp(2.3*r.NormFloat64())))
			}
		}
		m.Entries[tensor.GGUF] = c
	}
	return m
}

// recipes are what the honest files are made by.
func recipes(t testing.TB, dir string, m *quant.Importance) map[string]quant.Recipe {
	all := map[string]quant.Recipe{}
	for _, name := range quant.TargetNames() {
		target, err := quant.ParseTarget(name)
		require.NoError(t, err)
		all[name] = quant.Recipe{Target: target}
	}
	pure := all["q4_k_m"]
	pure.Pure = true
	all["pure q4_k_m"] = pure
	rules := all["q4_0"]
	rule, err := quant.ParseRule("ffn_down=q5_1")
	require.NoError(t, err)
	experts, err := quant.ParseExpertRule("layers=1 experts=top25%:q8_0 rest:mxfp4")
	if m == nil { // which the best experts are known by
		experts, err = quant.ParseExpertRule("layers=1 experts=0-7:q8_0 rest:mxfp4")
	}
	require.NoError(t, err)
	rules.Rules, rules.Experts, rules.Output = []quant.Rule{rule}, []quant.ExpertRule{experts}, new(gguf.F16)
	all["rules"] = rules
	c, err := convert.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	plan, err := c.Plan(convert.Options{Recipe: all["q4_0"]})
	require.NoError(t, err)
	budget, err := c.Fit(t.Context(), convert.Options{Recipe: all["q4_0"], Importance: m}, plan.Bytes()*11/10)
	require.NoError(t, err)
	all["budget"] = budget.Recipe
	return all
}

func TestVerifyHonestFiles(t *testing.T) {
	dirs := verified(t)
	for name, weighted := range map[string]bool{"narrow": false, "wide": true} {
		dir := dirs[name]
		var m *quant.Importance
		if weighted {
			m = importanceOf(t, dir)
		}
		stacks := 0 // with an index
		for what, recipe := range recipes(t, dir, m) {
			few := []string{"q8_0", "q2_k", "q4_k_m", "rules", "budget"}
			if weighted && os.Getenv(fullVariable) == "" && !slices.Contains(few, what) {
				continue // most take a second
			}
			t.Run(name+" "+what, func(t *testing.T) {
				path, _ := convertTo(t, dir, convert.Options{Recipe: recipe, Importance: m})
				f := open(t, path)
				v := verify(t, dir, f, convert.VerifyOptions{Importance: m})
				require.Empty(t, v.Findings)
				require.Len(t, v.Tensors, len(f.Tensors))
				cfg := configOf(t, dir)
				require.Equal(t, 3*(cfg.Layers-cfg.DenseLayers)*cfg.Experts, v.Experts)
				all := sha256.New()
				for i, one := range v.Tensors {
					sum := sha256.Sum256(f.Tensors[i].Data)
					require.Equal(t, hex.EncodeToString(sum[:]), one.SHA256, one.Name)
					all.Write(sum[:])
					if f.Tensors[i].Type == gguf.I32 {
						stacks++
						require.False(t, one.Compared)
						continue
					}
					require.True(t, one.Compared)
					require.Equal(t, one.Reachable, one.RelRMS, one.Name) // made by the same code
					if block, _ := f.Tensors[i].Type.Block(); block > 1 {
						require.Positive(t, one.RelRMS)
						require.Positive(t, one.MaxAbs)
					} else if f.Tensors[i].Type == gguf.F32 {
						require.Zero(t, one.MaxAbs)
					}
				}
				require.Equal(t, hex.EncodeToString(all.Sum(nil)), v.SHA256)
				if weighted { // and without knowing about it
					v = verify(t, dir, f, convert.VerifyOptions{})
					require.Empty(t, v.Findings)
				}
			})
		}
		require.Positive(t, stacks)
	}
}

// The trained checkpoint has a tokenizer.
func TestVerifyTrained(t *testing.T) {
	dir := verified(t)["tiny"]
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q4_0} {
		path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(typ)})
		v := verify(t, dir, open(t, path), convert.VerifyOptions{})
		require.Empty(t, v.Findings)
		require.Positive(t, v.Experts)
	}
}

func TestVerifyLayouts(t *testing.T) {
	f := toy()
	merged := merge(toy())
	for _, typ := range types {
		path, _ := convertTo(t, f.write(t), convert.Options{Recipe: quant.Plain(typ)})
		// A file from one layout is right for a checkpoint in the other.
		for _, other := range []*folder{f, merged, merge(toy()).single()} {
			v := verify(t, other.write(t), open(t, path), convert.VerifyOptions{})
			require.Empty(t, v.Findings)
		}
	}
}

func TestVerifySplitFile(t *testing.T) {
	dir := verified(t)["narrow"]
	path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0)})
	whole := verify(t, dir, open(t, path), convert.VerifyOptions{})
	_, r := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0), SplitSize: 100 << 10})
	require.Greater(t, len(r.Paths), 3)
	split := verify(t, dir, open(t, r.Paths[0]), convert.VerifyOptions{})
	require.Empty(t, split.Findings)
	require.Equal(t, r.Paths, split.Files)
	require.Equal(t, whole.Manifest(), split.Manifest())
}

func TestVerifyExpertsOfDifferentTypes(t *testing.T) {
	for name, types := range map[string][]gguf.Type{
		"narrow": {gguf.Q8_0, gguf.Q4_0, gguf.MXFP4},
		"wide":   {gguf.Q2_K, gguf.Q6_K, gguf.F16},
	} {
		dir := verified(t)[name]
		m, cfg := load(t, dir, gguf.F32), configOf(t, dir)
		m.mix(t, m.clone(), &cfg, types...)
		v := verify(t, dir, m.file(t), convert.VerifyOptions{})
		require.Empty(t, v.Findings)
		require.Equal(t, 3*(cfg.Layers-cfg.DenseLayers)*cfg.Experts, v.Experts)
		// Every expert of every matrix is in one of the stacks.
		seen := map[string]int{}
		for _, one := range v.Tensors {
			if one.Experts == nil {
				require.NotContains(t, one.Name, "exps.weight")
				continue
			}
			for _, e := range one.Experts {
				seen[one.Name[:len("blk.1.ffn_up")]+strconv.Itoa(e.Expert)]++
			}
		}
		require.Len(t, seen, v.Experts)
		for name, n := range seen {
			require.Equal(t, 1, n, name)
		}
	}
}

func TestVerifyOtherForms(t *testing.T) {
	dir := verified(t)["narrow"]
	m := load(t, dir, gguf.F16)
	// Another order of tensors, wider integers, less and more metadata.
	slices.Reverse(m.tensors)
	m.set("llada2.block_count", uint64(3))
	m.set("llada2.rope.freq_base", float64(600000))
	m.set("llada2.diffusion.steps", nil)
	m.set("diffusion.shift_logits", nil)
	m.set("general.type", nil)
	m.set("general.name", "another")
	m.set("general.author", "somebody")
	v := verify(t, dir, m.file(t), convert.VerifyOptions{})
	require.Empty(t, v.Findings)
}

func TestVerifyThreadsAndProgress(t *testing.T) {
	dir := verified(t)["narrow"]
	m := load(t, dir, gguf.Q4_0)
	swap(m.get("blk.1.ffn_up_exps.weight").expert(3), m.get("blk.1.ffn_up_exps.weight").expert(8))
	var first []byte
	for _, threads := range []int{1, 2, 7, 100} {
		var last, total int64
		v := verify(t, dir, m.file(t), convert.VerifyOptions{Threads: threads, Progress: func(done, all int64) {
			require.Greater(t, done, last)
			last, total = done, all
		}})
		require.Equal(t, last, total)
		require.Positive(t, total)
		got, err := json.Marshal(v)
		require.NoError(t, err)
		if first == nil {
			first = got
		}
		require.Equal(t, string(first), string(got))
	}
}

func TestVerifyCancelled(t *testing.T) {
	dir := verified(t)["narrow"]
	c, err := convert.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	f := load(t, dir, gguf.F32).file(t)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err = c.Verify(ctx, f, convert.VerifyOptions{Progress: func(int64, int64) {
		if calls++; calls == 3 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 3, calls)
}

func TestVerifyDamagedSource(t *testing.T) {
	honest := toy()
	m := load(t, honest.write(t), gguf.Q8_0)
	for name, damage := range map[string]func(f *folder){
		"missing": func(f *folder) { delete(f.shard("model.norm.weight"), "model.norm.weight") },
		"extra":   func(f *folder) { f.shard("model.norm.weight")["what.weight"] = f.all()["model.norm.weight"] },
		"shape":   func(f *folder) { f.all()["lm_head.weight"].Shape = []uint64{32, 48} },
		"norms": func(f *folder) {
			const name = "model.layers.0.attention.query_layernorm.weight"
			delete(f.shard(name), name)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := toy()
			damage(f)
			c, err := convert.Open(f.write(t))
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Verify(t.Context(), m.file(t), convert.VerifyOptions{})
			require.ErrorContains(t, err, c.Dir)
		})
	}
	// The file is right and the checkpoint has changed since.
	f := toy()
	put(f, "model.layers.1.mlp.experts.2.up_proj.weight", 77, 0x4321)
	v := verify(t, f.write(t), m.file(t), convert.VerifyOptions{})
	require.Equal(t, 1, v.Faults)
	require.Equal(t, 2, v.Findings[0].Expert)
}

func TestVerifyNonFiniteSource(t *testing.T) {
	f := toy()
	put(f, "model.layers.1.mlp.experts.2.up_proj.weight", 77, 0x7f80)
	put(f, "lm_head.weight", 5, 0x7fc0)
	dir := f.write(t)
	for _, typ := range types {
		path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(typ), AllowNonFinite: true})
		v := verify(t, dir, open(t, path), convert.VerifyOptions{})
		require.Zero(t, v.Faults, "%s\n%s", typ)
		require.Len(t, v.Findings, 2)
		for _, f := range v.Findings {
			require.Equal(t, convert.Warning, f.Severity)
			require.Equal(t, convert.KindNonFinite, f.Kind)
		}
	}
}

func TestManifest(t *testing.T) {
	dir := verified(t)["narrow"]
	f := load(t, dir, gguf.Q8_0).file(t)
	v := verify(t, dir, f, convert.VerifyOptions{})
	path := filepath.Join(t.TempDir(), "manifest.json")
	require.NoError(t, v.WriteManifest(path))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var m convert.Manifest
	require.NoError(t, json.Unmarshal(data, &m))
	require.Equal(t, v.Manifest(), m)
	require.Equal(t, v.SHA256, m.SHA256)
	require.Len(t, m.Tensors, len(f.Tensors))
	for i, one := range m.Tensors {
		sum := sha256.Sum256(f.Tensors[i].Data)
		require.Equal(t, convert.ManifestTensor{
			Name: f.Tensors[i].Name, Type: f.Tensors[i].Type.String(), Dims: f.Tensors[i].Dims, SHA256: hex.EncodeToString(sum[:]),
		}, one)
	}
	require.Error(t, v.WriteManifest(filepath.Join(t.TempDir(), "no", "folder")))
	require.Len(t, contents(t, filepath.Dir(path)), 1) // nothing temporary is left
}

func TestVerifyWithoutIDs(t *testing.T) {
	f := toy()
	delete(f.config, "mask_token_id")
	delete(f.config, "eos_token_id")
	dir := f.write(t)
	path, _ := convertTo(t, dir, convert.Options{MaskID: id(45), EOSID: id(44)})
	v := verify(t, dir, open(t, path), convert.VerifyOptions{})
	require.Zero(t, v.Faults)
	require.Len(t, v.Findings, 1) // nobody says whether they are right
	v = verify(t, dir, open(t, path), convert.VerifyOptions{MaskID: id(45), EOSID: id(44)})
	require.Empty(t, v.Findings)
	v = verify(t, dir, open(t, path), convert.VerifyOptions{MaskID: id(43), EOSID: id(44)})
	require.Equal(t, 1, v.Faults)
	require.Equal(t, convert.KindTokenID, v.Findings[0].Kind)
}

func TestVerifyTextsAreNFC(t *testing.T) {
	for _, text := range convert.PlainTexts {
		require.True(t, norm.NFC.IsNormalString(text), "%q", text)
	}
}
