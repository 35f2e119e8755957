//go:build unix

package eval_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKill kills a run at random moments until it is through: what it has then is what an
// undisturbed one has.
func TestKill(t *testing.T) {
	kills := 4
	if os.Getenv(fullVariable) != "" {
		kills = 20
	}
	model := tinyModel(t)
	whole := tinyRun(t, model, filepath.Join(t.TempDir(), "whole"), 1)
	start := time.Now()
	_, list := finished(t, whole)
	each := time.Since(start) / time.Duration(len(list))

	dir := filepath.Join(t.TempDir(), "killed")
	killed := 0
	for range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
		cmd.Env = append(os.Environ(), modelVariable+"="+model, dirVariable+"="+dir)
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// After another sample or so, or before the first.
		enough := size(dir) + rand.Int64N(1000)
		deadline := time.After(time.Minute)
	wait:
		for {
			select {
			case err := <-ended:
				require.NoError(t, err)
				ended <- nil
				break wait
			case <-deadline:
				break wait
			case <-time.After(rand.N(each)):
				if size(dir) >= enough {
					break wait
				}
			}
		}
		if cmd.Process.Kill() == nil {
			killed++
			t.Log("killed with bytes of samples: ", size(dir))
		}
		<-ended
	}
	assert.Positive(t, killed)
	last := tinyRun(t, model, dir, 2)
	finished(t, last)
	assert.Equal(t, contents(t, whole.Dir), contents(t, dir))
}

// size returns that of the samples.
func size(dir string) int64 {
	info, err := os.Stat(filepath.Join(dir, "samples.jsonl"))
	if err != nil {
		return -1
	}
	return info.Size()
}
