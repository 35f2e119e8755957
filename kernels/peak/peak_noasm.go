//go:build !amd64 || purego

package peak

func supported() bool { return false }
func hasVNNI() bool   { return false }

func bytes(int)       {}
func nibbles(int)     {}
func dots(int)        {}
func fma(int)         {}
func fma512(int)      {}
func read(*byte, int) {}
