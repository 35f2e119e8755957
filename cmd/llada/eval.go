package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/reports"
)

func (e *env) evalCommand() *cli.Command {
	var names []string
	for _, t := range eval.Tasks() {
		names = append(names, t.Name)
	}
	return &cli.Command{
		Name:  "eval",
		Usage: "measure how many problems a model solves",
		UsageText: "llada eval (--model FILE | --endpoint URL --endpoint-model NAME) --task LIST [--out DIR] [flags]\n" +
			"   llada eval merge --out DIR SHARD_DIR…\n\n" +
			"Example: llada eval --model mini-q4_0.gguf --task gsm8k,humaneval --limit 100 --out result\n" +
			"         llada eval --endpoint http://127.0.0.1:8080 --endpoint-model qwen3-8b --task gsm8k --out qwen\n\n" +
			"Tasks are " + strings.Join(names, ", ") + ".\n" +
			"The folder keeps every answer as soon as it is judged. After an interruption, even a kill, the same command with --resume\n" +
			"goes on; it may name more tasks. Data sets are looked for in the folder that " + dataFolder + " names, then in the cache, then fetched.\n" +
			"\n" +
			"In a SLURM job array, in a step of srun with several tasks, and in an indexed Kubernetes Job, a process asks its own part of the\n" +
			"documents, into a folder of its own in --out, as shard-2-of-3; --shard all asks all of them. Kubernetes does not say how many\n" +
			"parts there are: --shard auto/N does, or the variable JOB_COMPLETIONS.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "model", Aliases: []string{"m"}, Usage: "GGUF `FILE`"},
			&cli.StringFlag{Name: "task", Usage: "`LIST` of tasks"},
			&cli.StringFlag{Name: "data", Usage: "`FILE` of the user's in the form of the task's data set, to be asked instead of it"},
			&cli.BoolFlag{Name: "offline", Usage: "fetch no data"},
			&cli.IntFlag{Name: "limit", Usage: "ask `N` documents of each data set, a fixed choice that has its share of easy and hard ones", DefaultText: "all"},
			&cli.StringFlag{Name: "shard", Usage: "ask part `I/N` of the documents; auto, what the cluster says; auto/N; or all", DefaultText: "what the cluster says, else all"},
			&cli.BoolFlag{Name: "resume", Usage: "go on with the run that --out has"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` that keeps the answers and the result", DefaultText: "nothing is kept"},
			&cli.IntFlag{Name: "batch", Value: 4, Usage: "answer `N` prompts together; answers do not depend on it"},
			&cli.IntFlag{Name: "repeats", Value: 1, Usage: "`N` answers to each prompt"},
			&cli.StringFlag{Name: "k", Usage: "`LIST` of k of pass@k", DefaultText: "1, 10, 100, as far as there are repeats"},
			&cli.IntFlag{Name: "gen-length", Usage: "at most `N` tokens of each answer", DefaultText: "what the task is made for"},
		}, endpointFlags(), sandboxFlags(), loadFlags(), decodingFlags(), formFlags(reports.EvalForms())),
		Action:      e.eval,
		Subcommands: []*cli.Command{e.evalMergeCommand()},
	}
}

// decodingFlags are those of settings that do not stand in evalCommand.
func decodingFlags() []cli.Flag {
	return slices.DeleteFunc(settingFlags(), func(f cli.Flag) bool { return slices.Contains([]string{"gen-length", "audit"}, f.Names()[0]) })
}

func (e *env) eval(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	forms, err := resultForms(c, reports.EvalForms())
	if err != nil {
		return err
	}
	opt, err := e.evalOptions(c)
	if err != nil {
		return err
	}
	if err := e.evalData(c, &opt); err != nil {
		return err
	}
	if opt.Executor, opt.Sandbox, err = e.sandbox(c, &opt); err != nil {
		return err
	}
	done, err := e.generator(c, &opt)
	if err != nil {
		return err
	}
	defer done()
	if err := e.announce(c, opt); err != nil {
		return err
	}
	bar := newEvalProgress(e.stderr)
	opt.Progress = bar.update
	result, _, err := eval.Run(c.Context, opt)
	bar.end()
	if result == nil {
		return folderError(err)
	}
	return errors.Join(err, e.printEval(result, forms)) // of an interrupted run, what there is
}

// folderError is a usage error if a folder has something else than it is named for.
func folderError(err error) error {
	if errors.Is(err, eval.ErrExists) || errors.Is(err, eval.ErrDiffers) || errors.Is(err, fs.ErrExist) {
		return usageError{err}
	}
	return err
}

// printEval prints a result.
func (e *env) printEval(result *reports.Eval, forms []string) error {
	if err := printResult(e.stdout, result, forms); err != nil {
		return err
	}
	for _, warning := range result.Warnings {
		fmt.Fprintln(e.stderr, "llada: warning:", e.stderr.printable(warning))
	}
	return nil
}

// evalOptions reads the flags that say what is asked.
func (e *env) evalOptions(c *cli.Context) (opt eval.Options, err error) {
	if err := needFlags(c, "task"); err != nil {
		return opt, err
	}
	names, err := bench.Names(c.String("task"))
	if err != nil {
		return opt, usagef("--task: %w", err)
	}
	for _, name := range names {
		t, err := eval.Find(name)
		if err != nil {
			return opt, usagef("--task: %w", err)
		}
		if slices.ContainsFunc(opt.Tasks, func(o *eval.Task) bool { return o.Name == t.Name }) {
			return opt, usagef("--task: %s is named twice", t.Name)
		}
		opt.Tasks = append(opt.Tasks, t)
	}
	if _, err := exactlyOne(c, "model", "endpoint"); err != nil { // before data is fetched
		return opt, err
	}
	for _, n := range []struct {
		name  string
		field *int
	}{{"limit", &opt.Limit}, {"repeats", &opt.Repeats}, {"gen-length", &opt.GenLength}, {"batch", new(int)}} {
		most := 1 << 20
		if n.name == "repeats" {
			most = eval.MostRepeats
		}
		if *n.field = c.Int(n.name); *n.field < 1 && c.IsSet(n.name) || *n.field > most {
			return opt, usagef("--%s: %d is not between 1 and %d", n.name, *n.field, most)
		}
	}
	if c.IsSet("k") {
		if opt.K, err = bench.Ints(c.String("k")); err != nil {
			return opt, usagef("--k: %w", err)
		}
		for _, k := range opt.K {
			if k < 1 || k > opt.Repeats {
				return opt, usagef("--k: pass@%d needs --repeats %d or more", k, k)
			}
		}
	}
	for _, name := range []string{"out", "data", "shard"} {
		if c.IsSet(name) && c.String(name) == "" {
			return opt, usagef("flag --%s is empty; see llada eval --help", name)
		}
	}
	if err := checkPolicy(c); err != nil {
		return opt, err
	}
	opt.Dir, opt.Resume, opt.Seed = c.String("out"), c.Bool("resume"), c.Uint64("seed")
	if err := e.shard(c, &opt); err != nil {
		return opt, err
	}
	if opt.Resume && opt.Dir == "" {
		return opt, usagef("--resume needs --out, the folder of the run")
	}
	if opt.Dir != "" {
		if err := eval.CheckFolder(opt.Dir, opt.Resume); err != nil {
			return opt, folderError(err)
		}
	}
	opt.Judges = judges(c)
	opt.Program, opt.Machine, opt.Command = thisProgram(), bench.ThisMachine(), e.args
	return opt, nil
}

// shard decides which part of the documents is asked, and in which folder it is kept.
func (e *env) shard(c *cli.Context, opt *eval.Options) (err error) {
	text := c.String("shard")
	auto, count, _ := strings.Cut(text, "/")
	switch {
	case text == "all":
		return nil
	case text != "" && auto != "auto":
		if opt.Shard, err = eval.ParseShard(text); err != nil {
			return usagef("--shard: %w", err)
		}
	default:
		n := 0
		if count != "" {
			if n, err = strconv.Atoi(count); err != nil || n < 1 {
				return usagef("--shard: %.40q is not auto/N", text)
			}
		}
		var from string
		opt.Shard, from, err = eval.ClusterShard(os.LookupEnv, n)
		if errors.Is(err, eval.ErrNoShard) && text == "" {
			return nil
		}
		if err != nil {
			return usagef("--shard: %w", err)
		}
		if text == "" && opt.Shard.N == 1 { // one task is no cluster
			opt.Shard = eval.Shard{}
			return nil
		}
		fmt.Fprintf(e.stderr, "llada: asking shard %s, as %s say; --shard all would ask all\n", opt.Shard, from)
		if opt.Dir != "" {
			opt.Dir = filepath.Join(opt.Dir, opt.Shard.Folder())
		}
	}
	if opt.Dir == "" {
		return usagef("a shard needs --out, the folder from which it is merged with the others")
	}
	return nil
}

// evalData opens the data sets that tasks ask for.
func (e *env) evalData(c *cli.Context, opt *eval.Options) error {
	from := dataOptions()
	from.Offline = c.Bool("offline")
	opt.Data = map[string]*datasets.Data{}
	if c.IsSet("data") {
		file := from
		file.File = c.String("data")
		d, err := datasets.Open(c.Context, "", file)
		if err != nil {
			return err
		}
		for _, t := range opt.Tasks {
			if t.Form != d.Form {
				return usagef("--data: %s has the form of %s, and task %s asks the form of %s", file.File, d.Form, t.Name, t.Form)
			}
			opt.Data[t.Data] = d
		}
	}
	open := func(name string) error {
		if name == "" || opt.Data[name] != nil {
			return nil
		}
		bar := newProgress(e.stderr, "fetching "+name)
		from.Progress = bar.update
		d, err := datasets.Open(c.Context, name, from)
		bar.end()
		opt.Data[name] = d
		return err
	}
	for _, t := range opt.Tasks {
		asking := t
		if t.Answers != "" {
			var err error
			if asking, err = eval.Find(t.Answers); err != nil {
				return err
			}
		}
		for _, name := range []string{t.Data, asking.Data, asking.Support} {
			if err := open(name); err != nil {
				return fmt.Errorf("task %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

// generator sets what answers, and returns what ends it.
func (e *env) generator(c *cli.Context, opt *eval.Options) (done func(), err error) {
	if c.IsSet("endpoint") {
		if err := needFlags(c, "endpoint"); err != nil {
			return nil, err
		}
		opt.Program.Kernels = "" // none of ours
		opt.Generator, err = endpoint(c)
		return func() {}, err
	}
	if flag := firstGiven(c, endpointFlags()); flag != "" {
		return nil, usagef("--%s is for --endpoint", flag)
	}
	if err := needFlags(c, "model"); err != nil {
		return nil, err
	}
	m, err := e.load(c, c.String("model"))
	if err != nil {
		return nil, err
	}
	decoding, err := settings(c, m, 0, nil)
	var digest string
	if err == nil {
		digest, err = m.SHA256(c.Context)
	}
	if err == nil {
		opt.Generator, err = eval.NewLocal(m, digest, decoding, c.Int("batch"))
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	opt.Threads = m.Threads()
	return func() { m.Close() }, nil
}

// likelyRight is the accuracy for which announce says what a run can see.
const likelyRight = 0.9

// announce says what is going to be asked and what the result could show.
func (e *env) announce(c *cli.Context, opt eval.Options) error {
	p, err := eval.Preview(opt)
	if err != nil {
		return err
	}
	var parts []string
	for _, t := range p.Tasks {
		n := t.Asked / p.Repeats
		parts = append(parts, fmt.Sprintf("%s v%d: %d documents, where two runs with %.0f %% right have to differ by %.1f points to be told apart",
			t.Task, t.Version, n, 100*likelyRight, 100*reports.Detectable(float64(n), likelyRight)))
	}
	line := strings.Join(parts, "; ") + fmt.Sprintf("; answers of up to %d tokens", p.GenLength)
	if p.Repeats > 1 {
		line += fmt.Sprintf(", %d to each prompt", p.Repeats)
	}
	if p.Subset != "" {
		line += "; subset: " + p.Subset
	}
	if p.Shard != "" {
		line += "; shard " + p.Shard
	}
	if s := opt.Sandbox; s != nil {
		line += fmt.Sprintf("; sandbox tier %s, Python %s, time limits × %.2g", s.Tier, s.Python, s.Factor)
	}
	fmt.Fprintln(e.stderr, "llada: asking", line)
	if opt.Dir == "" {
		fmt.Fprintln(e.stderr, "llada: without --out nothing is kept, and the run cannot be resumed")
	}
	if p.Repeats > 1 && c.Float64("temperature") == 0 {
		fmt.Fprintln(e.stderr, "llada: warning: at temperature 0 all answers to a prompt are the same")
	}
	return nil
}

// firstGiven returns the name of the first flag that is given, "" if none is.
func firstGiven(c *cli.Context, flags []cli.Flag) string {
	for _, f := range flags {
		if name := f.Names()[0]; c.IsSet(name) {
			return name
		}
	}
	return ""
}

// judges is how many programs run at once: beside a model that uses all processors, few.
func judges(c *cli.Context) int {
	if c.IsSet("endpoint") {
		return max(1, goruntime.NumCPU())
	}
	return 2
}
