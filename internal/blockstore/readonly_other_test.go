//go:build !unix

package blockstore

func readOnly(string) error { return nil }
