package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/datasets"
)

func (e *env) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "examine the machine: processor, kernels in use, speed of arithmetic and memory, with advice; whether programs that models write can be run safely; which data sets are there",
		UsageText: "llada doctor [--json]\n\nExample: llada doctor",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print the findings as JSON"}},
		Action:    e.doctor,
	}
}

func (e *env) doctor(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	x, err := bench.Examine(c.Context)
	if err != nil {
		return err
	}
	d := diagnosis{Examination: x}
	if d.Sandbox, err = examineSandbox(c.Context); err != nil {
		return err
	}
	d.Data = datasets.Status(dataOptions())
	if c.Bool("json") {
		err = e.json(d)
	} else if err = e.printExamination(x); err == nil {
		err = errors.Join(e.printSandbox(d.Sandbox), e.printData(d.Data))
	}
	if err != nil {
		return err
	}
	for _, t := range append(d.Sandbox.Others, d.Sandbox.tierFindings) {
		for _, a := range t.Attacks {
			if !a.Contained {
				return fmt.Errorf("sandbox: tier %s does not contain the attack %q: %s", t.Tier, a.Name, a.Detail)
			}
		}
	}
	return nil
}

// diagnosis is all that doctor finds.
type diagnosis struct {
	*bench.Examination
	Sandbox sandboxFindings  `json:"sandbox"`
	Data    []datasets.Found `json:"data"`
}

func (e *env) printExamination(x *bench.Examination) error {
	known := func(text string) string {
		if text == "" {
			return "not known"
		}
		return text
	}
	cores := known("")
	if x.CPU.Cores > 0 {
		cores = strconv.Itoa(x.CPU.Cores)
	}
	megahertz := known("")
	if x.CPU.MHz > 0 {
		megahertz = fmt.Sprintf("%.0f", x.CPU.MHz)
	}
	memory := func(n uint64) string {
		if n == 0 {
			return known("")
		}
		return size(n)
	}
	assembly := "none"
	if len(x.Kernels.Assembly) > 0 {
		assembly = strings.Join(x.Kernels.Assembly, " ")
	}
	rows := [][]string{
		{"processor", known(x.CPU.Model)},
		{"system", x.CPU.OS + "/" + x.CPU.Arch},
		{"features", known(strings.Join(x.CPU.Flags, " "))},
		{"processors, cores", fmt.Sprintf("%d, %s", x.CPU.CPUs, cores)},
		{"governor", known(x.CPU.Governor)},
		{"MHz", megahertz},
		{"kernels", x.Kernels.Implementation + ", of " + strings.Join(x.Kernels.Implementations, ", ")},
		{"types in assembly", assembly},
		{"types in plain Go", strings.Join(x.Kernels.Plain, " ")},
		{"built with purego", yesNo(x.Kernels.PureGo)},
		{"memory", memory(x.Memory.Total)},
		{"of that available", memory(x.Memory.Available)},
		{"huge pages", known(x.Memory.Huge)},
	}
	if err := e.table([]string{"what", "found"}, rows); err != nil {
		return err
	}
	rows = nil
	rate := func(x float64) string {
		if x == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f", x)
	}
	for i, p := range x.CPU.Peak {
		rows = append(rows, []string{strconv.Itoa(p.Threads), rate(p.Int4), rate(p.Int8), rate(p.Float), rate(x.Memory.Bandwidth[i].Rate)})
	}
	err := e.table([]string{"threads", "4-bit, GMAC/s", "8-bit, GMAC/s", "float, GMAC/s", "memory, GB/s"}, rows, 0, 1, 2, 3, 4)
	if err != nil {
		return err
	}
	for _, text := range x.Warnings {
		fmt.Fprintln(e.stdout, "warning:", text)
	}
	for _, text := range x.Advice {
		fmt.Fprintln(e.stdout, "advice:", text)
	}
	if len(x.Advice) == 0 {
		fmt.Fprintln(e.stdout, "nothing to advise")
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
