package main

import (
	"embed"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/urfave/cli/v2"

	"lladakit/quant"
	"lladakit/runtime"
)

// completionScripts has a template for each shell. The scripts know all commands and
// flags by themselves: the library's would start the program at every press of the key,
// and need a hidden last argument that a user's own text could be.
//
//go:embed completion/*.tmpl
var completionScripts embed.FS

// shells are those that completion prints a script for.
func shells() []string { return []string{"bash", "fish", "zsh"} }

func (e *env) completionCommand() *cli.Command {
	return &cli.Command{
		Name:  "completion",
		Usage: "print what lets a shell complete commands, flags and file names",
		UsageText: "llada completion " + strings.Join(shells(), "|") + "\n\n" +
			"Example: llada completion bash > ~/.local/share/bash-completion/completions/llada\n" +
			"         llada completion zsh > \"${fpath[1]}/_llada\"\n" +
			"         llada completion fish > ~/.config/fish/completions/llada.fish\n\n" +
			"For the running bash: . <(llada completion bash)",
		Action: e.completion,
	}
}

func (e *env) completion(c *cli.Context) error {
	if err := arguments(c, 1, "SHELL ("+strings.Join(shells(), ", ")+")"); err != nil {
		return err
	}
	shell := c.Args().First()
	if !slices.Contains(shells(), shell) {
		return usagef("%.40q is not one of %s", shell, strings.Join(shells(), ", "))
	}
	t, err := template.New(shell+".tmpl").Funcs(template.FuncMap{
		"join": func(words []string) string { return strings.Join(words, " ") },
		"bar":  func(words []string) string { return strings.Join(words, "|") },
		"name": func(flag string) string { return strings.TrimLeft(flag, "-") },
		"bash": func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) },
		"fish": strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace,
		"zsh":  strings.NewReplacer("'", `'\''`, `\`, `\\`, ":", `\:`).Replace,
	}).ParseFS(completionScripts, "completion/"+shell+".tmpl")
	if err != nil {
		return err
	}
	return t.Execute(e.stdout, commandTree(c.App))
}

// A node is a command as shells and the manual page see it.
type node struct {
	Path  string // "" of the program, "/datasets/pull"
	Name  string
	Usage string
	Text  string // how it is called, examples, and what else there is to say
	Flags []nodeFlag
	Words []string // that may follow: subcommands, or arguments of a fixed choice
	Subs  []node   // subcommands
}

// A nodeFlag is a flag of a command.
type nodeFlag struct {
	Names   []string // "--threads", "-t"
	Value   string   // what stands for the value in texts; "" without one
	Usage   string
	Default string
	Words   []string // the values, if they are a fixed choice
}

// File says that the value is a name of a file.
func (f nodeFlag) File() bool { return f.Value == "FILE" || f.Value == "PATH" }

// Folder says that the value is a name of a folder.
func (f nodeFlag) Folder() bool { return f.Value == "DIR" || f.Value == "FOLDER" }

// commandTree returns the program with all commands.
func commandTree(app *cli.App) node {
	root := node{Name: app.Name, Usage: app.Usage, Text: app.UsageText, Subs: nodes("", app.VisibleCommands())}
	for _, n := range root.Subs {
		root.Words = append(root.Words, n.Name)
	}
	for i := range root.Subs {
		switch root.Subs[i].Name {
		case "help":
			root.Subs[i].Words = root.Words
		case "completion":
			root.Subs[i].Words = shells()
		}
	}
	root.Flags = nodeFlags(nil)
	return root
}

func nodes(path string, commands []*cli.Command) (all []node) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		n := node{Path: path + "/" + c.Name, Name: c.Name, Usage: c.Usage, Text: c.UsageText, Flags: nodeFlags(c.Flags)}
		n.Subs = nodes(n.Path, c.Subcommands)
		for _, sub := range n.Subs {
			n.Words = append(n.Words, sub.Name)
		}
		all = append(all, n)
	}
	return all
}

func nodeFlags(flags []cli.Flag) (all []nodeFlag) {
	choices := map[string][]string{
		"type": quant.TargetNames(), "output-type": quant.TargetNames(), "embedding-type": quant.TargetNames(),
		"profile": {"exact", "reference", "balanced", "turbo"},
		"pack":    {string(runtime.PackMemory), string(runtime.PackFile), string(runtime.PackNone)},
		"kv-type": {string(runtime.KVF32), string(runtime.KVF16), string(runtime.KVQ8)},
	}
	for _, p := range runtime.Policies() {
		choices["policy"] = append(choices["policy"], p.Name)
	}
	for _, f := range flags {
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || f == cli.HelpFlag || slices.Contains(f.Names(), "help") {
			continue
		}
		var n nodeFlag
		for _, name := range f.Names() {
			n.Names = append(n.Names, dashes(name))
		}
		n.Usage = strings.ReplaceAll(doc.GetUsage(), "`", "")
		if doc.TakesValue() {
			n.Value = "VALUE"
			if _, after, ok := strings.Cut(doc.GetUsage(), "`"); ok {
				n.Value, _, _ = strings.Cut(after, "`")
			}
			n.Words = choices[f.Names()[0]]
			n.Default = doc.GetDefaultText()
		}
		all = append(all, n)
	}
	return append(all, nodeFlag{Names: []string{"--help", "-h"}, Usage: "show help"})
}

func dashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// All returns the command and those below it.
func (n node) All() []node {
	all := []node{n}
	for _, sub := range n.Subs {
		all = append(all, sub.All()...)
	}
	return all
}

// Paths returns the paths of all commands below.
func (n node) Paths() (paths []string) {
	for _, c := range n.All()[1:] {
		paths = append(paths, c.Path)
	}
	return paths
}

// FlagNames returns all names of all flags.
func (n node) FlagNames() (names []string) {
	for _, f := range n.Flags {
		names = append(names, f.Names...)
	}
	return names
}

// A choice is what may be the value of flags.
type choice struct {
	At    []string // "/run --policy": command and flag
	Words []string
}

// Choices returns the flags whose values are a fixed choice.
func (n node) Choices() []choice {
	at := map[string][]string{}
	n.flagsWhere(func(place string, f nodeFlag) {
		if len(f.Words) > 0 {
			words := strings.Join(f.Words, " ")
			at[words] = append(at[words], place)
		}
	})
	var all []choice
	for _, words := range slices.Sorted(maps.Keys(at)) {
		all = append(all, choice{at[words], strings.Fields(words)})
	}
	return all
}

// Files returns the flags whose values are names of files.
func (n node) Files() (at []string) {
	n.flagsWhere(func(place string, f nodeFlag) {
		if f.File() {
			at = append(at, place)
		}
	})
	return at
}

// Folders returns the flags whose values are names of folders.
func (n node) Folders() (at []string) {
	n.flagsWhere(func(place string, f nodeFlag) {
		if f.Folder() {
			at = append(at, place)
		}
	})
	return at
}

// Others returns the flags whose values nobody can list.
func (n node) Others() (at []string) {
	n.flagsWhere(func(place string, f nodeFlag) {
		if f.Value != "" && !f.File() && !f.Folder() && len(f.Words) == 0 {
			at = append(at, place)
		}
	})
	return at
}

func (n node) flagsWhere(do func(place string, f nodeFlag)) {
	for _, c := range n.All() {
		for _, f := range c.Flags {
			for _, name := range f.Names {
				do(c.Path+" "+name, f)
			}
		}
	}
}
