package sandbox

import (
	"context"
	"errors"
)

func (s *Sandbox) findEngine() error { return errors.ErrUnsupported }
func (s *Sandbox) contain(ctx context.Context, p Program) (Verdict, error) {
	return Verdict{}, errors.ErrUnsupported
}
