//go:build !unix

package blockstore

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
