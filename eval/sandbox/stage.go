//go:build linux || darwin

package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// stageName is the first argument of a copy of this program that becomes an interpreter.
const stageName = "llada-sandbox"

// Main takes over the process if it was started as a part of a sandbox, and returns at
// once if not. It must be the first thing that a program (and a TestMain) does.
func Main() {
	if len(os.Args) != 1 || os.Args[0] != stageName {
		return
	}
	// What restricts a thread lasts when that thread becomes another program, and
	// the other threads end with that.
	runtime.LockOSThread()
	report := os.NewFile(reportFile, "report")
	err := becomePython(report)
	fmt.Fprintf(report, "%v", err)
	os.Exit(1)
}

func becomePython(report *os.File) error {
	file := os.NewFile(stageFile, "stage")
	text, err := readAll(file, 1<<20)
	if err != nil {
		return err
	}
	var st stage
	if err := json.Unmarshal(text, &st); err != nil {
		return err
	}
	execute, err := execution(st.Args, []string{
		"PATH=", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8", "PYTHONHASHSEED=0", "OMP_NUM_THREADS=1",
	})
	if err != nil {
		return err
	}
	syscall.CloseOnExec(stageFile)
	syscall.CloseOnExec(reportFile)
	if err := st.confine(); err != nil {
		return err
	}
	// If our parent is dead, this fails.
	if _, err := report.WriteString(ready); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", st.Args[0], execute())
}
