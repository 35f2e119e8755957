package convert_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
)

func id(n int32) *int32 { return &n }

// The toy has no tokenizer: 45 is its mask token, 44 its end token.
func TestIDsWithoutTokenizer(t *testing.T) {
	for _, c := range []struct {
		name             string
		mask, eos        any // of config.json
		maskOpt, eosOpt  *int32
		wantMask, wantID uint32
		err              string
	}{
		{"config", 45, 44, nil, nil, 45, 44, ""},
		{"a list with one end", 45, []int{44}, nil, nil, 45, 44, ""},
		{"options", nil, nil, id(3), id(0), 3, 0, ""},
		{"one of each", 45, nil, nil, id(7), 45, 7, ""},
		{"both agree", 45, 44, id(45), id(44), 45, 44, ""},
		{"last of the vocabulary", 47, 44, nil, nil, 47, 44, ""},
		{"mask differs", 45, 44, id(46), nil, 0, 0, "mask id 46 of the options is not 45, the one of config.json"},
		{"end differs", 45, 44, nil, id(46), 0, 0, "end id 46 of the options is not 44, the one of config.json"},
		{"neither", nil, nil, nil, nil, 0, 0, "give both ids"},
		{"no mask", nil, 44, nil, nil, 0, 0, "give both ids"},
		{"no end", 45, nil, nil, nil, 0, 0, "give both ids"},
		{"two ends", 45, []int{43, 44}, nil, nil, 0, 0, "give both ids"},
		{"outside", 48, 44, nil, nil, 0, 0, "mask id 48 of config.json is outside the vocabulary of 48"},
		{"negative", 45, nil, nil, id(-1), 0, 0, "end id -1 of the options is outside the vocabulary of 48"},
		{"config outside, option inside", 45, 1000, nil, id(44), 0, 0, "end id 1000 of config.json is outside"},
		{"the same", 44, 44, nil, nil, 0, 0, "mask and end token have the same id 44"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := toy()
			f.config["mask_token_id"], f.config["eos_token_id"] = c.mask, c.eos
			dir := f.write(t)
			opt := convert.Options{MaskID: c.maskOpt, EOSID: c.eosOpt}
			if c.err != "" {
				refused(t, dir, opt, dir, c.err)
				return
			}
			path, _ := convertTo(t, dir, opt)
			md := open(t, path).Metadata
			for key, want := range map[string]any{
				"tokenizer.ggml.model": "no_vocab", "tokenizer.ggml.mask_token_id": c.wantMask, "tokenizer.ggml.eos_token_id": c.wantID,
			} {
				got, _ := md.Lookup(key)
				assert.Equal(t, want, got, key)
			}
		})
	}
}

// tinyWith unpacks the tiny checkpoint, whose mask token is 1004 and whose end
// token 1001, with some fields of config.json changed.
func tinyWith(t *testing.T, changes map[string]any) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	require.NoError(t, tiny.Unpack(dir))
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	fields := map[string]any{}
	require.NoError(t, json.Unmarshal(data, &fields))
	for name, v := range changes {
		fields[name] = v
	}
	data, err = json.Marshal(fields)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o666))
	return dir
}

func TestTokenizer(t *testing.T) {
	for name, c := range map[string]struct {
		changes map[string]any
		opt     convert.Options
	}{
		"config agrees":  {nil, convert.Options{}},
		"config is mute": {map[string]any{"mask_token_id": nil, "eos_token_id": nil}, convert.Options{}},
		"options agree":  {nil, convert.Options{MaskID: id(1004), EOSID: id(1001)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.Recipe = quant.Plain(gguf.Q4_0)
			path, _ := convertTo(t, tinyWith(t, c.changes), c.opt)
			got, err := tokenizer.FromMetadata(open(t, path).Metadata)
			require.NoError(t, err)
			data, err := fs.ReadFile(tiny.Checkpoint(), "tokenizer.json")
			require.NoError(t, err)
			config, err := fs.ReadFile(tiny.Checkpoint(), "tokenizer_config.json")
			require.NoError(t, err)
			want, err := tokenizer.FromJSON(data, config)
			require.NoError(t, err)
			assert.Equal(t, want.Special(), got.Special())
			text := "What is 12 + 7?\n<|mask|>"
			assert.Equal(t, want.Encode(text), got.Encode(text))
		})
	}
}

func TestTokenizerDisagrees(t *testing.T) {
	for name, c := range map[string]struct {
		changes map[string]any
		opt     convert.Options
		want    string
	}{
		"mask of config":    {map[string]any{"mask_token_id": 5}, convert.Options{}, "mask id 5 of config.json is not 1004, the one of the tokenizer"},
		"end of config":     {map[string]any{"eos_token_id": 5}, convert.Options{}, "end id 5 of config.json is not 1001, the one of the tokenizer"},
		"mask of options":   {nil, convert.Options{MaskID: id(5)}, "mask id 5 of the options is not 1004"},
		"end of options":    {nil, convert.Options{EOSID: id(5)}, "end id 5 of the options is not 1001"},
		"config is covered": {map[string]any{"mask_token_id": 5}, convert.Options{MaskID: id(1004)}, "mask id 1004 of the options is not 5"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tinyWith(t, c.changes)
			refused(t, dir, c.opt, dir, c.want)
		})
	}
}

func TestTokenizerTooLarge(t *testing.T) {
	f := toy()
	f.config["mask_token_id"], f.config["eos_token_id"] = nil, nil
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := fs.ReadFile(tiny.Checkpoint(), name)
		require.NoError(t, err)
		f.extra[name] = string(data)
	}
	refused(t, f.write(t), convert.Options{}, "mask id 1004 of the tokenizer is outside the vocabulary of 48")
}

// The chat template may stand in a file of its own, which comes first.
func TestChatTemplate(t *testing.T) {
	dir := tinyWith(t, nil)
	template := func() string {
		path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q4_0)})
		text, _ := open(t, path).Metadata.String("tokenizer.chat_template")
		return text
	}
	config, err := fs.ReadFile(tiny.Checkpoint(), "tokenizer_config.json")
	require.NoError(t, err)
	var says struct {
		Template string `json:"chat_template"`
	}
	require.NoError(t, json.Unmarshal(config, &says))
	assert.Equal(t, says.Template, template())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte("{{ messages }}"), 0o666))
	assert.Equal(t, "{{ messages }}", template())
	require.NoError(t, os.Remove(filepath.Join(dir, "tokenizer_config.json")))
	assert.Equal(t, "{{ messages }}", template())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte("["), 0o666))
	refused(t, dir, convert.Options{}, "tokenizer_config.json")
}
