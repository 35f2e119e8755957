//go:build (!amd64 && !arm64) || purego

package kernels

// fast returns nothing: there is no assembly for this processor.
func fast() []*implementation { return nil }

func pause() {}
