package sandbox

import (
	"context"
	"fmt"
	"time"
)

// reference is the time of a canonical solution of HumanEval, checked, on the machine
// that limits of time are meant for. Nearly all of it is the start of the interpreter.
const reference = 38 * time.Millisecond

// maxFactor is where a machine is too slow, or too busy, to judge programs by time.
const maxFactor = 50

// Factor is what limits of time are multiplied by: 1 before Calibrate.
func (s *Sandbox) Factor() float64 { return float64(s.factor.Load()) / 1000 }

// Calibrate measures how much slower than on the reference this machine runs programs,
// which must pass, as canonical solutions do; without any it runs some of its own. The
// factor, 1 or more, is used for every limit of time from then on.
func (s *Sandbox) Calibrate(ctx context.Context, programs []Program) (float64, error) {
	if len(programs) == 0 {
		for range 8 {
			programs = append(programs, Program{Source: "assert sum(i * i for i in range(10000)) == 333283335000"})
		}
	}
	var sum time.Duration
	for i, p := range programs {
		p.Time = max(p.Time, s.opt.Time) * maxFactor
		v, err := s.Run(ctx, p)
		if err != nil {
			return 0, err
		}
		if v.Status != Passed {
			return 0, fmt.Errorf("sandbox: program %d of %d, which should pass, does not: %s, %s", i+1, len(programs), v.Status, v.Message)
		}
		sum += v.Wall
	}
	mean := sum / time.Duration(len(programs))
	factor := max(1, float64(mean)/float64(reference))
	if factor > maxFactor {
		return 0, fmt.Errorf("sandbox: programs take %v here, %v is usual: too slow to judge them by time", mean, reference)
	}
	s.factor.Store(int64(factor * 1000))
	return s.Factor(), nil
}
