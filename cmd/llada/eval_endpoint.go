package main

import (
	"encoding/json"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"lladakit/eval"
)

// endpointFlags say how a server is asked; evalCommand has them all.
func endpointFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "endpoint", Usage: "`URL` of an OpenAI-compatible server that is asked instead of a model file"},
		&cli.StringFlag{Name: "endpoint-model", Usage: "`NAME` that the server knows the model by"},
		&cli.StringFlag{Name: "endpoint-api", Usage: "`API`: chat or completions", DefaultText: "chat"},
		&cli.StringFlag{Name: "endpoint-prefix", Usage: "`MODE` of frozen beginnings of answers: assistant, the server continues them; none", DefaultText: "assistant"},
		&cli.StringFlag{Name: "endpoint-key-file", Usage: "`FILE` with the key"},
		&cli.StringFlag{Name: "endpoint-key-env", Usage: "`NAME` of the environment variable with the key"},
		&cli.StringFlag{Name: "endpoint-extra", Usage: "`JSON` object with more fields of every request, as {\"chat_template_kwargs\":{\"enable_thinking\":false}}"},
		&cli.DurationFlag{Name: "endpoint-timeout", Usage: "`TIME` for one try of an answer", DefaultText: "15m"},
		&cli.IntFlag{Name: "endpoint-retries", Usage: "`N` more tries of a request that failed in a way that may pass", DefaultText: "5"},
		&cli.IntFlag{Name: "concurrency", Usage: "`N` requests at a time", DefaultText: "4"},
	}
}

// endpoint returns the server that the flags name.
func endpoint(c *cli.Context) (eval.Generator, error) {
	if err := needFlags(c, "endpoint-model"); err != nil {
		return nil, err
	}
	ours := slices.DeleteFunc(append(decodingFlags(), loadFlags()...), func(f cli.Flag) bool {
		return slices.Contains([]string{"temperature", "top-p", "seed"}, f.Names()[0])
	})
	if flag := firstGiven(c, ours); flag != "" {
		return nil, usagef("--%s is for --model: a server decodes in its own way", flag)
	}
	opt := eval.EndpointOptions{
		URL: c.String("endpoint"), Model: c.String("endpoint-model"), API: c.String("endpoint-api"), PrefixMode: c.String("endpoint-prefix"),
		Concurrency: c.Int("concurrency"), Temperature: c.Float64("temperature"), TopP: c.Float64("top-p"),
	}
	opt.Timeout, opt.Retries = c.Duration("endpoint-timeout"), c.Int("endpoint-retries")
	if c.IsSet("endpoint-retries") && opt.Retries == 0 {
		opt.Retries = -1 // where 0 is the default
	}
	if text := c.String("endpoint-extra"); text != "" {
		if err := json.Unmarshal([]byte(text), &opt.Extra); err != nil || opt.Extra == nil {
			return nil, usagef("--endpoint-extra: %.40q is no JSON object", text)
		}
	}
	var err error
	file, name := c.String("endpoint-key-file"), c.String("endpoint-key-env")
	switch {
	case c.IsSet("concurrency") && opt.Concurrency < 1:
		return nil, usagef("--concurrency: %d is not positive", opt.Concurrency)
	case c.IsSet("endpoint-timeout") && c.Duration("endpoint-timeout") <= 0:
		return nil, usagef("--endpoint-timeout: %v is not positive", c.Duration("endpoint-timeout"))
	case c.IsSet("endpoint-retries") && c.Int("endpoint-retries") < 0:
		return nil, usagef("--endpoint-retries: %d is negative", c.Int("endpoint-retries"))
	case c.IsSet("batch"):
		return nil, usagef("--batch is for --model; --concurrency is for --endpoint")
	case file != "" && name != "":
		return nil, usagef("--endpoint-key-file and --endpoint-key-env: give one of them")
	case file != "":
		if opt.Key, err = eval.ReadKey(file); err != nil {
			return nil, err
		}
	case name != "":
		if opt.Key = os.Getenv(name); opt.Key == "" {
			return nil, usagef("--endpoint-key-env: there is no %s in the environment", name)
		}
	}
	g, err := eval.NewEndpoint(opt)
	if err != nil {
		return nil, usageError{err}
	}
	return g, nil
}
