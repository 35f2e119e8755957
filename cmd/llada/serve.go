package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/internal/blockstore"
	"lladakit/runtime"
	"lladakit/serve"
)

const (
	mostBatch     = 256
	mostQueue     = 1 << 16
	mostPositions = 1 << 30
	mostBody      = 1 << 30
	cacheMemory   = 256 << 20 // of the prompt cache
)

func (e *env) serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "answer requests over HTTP, as OpenAI's API does, and show a page to try the model",
		UsageText: "llada serve --model FILE [--listen 127.0.0.1:8080] [--api-key-file FILE]\n\n" +
			"Example: llada serve --model mini-q8_0.gguf\n\n" +
			"Ctrl-C finishes the answers in the making and ends; a second one ends at once.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE`"},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8080", Usage: "`ADDRESS` to listen at; with port 0 at a free one"},
			&cli.StringFlag{Name: "api-key-file", Usage: "`FILE` with the key that requests must bring", DefaultText: "no key"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` that clients call the model", DefaultText: "the file's"},
			&cli.StringSliceFlag{Name: "host", Usage: "`NAME` of this server, beside localhost, in requests that come over loopback, as from a proxy; repeatable"},
			&cli.IntFlag{Name: "batch", Value: 4, Usage: "`N` answers in the making at most"},
			&cli.IntFlag{Name: "queue", Value: 32, Usage: "`N` more requests may wait; others are told to come later"},
			&cli.IntFlag{Name: "positions", Usage: "`N` positions of keys and values that the answers in the making have together, prompts and longest answers", DefaultText: "the model's context"},
			&cli.DurationFlag{Name: "deadline", Value: 10 * time.Minute, Usage: "`TIME` that an answer may take, with its wait; 0: any"},
			&cli.StringFlag{Name: "max-body", Value: "1MiB", Usage: "`SIZE` of a request at most"},
			&cli.StringFlag{Name: "prompt-cache", Usage: "`FOLDER` for what is computed of prompts, so that equal beginnings are computed once", DefaultText: "memory only"},
			&cli.BoolFlag{Name: "json", Usage: "print the address as one line of JSON"},
		}, loadFlags()),
		Action: e.serve,
	}
}

// listening is what serve --json prints, once requests are answered.
type listening struct {
	Address string `json:"address"`
	URL     string `json:"url"`
	Model   string `json:"model"`
}

func (e *env) serve(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "model"); err != nil {
		return err
	}
	opt, engine, err := e.serveOptions(c)
	if err != nil {
		return err
	}
	l, err := listen(c)
	if err != nil {
		return err
	}
	defer l.Close()
	m, err := e.load(c, c.String("model"))
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Tokenizer == nil {
		return usagef("%s has no vocabulary, since it was converted from a checkpoint without tokenizer.json: there is no text to serve", m.Paths()[0])
	}
	cache, err := m.NewPromptCache(blockstore.Options{Dir: c.String("prompt-cache"), Memory: cacheMemory})
	if err != nil {
		return err
	}
	defer cache.Close()
	engine.PromptCache = cache
	unused := e.cacheFolder(c, cache, nil) // now, since the end may be weeks away
	if err := e.greet(c, l.Addr(), &opt, m); err != nil {
		return err
	}
	err = serve.NewServer(serve.NewEngine(m, engine), opt).Serve(c.Context, l)
	e.cacheFolder(c, cache, unused)
	return err
}

// cacheFolder warns if the folder of the prompt cache is not used, unless for the reason
// that is known.
func (e *env) cacheFolder(c *cli.Context, cache *runtime.PromptCache, known error) error {
	err := cache.Stats().Err
	if err != nil && known == nil && c.IsSet("prompt-cache") {
		fmt.Fprintf(e.stderr, "llada: warning: the prompt cache's folder is not used: %v\n", err)
	}
	return err
}

// serveOptions reads the flags but those of the model.
func (e *env) serveOptions(c *cli.Context) (opt serve.Options, engine serve.EngineOptions, err error) {
	body, err := parseSize(c.String("max-body"))
	switch {
	case err != nil:
		return opt, engine, usagef("--max-body: %w", err)
	case body > mostBody:
		return opt, engine, usagef("--max-body: %s is more than %s", size(body), size(mostBody))
	case c.Int("batch") < 1 || c.Int("batch") > mostBatch:
		return opt, engine, usagef("--batch: %d is not between 1 and %d", c.Int("batch"), mostBatch)
	case c.Int("queue") < 1 || c.Int("queue") > mostQueue:
		return opt, engine, usagef("--queue: %d is not between 1 and %d", c.Int("queue"), mostQueue)
	case c.IsSet("positions") && (c.Int("positions") < 1 || c.Int("positions") > mostPositions):
		return opt, engine, usagef("--positions: %d is not between 1 and %d", c.Int("positions"), mostPositions)
	case c.Duration("deadline") < 0:
		return opt, engine, usagef("--deadline: %v is negative", c.Duration("deadline"))
	}
	for _, name := range c.StringSlice("host") {
		// A colon is also in addresses of IPv6.
		if _, err := netip.ParseAddr(name); err != nil && (name == "" || strings.ContainsAny(name, ":/[] ")) {
			return opt, engine, usagef("--host: %.80q is not a name such as llm.example, without scheme and port", name)
		}
	}
	for _, name := range []string{"listen", "name", "api-key-file", "prompt-cache"} {
		if c.IsSet(name) && c.String(name) == "" {
			return opt, engine, usagef("--%s is empty; see %s --help", name, c.Command.HelpName)
		}
	}
	opt = serve.Options{
		Name: c.String("name"), MaxBody: int64(body), Deadline: c.Duration("deadline"), Hosts: c.StringSlice("host"),
		Log: slog.New(slog.NewTextHandler(e.stderr, nil)),
	}
	if opt.Name == "" {
		opt.Name = strings.TrimSuffix(filepath.Base(c.String("model")), ".gguf")
	}
	if file := c.String("api-key-file"); file != "" {
		if opt.Key, err = e.apiKey(file); err != nil {
			return opt, engine, err
		}
	}
	engine.Batch, engine.Queue, engine.Positions = c.Int("batch"), c.Int("queue"), c.Int("positions")
	return opt, engine, nil
}

// listen listens before the model is loaded, which takes longer.
func listen(c *cli.Context) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(c.String("listen")); err != nil {
		return nil, usagef("--listen: %.80q is not an address such as 127.0.0.1:8080", c.String("listen"))
	}
	var config net.ListenConfig
	l, err := config.Listen(c.Context, "tcp", c.String("listen"))
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	return l, nil
}

// apiKey reads the key from its file, and warns if others can read it, too.
func (e *env) apiKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	const most = 4 << 10
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(data))
	switch {
	case len(data) > most:
		return "", fmt.Errorf("%s has more than %d bytes: a key is one line", path, most)
	case key == "":
		return "", fmt.Errorf("%s is empty: write a key into it, as from openssl rand -hex 32", path)
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("%s has more than one word of ASCII: no client could send it as a key", path)
	}
	if mode := info.Mode().Perm(); goruntime.GOOS != "windows" && mode&0o077 != 0 {
		fmt.Fprintf(e.stderr, "llada: warning: %s can be read by others (mode %04o): chmod 600 keeps the key yours\n", path, mode)
	}
	return key, nil
}

// greet says where the server is, who else may reach it, and how to try it.
func (e *env) greet(c *cli.Context, at net.Addr, opt *serve.Options, m *runtime.Model) error {
	if tcp, ok := at.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		fmt.Fprintf(e.stderr, "llada: warning: other machines can reach %s, and what is sent is not encrypted: a proxy in front of it can do that\n", at)
		if opt.Key == "" {
			fmt.Fprintln(e.stderr, "llada: WARNING: without --api-key-file whoever reaches it may use it")
		}
	}
	url := urlOf(at)
	key := ""
	if opt.Key != "" {
		key = ` -H "Authorization: Bearer $(cat ` + quoted(c.String("api-key-file")) + `)"`
	}
	fmt.Fprintf(e.stderr, "%s (%s, %d positions) is served at %s/\n"+
		"Try it: curl %s/v1/chat/completions -H 'Content-Type: application/json'%s -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]}'\n",
		e.stderr.printable(opt.Name), m.FileType(), m.Config.Context, url, url, key)
	if !c.Bool("json") {
		return nil
	}
	line, err := json.Marshal(listening{Address: at.String(), URL: url, Model: opt.Name})
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(append(line, '\n'))
	return err
}

// urlOf returns where a client of this machine finds the server. An address that stands
// for all of the machine's is none that could be asked for.
func urlOf(at net.Addr) string {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", tcp.Port)
	}
	return "http://" + at.String()
}

// quoted returns a path as a shell takes it, also between double quotes.
func quoted(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
